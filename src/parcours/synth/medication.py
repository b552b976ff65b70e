"""Starts of medicines and the purchases that follow; nothing here looks at fractures."""

from dataclasses import dataclass

import numpy as np

from parcours.synth.days import FAR, YEAR, Calendar
from parcours.synth.facts import Medicine, medicines, prior, priors_under
from parcours.synth.population import Population, trait_names

PRE_STUDY_DAYS = 1095  # how far back the first purchase of someone already treated may lie
AGE_REFERENCE = 75


@dataclass(frozen=True)
class Purchases:
    """One row a purchase: person, medicine (index), day, pack (0 of 30 days, 1 of 90) and whether it is the first."""

    person: np.ndarray
    medicine: np.ndarray
    day: np.ndarray
    pack: np.ndarray
    first: np.ndarray


def _weight(medicine: Medicine, people: Population, span: Calendar) -> np.ndarray:
    """Each person's start rate over the average one."""
    age = (span.first - people.birth) / YEAR
    weight = np.exp(medicine.age_slope * (age - AGE_REFERENCE))
    if medicine.trait == "none":
        return weight
    has = people.traits[:, trait_names().index(medicine.trait)]
    share = priors_under("trait")[medicine.trait]
    return weight * np.where(has, medicine.start_ratio, 1.0) / (1 + share * (medicine.start_ratio - 1))


def draw_starts(rng: np.random.Generator, people: Population, span: Calendar) -> np.ndarray:
    """Day of the first purchase, (n persons, n medicines), FAR where there is none in the period.

    A share of persons already takes the medicine on the first day of care (first purchase up to
    three years earlier); the others start at a constant rate, whatever happens to them.
    """
    starts = np.full((len(people), len(medicines())), FAR)
    for index, medicine in enumerate(medicines()):
        weight = _weight(medicine, people, span)
        prevalent = rng.random(len(people)) < np.minimum(medicine.prevalent_share * weight, 0.6)
        before = span.first - rng.integers(1, PRE_STUDY_DAYS, len(people))
        wait = rng.exponential(size=len(people)) / (medicine.start_rate * weight) * YEAR
        after = np.where(wait < FAR, span.first + wait, FAR).astype(np.int64)
        starts[:, index] = np.where(prevalent, before, after)
    starts[starts > span.last] = FAR
    return starts


def _ninety_share(lines_per_person_year: float) -> float:
    """Share of 30-day courses bought as 90-day packs: all of them in a thin delivery, none at 33.5 lines."""
    low = prior("lines.thirty_day_from")
    return float(np.clip((33.5 - lines_per_person_year) / (33.5 - low), 0, 1))


def draw_purchases(
    rng: np.random.Generator, starts: np.ndarray, death: np.ndarray, span: Calendar, lines_per_person_year: float
) -> Purchases:
    """Purchases in the period: the first one, then one every 30 or 90 days until the treatment stops.

    Treatment lasts an exponential time (mean `persistence_days`); nobody buys after the day of death.
    """
    person, medicine = np.nonzero(starts < FAR)
    start = starts[person, medicine]
    persistence = np.array([m.persistence_days for m in medicines()])[medicine]
    pack_days = np.array([m.pack_days for m in medicines()])[medicine]
    chronic = np.array([m.chronic for m in medicines()])[medicine]
    large = (pack_days == 90) | (chronic & (rng.random(len(person)) < _ninety_share(lines_per_person_year)))
    step = np.where(large, 90, 30)
    # An exponential stay has no memory: who is treated on the first day has the same time ahead as a starter.
    stop = np.maximum(start, span.first) + rng.exponential(size=len(person)) * persistence
    count = 1 + ((stop - start) // step).astype(np.int64)
    row = np.repeat(np.arange(len(person)), count)
    turn = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    delay = np.where(turn > 0, rng.integers(-3, 8, len(row)), 0)
    day = start[row] + turn * step[row] + delay
    kept = (day >= span.first) & (day <= np.minimum(death[person[row]], span.last))
    row, turn = row[kept], turn[kept]
    return Purchases(person[row], medicine[row], day[kept], large[row].astype(np.int64), turn == 0)
