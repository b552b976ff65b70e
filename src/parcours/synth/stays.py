"""Hospital stays: for fractures, for what follows them, for other reasons, and at the end of life."""

from dataclasses import dataclass, fields

import numpy as np

from parcours.synth.days import YEAR, Calendar
from parcours.synth.facts import codes, column, prior, rows
from parcours.synth.fractures import Fractures
from parcours.synth.population import Population

FRACTURE, FOLLOW_UP, OTHER = range(3)


@dataclass
class Stays:
    """One row a stay, entry and length in days; diagnosis, linked, ghm and acts are texts ("" = none)."""

    person: np.ndarray
    entry: np.ndarray
    nights: np.ndarray
    reason: np.ndarray
    diagnosis: np.ndarray
    linked: np.ndarray
    ghm: np.ndarray
    act_1: np.ndarray
    act_2: np.ndarray
    died: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, chosen: np.ndarray) -> "Stays":
        """Rows by index or mask."""
        return Stays(*(getattr(self, field.name)[chosen] for field in fields(self)))


def _text(count: int, value: str = "") -> np.ndarray:
    return np.full(count, value, object)


def _fracture_texts(name: str, type_: np.ndarray) -> np.ndarray:
    return column("fractures.csv", name, str)[type_]


def _severity(rng: np.random.Generator, roots: np.ndarray) -> np.ndarray:
    """GHM of roots of five characters: a severity from 1 to 4 is added (28Z07 takes Z)."""
    level = rng.choice(np.array(["1", "2", "3", "4"], object), len(roots), p=[0.45, 0.3, 0.18, 0.07])
    session = np.array([root[2] == "Z" for root in roots], bool)
    return roots + np.where(session, "Z", level)


def fracture_stays(rng: np.random.Generator, fractures: Fractures) -> Stays:
    """The stay of each fracture treated in hospital."""
    inside = fractures.keep(~fractures.outpatient)
    operated = inside.surgery
    root = np.where(operated, _fracture_texts("ghm_surgical", inside.type), _fracture_texts("ghm_medical", inside.type))
    return Stays(
        person=inside.person,
        entry=inside.day,
        nights=inside.stay_days,
        reason=np.full(len(inside), FRACTURE),
        diagnosis=_fracture_texts("code", inside.type),
        linked=_text(len(inside)),
        ghm=_severity(rng, root),
        act_1=np.where(operated, _fracture_texts("surgery_act", inside.type), "DEQP003"),
        act_2=np.where(rng.random(len(inside)) < 0.4, "ZBQK002", ""),
        died=inside.dies_in_hospital,
    )


def follow_up_stays(rng: np.random.Generator, first: Stays, operated: np.ndarray) -> Stays:
    """Second stays for the same fracture within 30 days, and removals of material half a year to a year later.

    Removals keep the fracture as main diagnosis for half of them, so that only the removal act tells them apart.
    """
    again = ~first.died & (rng.random(len(first)) < prior("fracture.second_stay_share"))
    second = first.take(again)
    second.entry = second.entry + second.nights + rng.integers(0, 30, len(second))
    second.act_1 = _text(len(second))
    removed = first.take(operated & ~first.died & (rng.random(len(first)) < prior("fracture.removal_share")))
    count = len(removed)
    removed.entry = removed.entry + rng.integers(180, 420, count)
    removed.nights = rng.integers(0, 3, count)
    removed.act_1 = rng.choice(np.array(codes()["material_removal_acts"], object), count)
    removed.act_2 = _text(count)
    control = rng.random(count) < 0.5
    removed.diagnosis = np.where(control, codes()["material_removal_diagnosis"], removed.diagnosis)
    removed.ghm = _severity(rng, rng.choice(np.array(codes()["material_removal_ghm"], object), count))
    joined = concatenate([second, removed])
    joined.reason[:] = FOLLOW_UP
    return joined


def concatenate(parts: list[Stays]) -> Stays:
    """Stays of several parts, one after the other."""
    return Stays(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Stays)))


def _other(rng: np.random.Generator, person: np.ndarray, entry: np.ndarray, weight: np.ndarray) -> Stays:
    """Stays for reasons other than a fracture, drawn with the given weights over stays.csv."""
    table = rows("stays.csv")
    row = rng.choice(len(table), len(person), p=weight / weight.sum())
    named = {name: column("stays.csv", name, str)[row] for name in ("diagnosis", "linked", "ghm", "act_1", "act_2")}
    ambulatory = column("stays.csv", "ambulatory", int)[row] == 1
    named["ghm"] = np.where(ambulatory, named["ghm"] + "J", _severity(rng, named["ghm"]))
    nights = np.where(ambulatory, 0, rng.poisson(column("stays.csv", "stay_days")[row]))
    return Stays(
        person=person,
        entry=entry,
        nights=nights,
        reason=np.full(len(person), OTHER),
        died=np.zeros(len(person), bool),
        **named,
    )


def other_stays(rng: np.random.Generator, people: Population, span: Calendar) -> Stays:
    """Stays without fracture at the rates of the priors, and the last stay of half of those who die in the period."""
    end = np.minimum(people.death, span.last)
    age = (span.first - people.birth) / YEAR
    rate = prior("stays.full_at_75") * np.exp(prior("stays.slope") * (age - 75))
    lived = (end - span.first + 1) / YEAR
    ambulatory = column("stays.csv", "ambulatory", int) == 1
    weight = column("stays.csv", "weight")
    parts = []
    for part, ratio in ((~ambulatory, 1.0), (ambulatory, prior("stays.ambulatory_ratio"))):
        person = np.repeat(np.arange(len(people)), rng.poisson(rate * ratio * lived))
        entry = span.first + (rng.random(len(person)) * (end - span.first + 1)[person]).astype(np.int64)
        parts.append(_other(rng, person, entry, np.where(part, weight, 0.0)))
    dying = np.flatnonzero((people.death <= span.last) & (rng.random(len(people)) < 0.5))
    final = _other(rng, dying, people.death[dying], weight * column("stays.csv", "lethality"))
    final.entry = np.maximum(final.entry - final.nights, span.first)
    final.nights = people.death[dying] - final.entry
    final.died[:] = True
    return concatenate([*parts, final])


def draw_stays(rng: np.random.Generator, people: Population, fractures: Fractures, span: Calendar) -> Stays:
    """Every stay that ends in the period, in order of exit; a stay ends at death at the latest."""
    first = fracture_stays(rng, fractures)
    operated = fractures.surgery[~fractures.outpatient]
    stays = concatenate([first, follow_up_stays(rng, first, operated), other_stays(rng, people, span)])
    stays = stays.take(stays.entry <= people.death[stays.person])
    over = stays.entry + stays.nights >= people.death[stays.person]
    stays.nights = np.where(over, people.death[stays.person] - stays.entry, stays.nights)
    stays.died = stays.died | (over & (stays.nights > 0))
    leaving = stays.entry + stays.nights
    stays = stays.take(leaving <= span.last)
    return stays.take(np.argsort(stays.entry + stays.nights, kind="stable"))
