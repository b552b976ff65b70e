"""The one line a drug that a report needs: peak of the curve, its interval, and whether the drug is flagged."""

from __future__ import annotations

from typing import Any

import numpy as np

from parcours.models.screening import Screen, false_discovery_flags


def peak_columns(
    curves: np.ndarray, bounds: dict[str, np.ndarray], tests: Screen, selected: np.ndarray, level: float
) -> dict[str, Any]:
    """Columns peak_lag, log_ri, lower, upper, p_value, flag, one entry a drug; see `ConvSCCS.peaks`."""
    passed = false_discovery_flags(tests.p_value, level) & selected
    sign = np.sign(tests.statistic)
    lag = np.zeros(len(curves), dtype=np.int64)
    flag = []
    for drug, curve in enumerate(curves):
        in_direction = passed[drug] and (sign[drug] * curve).max(initial=0.0) > 0
        flag.append(("raised" if sign[drug] > 0 else "lowered") if in_direction else "")
        if selected[drug]:
            lag[drug] = _middle_of_extreme(sign[drug] * curve if in_direction else np.abs(curve))
        else:
            lag[drug] = (tests.first_lag[drug] + tests.last_lag[drug]) // 2
    rows = np.arange(len(curves))
    return {
        "peak_lag": lag,
        "log_ri": curves[rows, lag],
        "lower": bounds["lower"][rows, lag],
        "upper": bounds["upper"][rows, lag],
        "p_value": tests.p_value,
        "flag": flag,
    }


def _middle_of_extreme(height: np.ndarray) -> int:
    """Middle lag of the run of equal lags that holds the maximum (the refit ties them exactly)."""
    first = int(np.argmax(height))
    run = height[first:] == height[first]
    last = first + (len(run) if run.all() else int(np.argmin(run))) - 1
    return (first + last) // 2
