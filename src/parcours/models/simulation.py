"""Case series drawn from a known truth: planted curves, an age trend, deaths that end the follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from parcours.models.case_series import CaseSeries
from parcours.models.columns import result_table

#: Shapes of a planted curve: the share of the peak's log relative incidence at each share of the horizon.
SHAPES = {
    "constant": lambda u: np.ones_like(u),
    "decaying": lambda u: np.exp(-2.0 * u),
    "early": lambda u: np.where(u < 0.25, 1.0, np.exp(-8.0 * (u - 0.25))),
    "delayed": lambda u: np.exp(-0.5 * ((u - 0.6) / 0.15) ** 2),
}


def planted_curve(shape: str, peak: float, horizon: int) -> np.ndarray:
    """Relative incidence by day since the start of exposure, shape (horizon,), with `peak` as its extreme."""
    share = SHAPES[shape](np.arange(horizon) / horizon)
    return np.exp(np.log(peak) * share / share.max())


def bucketed_curve(curve: np.ndarray, bucket: int, lags: int) -> np.ndarray:
    """What a grid of buckets can show of a daily curve: log of its mean over the days of lag bucket 0..`lags`.

    A start falls anywhere in its bucket, so lag 0 also holds days before the start, when the relative incidence is 1.
    """
    padded = np.concatenate([np.ones(bucket), curve, np.ones(bucket * (lags + 2))])
    shown = [
        np.mean([padded[bucket + lag * bucket - offset :][:bucket].mean() for offset in range(bucket)])
        for lag in range(lags + 1)
    ]
    return np.log(shown)


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
    end[dies] = rng.integers(60, truth.days, dies.sum())
    birth = -rng.integers(65 * 365, 95 * 365, persons)
    starts = {drug: rng.integers(0, truth.days, persons) for drug in truth.exposed}
    taken = {drug: rng.random(persons) < share for drug, share in truth.exposed.items()}
    owner, day = [], []
    for person in range(persons):
        hazard = np.exp(np.log1p(truth.age_growth) / 365 * np.arange(end[person] + 1))
        for drug, curve in truth.curves.items():
            if taken[drug][person]:
                span = hazard[starts[drug][person] : starts[drug][person] + len(curve)]
                span *= curve[: len(span)]
        events = 1 + int(rng.random() < truth.second_event_share)
        owner += [person] * events
        day += list(np.searchsorted(np.cumsum(hazard), rng.random(events) * hazard.sum()))
    exposure = [(p, drug, starts[drug][p]) for drug in truth.exposed for p in np.flatnonzero(taken[drug])]
    kept = [row for row in exposure if row[2] <= end[row[0]]]
    return CaseSeries(
        result_table({"person_id": np.arange(persons), "start": 0, "end": end, "birth": birth}),
        result_table({"person_id": owner, "day": day}),
        result_table(
            {
                "person_id": np.array([row[0] for row in kept], dtype=np.int64),
                "drug": [row[1] for row in kept],
                "start": np.array([row[2] for row in kept], dtype=np.int64),
            }
        ),
    )


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
