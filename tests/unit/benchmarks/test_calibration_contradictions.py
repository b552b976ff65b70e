"""A row of the report whose flag, interval and p value do not say the same is counted by the calibration."""

from typing import Any

import pytest

from benchmarks.calibration.demo import contradictions


def row(**changed: Any) -> dict[str, Any]:
    return {"ri": 2.0, "lower": 1.5, "upper": 2.6, "p_value": 1e-6, "flag": "raised"} | changed


def test_rows_that_agree_are_none() -> None:
    lowered = row(ri=0.5, lower=0.0, upper=0.8, flag="lowered")
    plain = row(ri=1.1, lower=0.9, upper=None, p_value=0.4, flag="none")
    untested = row(ri=None, lower=None, upper=None, p_value=None, flag="none")
    assert contradictions([row(), lowered, plain, untested, row(flag="rise before exposure")]) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"lower": 0.9},  # flagged, but the interval holds no effect
        {"flag": "none"},  # passes the correction, and is not flagged
        {"p_value": 0.4},  # flagged without passing it
        {"flag": "lowered"},  # the wrong way
        {"ri": 3.0},  # outside its own interval
    ],
)
def test_each_way_to_contradict_is_seen(changed: dict[str, Any]) -> None:
    assert contradictions([row(**changed), row()]) == 1
