"""Case series drawn from a known truth: planted curves, an age trend, deaths that end the follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from parcours.models import CaseSeries

#: Shapes of a planted curve: the share of the peak's log relative incidence at each share of the horizon.
SHAPES = {
    "constant": lambda u: np.ones_like(u),
    "decaying": lambda u: np.exp(-2.0 * u),
    "early": lambda u: np.where(u < 0.25, 1.0, np.exp(-8.0 * (u - 0.25))),
    "delayed": lambda u: np.exp(-0.5 * ((u - 0.6) / 0.15) ** 2),
}
#: Persons whose days are drawn at once: a matrix of this many rows and one column a day.
PERSONS_AT_ONCE = 1000


def planted_curve(shape: str, peak: float, horizon: int) -> np.ndarray:
    """Relative incidence by day since the start of exposure, shape (horizon,), with `peak` as its extreme."""
    share = SHAPES[shape](np.arange(horizon) / horizon)
    return np.exp(np.log(peak) * share / share.max())


def mean_over_days(curve: np.ndarray, first_day: int, last_day: int) -> float:
    """Log of the mean of a daily curve over the days first..last since the start; it is 1 before and beyond."""
    days = np.arange(first_day, last_day + 1)
    inside = (days >= 0) & (days < len(curve))
    return float(np.log(np.where(inside, curve[np.clip(days, 0, len(curve) - 1)], 1.0).mean()))


def mean_by_lag(curve: np.ndarray, bucket: int, lags: int) -> np.ndarray:
    """Log of the mean of a daily curve over the days of each lag of `bucket` days, shape (lags + 1,)."""
    return np.array([mean_over_days(curve, lag * bucket, lag * bucket + bucket - 1) for lag in range(lags + 1)])


@dataclass(frozen=True)
class Truth:
    """What a series is drawn from. `curves` gives the relative incidence by day since start, 1 beyond."""

    curves: Mapping[str, np.ndarray] = field(default_factory=dict)
    exposed: Mapping[str, float] = field(default_factory=dict)  # share of cases exposed, every drug of the series
    days: int = 1095
    age_growth: float = 0.12  # growth of the hazard of events per year
    death_share: float = 0.1  # share of persons whose follow-up ends by death, at a uniform day
    second_event_share: float = 0.2


def draw_series(truth: Truth, persons: int, seed: int) -> CaseSeries:
    """Draw `persons` cases, each with one or two events inside the follow-up, from the truth.

    Days are days since the study start; births lie 65 to 95 years before. Each exposed case has one start, uniform
    over the study: never chosen because of an event. Deaths are independent of events and exposures.
    """
    rng = np.random.default_rng(seed)
    end = np.full(persons, truth.days - 1)
    dies = rng.random(persons) < truth.death_share
    end[dies] = rng.integers(min(60, truth.days - 1), truth.days, dies.sum())
    birth = -rng.integers(65 * 365, 95 * 365, persons)
    starts = {drug: rng.integers(0, truth.days, persons) for drug in truth.exposed}
    taken = {drug: rng.random(persons) < share for drug, share in truth.exposed.items()}
    second = rng.random(persons) < truth.second_event_share
    place = rng.random((persons, 2))
    day = np.concatenate(
        [
            _event_days(truth, end[rows], {drug: np.where(taken[drug], starts[drug], -1)[rows] for drug in starts}, u)
            for rows, u in _parts(place)
        ]
    )
    owner = np.concatenate([np.arange(persons), np.flatnonzero(second)])
    exposures = [
        pd.DataFrame({"person_id": rows, "drug": drug, "start": starts[drug][rows]})
        for drug in starts
        for rows in [np.flatnonzero(taken[drug] & (starts[drug] <= end))]
    ]
    empty = pd.DataFrame({"person_id": np.zeros(0, int), "drug": np.zeros(0, str), "start": np.zeros(0, int)})
    return CaseSeries(
        pd.DataFrame({"person_id": np.arange(persons), "start": 0, "end": end, "birth": birth}),
        pd.DataFrame({"person_id": owner, "day": np.concatenate([day[:, 0], day[second, 1]])}),
        pd.concat(exposures) if exposures else empty,
    )


def _parts(place: np.ndarray) -> list[tuple[slice, np.ndarray]]:
    steps = range(0, len(place), PERSONS_AT_ONCE)
    return [(slice(first, first + PERSONS_AT_ONCE), place[first : first + PERSONS_AT_ONCE]) for first in steps]


def _event_days(truth: Truth, end: np.ndarray, start: Mapping[str, np.ndarray], place: np.ndarray) -> np.ndarray:
    """Day at which the cumulated hazard reaches each share of `place` (persons, events); start -1: not exposed."""
    days = np.arange(truth.days)
    hazard = np.exp(np.log1p(truth.age_growth) / 365 * days) * (days <= end[:, None])
    for drug, curve in truth.curves.items():
        exposed = np.flatnonzero(start[drug] >= 0)
        at = start[drug][exposed][:, None] + np.arange(len(curve))
        row, column = np.nonzero(at < truth.days)
        hazard[exposed[row], at[row, column]] *= curve[column]
    cumulated = np.cumsum(hazard, axis=1)
    reached = place * cumulated[:, -1:]
    return np.stack([(cumulated <= reached[:, [number]]).sum(axis=1) for number in range(place.shape[1])], axis=1)


def demo_truth(drugs: int = 64, exposed: tuple[float, float] = (0.08, 0.30), horizon: int = 196) -> Truth:
    """Ten medicines that raise the risk (peak 2 to 3.5), two that lower it, the rest without effect.

    The shares of exposed cases spread over `exposed`, in an order unrelated to the effects.
    """
    peaks = [2.0, 2.2, 2.5, 3.0, 3.5, 2.0, 2.5, 3.0, 3.5, 2.2]
    shapes = ["early", "delayed", "constant", "decaying"]
    names = [f"D{number:02d}" for number in range(drugs)]
    curves = {names[n]: planted_curve(shapes[n % 4], peak, horizon) for n, peak in enumerate(peaks)}
    curves[names[10]] = planted_curve("constant", 0.4, horizon)
    curves[names[11]] = planted_curve("delayed", 0.45, horizon)
    share = np.linspace(exposed[0], exposed[1], 8)
    return Truth(curves, {name: float(share[n * 5 % 8]) for n, name in enumerate(names)})
