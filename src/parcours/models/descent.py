"""Proximal steps of Barzilai and Borwein (Wright, Nowak and Figueiredo 2009, doi 10.1109/TSP.2009.2016892)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve

from parcours.errors import ParcoursError

#: A step is taken when the objective falls below the largest of so many before it.
MEMORY = 4
ROUNDING = 1e-13
#: Steps are shortened up to so many times; where none lowers the value, the descent is at its end.
SHORTEST = 1e8
#: Value to minimise and gradient of its smooth part, at a point.
Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
#: Moves the scaled columns (n,) to where the penalty, times the step (n,), wants them.
Proximal = Callable[[np.ndarray, np.ndarray], np.ndarray]


class NotConverged(ParcoursError):
    """A fit that did not reach its certificate: no number is given."""


@dataclass(frozen=True)
class Metric:
    """A scale of the Hessian: its diagonal (n,) for the first columns, a whole block for the baseline after them.

    factor: Cholesky factor of the block, None where there is no baseline.
    """

    diagonal: np.ndarray
    block: np.ndarray
    factor: tuple[np.ndarray, bool] | None

    def dot(self, move: np.ndarray) -> float:
        """move' * metric * move."""
        first, rest = np.split(move, [len(self.diagonal)])
        return float(first @ (self.diagonal * first) + rest @ self.block @ rest)

    def step(self, x: np.ndarray, gradient: np.ndarray, scale: float, proximal: Proximal) -> np.ndarray:
        """The proximal step from x with the metric times `scale`."""
        first, rest = np.split(x, [len(self.diagonal)])
        length = 1.0 / (scale * self.diagonal)
        moved = proximal(first - length * gradient[: len(first)], length)
        if self.factor is not None:
            rest = rest - cho_solve(self.factor, gradient[len(first) :]) / scale
        return np.concatenate([moved, rest])

    def breach(self, x: np.ndarray, gradient: np.ndarray, proximal: Proximal) -> float:
        """Largest breach of optimality, in units of the gradient."""
        number = len(self.diagonal)
        move = (x - self.step(x, gradient, 1.0, proximal))[:number]
        first = np.abs(self.diagonal * move).max(initial=0.0)
        return float(max(first, np.abs(gradient[number:]).max(initial=0.0)))


@dataclass(frozen=True)
class Descent:
    """Where the steps ended: the point, value and gradient there, the number of steps, the values on the way."""

    x: np.ndarray
    value: float
    gradient: np.ndarray
    iterations: int
    values: tuple[float, ...]


def descend(
    objective: Objective, proximal: Proximal, metric: Metric, x: np.ndarray, target: float, max_iterations: int
) -> Descent:
    """Steps from x until the breach of optimality is at most `target`; else the best point so far."""
    value, gradient = objective(x)
    best = Descent(x, value, gradient, 0, (value,))
    values, scale = [value], 1.0
    for iteration in range(max_iterations + 1):
        if metric.breach(x, gradient, proximal) <= target:
            return Descent(x, value, gradient, iteration, tuple(values))
        while True:
            candidate = metric.step(x, gradient, scale, proximal)
            move = candidate - x
            size = metric.dot(move)
            new_value, new_gradient = objective(candidate)
            # Falls below the last digits of the value cannot be seen in it.
            lower = new_value <= max(values[-MEMORY:]) - 1e-4 * scale * size + ROUNDING * abs(value)
            if lower and np.isfinite(new_gradient).all():
                break
            scale *= 2.0
            if scale > SHORTEST:
                return Descent(best.x, best.value, best.gradient, iteration, tuple(values))
        scale = min(max(float(move @ (new_gradient - gradient)) / max(size, 1e-300), 1e-3), 1e4)
        x, value, gradient = candidate, new_value, new_gradient
        values.append(value)
        if value < best.value:
            best = Descent(x, value, gradient, iteration + 1, ())
    return Descent(best.x, best.value, best.gradient, max_iterations, tuple(values))
