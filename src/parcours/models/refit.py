"""Maximum likelihood on a given structure: zero curves stay zero, runs of equal lags stay tied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parcours.models.descent import NotConverged, descend
from parcours.models.likelihood import Likelihood
from parcours.models.solver import metric_of

#: A run moves freely when so many events, inside it and outside of it, say where: with fewer the penalised level stays.
LEAST_EVENTS = 0.5
#: Log relative incidences beyond this have no finite maximum: no study holds the events to tell them from infinity.
FARTHEST = 12.0
#: Steps of a refit at most; a run that is not at rest by then is held.
MOST_STEPS = 500


@dataclass(frozen=True)
class Refit:
    """Refitted coefficients; `column` (drugs * width,) ties each lag to a free run, -1 where it is held.

    held: (drugs * width,) whether a lag of a curve that is not zero keeps its penalised level: its run has no events.
    """

    coefficients: np.ndarray
    column: np.ndarray
    n_columns: int
    held: np.ndarray
    loss: float


def tied_columns(curves: np.ndarray, before: int) -> tuple[np.ndarray, int]:
    """Column of each lag of (drugs, width): -1 in parts that are all zero, one for each run of equal lags."""
    column = np.full(curves.shape, -1, dtype=np.int64)
    following = 0
    for part in (slice(0, before), slice(before, curves.shape[1])):
        for drug in np.flatnonzero(curves[:, part].any(axis=1)):
            levels = curves[drug, part]
            runs = np.cumsum(np.append(False, np.abs(np.diff(levels)) > 1e-7 * np.abs(levels).max()))
            column[drug, part] = following + runs
            following += int(runs[-1]) + 1
    return column.ravel(), following


def refit(likelihood: Likelihood, start: np.ndarray, before: int, tolerance: float = 1e-6) -> Refit:
    """Maximise the likelihood over the runs of `start` (coefficients,) and the baseline, by the steps of `descend`.

    Raises `NotConverged` when the maximum is not reached.
    """
    drugs = np.flatnonzero(start[: likelihood.n_curves].reshape(-1, likelihood.days.axis.width).any(axis=1))
    width = likelihood.days.axis.width
    lags = (drugs[:, None] * width + np.arange(width)).ravel()
    place = np.append(lags, np.arange(likelihood.n_curves, len(start)))
    smaller = likelihood.only(drugs)
    column, n_columns = tied_columns(start[lags].reshape(-1, width), before)
    found, free = _maximise(smaller, start[place], column, n_columns, tolerance)
    whole, columns, held = np.zeros(len(start)), np.full(likelihood.n_curves, -1), np.zeros(likelihood.n_curves, bool)
    whole[place], columns[lags] = found, free
    held[lags] = (column >= 0) & (free < 0)
    return Refit(whole, columns, int(free.max(initial=-1)) + 1, held, smaller.loss_and_gradient(found)[0])


def _maximise(
    likelihood: Likelihood, start: np.ndarray, column: np.ndarray, n_columns: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and the free column of each lag.

    Runs whose maximum is at infinity are held where the penalties left them.
    """
    inside = column >= 0
    events = np.bincount(column[inside], likelihood.observed_lags[inside], minlength=n_columns)
    known = events > LEAST_EVENTS
    while True:
        free = np.where(inside, np.append(np.where(known, np.cumsum(known) - 1, -1), -1)[column], -1)
        found, converged = _descended(likelihood, start, free, int(known.sum()), tolerance)
        levels = found[: int(known.sum())]
        far = np.abs(levels) >= FARTHEST
        if converged and not far.any():
            return _expanded(start, free, found, int(known.sum())), free
        if not len(levels):
            raise NotConverged("The baseline of the refit did not converge: use fewer groups of age, year or season.")
        if not far.any():
            # What has not come to rest is on its way to infinity, the one that is farthest first.
            far = np.abs(levels) == np.abs(levels).max()
        known[np.flatnonzero(known)[far]] = False


def _expanded(start: np.ndarray, column: np.ndarray, parameters: np.ndarray, n_columns: int) -> np.ndarray:
    """Coefficients with the free runs and the baseline at `parameters`, and the rest as at the start."""
    coefficients = start.copy()
    free = np.flatnonzero(column >= 0)
    coefficients[free] = parameters[column[free]]
    coefficients[len(column) :] = parameters[n_columns:]
    return coefficients


def _descended(
    likelihood: Likelihood, start: np.ndarray, column: np.ndarray, n_columns: int, tolerance: float
) -> tuple[np.ndarray, bool]:
    """Runs (n_columns,) and baseline of greatest likelihood, the runs within `FARTHEST`; whether they are at rest."""
    n_curves = likelihood.n_curves
    free = np.flatnonzero(column >= 0)

    def tied(lags: np.ndarray) -> np.ndarray:
        return np.bincount(column[free], lags[free], minlength=n_columns)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = likelihood.loss_and_gradient(_expanded(start, column, parameters, n_columns))
        return value, np.append(tied(gradient[:n_curves]), gradient[n_curves:])

    first = np.append(tied(start[:n_curves]) / np.maximum(tied(np.ones(n_curves)), 1), start[n_curves:])
    expected = tied(likelihood.expected(start)[1]) / likelihood.total
    metric = metric_of(likelihood, expected, start[n_curves:])
    observed = np.append(tied(likelihood.observed_lags), likelihood.observed_baseline)
    target = tolerance * max(float(np.abs(observed).max(initial=0.0)) / likelihood.total, 1e-9)
    found = descend(objective, _clipped, metric, first, target, MOST_STEPS)
    return found.x, metric.breach(found.x, found.gradient, _clipped) <= target


def _clipped(point: np.ndarray, step: np.ndarray) -> np.ndarray:
    return np.clip(point, -FARTHEST, FARTHEST)
