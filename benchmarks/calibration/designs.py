"""Case series drawn from a known truth: days of cases as one matrix, events by the conditional law itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta

from parcours.models import CaseSeries

#: Cases whose days are held in memory at once.
CASES_AT_ONCE = 4_000


@dataclass(frozen=True)
class Drawn:
    """A case series and its truth: log relative incidence by drug and day since the start, (drugs, days)."""

    series: CaseSeries
    truth: np.ndarray


def paper_curves(days: int = 50) -> np.ndarray:
    """Log relative incidences of the simulations of Morel et al. (2019): 14 drugs, seven without effect, (14, days).

    A constant one, two bells, and rises and a fall that follow beta distributions.
    """
    share = np.arange(days) / days
    rises = [beta.cdf(share, *shape) for shape in ((5, 1), (2, 2), (2, 5))]
    heights = [_bell(days, 20, 0), _bell(days, 15, 15), rises[0][::-1], *rises]
    curves = [np.full(days, 1.5), *(1 + height / height.max() for height in heights)]
    return np.log(np.concatenate([np.ones((7, days)), np.array(curves)]))


def _bell(days: int, width: int, first: int) -> np.ndarray:
    """A bell of so many days from day `first` on, zero elsewhere."""
    height = np.zeros(days)
    place = (np.arange(width) - width // 2) / (width / 5)
    height[first : first + width] = np.exp(-0.5 * place**2)
    return height


def draw_paper(seed: int, cases: int = 4_000, days: int = 750, censored: float = 0.0) -> Drawn:
    """The paper's design: most cases meet most drugs, once, rather early; a share of cases is censored."""
    rng = np.random.default_rng([1, seed])
    truth = paper_curves()
    end = np.full(cases, days - 1)
    gone = rng.random(cases) < censored
    end[gone] = rng.integers(days // 4, days, gone.sum())
    # Three drugs of four a case; the days of the simulator's self-exciting process thin out over the follow-up.
    taken = rng.random((cases, len(truth))) < rng.permutation(np.linspace(0.5, 1.0, len(truth)))
    start = rng.exponential(days / 3, (cases, len(truth))).astype(np.int64)
    return Drawn(draw(rng, np.where(taken & (start < days), start, -1), truth, end), truth)


def draw(rng: np.random.Generator, start: np.ndarray, truth: np.ndarray, end: np.ndarray) -> CaseSeries:
    """One event a case, on day b with a probability proportional to the product of the curves that cover b.

    start: (cases, drugs) day of the exposure, -1 for none; end: (cases,) last day observed, the first being 0.
    """
    event = np.empty(len(end), dtype=np.int64)
    for low in range(0, len(end), CASES_AT_ONCE):
        rows = slice(low, low + CASES_AT_ONCE)
        event[rows] = _event_days(rng, start[rows], truth, end[rows])
    return series_of(start, event, end)


def series_of(start: np.ndarray, event: np.ndarray, end: np.ndarray) -> CaseSeries:
    """The case series of one event a case; starts of -1 are left out."""
    case, drug = np.nonzero(start >= 0)
    number = np.arange(len(end))
    return CaseSeries(
        pd.DataFrame({"person_id": number, "start": 0, "end": end}),
        pd.DataFrame({"person_id": number, "day": event}),
        pd.DataFrame({"person_id": case, "drug": [f"D{name:03d}" for name in drug], "start": start[case, drug]}),
    )


def _event_days(rng: np.random.Generator, start: np.ndarray, truth: np.ndarray, end: np.ndarray) -> np.ndarray:
    hazard = log_hazard(start, truth, int(end.max()) + 1)
    weight = np.exp(hazard) * (np.arange(hazard.shape[1]) <= end[:, None])
    return day_of(rng, weight)


def log_hazard(start: np.ndarray, truth: np.ndarray, days: int) -> np.ndarray:
    """Sum of the curves on each day, (cases, days)."""
    whole = np.zeros((len(start), days + truth.shape[1]))
    for drug in np.flatnonzero(truth.any(axis=1)):
        case = np.flatnonzero(start[:, drug] >= 0)
        place = start[case, drug][:, None] + np.arange(truth.shape[1])
        whole[case[:, None], place] += truth[drug]
    return whole[:, :days]


def day_of(rng: np.random.Generator, weight: np.ndarray) -> np.ndarray:
    """A day of each row, with a probability proportional to its weight, (rows,)."""
    running = np.cumsum(weight, axis=1)
    point = rng.random(len(weight)) * running[:, -1]
    return np.minimum((running < point[:, None]).sum(axis=1), weight.shape[1] - 1)
