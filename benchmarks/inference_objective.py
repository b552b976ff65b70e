"""The penalised objective of lagged effects in plain numpy: it judges the coefficients of both libraries alike.

Needs numpy only, so that it also runs in the environment of the peer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

CHUNK = 2000  # persons whose scores are held at once


@dataclass(frozen=True)
class Cases:
    """Cases of one event each, all observed on days 0..`days` - 1, with at most one exposure to each drug.

    `truth` are the log relative incidences by drug and lag that the events were drawn from, shape (drugs, lags).
    """

    days: int
    event_day: np.ndarray  # (cases,)
    exposure_case: np.ndarray  # (exposures,) row of the case, ascending
    exposure_drug: np.ndarray  # (exposures,) row of `truth`
    exposure_day: np.ndarray  # (exposures,)
    truth: np.ndarray

    @property
    def n_cases(self) -> int:
        """Number of cases."""
        return len(self.event_day)


def read_cases(path: Path) -> Cases:
    """The cases that the simulator of the peer wrote."""
    with np.load(path) as held:
        return Cases(days=int(held["days"]), **{name: held[name] for name in held.files if name != "days"})


def objective(cases: Cases, coefficients: np.ndarray, tv: float, group: float) -> float:
    """Mean over cases of minus the log probability of the event's day, plus both penalties.

    coefficients: log relative incidences, shape (drugs, lags).
    """
    return loss(cases, coefficients) + penalty(coefficients, tv, group)


def penalty(coefficients: np.ndarray, tv: float, group: float) -> float:
    """Total variation and l2 norm (weighted by the root of the number of lags) of each drug's curve, summed."""
    variation = np.abs(np.diff(coefficients, axis=1)).sum()
    norm = np.sqrt((coefficients**2).sum(axis=1)).sum()
    return float(tv * variation + group * np.sqrt(coefficients.shape[1]) * norm)


def loss(cases: Cases, coefficients: np.ndarray) -> float:
    """Mean over cases of minus the log probability of the event's day among all days."""
    return sum(_loss_of(cases, coefficients, first) for first in range(0, cases.n_cases, CHUNK)) / cases.n_cases


def _loss_of(cases: Cases, coefficients: np.ndarray, first: int) -> float:
    """Sum of the losses of `CHUNK` cases from the row `first` on."""
    event_day = cases.event_day[first : first + CHUNK]
    scores = _scores(cases, coefficients, first, len(event_day))
    highest = scores.max(axis=1)
    total = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return float((total - scores[np.arange(len(event_day)), event_day]).sum())


def _scores(cases: Cases, coefficients: np.ndarray, first: int, number: int) -> np.ndarray:
    """Log relative incidence of each day, shape (number, days)."""
    lags = coefficients.shape[1]
    held = slice(*np.searchsorted(cases.exposure_case, [first, first + number]))
    row, day, drug = cases.exposure_case[held] - first, cases.exposure_day[held], cases.exposure_drug[held]
    scores = np.zeros((number, cases.days + lags))
    for lag in range(lags):
        np.add.at(scores, (row, day + lag), coefficients[drug, lag])
    return scores[:, : cases.days]
