"""Proximal operator of total variation plus group norm, drug by drug.

The proximal operator of tv * TV + group * l2 is that of the l2 norm applied to that of TV, because the second only
rescales (Zhou et al. 2012, modeling disease progression via fused sparse group lasso).
TV by the taut-string construction in dual form, linear time in practice (Condat 2013, doi 10.1109/LSP.2013.2278339).
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def denoise_total_variation(y, strength, x):
    """Write into x the minimiser of 0.5 * |x - y|^2 + strength * sum |x_k - x_k-1|."""
    n = len(y)
    if n == 0:
        return
    if strength <= 0.0 or n == 1:
        x[:] = y
        return
    # [start, k] is the segment being built; low/high its lowest and highest possible level; the string's distance to
    # the tube's lower and upper wall is kept in to_low/to_high; last_low/last_high are where each wall was last met.
    k = start = last_low = last_high = 0
    low, high = y[0] - strength, y[0] + strength
    to_low, to_high = strength, -strength
    while True:
        while k == n - 1:
            if to_low < 0.0:
                x[start : last_low + 1] = low
                k = start = last_low = last_low + 1
                low = y[k]
                to_low = strength
                to_high = low + strength - high
            elif to_high > 0.0:
                x[start : last_high + 1] = high
                k = start = last_high = last_high + 1
                high = y[k]
                to_high = -strength
                to_low = high - strength - low
            else:
                x[start:] = low + to_low / (k - start + 1)
                return
        to_low_next = to_low + y[k + 1] - low
        to_high_next = to_high + y[k + 1] - high
        if to_low_next < -strength:
            x[start : last_low + 1] = low
            k = start = last_low = last_high = last_low + 1
            low, high = y[k], y[k] + 2.0 * strength
            to_low, to_high = strength, -strength
        elif to_high_next > strength:
            x[start : last_high + 1] = high
            k = start = last_low = last_high = last_high + 1
            low, high = y[k] - 2.0 * strength, y[k]
            to_low, to_high = strength, -strength
        else:
            k += 1
            to_low, to_high = to_low_next, to_high_next
            if to_low >= strength:
                last_low = k
                low += (to_low - strength) / (k - start + 1)
                to_low = strength
            if to_high <= -strength:
                last_high = k
                high += (to_high + strength) / (k - start + 1)
                to_high = -strength


@njit(cache=True, nogil=True)
def shrink_curves(point, step, before, width, tv, group, out):
    """Proximal point of each curve: its lags below zero and those from zero on are penalised apart.

    point, out (drugs * width,); step (drugs * width,) equal within each part of a curve; the first `before` lags of a
    curve lie before the exposure.
    """
    for curve in range(len(point) // width):
        for part in range(2):
            low = curve * width + (before if part else 0)
            high = curve * width + (width if part else before)
            if high == low:
                continue
            denoise_total_variation(point[low:high], tv * step[low], out[low:high])
            norm = np.sqrt(np.sum(out[low:high] ** 2))
            threshold = group * np.sqrt(high - low) * step[low]
            if norm <= threshold:
                out[low:high] = 0.0
            else:
                out[low:high] *= 1.0 - threshold / norm


def penalty(curves: np.ndarray, before: int, tv: float, group: float) -> float:
    """tv * total variation + group * sqrt(lags) * l2 norm, over the two parts of each curve, (drugs, width)."""
    total = 0.0
    for part in (curves[:, :before], curves[:, before:]):
        variation = np.abs(np.diff(part, axis=1)).sum()
        total += tv * variation + group * np.sqrt(part.shape[1]) * np.sqrt((part**2).sum(axis=1)).sum()
    return float(total)
