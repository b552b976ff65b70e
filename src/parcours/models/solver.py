"""Minimises loss + penalty over the curves that are not zero, with a certificate over all of them.

Curves at zero are left out until the gradient asks for them; what is returned carries the breach of optimality of all
curves, measured on all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor

from parcours.models.descent import Descent, Metric, NotConverged, descend
from parcours.models.likelihood import Likelihood, kernel
from parcours.models.proximal import penalty, shrink_curves

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

    def proximal(self, width: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Moves flat curves of `width` lags to where the penalties, times a step a lag, want them."""

        def shrink(point: np.ndarray, step: np.ndarray) -> np.ndarray:
            moved = np.empty_like(point)
            shrink_curves(point, step, self.before, width, self.tv, self.group, moved)
            return moved

        return shrink


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


def solve(
    likelihood: Likelihood,
    penalised: Penalty,
    start: np.ndarray | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 1000,
) -> Solution:
    """Minimise loss + penalty from `start` (coefficients,), zero by default.

    Raises `NotConverged` when the certificate cannot be reached in `max_iterations` steps.
    """
    x = np.zeros(likelihood.n_coefficients) if start is None else start.astype(np.float64)
    width, drugs = likelihood.days.axis.width, likelihood.days.drugs
    metric, target, gradient = _first_look(likelihood, x, tolerance)
    active = _nonzero(x, drugs, width) | _asked_for(gradient, penalised, drugs, width)
    iterations = 0
    while True:
        kept = np.flatnonzero(active)
        if len(kept) > MOST_ACTIVE * drugs:
            kept, active = np.arange(drugs), np.ones(drugs, dtype=bool)
        found = _over(likelihood, penalised, metric, x, kept, target, max_iterations - iterations)
        iterations += found.iterations
        if len(kept) == drugs:
            x, value, gradient = found.x, found.value, found.gradient
            break
        x = found.x
        loss, gradient = likelihood.loss_and_gradient(x)
        value = loss + penalised.value(x[: drugs * width].reshape(drugs, width))
        missed = _asked_for(gradient, penalised, drugs, width) & ~active
        if not missed.any() or iterations >= max_iterations:
            break
        active |= missed
    breach = metric.breach(x, gradient, penalised.proximal(width))
    return _certified(Solution(x, value, iterations, breach * tolerance / target, tolerance, found.values))


def _over(
    likelihood: Likelihood,
    penalised: Penalty,
    metric: Metric,
    x: np.ndarray,
    kept: np.ndarray,
    target: float,
    max_iterations: int,
) -> Descent:
    """The descent over the curves `kept` and the baseline; its x is whole."""
    width, drugs = likelihood.days.axis.width, likelihood.days.drugs
    lags = (kept[:, None] * width + np.arange(width)).ravel()
    place = np.append(lags, np.arange(drugs * width, len(x)))
    smaller = likelihood if len(kept) == drugs else likelihood.only(kept)

    def objective(at: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = smaller.loss_and_gradient(at)
        return value + penalised.value(at[: len(lags)].reshape(-1, width)), gradient

    local = Metric(metric.diagonal[lags], metric.block, metric.factor)
    # The certificate is taken on all curves; the curves at hand are brought a little closer than it asks.
    found = descend(objective, penalised.proximal(width), local, x[place], 0.8 * target, max_iterations)
    whole = x.copy()
    whole[place] = found.x
    return Descent(whole, found.value, found.gradient, found.iterations, found.values)


def _certified(solution: Solution) -> Solution:
    if not solution.converged:
        raise NotConverged(
            f"The fit did not converge in {solution.iterations} steps (breach of optimality {solution.residual:.1e}, "
            f"allowed {solution.tolerance:.1e}): raise max_iterations or the penalties, or use fewer groups of age, "
            "year and season."
        )
    return solution


def _first_look(likelihood: Likelihood, x: np.ndarray, tolerance: float) -> tuple[Metric, float, np.ndarray]:
    """The metric at the start, the breach of optimality that is allowed, and the gradient."""
    _, lags, cells = likelihood.expected(x)
    rest = likelihood.design.design.T @ cells - likelihood.observed_baseline
    gradient = np.concatenate([lags - likelihood.observed_lags, rest]) / likelihood.total
    # At no effect the gradient is observed minus expected events; a start elsewhere has another, but the same size.
    scale = np.abs(np.concatenate([likelihood.observed_lags, likelihood.observed_baseline])).max(initial=0.0)
    scale = max(float(scale) / likelihood.total, 1e-9)
    return _metric(likelihood, x, lags), tolerance * scale, gradient


def _metric(likelihood: Likelihood, x: np.ndarray, lags: np.ndarray) -> Metric:
    """Expected events of the fullest lag of each part of a curve; the information of the baseline."""
    axis = likelihood.days.axis
    by_lag = lags.reshape(-1, axis.width) / likelihood.total
    held = np.empty_like(by_lag)
    for part in (slice(0, axis.before), slice(axis.before, axis.width)):
        held[:, part] = by_lag[:, part].max(axis=1, initial=0.0)[:, None]
    return metric_of(likelihood, held.ravel(), x[likelihood.n_curves :])


def metric_of(likelihood: Likelihood, expected: np.ndarray, parameters: np.ndarray) -> Metric:
    """The metric of columns with so many expected events a person, (columns,), beside the baseline at `parameters`."""
    floor = 1e-3 * max(expected.max(initial=0.0), 1e-9)
    block = baseline_information(likelihood, parameters) / likelihood.total
    factor = cho_factor(block + 1e-10 * np.eye(len(block))) if len(block) else None
    return Metric(np.maximum(expected, floor), block, factor)


def _nonzero(x: np.ndarray, drugs: int, width: int) -> np.ndarray:
    return np.asarray(x[: drugs * width].reshape(drugs, width).any(axis=1))


def _asked_for(gradient: np.ndarray, penalised: Penalty, drugs: int, width: int) -> np.ndarray:
    """Which curves, if they are zero, the gradient would move, shape (drugs,)."""
    moved = penalised.proximal(width)(-gradient[: drugs * width], np.ones(drugs * width))
    return _nonzero(moved, drugs, width)


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
