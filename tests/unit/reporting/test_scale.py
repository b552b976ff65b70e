"""The axis of relative incidences and the days that are marked."""

import math

import pandas as pd
import pytest

from parcours.reporting.scale import day_ticks, ratio_limits, ratio_ticks


@pytest.mark.parametrize(
    ("estimates", "limits"),
    [
        ([], (0.25, 8)),
        ([0.9, 1.1], (0.25, 8)),
        ([0.25, 8], (0.25, 8)),
        ([0.2, 3], (0.125, 8)),
        ([0.5, 12], (0.25, 16)),
        ([math.nan, 1.5, math.inf, 0.0], (0.25, 8)),  # no estimate, or without an end: an arrow
        ([1e-9, 1e9], (1 / 64, 64)),
    ],
)
def test_the_axis_is_the_usual_one_unless_an_estimate_lies_outside(estimates, limits):
    # Bounds of intervals do not widen it.
    peaks = pd.DataFrame({"ri": estimates, "lower": [0.001] * len(estimates), "upper": [1000] * len(estimates)})
    assert ratio_limits(peaks) == limits


@pytest.mark.parametrize(
    ("limits", "ticks"),
    [
        ((0.25, 8), [0.25, 0.5, 1, 2, 4, 8]),
        ((0.125, 16), [0.125, 0.25, 0.5, 1, 2, 4, 8, 16]),
        ((1 / 64, 64), [1 / 64, 1 / 16, 0.25, 1, 4, 16, 64]),
    ],
)
def test_relative_incidences_are_marked_at_doublings_around_1(limits, ticks):
    assert ratio_ticks(*limits) == ticks


def test_days_are_marked_every_four_weeks_or_more():
    assert day_ticks(0, 84) == [0, 28, 56, 84]
    assert day_ticks(-98, 196) == [-56, 0, 56, 112, 168]
    assert day_ticks(-7, 7) == [0]
