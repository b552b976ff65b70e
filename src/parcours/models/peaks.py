"""The one line a drug that a report needs: the window that stands out most, its interval and test, and what is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from parcours.models.screening import Screen, WindowTests, false_discovery_flags, joint_level

RAISED, LOWERED, BEFORE = "raised", "lowered", "rise before exposure"
#: Level of the look before the exposure, each medicine by itself: a rise that chance made takes a true effect away, and
#: one that first signs of the event made is far beyond either level (ADR 12).
BEFORE_LEVEL = 0.01


def peak_columns(tests: Screen, level: float) -> dict[str, Any]:
    """Columns from first_lag to before_p_value, one entry a drug; see `ConvSCCS.peaks`."""
    p_values = tests.after.p_values()
    passed = false_discovery_flags(p_values, level)
    after = _columns(tests.after, passed, joint_level(p_values, passed, level))
    early = tests.before.p_values()
    before = _columns(tests.before, np.nan_to_num(early, nan=1.0) <= BEFORE_LEVEL, BEFORE_LEVEL)
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


def _columns(tests: WindowTests, passed: np.ndarray, level: float) -> dict[str, Any]:
    lower, upper = tests.bounds(level)
    words = np.where(tests.statistic > 0, RAISED, LOWERED)
    return {
        "first_lag": tests.first_lag,
        "last_lag": tests.last_lag,
        "peak_lag": (tests.first_lag + tests.last_lag) // 2,
        "log_ri": tests.estimate,
        "lower": lower,
        "upper": upper,
        "p_value": tests.p_values(),
        "flag": [str(word) if flag else "" for word, flag in zip(words, passed, strict=True)],
    }
