"""Minimises loss + penalty by proximal steps of Barzilai and Borwein, over the curves that are not zero.

The steps are those of Wright, Nowak and Figueiredo (2009, doi 10.1109/TSP.2009.2016892) in the metric of the expected
events. Curves at zero are left out until the gradient asks for them; what is returned carries the breach of optimality
of all curves, measured on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.linalg import cho_factor, cho_solve

from parcours.errors import ParcoursError
from parcours.models.likelihood import Likelihood, kernel
from parcours.models.proximal import penalty, shrink_curves

#: A step is taken when the objective falls below the largest of so many before it.
MEMORY = 4
#: Share of curves beyond which leaving the rest out saves nothing.
MOST_ACTIVE = 0.6


@dataclass(frozen=True)
class Penalty:
    """Strengths of the two penalties; `before` lags of each curve lie below zero and are penalised apart."""

    tv: float
    group: float
    before: int = 0

    def value(self, curves: np.ndarray) -> float:
        """The penalty of curves (drugs, width)."""
        return penalty(curves, self.before, self.tv, self.group)


@dataclass(frozen=True)
class Solution:
    """Minimiser of loss + penalty and its certificate.

    residual: the largest breach of optimality over all coefficients, as a share of the largest gradient at no effect;
    `tolerance` is what it had to reach. objectives: after each step, by the steps of the last set of curves.
    """

    coefficients: np.ndarray
    objective: float
    iterations: int
    residual: float
    tolerance: float
    objectives: tuple[float, ...]

    @property
    def converged(self) -> bool:
        """Whether the residual has reached the tolerance."""
        return self.residual <= self.tolerance


class NotConverged(ParcoursError):
    """A fit that did not reach its certificate: no number is given."""


@dataclass(frozen=True)
class Metric:
    """A scale of the Hessian: (drugs * width,) for the curves, equal within a curve; a Cholesky factor for the rest."""

    curves: np.ndarray
    baseline: tuple[np.ndarray, bool] | None
    hessian: np.ndarray

    def dot(self, move: np.ndarray) -> float:
        """move' * metric * move."""
        curves, rest = np.split(move, [len(self.curves)])
        return float(curves @ (self.curves * curves) + rest @ self.hessian @ rest)

    def step(self, x: np.ndarray, gradient: np.ndarray, scale: float, penalised: Penalty, width: int) -> np.ndarray:
        """The proximal step from x with the metric times `scale`."""
        curves, rest = np.split(x, [len(self.curves)])
        step = 1.0 / (scale * self.curves)
        moved = np.empty_like(curves)
        point = curves - step * gradient[: len(curves)]
        shrink_curves(point, step, penalised.before, width, penalised.tv, penalised.group, moved)
        if self.baseline is not None:
            rest = rest - cho_solve(self.baseline, gradient[len(curves) :]) / scale
        return np.concatenate([moved, rest])

    def breach(self, x: np.ndarray, gradient: np.ndarray, penalised: Penalty, width: int) -> float:
        """Largest breach of optimality, in units of the gradient."""
        move = x - self.step(x, gradient, 1.0, penalised, width)
        curves = np.abs(self.curves * move[: len(self.curves)]).max(initial=0.0)
        return float(max(curves, np.abs(gradient[len(self.curves) :]).max(initial=0.0)))


def solve(
    likelihood: Likelihood,
    penalised: Penalty,
    start: np.ndarray | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
) -> Solution:
    """Minimise loss + penalty from `start` (coefficients,), zero by default.

    Raises `NotConverged` when the certificate cannot be reached in `max_iterations` steps.
    """
    x = np.zeros(likelihood.n_coefficients) if start is None else start.astype(np.float64)
    metric, target, gradient = _first_look(likelihood, x, tolerance)
    width, drugs = likelihood.days.axis.width, likelihood.days.drugs
    active = _nonzero(x, drugs, width) | _asked_for(gradient, penalised, drugs, width)
    iterations, history = 0, []
    while True:
        kept = np.flatnonzero(active)
        if len(kept) > MOST_ACTIVE * drugs:
            kept, active = np.arange(drugs), np.ones(drugs, dtype=bool)
        place = np.concatenate([(kept[:, None] * width + np.arange(width)).ravel(), np.arange(drugs * width, len(x))])
        smaller = likelihood if len(kept) == drugs else likelihood.only(kept)
        local = Metric(metric.curves[place[: len(kept) * width]], metric.baseline, metric.hessian)
        found, steps, history = _descend(smaller, penalised, local, x[place], target, max_iterations - iterations)
        x[place], iterations = found, iterations + steps
        value, gradient = likelihood.loss_and_gradient(x)
        missed = _asked_for(gradient, penalised, drugs, width) & ~active
        if not missed.any() or iterations >= max_iterations:
            break
        active |= missed
    breach = metric.breach(x, gradient, penalised, width)
    objective = value + penalised.value(x[: drugs * width].reshape(drugs, width))
    return _certified(Solution(x, objective, iterations, breach * tolerance / target, tolerance, tuple(history)))


def _certified(solution: Solution) -> Solution:
    if not solution.converged:
        raise NotConverged(
            f"The fit did not converge in {solution.iterations} steps (breach of optimality {solution.residual:.1e}, "
            f"allowed {solution.tolerance:.1e}): raise max_iterations, or the penalties."
        )
    return solution


