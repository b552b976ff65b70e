"""Newton's method within a trust region, for the small dense convex problems of the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

#: value, gradient and Hessian of the function to minimise, at a point.
Objective = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]

#: Length of the longest first step, on the scale of log relative incidences.
_FIRST_RADIUS = 1.0
#: Foretold falls of the value below this share of it are too small to be read off it.
_SMALL_FALL = 1e-8
#: Parameters of which less than this share of curvature is their own are not told apart.
_OWN_CURVATURE = 1e-13


@dataclass(frozen=True)
class NewtonResult:
    """Where Newton's method stopped, and whether that is the minimum."""

    x: np.ndarray
    value: float
    hessian: np.ndarray
    iterations: int
    converged: bool
    gradient: np.ndarray


@dataclass(frozen=True)
class _Point:
    x: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray


def minimise(
    objective: Objective, start: np.ndarray, tolerance: float = 1e-8, max_iterations: int = 200
) -> NewtonResult:
    """Minimise a convex function from `start`; no step is longer than the quadratic model was good for so far.

    Converged means that the whole Newton step from `x` changes no parameter by more than `tolerance`. Where a function
    runs flat towards infinity this step never becomes small, as its Hessian vanishes with its gradient: a flat region
    is not taken for a minimum, nor is a minimum that is not single.
    Source: Nocedal and Wright, Numerical Optimization, 2006, chapter 4.
    """
    here = _at(objective, np.array(start, dtype=np.float64))
    radius = _FIRST_RADIUS
    for iteration in range(max_iterations):
        whole = _newton_step(here)
        reach = np.inf if whole is None else np.abs(whole).max(initial=0.0)
        if reach <= tolerance:
            return _result(here, iteration, True)
        step = whole if whole is not None and reach <= radius else _short_step(here, radius)
        there = _at(objective, here.x + step)
        gain = _gain(here, there, step)
        radius = _next_radius(radius, float(np.linalg.norm(step)), gain)
        if gain > 1e-4:
            here = there
    return _result(here, max_iterations, False)


def _at(objective: Objective, x: np.ndarray) -> _Point:
    return _Point(x, *objective(x))


def _result(point: _Point, iterations: int, converged: bool) -> NewtonResult:
    return NewtonResult(point.x, point.value, point.hessian, iterations, converged, point.gradient)


def _newton_step(point: _Point) -> np.ndarray | None:
    """The step to the minimum of the quadratic model, None where the model has no single one."""
    if not len(point.x):
        return point.x
    try:
        factor = cho_factor(point.hessian)
    except LinAlgError:
        return None
    own = np.diag(factor[0]) ** 2 / np.diag(point.hessian)
    return -cho_solve(factor, point.gradient) if own.min() > _OWN_CURVATURE else None


def _short_step(point: _Point, radius: float) -> np.ndarray:
    """The step of length `radius` at most that lowers the quadratic model most, by bisection of its multiplier."""
    curvature, axes = np.linalg.eigh(point.hessian)
    curvature = np.maximum(curvature, 0.0)
    slope = axes.T @ point.gradient
    if not slope.any():
        return slope
    # With this multiplier the step is short enough whatever the curvature.
    high = float(np.linalg.norm(slope)) / radius
    low = 1e-18 * high
    for _ in range(60):
        middle = np.sqrt(low * high)
        too_long = np.linalg.norm(slope / (curvature + middle)) > radius
        low, high = (middle, high) if too_long else (low, middle)
    return -axes @ (slope / (curvature + high))


def _gain(here: _Point, there: _Point, step: np.ndarray) -> float:
    """How much the value fell, as a share of what the quadratic model foretold."""
    foretold = -float(here.gradient @ step + 0.5 * step @ here.hessian @ step)
    if not np.isfinite(there.value) or foretold <= 0:
        return -1.0
    if foretold <= _SMALL_FALL * (1.0 + abs(here.value)):
        # The difference of the values would be rounding: the slopes at both ends tell it better.
        return -0.5 * float((here.gradient + there.gradient) @ step) / foretold
    return (here.value - there.value) / foretold


def _next_radius(radius: float, length: float, gain: float) -> float:
    if gain < 0.25:
        return 0.25 * length
    return max(radius, 2 * length) if gain > 0.75 else radius
