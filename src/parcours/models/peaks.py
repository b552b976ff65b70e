"""The one line a drug that a report needs: the window that stands out most, its interval, its test, and what is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from parcours.models.screening import Screen, WindowTests, false_discovery_flags, joint_level

RAISED, LOWERED, BEFORE = "raised", "lowered", "rise before exposure"


def peak_columns(tests: Screen, level: float) -> dict[str, Any]:
    """Columns from first_lag to before, one entry a drug; see `ConvSCCS.peaks`."""
    after, before = _columns(tests.after, level), _columns(tests.before, level)
    flag = [
        BEFORE if late == RAISED and early == RAISED else late
        for late, early in zip(after["flag"], before["flag"], strict=True)
    ]
    return {
        **after,
        "flag": flag,
        "before": before["flag"],
        **{f"before_{name}": before[name] for name in ("log_ri", "lower", "upper", "p_value")},
    }


def _columns(tests: WindowTests, level: float) -> dict[str, Any]:
    p_values = tests.p_values()
    flagged = false_discovery_flags(p_values, level)
    lower, upper = tests.bounds(joint_level(p_values, flagged, level))
    words = np.where(tests.statistic > 0, RAISED, LOWERED)
    return {
        "first_lag": tests.first_lag,
        "last_lag": tests.last_lag,
        "peak_lag": (tests.first_lag + tests.last_lag) // 2,
        "log_ri": tests.estimate,
        "lower": lower,
        "upper": upper,
        "p_value": p_values,
        "flag": [str(word) if flag else "" for word, flag in zip(words, flagged, strict=True)],
    }