def _first_look(likelihood: Likelihood, x: np.ndarray, tolerance: float) -> tuple[Metric, float, np.ndarray]:
    """The metric at the start, the breach of optimality that is allowed, and the gradient."""
    _, lags, cells = likelihood.expected(x)
    rest = likelihood.design.design.T @ cells - likelihood.observed_baseline
    gradient = np.concatenate([lags - likelihood.observed_lags, rest]) / likelihood.total
    # At no effect the gradient is observed minus expected events; a start elsewhere has another, but the same size.
    scale = np.abs(np.concatenate([likelihood.observed_lags, likelihood.observed_baseline])).max(initial=0.0)
    scale = max(float(scale) / likelihood.total, 1e-12)
    return _metric(likelihood, x, lags), tolerance * scale, gradient


def _metric(likelihood: Likelihood, x: np.ndarray, lags: np.ndarray) -> Metric:
    """Expected events of the fullest lag of each part of a curve; the information of the baseline."""
    axis = likelihood.days.axis
    by_lag = lags.reshape(-1, axis.width) / likelihood.total
    held = np.empty_like(by_lag)
    for part in (slice(0, axis.before), slice(axis.before, axis.width)):
        held[:, part] = by_lag[:, part].max(axis=1, initial=0.0)[:, None]
    floor = 1e-3 * max(held.max(initial=0.0), 1e-9)
    hessian = baseline_information(likelihood, x[likelihood.n_curves :]) / likelihood.total
    factor = cho_factor(hessian + 1e-10 * np.eye(len(hessian))) if len(hessian) else None
    return Metric(np.maximum(held, floor).ravel(), factor, hessian)


def _nonzero(x: np.ndarray, drugs: int, width: int) -> np.ndarray:
    return np.asarray(x[: drugs * width].reshape(drugs, width).any(axis=1))


def _asked_for(gradient: np.ndarray, penalised: Penalty, drugs: int, width: int) -> np.ndarray:
    """Which curves, if they are zero, the gradient would move, shape (drugs,)."""
    point, moved = -gradient[: drugs * width], np.empty(drugs * width)
    shrink_curves(point, np.ones(drugs * width), penalised.before, width, penalised.tv, penalised.group, moved)
    return _nonzero(moved, drugs, width)


def _descend(
    likelihood: Likelihood, penalised: Penalty, metric: Metric, x: np.ndarray, target: float, max_iterations: int
) -> tuple[np.ndarray, int, list[float]]:
    """Proximal steps from x until the breach of optimality is below the target; x, number of steps, objectives."""
    width = likelihood.days.axis.width

    def objective(at: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = likelihood.loss_and_gradient(at)
        return value + penalised.value(at[: likelihood.n_curves].reshape(-1, width)), gradient

    value, gradient = objective(x)
    history, scale, best = [value], 1.0, (value, x)
    for iteration in range(max_iterations):
        if metric.breach(x, gradient, penalised, width) <= 0.5 * target:
            return x, iteration, history
        while True:
            candidate = metric.step(x, gradient, scale, penalised, width)
            move = candidate - x
            size = metric.dot(move)
            new_value, new_gradient = objective(candidate)
            if new_value <= max(history[-MEMORY:]) - 1e-4 * scale * size or scale > 1e6:
                break
            scale *= 2.0
        curvature = float(move @ (new_gradient - gradient)) / max(size, 1e-300)
        scale = min(max(curvature, 0.02), 1e4)
        x, value, gradient = candidate, new_value, new_gradient
        history.append(value)
        best = min(best, (value, x), key=lambda pair: pair[0])
    return best[1], max_iterations, history


def baseline_information(likelihood: Likelihood, parameters: np.ndarray) -> np.ndarray:
    """Information of the baseline parameters without any exposure, shape (parameters, parameters), in events."""
    days, design = likelihood.days, likelihood.design.design
    base = np.exp(design @ parameters)
    return _baseline_information(
        days.length, days.events, days.piece_ptr, days.piece_at, days.piece_cell, likelihood.weights, base, design
    )


@kernel
def _baseline_information(length, events, piece_ptr, piece_at, piece_cell, weights, base, design):
    size = design.shape[1]
    out, mean = np.zeros((size, size)), np.zeros(size)
    by_cell = np.zeros(len(base))
    for person in range(len(length)):
        held = weights[person] * events[person]
        if held == 0.0 or size == 0:
            continue
        first, after = piece_ptr[person], piece_ptr[person + 1]
        total = 0.0
        for row in range(first, after):
            if piece_cell[row] >= 0:
                until = piece_at[row + 1] if row + 1 < after else length[person]
                total += (until - piece_at[row]) * base[piece_cell[row]]
        mean[:] = 0.0
        for row in range(first, after):
            cell = piece_cell[row]
            if cell >= 0:
                until = piece_at[row + 1] if row + 1 < after else length[person]
                share = (until - piece_at[row]) * base[cell] / total
                by_cell[cell] += held * share
                for column in range(size):
                    mean[column] += share * design[cell, column]
        for column in range(size):
            if mean[column] != 0.0:
                for other in range(size):
                    out[column, other] -= held * mean[column] * mean[other]
    for cell in range(len(base)):
        for column in range(size):
            if design[cell, column] != 0.0:
                for other in range(size):
                    out[column, other] += by_cell[cell] * design[cell, column] * design[cell, other]
    return out
