"""Profile likelihood of one medicine: relative incidence of a window, all other windows of the medicine at their best.

Given the chances of `ExposedMasses`, an event of person i lies in window w with probability rho_w A_iw / (A_i0 + sum
rho A_i). The other medicines are held where they were fitted; what their estimation takes away is the `share` of the
information that is left, by which deviances are multiplied.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from parcours.models.likelihood import kernel

#: Log relative incidences are sought up to here on both sides; a bound beyond is infinite.
FARTHEST = 14.0


@kernel
def profile(mass, rest, events, counts, held, theta, tolerance):
    """Log-likelihood maximised over the log relative incidences `theta` (parameters,), in place.

    mass: (parameters, rows); counts: (parameters,) events; held: index of the one that stays as it is, or -1.
    A parameter without events goes to -FARTHEST. One parameter after the other, each by a Newton step of its own, until
    none moves by more than `tolerance`.
    """
    parameters, rows = mass.shape
    total = rest.copy()
    for parameter in range(parameters):
        level, own = np.exp(theta[parameter]), mass[parameter]
        for row in range(rows):
            total[row] += level * own[row]
    for _sweep in range(100):
        largest = 0.0
        for parameter in range(parameters):
            if parameter == held:
                continue
            now, own = theta[parameter], mass[parameter]
            level = np.exp(now)
            move = -FARTHEST - now
            if counts[parameter] > 0.0:
                expected, squares = 0.0, 0.0
                for row in range(rows):
                    chance = level * own[row] / total[row]
                    expected += events[row] * chance
                    squares += events[row] * chance * chance
                move = (counts[parameter] - expected) / max(expected - squares, 1e-12)
                move = min(max(now + min(max(move, -1.5), 1.5), -FARTHEST), FARTHEST) - now
            if move != 0.0:
                change = level * np.expm1(move)
                for row in range(rows):
                    total[row] += change * own[row]
                theta[parameter] = now + move
                largest = max(largest, abs(move))
        if largest < tolerance:
            break
    value = 0.0
    for parameter in range(parameters):
        if counts[parameter] > 0.0:
            value += counts[parameter] * theta[parameter]
    for row in range(rows):
        value -= events[row] * np.log(max(total[row], 1e-300))
    return value


def tied(mass: np.ndarray, counts: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts with one parameter as one: mass (parameters, rows) of (rows, parts), counts (parameters,) of (parts,)."""
    tie = np.zeros((len(group), int(group.max()) + 1))
    tie[np.arange(len(group)), group] = 1.0
    return np.ascontiguousarray((mass @ tie).T), counts @ tie


class Maximum(NamedTuple):
    """Where the likelihood of a window's parameters is greatest: what `profile` was given, its value, theta there.

    share: of the information of the first parameter, what is left when the other medicines are estimated too.
    """

    mass: np.ndarray
    rest: np.ndarray
    events: np.ndarray
    counts: np.ndarray
    share: float
    value: float
    theta: np.ndarray

    @property
    def estimate(self) -> float:
        """Log relative incidence of the first parameter."""
        return float(self.theta[0])

    @property
    def statistic(self) -> float:
        """Signed root of the deviance of no effect, above 0 where the first parameter is."""
        return signed_root(self, 0.0, self.theta.copy())


def maximum(mass: np.ndarray, rest: np.ndarray, events: np.ndarray, counts: np.ndarray, share: float) -> Maximum:
    """The greatest likelihood of all parameters, see `profile`."""
    theta = np.zeros(len(counts))
    value = float(profile(mass, rest, events, counts, -1, theta, 1e-6))
    return Maximum(mass, rest, events, counts, share, value, theta)


def signed_root(best: Maximum, at: float, theta: np.ndarray) -> float:
    """Signed root of the deviance of the first parameter at `at`, below 0 where `at` is above its estimate.

    theta: (parameters,) where the other parameters start, and end. They are at their best there, so that a small error
    of theirs changes the deviance by its square.
    """
    theta[0] = at
    value = profile(best.mass, best.rest, best.events, best.counts, 0, theta, 1e-3)
    root = math.sqrt(max(2.0 * best.share * (best.value - value), 0.0))
    return root if best.estimate > at else -root


def bound(best: Maximum, level: float) -> float:
    """Where the signed root is `level` (above 0 the lower bound, below 0 the upper one); infinite if nowhere."""
    estimate, theta = best.estimate, best.theta.copy()
    side = -1.0 if level > 0 else 1.0
    if estimate * side >= FARTHEST:
        return side * math.inf
    near, near_root = estimate, 0.0
    far, far_root, step = estimate, 0.0, 0.5
    while far_root < abs(level):
        near, near_root = far, far_root
        far += side * step
        if far * side > FARTHEST + 8.0:
            return side * math.inf
        far_root = abs(signed_root(best, far, theta))
        # The root is close to linear in the log relative incidence: the next step is the one that would reach the
        # level.
        slope = max(far_root / abs(far - estimate), 1e-3)
        step = min(max(1.1 * (abs(level) - far_root) / slope, 0.05), 6.0)
    for _step in range(40):
        middle = near + (far - near) * (abs(level) - near_root) / (far_root - near_root)
        root = abs(signed_root(best, middle, theta))
        if abs(root - abs(level)) < 1e-3 or abs(far - near) < 1e-4:
            return middle
        if root < abs(level):
            near, near_root = middle, root
            far_root = abs(level) + 0.5 * (far_root - abs(level)) if _step % 3 == 2 else far_root
        else:
            far, far_root = middle, root
            near_root = abs(level) - 0.5 * (abs(level) - near_root) if _step % 3 == 2 else near_root
    return 0.5 * (near + far)
