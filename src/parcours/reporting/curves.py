"""Curves of relative incidence around the first purchase: small multiples, flagged medicines first."""

from typing import TYPE_CHECKING

from parcours.reporting.findings import Findings
from parcours.reporting.style import (
    FAINT,
    INK,
    PAGE,
    QUIET,
    colour_of,
    day_ticks,
    flag_key,
    headline,
    leave_margins,
    new_figure,
    ratio_axis,
    source_line,
    styled,
)
from parcours.reporting.suppression import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, ROWS = 4, 3
A_PAGE = COLUMNS * ROWS
NAME_CHARACTERS = 25
TOP, BOTTOM = 1.65, 0.75  # inches
KEY = (
    "dot and bar: estimate of a window of days and its {interval}; shade: {interval} of all windows after the purchase "
    "at once; thin line: the penalised curve"
)
# Beyond these an estimate is told by an arrow at the edge: an axis for it would flatten all others.
MOST, BOUNDS_SHOWN = 16.0, 0.95


def curve_pages(findings: Findings) -> "list[Figure]":
    """Pages of 12 medicines; all panels share their axes, so that heights compare across pages."""
    peaks = findings.peaks.to_dict("records")
    pages = [peaks[start : start + A_PAGE] for start in range(0, len(peaks), A_PAGE)]
    limits = ratio_limits(findings.curves)
    by_drug = {str(drug): curve for drug, curve in findings.curves.groupby("drug")}
    with styled():
        return [
            _page(findings, page, by_drug, limits, f"page {number} of {len(pages)}")
            for number, page in enumerate(pages, 1)
        ]


def ratio_limits(table: "pd.DataFrame") -> tuple[float, float]:
    """Limits of a shared log axis, symmetric around 1: estimates fit up to `MOST`, a rare wide interval may be cut."""
    import numpy as np

    with np.errstate(divide="ignore"):
        values, bounds = (np.abs(np.log(table[names].to_numpy(dtype=float))) for names in ("ri", ["lower", "upper"]))
    values, bounds = (each[np.isfinite(each)] for each in (values, bounds))
    reach = max(values.max(initial=0.0), np.quantile(bounds, BOUNDS_SHOWN) if bounds.size else 0.0, np.log(1.25))
    reach = min(reach, np.log(MOST))
    return float(np.exp(-reach * 1.08)), float(np.exp(reach * 1.08))


def _page(
    findings: Findings, page: list[dict], by_drug: "dict[str, pd.DataFrame]", limits: tuple[float, float], place: str
) -> "Figure":
    rows = -(-len(page) // COLUMNS)
    figure = new_figure(PAGE[0], PAGE[1] - (ROWS - rows) * (PAGE[1] - TOP - BOTTOM) / ROWS)
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).ravel()
    subtitle = f"{findings.title} · {shown(findings.cases)} cases · {place}"
    headline(figure, "Relative incidence before and after the first purchase", subtitle, findings.mark)
    flag_key(figure, 0.9, "line at 1: no change")
    _key(figure, findings.interval)
    for axis, peak in zip(axes, page, strict=False):
        _panel(axis, peak, by_drug[peak["drug"]].sort_values("lag"), findings, limits)
    ratio_axis(axes[0], *limits, along="y")
    axes[0].set_xlim(findings.first_day, findings.last_day)
    axes[0].set_xticks(day_ticks(findings.first_day, findings.last_day))
    for axis in axes[len(page) :]:
        axis.set_visible(False)
    _outer_labels(axes, len(page))
    source_line(figure, findings.source)
    leave_margins(figure, top=TOP, bottom=BOTTOM, left=0.85, right=0.4, wspace=0.12, hspace=0.5)
    return figure


