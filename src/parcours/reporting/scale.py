"""The axis of relative incidences, chosen for the effects: the same from figure to figure wherever they fit."""

from typing import TYPE_CHECKING

from parcours.reporting.texts import Texts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# From a quarter to eight times as frequent. Wider, by doublings, only where an estimate lies outside: an interval that
# goes on is cut, and ends in an arrow.
USUAL = (0.25, 8.0)
WIDEST = (1 / 64, 64.0)


def ratio_limits(peaks: "pd.DataFrame") -> tuple[float, float]:
    """Limits of the axis that hold the estimate (`ri`) of every peak, up to 64 times more or less frequent.

    A window that stands out less may lie outside, such as one in which nothing happened: an arrow tells it.
    """
    import numpy as np

    estimates = peaks["ri"].to_numpy(dtype=float)
    estimates = estimates[np.isfinite(estimates) & (estimates > 0)]
    lowest, highest = USUAL
    while lowest > max(WIDEST[0], estimates.min(initial=lowest)):
        lowest /= 2
    while highest < min(WIDEST[1], estimates.max(initial=highest)):
        highest *= 2
    return lowest, highest


def ratio_axis(axis: "Axes", limits: tuple[float, float], along: str, texts: Texts) -> None:
    """A log scale of relative incidences, marked at doublings; `along` is "x" or "y"."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    scale = axis.xaxis if along == "x" else axis.yaxis
    (axis.set_xscale if along == "x" else axis.set_yscale)("log")
    (axis.set_xlim if along == "x" else axis.set_ylim)(*limits)
    scale.set_major_locator(FixedLocator(ratio_ticks(*limits)))
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter(FuncFormatter(lambda value, _: texts.number(value, ".3g")))


def ratio_ticks(lowest: float, highest: float) -> list[float]:
    """Doublings within the limits, or every second one where they are many; 1 is always among them."""
    powers = [power for power in range(-6, 7) if lowest <= 2.0**power <= highest]
    step = 1 if len(powers) <= 8 else 2
    return [2.0**power for power in powers if power % step == 0]


def day_ticks(first_day: int, last_day: int) -> list[int]:
    """Days to mark: 0 and whole multiples of four weeks on both sides of it, six of them at most."""
    step = 28
    while (last_day - first_day) / step > 5.5:
        step *= 2
    return list(range(-(-first_day // step) * step, last_day + 1, step))


def within(value: float, limits: tuple[float, float]) -> bool:
    """Whether the axis shows a value."""
    return limits[0] <= value <= limits[1]
