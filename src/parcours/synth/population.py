"""Persons: birth, sex, traits, residence, death, and the identifiers that the SNDS gives them."""

from dataclasses import dataclass

import numpy as np

from parcours.synth.days import FAR, YEAR, Calendar
from parcours.synth.facts import codes, column, prior, priors_under

ALPHABET = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)


@dataclass
class Population:
    """Arrays of n persons; days are integers since 1970-01-01, FAR = never.

    A person has a first identity (psa_a, rank_a) and, from switch_day on, a second one.
    traits: (n, number of traits) of booleans in the order of `trait_names()`.
    """

    birth: np.ndarray
    sex: np.ndarray
    death: np.ndarray
    traits: np.ndarray
    department: np.ndarray
    commune: np.ndarray
    move_day: np.ndarray
    regime: np.ndarray
    psa_a: np.ndarray
    psa_b: np.ndarray
    rank_a: np.ndarray
    rank_b: np.ndarray
    switch_day: np.ndarray
    nir_ano: np.ndarray
    idt_ano: np.ndarray
    fictive: np.ndarray
    death_missing: np.ndarray
    counts: dict[str, int]

    def __len__(self) -> int:
        return len(self.birth)

    def age(self, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Age in years of persons on days."""
        return (day - self.birth[person]) / YEAR

    def version(self, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Row of the person's attributes on a day: 4 x person + 2 if moved + 1 if the identity changed."""
        return person * 4 + 2 * (day >= self.move_day[person]) + (day >= self.switch_day[person])


def trait_names() -> list[str]:
    """Names of the traits, in the order of the columns of `Population.traits`."""
    return list(priors_under("trait"))


def trait_hazard() -> np.ndarray:
    """Fracture hazard ratio of each trait (1 where it has none)."""
    ratios = priors_under("trait_hazard")
    return np.array([ratios.get(name, 1.0) for name in trait_names()])


def pseudonyms(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` random identifiers of 17 characters."""
    letters = ALPHABET[rng.integers(0, len(ALPHABET), (count, 17), dtype=np.uint8)]
    return np.ascontiguousarray(letters).view("S17").ravel().astype("U17").astype(object)


def _birth(rng: np.random.Generator, count: int, minimum_age: int, today: int) -> np.ndarray:
    low, high, weight = (column("pyramid.csv", name) for name in ("age_from", "age_to", "millions"))
    kept = np.clip(high + 1 - np.maximum(low, minimum_age), 0, None) / (high + 1 - low) * weight
    group = rng.choice(len(low), count, p=kept / kept.sum())
    youngest = np.maximum(low[group], minimum_age)
    age = youngest + rng.random(count) * (high[group] + 1 - youngest)
    return (today - age * YEAR).astype(np.int64) - 1


def _death(rng: np.random.Generator, birth: np.ndarray, sex: np.ndarray, today: int) -> np.ndarray:
    """Day of death by a Gompertz law from the age on `today` (hazard of both sexes averaged at 90)."""
    slope = prior("population.mortality_log_slope")
    ratio = prior("population.mortality_men_to_women")
    at_90 = prior("population.mortality_at_90") * np.where(sex == 1, np.sqrt(ratio), 1 / np.sqrt(ratio))
    age = (today - birth) / YEAR
    scale = at_90 * np.exp(slope * (age - 90)) / slope
    years = np.log1p(rng.exponential(size=len(birth)) / scale) / slope
    return today + 1 + (years * YEAR).astype(np.int64)


def _identities(rng: np.random.Generator, people: Population, rates: dict[str, float], span: Calendar) -> None:
    count = len(people)
    pairs = np.flatnonzero(rng.random(count // 2) < rates["twins"]) * 2
    for name in ("birth", "sex", "department", "commune", "regime", "psa_a"):
        values = getattr(people, name)
        values[pairs + 1] = values[pairs]
    people.rank_a[pairs + 1] = 2
    twin = np.zeros(count, bool)
    twin[pairs] = twin[pairs + 1] = True
    draw = rng.random(count)
    two_psa = ~twin & (draw < rates["two_psa"])
    rank_twice = ~twin & ~two_psa & (draw < rates["two_psa"] + rates["rank_duplicate"])
    people.psa_b[:] = np.where(two_psa, people.psa_b, people.psa_a)
    people.rank_b[:] = np.where(rank_twice, 2, people.rank_a)
    changed = two_psa | rank_twice
    people.switch_day[changed] = rng.integers(span.first + 30, span.last - 30, changed.sum())
    draw = rng.random(count)
    no_idt = ~changed & (draw < rates["idt_missing"])
    no_nir = ~changed & ~no_idt & (draw < rates["idt_missing"] + rates["nir_ano_missing"])
    people.idt_ano[:] = people.nir_ano
    people.idt_ano[no_nir] = people.psa_a[no_nir] + people.rank_a[no_nir].astype("U2").astype(object)
    people.idt_ano[no_idt] = ""
    people.nir_ano[no_nir | no_idt] = ""
    people.counts = {
        "persons_with_two_psa": int(two_psa.sum()),
        "persons_with_two_ranks": int(rank_twice.sum()),
        "twins_sharing_a_psa": int(twin.sum()),
        "persons_without_nir_ano": int((no_nir | no_idt).sum()),
        "persons_without_idt_ano": int(no_idt.sum()),
    }


def draw_population(
    rng: np.random.Generator, count: int, minimum_age: int, span: Calendar, rates: dict[str, float]
) -> Population:
    """Draw `count` persons alive and at least `minimum_age` years old on the first day of care."""
    sex = np.where(rng.random(count) < prior("population.women_share"), 2, 1)
    birth = _birth(rng, count, minimum_age, span.first)
    shares = np.array(list(priors_under("trait").values()))
    regimes = np.array(list(priors_under("regime").values()))
    moves = rng.exponential(YEAR / prior("population.moves"), count)
    communes = rng.integers(1, 400, (count, 2))
    communes[rng.random(count) < rates["commune_missing"]] = 0
    people = Population(
        birth=birth,
        sex=sex,
        death=np.full(count, FAR),
        traits=rng.random((count, len(shares))) < shares,
        department=rng.integers(0, len(codes()["departments"]), (count, 2)),
        commune=communes,
        move_day=np.where(moves < FAR, span.first + moves, FAR).astype(np.int64),
        regime=rng.choice(len(regimes), count, p=regimes / regimes.sum()),
        psa_a=pseudonyms(rng, count),
        psa_b=pseudonyms(rng, count),
        rank_a=np.ones(count, np.int64),
        rank_b=np.ones(count, np.int64),
        switch_day=np.full(count, FAR),
        nir_ano=pseudonyms(rng, count),
        idt_ano=np.empty(count, object),
        fictive=rng.random(count) < rates["fictive_nir"],
        death_missing=rng.random(count) < prior("population.death_missing"),
        counts={},
    )
    _identities(rng, people, rates, span)
    people.death = _death(rng, people.birth, people.sex, span.first)
    people.counts["persons_with_fictive_nir"] = int(people.fictive.sum())
    return people
