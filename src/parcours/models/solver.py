"""Accelerated proximal gradient with a metric per drug, restarted whenever the objective rises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parcours.models.buckets import Buckets
from parcours.models.likelihood import loss, loss_and_gradient, probabilities
from parcours.models.proximal import penalty, shrink_curves


@dataclass(frozen=True)
class Solution:
    """Minimiser of loss + penalty; `residual` is the largest breach of optimality, in units of the gradient."""

    coefficients: np.ndarray
    objective: float
    iterations: int
    residual: float
    converged: bool
    objectives: tuple[float, ...]


def solve(
    buckets: Buckets,
    tv: float,
    group: float,
    start: np.ndarray | None = None,
    tolerance: float = 1e-5,
    max_iterations: int = 2000,
) -> Solution:
    """Minimise the penalised loss (Beck and Teboulle 2009, with the adaptive restart of O'Donoghue and Candes 2015).

    `tolerance` bounds the residual relative to the largest gradient at zero. Objectives never rise.
    """
    width, drugs = buckets.lags + 1, buckets.n_drugs
    x = np.zeros(buckets.n_coefficients) if start is None else start.copy()
    curvature = _curvature(buckets)
    scale, momentum = 1.0, 1.0
    target = tolerance * max(np.abs(loss_and_gradient(buckets, np.zeros_like(x))[1]).max(initial=0.0), 1e-12)
    objective = loss(buckets, x) + penalty(x, drugs, width, tv, group)
    history = [objective]
    y, candidate, residual = x, np.empty_like(x), np.inf
    for iteration in range(1, max_iterations + 1):
        value, gradient = loss_and_gradient(buckets, y)
        while True:
            step = 1.0 / (scale * curvature)
            shrink_curves(y - step * gradient, step, drugs, width, tv, group, candidate)
            move = candidate - y
            bound = value + gradient @ move + 0.5 * float(move @ (move / step))
            new_loss = loss(buckets, candidate)
            if new_loss <= bound + 1e-13 * abs(value):
                break
            scale *= 1.5
        residual = float(np.abs(move / step).max(initial=0.0))
        new_objective = new_loss + penalty(candidate, drugs, width, tv, group)
        if new_objective > objective and y is not x:
            y, momentum = x, 1.0
            continue
        previous, x, candidate = x, candidate, np.empty_like(x)
        objective = min(objective, new_objective)
        history.append(objective)
        if residual <= target:
            return Solution(x, new_objective, iteration, residual, True, tuple(history))
        momentum, past = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0, momentum
        y = x + (past - 1.0) / momentum * (x - previous)
        scale *= 0.98
    return Solution(x, objective, max_iterations, residual, False, tuple(history))


def _curvature(buckets: Buckets) -> np.ndarray:
    """A scale of the Hessian's diagonal, equal within a drug: expected events per lag under no effect, (coefficients,).

    Only the ratio between drugs matters: the solver searches the common factor.
    """
    events = np.add.reduceat(buckets.count, buckets.cell_ptr[:-1])
    person = np.repeat(np.arange(buckets.n_persons), np.diff(buckets.cell_ptr))
    expected = probabilities(buckets, np.zeros(buckets.n_coefficients)) * events[person]
    width = buckets.lags + 1
    of_drug = np.zeros((buckets.n_drugs, width))
    owner = np.repeat(np.arange(buckets.n_persons), np.diff(buckets.exposure_ptr))
    for lag in range(width):
        cell = buckets.cell_ptr[owner] + buckets.exposure_at + lag
        lasts = lag <= buckets.exposure_reach
        inside = lasts & (buckets.exposure_at + lag >= 0) & (cell < buckets.cell_ptr[owner + 1])
        np.add.at(of_drug[:, lag], buckets.exposure_drug[inside], expected[cell[inside]])
    base = np.zeros(buckets.n_baseline)
    for kind in range(buckets.baseline.shape[1]):
        held = buckets.baseline[:, kind] >= 0
        np.add.at(base, buckets.baseline[held, kind], expected[held])
    curvature = np.concatenate([np.repeat(of_drug.max(axis=1, initial=0.0), width), base]) / buckets.n_persons
    return np.maximum(curvature, 1e-3 * max(curvature.max(initial=0.0), 1e-6))
