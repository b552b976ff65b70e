"""Maximum likelihood on a given structure: zero curves stay zero, runs of equal lags stay tied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parcours.models.information import information
from parcours.models.likelihood import Likelihood
from parcours.models.newton import NewtonResult, minimise
from parcours.models.solver import NotConverged

#: A run moves freely when so many events, inside it and outside of it, say where: with fewer the penalised level stays.
LEAST_EVENTS = 0.5
#: Log relative incidences beyond this have no finite maximum: no study holds the events to tell them from infinity.
FARTHEST = 12.0
#: A run of which less than this share of curvature is its own cannot be told from the runs before it.
LEAST_CURVATURE = 1e-9


@dataclass(frozen=True)
class Refit:
    """Refitted coefficients; `column` (drugs * width,) ties each lag to a free run, -1 where it is held.

    held: (drugs * width,) whether a lag of a curve that is not zero keeps its penalised level, as its run has no events.
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
    """Maximise the likelihood over the runs of `start` (coefficients,) and the baseline, by safeguarded Newton.

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

    Runs whose maximum is at infinity, or that the others determine, are held where the penalties left them.
    """
    inside = column >= 0
    events = np.bincount(column[inside], likelihood.observed_lags[inside], minlength=n_columns)
    known = events > LEAST_EVENTS
    while True:
        free = np.where(inside, np.append(np.where(known, np.cumsum(known) - 1, -1), -1)[column], -1)
        result = _newton(likelihood, start, free, int(known.sum()), tolerance)
        level = result.x[: int(known.sum())]
        far = np.abs(level) > FARTHEST
        if not result.converged and not far.any():
            far = _undetermined(result.hessian)[: len(level)]
        if far.any():
            known[np.flatnonzero(known)[far]] = False
        elif result.converged:
            return _expanded(start, free, result.x, int(known.sum())), free
        else:
            raise NotConverged("The refit of the selected curves did not converge: use stronger penalties, fewer lags.")


def _undetermined(hessian: np.ndarray) -> np.ndarray:
    """Which parameters the ones before them determine: nothing is left of their curvature beside these."""
    left, dependent = hessian.copy(), np.zeros(len(hessian), dtype=bool)
    for row in range(len(hessian)):
        dependent[row] = left[row, row] <= LEAST_CURVATURE * max(hessian[row, row], 1e-300)
        if not dependent[row]:
            left -= np.outer(left[:, row], left[row]) / left[row, row]
    return dependent


def _expanded(start: np.ndarray, column: np.ndarray, parameters: np.ndarray, n_columns: int) -> np.ndarray:
    """Coefficients with the free runs and the baseline at `parameters`, and the rest as at the start."""
    coefficients = start.copy()
    free = np.flatnonzero(column >= 0)
    coefficients[free] = parameters[column[free]]
    coefficients[len(column) :] = parameters[n_columns:]
    return coefficients


def _newton(
    likelihood: Likelihood, start: np.ndarray, column: np.ndarray, n_columns: int, tolerance: float
) -> NewtonResult:
    n_curves = likelihood.n_curves
    free = np.flatnonzero(column >= 0)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        coefficients = _expanded(start, column, parameters, n_columns)
        value, gradient = likelihood.loss_and_gradient(coefficients)
        tied = np.bincount(column[free], gradient[free], minlength=n_columns)
        hessian = information(likelihood, coefficients, column, n_columns) / likelihood.total
        return value, np.append(tied, gradient[n_curves:]), hessian

    sizes = np.maximum(np.bincount(column[free], minlength=n_columns), 1)
    first = np.append(np.bincount(column[free], start[free], minlength=n_columns) / sizes, start[n_curves:])
    return minimise(objective, first, tolerance=tolerance, max_iterations=60)
