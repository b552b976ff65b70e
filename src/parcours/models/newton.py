"""Newton's method with step halving, for the small dense problems of the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

#: value, gradient and Hessian of the function to minimise, at a point.
Objective = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class NewtonResult:
    """Where Newton's method stopped; `ridge` is 0 unless the Hessian was singular on the way."""

    x: np.ndarray
    value: float
    hessian: np.ndarray
    iterations: int
    converged: bool
    ridge: float


def minimise(
    objective: Objective, start: np.ndarray, ridge: float = 0.0, tolerance: float = 1e-9, max_iterations: int = 100
) -> NewtonResult:
    """Minimise a convex function from `start`, halving each Newton step until the value falls.

    A `ridge` above 0 adds 0.5 * ridge * |x|^2. Converged means that the Newton decrement, in the units of the value,
    is below `tolerance`.
    """
    x = np.array(start, dtype=np.float64)
    value, gradient, hessian = _with_ridge(objective, x, ridge)
    for iteration in range(max_iterations):
        direction = _direction(hessian, gradient)
        decrement = float(-gradient @ direction)
        if decrement < tolerance:
            return NewtonResult(x, value, hessian, iteration, True, ridge)
        step = 1.0
        while True:
            candidate = x + step * direction
            new_value, new_gradient, new_hessian = _with_ridge(objective, candidate, ridge)
            if new_value <= value - 1e-4 * step * decrement:
                break
            step /= 2
            if step < 1e-10:
                # No step lowers the value any more: rounding is all that is left.
                return NewtonResult(x, value, hessian, iteration, decrement < 1e-6, ridge)
        x, value, gradient, hessian = candidate, new_value, new_gradient, new_hessian
    return NewtonResult(x, value, hessian, max_iterations, False, ridge)


def _with_ridge(objective: Objective, x: np.ndarray, ridge: float) -> tuple[float, np.ndarray, np.ndarray]:
    value, gradient, hessian = objective(x)
    if ridge:
        return value + 0.5 * ridge * float(x @ x), gradient + ridge * x, hessian + ridge * np.eye(len(x))
    return value, gradient, hessian


def _direction(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    if not len(gradient):
        return gradient
    try:
        return -cho_solve(cho_factor(hessian), gradient)
    except LinAlgError:
        # A singular Hessian still has a descent direction inside its range.
        return -np.linalg.lstsq(hessian, gradient, rcond=1e-10)[0]
