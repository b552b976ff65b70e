"""Windows of lags on which a medicine is tested: fixed by its expected events, never by its observed ones.

A curve is cut into base windows that each expect enough events to say something; the tested windows are these and
unions of neighbours, so that a short effect and a long one both fill one of them. Where a base window expects enough it
is shown in parts, which follow a curve more closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from parcours.models.observed_days import LagAxis

#: Expected events that a base window should hold, and the most base windows after and before the start of exposure.
EXPECTED_A_WINDOW = 8.0
MOST_AFTER, MOST_BEFORE = 8, 3
#: Expected events that a part of a window should hold, and the most parts of one window.
EXPECTED_A_PART, MOST_PARTS = 5.0, 4
#: Shares of the days before the exposure at which their windows are cut: the last weeks are looked at closely.
BEFORE_CUTS = {1: (), 2: (0.84,), 3: (0.52, 0.84)}
#: Draws behind the law of the largest statistic, with one seed: every run has the same.
NEARLY_ONE = -1 + 1e-15  # the logarithm of nothing is not asked for
DRAWS, DRAWS_AT_ONCE = 200_000, 10_000


@dataclass(frozen=True)
class Windows:
    """Base windows of every drug: `of_lag` (drugs, width) numbers them, those before the exposure first.

    part_of_lag: (drugs, width) number of the part, which is a base window or some of its lags.
    before, after: (drugs,) number of base windows before and from the start of exposure; parts_before, parts: (drugs,)
    number of parts before the exposure, and of all.
    """

    of_lag: np.ndarray
    part_of_lag: np.ndarray
    before: np.ndarray
    after: np.ndarray
    parts_before: np.ndarray
    parts: np.ndarray

    def lags_of(self, drug: int, first: int, last: int) -> np.ndarray:
        """Places on the lag axis of the base windows first..last of a drug."""
        return np.flatnonzero((self.of_lag[drug] >= first) & (self.of_lag[drug] <= last))


def windows_of(expected: np.ndarray, axis: LagAxis) -> Windows:
    """Cut each drug's curve by the events expected without effect on its lags, (drugs, width)."""
    cut = [_cut_curve(lags, axis) for lags in expected]
    shape = (len(expected), axis.width)
    of_lag, part_of_lag = (np.array([pair[k] for pair in cut], dtype=np.int64).reshape(shape) for k in (0, 1))
    early, parts_early = of_lag[:, : axis.before], part_of_lag[:, : axis.before]
    before, parts_before = (part.max(axis=1, initial=-1) + 1 for part in (early, parts_early))
    after, parts = of_lag.max(axis=1, initial=-1) + 1 - before, part_of_lag.max(axis=1, initial=-1) + 1
    return Windows(of_lag, part_of_lag, before, after, parts_before, parts)


def _cut_curve(expected: np.ndarray, axis: LagAxis) -> tuple[np.ndarray, np.ndarray]:
    """Base window and part of each lag of one curve, (width,) each."""
    before, lags = axis.before, axis.lags + 1
    early = _number(expected[:before].sum(), min(MOST_BEFORE, before))
    late = _number(expected[before:].sum(), min(MOST_AFTER, lags))
    cuts = np.round(np.array(BEFORE_CUTS.get(early, ())) * before)
    first = np.unique(np.searchsorted(cuts, np.arange(before), side="right"), return_inverse=True)[1]
    edges = np.round(np.linspace(0, lags, late + 1))[1:-1]
    second = np.searchsorted(edges, np.arange(lags), side="right")
    of_lag = np.append(first, second + len(np.unique(first)))
    from_start = [_parts(expected[of_lag == window]) for window in range(int(of_lag[before]), int(of_lag.max()) + 1)]
    part = np.concatenate([np.zeros(before, dtype=np.int64), *from_start])
    return of_lag, np.unique(MOST_PARTS * of_lag + part, return_inverse=True)[1]


def _parts(expected: np.ndarray) -> np.ndarray:
    """Part of each lag of one window, (lags,)."""
    number = int(np.clip(expected.sum() / EXPECTED_A_PART, 1, min(MOST_PARTS, len(expected))))
    return np.arange(len(expected)) * number // len(expected)


def _number(expected: float, most: int) -> int:
    return int(np.clip(expected / EXPECTED_A_WINDOW, min(1, most), most))


@lru_cache
def unions(base: int) -> tuple[tuple[int, int], ...]:
    """First and last base window of each tested window: lengths 1, 2, 4, ... and all, starts half a length apart."""
    lengths = sorted({2**k for k in range(base.bit_length()) if 2**k <= base} | ({base} if base else set()))
    pairs: list[tuple[int, int]] = []
    for length in lengths:
        starts = sorted({*range(0, base + 1 - length, length // 2 or 1), base - length})
        pairs += [(first, first + length - 1) for first in starts]
    return tuple(pairs)


@lru_cache
def effective_number(base: int, singles: bool) -> float:
    """How many independent tests the largest statistic over windows amounts to.

    Base windows of like information have independent statistics; that of a union is their sum over root length. The
    number is that which gives the drawn probability of exceeding 3 (two-sided), so that small p values are right.
    singles: of the base windows alone (a simultaneous band), else of all `unions`.
    """
    if singles or base <= 1:
        return float(max(base, 1))
    rng, beyond = np.random.default_rng(base), 0
    for _ in range(DRAWS // DRAWS_AT_ONCE):
        drawn = rng.standard_normal((DRAWS_AT_ONCE, base))
        sums = np.cumsum(np.concatenate([np.zeros((DRAWS_AT_ONCE, 1)), drawn], axis=1), axis=1)
        largest = np.zeros(DRAWS_AT_ONCE)
        for first, last in unions(base):
            np.maximum(largest, np.abs(sums[:, last + 1] - sums[:, first]) / np.sqrt(last - first + 1), out=largest)
        beyond += int((largest > 3.0).sum())
    return float(np.log1p(-beyond / DRAWS) / np.log1p(-2 * ndtr(-3.0)))


def p_value(statistic: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Probability that the largest of `number` independent standard normals is beyond the statistic."""
    return -np.expm1(number * np.log1p(np.maximum(-2 * ndtr(-np.abs(statistic)), NEARLY_ONE)))


def critical(level: float, number: np.ndarray) -> np.ndarray:
    """Statistic with the given `p_value`."""
    return np.asarray(-ndtri(-np.expm1(np.log1p(-level) / number) / 2))