def _panel(axis: "Axes", peak: dict, curve: "pd.DataFrame", findings: Findings, limits: tuple[float, float]) -> None:
    """One medicine: the days before the purchase shaded, the penalised curve, and each window with its interval."""
    colour = colour_of(peak["flag"])
    axis.grid(axis="y", color=FAINT, linewidth=0.6)
    axis.axhline(1, color=QUIET, linewidth=0.9, zorder=1.5)
    axis.axvspan(findings.first_day, 0, color=FAINT, alpha=0.45, linewidth=0, zorder=0)
    axis.axvline(0, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1.6)
    after = curve[curve["day"] >= 0]
    low, high = (
        [*after[name].clip(*limits), after[name].clip(*limits).iloc[-1]] for name in ("band_lower", "band_upper")
    )
    axis.fill_between([*after["day"], findings.last_day], low, high, step="post", color=colour, alpha=0.18, linewidth=0)
    axis.stairs(curve["penalised_ri"], [*curve["day"], findings.last_day], baseline=None, color=INK, linewidth=0.8)
    for window in windows(curve, findings.bucket_days):
        draw_window(axis, window, colour, limits)
    name = peak["name"] if len(peak["name"]) <= NAME_CHARACTERS else f"{peak['name'][: NAME_CHARACTERS - 1]}…"
    axis.set_title(name, loc="left", fontsize=10, fontweight="bold", pad=16)
    axis.text(0, 1.03, _under_title(peak), transform=axis.transAxes, fontsize=7.8, color=QUIET, va="bottom")
    axis.tick_params(length=2.5)


def windows(curve: "pd.DataFrame", bucket: int) -> list[dict]:
    """The windows of a curve: days of lags in a row with one estimate and one interval, on one side of the exposure."""
    found: list[dict] = []
    for row in curve.to_dict("records"):
        told = (row["ri"], row["lower"], row["upper"], row["day"] >= 0)
        if found and found[-1]["told"] == told:
            found[-1]["last_day"] = row["day"] + bucket - 1
        else:
            found.append({**row, "told": told, "first_day": row["day"], "last_day": row["day"] + bucket - 1})
    return found


def draw_window(axis: "Axes", window: dict, colour: str, limits: tuple[float, float]) -> None:
    """A level over the days of the window, with its interval at their middle; an arrow where it leaves the panel."""
    lowest, highest = limits
    middle = (window["first_day"] + window["last_day"] + 1) / 2
    low, high = max(window["lower"], lowest), min(window["upper"], highest)
    axis.plot([middle, middle], [low, high], color=colour, linewidth=1.1, solid_capstyle="butt")
    for bound, marker, beyond in ((low, "v", window["lower"] < lowest), (high, "^", window["upper"] > highest)):
        if beyond:
            axis.plot([middle], [bound], marker, color=colour, markersize=3.5, clip_on=False)
    if lowest <= window["ri"] <= highest:
        axis.plot([window["first_day"], window["last_day"] + 1], [window["ri"]] * 2, color=colour, linewidth=1.9)
        axis.plot([middle], [window["ri"]], "o", color=colour, markersize=3.2)


def _under_title(peak: dict) -> str:
    code = "" if peak["name"] == peak["drug"] else f"{peak['drug']} · "
    return f"{code}{shown(peak['exposed'])} exposed cases"


def _key(figure: "Figure", interval: str) -> None:
    """What is drawn in a panel, in words."""
    width, height = figure.get_size_inches()
    words = KEY.format(interval=interval)
    figure.text(0.45 / width, 1 - 1.12 / height, words, fontsize=8, color=QUIET, va="center")


def _outer_labels(axes: "list[Axes]", used: int) -> None:
    """Axis labels at the left and under the lowest panel of each column, also on a last page that is not full."""
    for place in range(used):
        if place % COLUMNS == 0:
            axes[place].set_ylabel("relative incidence", fontsize=8.5)
        if place + COLUMNS >= used:
            axes[place].set_xlabel("days since first purchase", fontsize=8.5)
            axes[place].tick_params(labelbottom=True)
