"""Curves of relative incidence after the first purchase: small multiples, flagged medicines first."""

from typing import TYPE_CHECKING

from parcours.reporting.findings import Findings
from parcours.reporting.style import (
    BLUE,
    FAINT,
    FLAG_COLOURS,
    PAGE,
    QUIET,
    VERMILLION,
    day_ticks,
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


def ratio_limits(curves: "pd.DataFrame") -> tuple[float, float]:
    """Limits of the shared log axis, symmetric around 1: every curve fits, a rare wide interval may be cut."""
    import numpy as np

    values = np.abs(np.log(curves["ri"].to_numpy(dtype=float)))
    bounds = np.abs(np.log(curves[["lower", "upper"]].to_numpy(dtype=float)))
    bounds = bounds[np.isfinite(bounds)]
    reach = max(np.nanmax(values), np.quantile(bounds, 0.995) if bounds.size else 0.0, np.log(1.25))
    return float(np.exp(-reach * 1.08)), float(np.exp(reach * 1.08))


def _page(
    findings: Findings, page: list[dict], by_drug: "dict[str, pd.DataFrame]", limits: tuple[float, float], place: str
) -> "Figure":
    rows = -(-len(page) // COLUMNS)
    figure = new_figure(PAGE[0], PAGE[1] - (ROWS - rows) * (PAGE[1] - TOP - BOTTOM) / ROWS)
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).ravel()
    subtitle = f"{findings.title} · {shown(findings.cases)} cases · {place}"
    headline(figure, "Relative incidence after the first purchase", subtitle, findings.mark)
    _key(figure, findings.interval)
    for axis, peak in zip(axes, page, strict=False):
        _panel(axis, peak, by_drug[peak["drug"]], findings)
    ratio_axis(axes[0], *limits, along="y")
    axes[0].set_xlim(0, findings.last_day)
    axes[0].set_xticks(day_ticks(findings.last_day))
    for axis in axes[len(page) :]:
        axis.set_visible(False)
    _outer_labels(axes, len(page))
    source_line(figure, findings.source)
    leave_margins(figure, top=TOP, bottom=BOTTOM, left=0.85, right=0.4, wspace=0.12, hspace=0.5)
    return figure


def _panel(axis: "Axes", peak: dict, curve: "pd.DataFrame", findings: Findings) -> None:
    """One medicine: a step a bucket, because the model's effect is constant within one."""
    colour = FLAG_COLOURS.get(peak["flag"], QUIET)
    curve = curve.sort_values("lag")
    edges = [*curve["day"], findings.last_day]
    axis.grid(axis="y", color=FAINT, linewidth=0.6)
    axis.axhline(1, color=QUIET, linewidth=0.9, zorder=1.5)
    if curve["lower"].notna().any():
        lower, upper = ([*curve[name], curve[name].iloc[-1]] for name in ("lower", "upper"))
        axis.fill_between(edges, lower, upper, step="post", color=colour, alpha=0.18, linewidth=0)
    axis.stairs(curve["ri"], edges, baseline=None, color=colour, linewidth=1.9)
    name = peak["name"] if len(peak["name"]) <= NAME_CHARACTERS else f"{peak['name'][: NAME_CHARACTERS - 1]}…"
    axis.set_title(name, loc="left", fontsize=10, fontweight="bold", pad=16)
    axis.text(0, 1.03, _under_title(peak), transform=axis.transAxes, fontsize=7.8, color=QUIET, va="bottom")
    axis.tick_params(length=2.5)


def _under_title(peak: dict) -> str:
    code = "" if peak["name"] == peak["drug"] else f"{peak['drug']} · "
    return f"{code}{shown(peak['exposed'])} exposed cases"


def _key(figure: "Figure", interval: str) -> None:
    """What the colours mean, in words of their colour."""
    width, height = figure.get_size_inches()
    words = [("raises", VERMILLION), ("lowers", BLUE), ("neither", QUIET)]
    for place, (word, colour) in enumerate(words):
        x = (0.45 + place * 0.75) / width
        figure.text(x, 1 - 0.92 / height, f"■ {word}", fontsize=8.5, color=colour, va="center")
    figure.text(
        2.85 / width,
        1 - 0.92 / height,
        f"band: {interval}; line at 1: no change",
        fontsize=8.5,
        color=QUIET,
        va="center",
    )


def _outer_labels(axes: "list[Axes]", used: int) -> None:
    """Axis labels at the left and under the lowest panel of each column, also on a last page that is not full."""
    for place in range(used):
        if place % COLUMNS == 0:
            axes[place].set_ylabel("relative incidence", fontsize=8.5)
        if place + COLUMNS >= used:
            axes[place].set_xlabel("days since first purchase", fontsize=8.5)
            axes[place].tick_params(labelbottom=True)
