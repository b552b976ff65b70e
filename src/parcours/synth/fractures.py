"""Fractures: the hazard, its thinning into events, their site and care, and the deaths that follow."""

from dataclasses import dataclass

import numpy as np

from parcours.synth.curves import HORIZON_DAYS, relative_incidence
from parcours.synth.days import FAR, YEAR, Calendar
from parcours.synth.facts import column, medicines, prior, priors_under
from parcours.synth.population import Population, trait_hazard

REFERENCE_AGE = 77.5
WINDOW_DAYS = 91  # the hazard is bounded anew in each window, which keeps thinning cheap


@dataclass
class Fractures:
    """One row a fracture: person, day, type (row of fractures.csv) and the care it leads to."""

    person: np.ndarray
    day: np.ndarray
    type: np.ndarray
    outpatient: np.ndarray
    surgery: np.ndarray
    dies_in_hospital: np.ndarray
    stay_days: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def keep(self, kept: np.ndarray) -> "Fractures":
        """The rows where `kept` is true."""
        return Fractures(*(values[kept] for values in vars(self).values()))


def background_hazard(age: np.ndarray, sex: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hazard of a hip and of another fracture, per person-year, by age in years and sex (1 man, 2 woman)."""
    woman = sex == 2
    gap = age - REFERENCE_AGE
    hip = np.where(woman, prior("fracture.hip_women_at_77"), prior("fracture.hip_men_at_77")) * np.exp(
        gap * np.where(woman, prior("fracture.hip_slope_women"), prior("fracture.hip_slope_men"))
    )
    other = np.where(woman, prior("fracture.other_women_at_77"), prior("fracture.other_men_at_77")) * np.exp(
        gap * prior("fracture.other_slope")
    )
    return hip / 1000, other / 1000


def trait_multiplier(traits: np.ndarray) -> np.ndarray:
    """Hazard ratio of each person for lasting traits, 1 on average over persons. traits: (n, traits)."""
    hazard = trait_hazard()
    shares = np.array(list(priors_under("trait").values()))
    average = np.prod(1 + shares * (hazard - 1))
    return np.asarray(np.prod(np.where(traits, hazard, 1.0), axis=1) / average)


def _planted() -> list[tuple[int, np.ndarray]]:
    """Medicines with an effect: index and relative incidence by day, padded with 1 after the horizon."""
    return [
        (index, np.append(relative_incidence(m.curve, m.peak_ri), 1.0))
        for index, m in enumerate(medicines())
        if m.kind in ("raises", "lowers")
    ]


def planted_multiplier(starts: np.ndarray, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Product over medicines of the relative incidence on `day`, given first purchases (n, medicines)."""
    product = np.ones(len(person))
    for index, curve in _planted():
        since = day - starts[person, index]
        inside = (since >= 0) & (since < HORIZON_DAYS)
        product *= curve[np.where(inside, since, HORIZON_DAYS)]
    return product


def _bound(starts: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Per person, a number the planted multiplier cannot exceed from `begin` to `end`."""
    bound = np.ones(len(starts))
    for index, curve in _planted():
        reached = (starts[:, index] <= end) & (starts[:, index] + HORIZON_DAYS > begin)
        bound *= np.where(reached, max(1.0, curve.max()), 1.0)
    return bound


def draw_events(
    rng: np.random.Generator, people: Population, starts: np.ndarray, span: Calendar
) -> tuple[np.ndarray, np.ndarray]:
    """Person and day of every fracture of the period, by thinning; deaths are not yet looked at."""
    everyone = np.arange(len(people))
    lasting = trait_multiplier(people.traits)
    persons, event_days = [], []
    for begin in range(span.first, span.last + 1, WINDOW_DAYS):
        end = min(begin + WINDOW_DAYS - 1, span.last)
        top = sum(background_hazard(people.age(everyone, np.full(len(people), end)), people.sex)) * lasting
        bound = top * _bound(starts, begin, end)
        person = np.repeat(everyone, rng.poisson(bound * (end - begin + 1) / YEAR))
        day = rng.integers(begin, end + 1, len(person))
        hazard = sum(background_hazard(people.age(person, day), people.sex[person])) * lasting[person]
        hazard = hazard * planted_multiplier(starts, person, day)
        kept = rng.random(len(person)) * bound[person] < hazard
        persons.append(person[kept])
        event_days.append(day[kept])
    return np.concatenate(persons), np.concatenate(event_days)


def _types(rng: np.random.Generator, people: Population, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    hip, other = background_hazard(people.age(person, day), people.sex[person])
    is_hip = rng.random(len(person)) * (hip + other) < hip
    group = column("fractures.csv", "group", str) == "hip"
    chosen = np.zeros(len(person), np.int64)
    for sex, name in ((1, "weight_men"), (2, "weight_women")):
        weight = column("fractures.csv", name)
        for hips in (True, False):
            rows = np.flatnonzero((people.sex[person] == sex) & (is_hip == hips))
            share = np.where(group == hips, weight, 0.0)
            chosen[rows] = rng.choice(len(share), len(rows), p=share / share.sum())
    return chosen


def draw_fractures(rng: np.random.Generator, people: Population, starts: np.ndarray, span: Calendar) -> Fractures:
    """Fractures of persons still alive, in order of day; `people.death` is brought forward where they kill."""
    person, day = draw_events(rng, people, starts, span)
    order = np.lexsort((person, day))
    person, day = person[order], day[order]
    type_ = _types(rng, people, person, day)
    outpatient = rng.random(len(person)) < column("fractures.csv", "outpatient")[type_]
    hospital = ~outpatient
    dies = hospital & (rng.random(len(person)) < column("fractures.csv", "lethality")[type_])
    fractures = Fractures(
        person=person,
        day=day,
        type=type_,
        outpatient=outpatient,
        surgery=hospital & (rng.random(len(person)) < column("fractures.csv", "surgery")[type_]),
        dies_in_hospital=dies,
        stay_days=rng.poisson(column("fractures.csv", "stay_days")[type_]),
    )
    _deaths(rng, people, fractures)
    alive = day <= people.death[person]
    return fractures.keep(alive)


def _deaths(rng: np.random.Generator, people: Population, fractures: Fractures) -> None:
    """Bring the day of death forward: in hospital at the end of the stay, later within a year."""
    hip = column("fractures.csv", "group", str)[fractures.type] == "hip"
    woman = people.sex[fractures.person] == 2
    within_year = np.where(
        hip,
        np.where(woman, prior("fracture.died_within_year_women"), prior("fracture.died_within_year_men")),
        prior("fracture.died_within_year_other"),
    )
    later = ~fractures.outpatient & ~fractures.dies_in_hospital & (rng.random(len(fractures)) < within_year)
    wait = np.minimum(rng.exponential(90.0, len(fractures)).astype(np.int64), 365)
    death = np.where(later, fractures.day + fractures.stay_days + 1 + wait, FAR)
    death = np.where(fractures.dies_in_hospital, fractures.day + fractures.stay_days, death)
    for row in np.flatnonzero(death < FAR):  # in order of day: a fracture after death does not happen
        person = fractures.person[row]
        if fractures.day[row] <= people.death[person]:
            people.death[person] = min(people.death[person], death[row])
    dead_there = people.death[fractures.person] == fractures.day + fractures.stay_days
    fractures.dies_in_hospital &= dead_there
    stays_on = ~fractures.outpatient & (fractures.day + fractures.stay_days > people.death[fractures.person])
    cut = np.maximum(people.death[fractures.person] - fractures.day, 0)
    fractures.stay_days = np.where(stays_on, cut, fractures.stay_days)
    fractures.dies_in_hospital |= stays_on
