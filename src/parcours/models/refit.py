"""Maximum likelihood on a given structure: zero curves stay zero, runs of equal lags stay tied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parcours.models.buckets import Buckets
from parcours.models.likelihood import hessian, loss_and_gradient
from parcours.models.newton import Objective, minimise

#: Log relative incidences beyond this have run away: a tied run without events has its maximum at minus infinity.
_RUNAWAY = 6.0
#: Weight of the ridge that then holds them, in events: as if the log relative incidence had a prior deviation of 3.
_RIDGE_EVENTS = 0.1


@dataclass(frozen=True)
class Refit:
    """Refitted coefficients; `column` ties each coefficient to a parameter (-1: held at zero)."""

    coefficients: np.ndarray
    column: np.ndarray
    n_columns: int
    loss: float
    ridge: float
    converged: bool


def tied_columns(coefficients: np.ndarray, n_drugs: int, width: int) -> tuple[np.ndarray, int]:
    """Parameter of each coefficient: -1 in curves that are all zero, one for each run of equal lags, one a baseline."""
    column = np.full(len(coefficients), -1, dtype=np.int64)
    following = 0
    for drug in range(n_drugs):
        curve = coefficients[drug * width : (drug + 1) * width]
        if not curve.any():
            continue
        runs = np.cumsum(np.append(False, np.abs(np.diff(curve)) > 1e-9 * np.abs(curve).max()))
        column[drug * width : (drug + 1) * width] = following + runs
        following += int(runs[-1]) + 1
    rest = len(coefficients) - n_drugs * width
    column[n_drugs * width :] = following + np.arange(rest)
    return column, following + rest


def refit(buckets: Buckets, start: np.ndarray, column: np.ndarray, n_columns: int) -> Refit:
    """Maximise the likelihood over tied parameters from `start` (coefficients,), by step-halved Newton.

    A small ridge is added only when the maximum lies at infinity or the Hessian is singular; it is reported.
    """
    free = column >= 0

    def expand(parameters: np.ndarray) -> np.ndarray:
        coefficients = np.zeros(len(column))
        coefficients[free] = parameters[column[free]]
        return coefficients

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        coefficients = expand(parameters)
        value, gradient = loss_and_gradient(buckets, coefficients)
        tied = np.bincount(column[free], gradient[free], minlength=n_columns)
        return value, tied, hessian(buckets, coefficients, column, n_columns)

    def held(ridge: float) -> Objective:
        def ridged(parameters: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            value, slope, curvature = objective(parameters)
            more = 0.5 * ridge * float(parameters @ parameters)
            return value + more, slope + ridge * parameters, curvature + ridge * np.eye(n_columns)

        return ridged

    sizes = np.maximum(np.bincount(column[free], minlength=n_columns), 1)
    first = np.bincount(column[free], start[free], minlength=n_columns) / sizes
    ridge = 0.0
    result = minimise(objective, np.clip(first, -2, 2), tolerance=1e-8, max_iterations=30)
    if not result.converged or np.abs(result.x).max(initial=0.0) > _RUNAWAY:
        ridge = _RIDGE_EVENTS / buckets.n_persons
        result = minimise(held(ridge), np.clip(first, -2, 2), tolerance=1e-8, max_iterations=50)
    return Refit(expand(result.x), column, n_columns, result.value, ridge, result.converged)
