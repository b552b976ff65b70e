"""Forest plot of the peaks: one line a medicine, the strongest effects first."""

from typing import TYPE_CHECKING

from parcours.reporting.curves import ratio_limits
from parcours.reporting.findings import Findings
from parcours.reporting.style import (
    FAINT,
    FLAG_COLOURS,
    QUIET,
    headline,
    leave_margins,
    new_figure,
    ratio_axis,
    source_line,
    styled,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 40
WIDTH, LEFT, RIGHT = 9.5, 2.75, 2.95  # inches


def forest_plot(findings: Findings) -> "Figure":
    """Relative incidence at the peak of each medicine, with its interval and the day of the peak; 40 lines at most."""
    drawn = findings.peaks.head(LINES).sort_values("ri", ascending=False)
    with styled():
        figure = new_figure(WIDTH, 2.1 + 0.26 * max(len(drawn), 4))
        axis = figure.add_subplot()
        headline(figure, "Relative incidence at the peak", _subtitle(findings, len(drawn)), findings.mark)
        lowest, highest = ratio_limits(drawn)
        ratio_axis(axis, lowest, highest, along="x")
        _lines(axis, drawn, lowest, highest)
        axis.axvline(1, color=QUIET, linewidth=0.9, zorder=1)
        axis.set_xlabel("relative incidence at the peak (log scale)")
        leave_margins(figure, top=1.25, bottom=0.85, left=LEFT, right=RIGHT)
        source_line(figure, findings.source)
    return figure


def _subtitle(findings: Findings, shown: int) -> str:
    of_all = "" if shown == len(findings.peaks) else f", {shown} of {len(findings.peaks)} medicines"
    return f"{findings.title} · {findings.interval}{of_all}"


def _lines(axis: "Axes", drawn: "pd.DataFrame", lowest: float, highest: float) -> None:
    axis.set_ylim(len(drawn) - 0.4, -0.6)
    axis.set_yticks(range(len(drawn)))
    axis.set_yticklabels([_label(row) for row in drawn.to_dict("records")], fontsize=8.5)
    axis.tick_params(axis="y", length=0, labelcolor="#1B1F24")
    axis.spines["left"].set_visible(False)
    for place, row in enumerate(drawn.to_dict("records")):
        if place % 2:
            axis.axhspan(place - 0.5, place + 0.5, color=FAINT, alpha=0.4, linewidth=0, zorder=0)
        _line(axis, place, row, lowest, highest)
    for x, heading in zip(TEXT_COLUMNS, ("estimate", "interval", "peak, days"), strict=True):
        axis.text(x, -0.75, heading, transform=axis.get_yaxis_transform(), fontsize=8, color=QUIET, va="bottom")


# Inches to the right of the plot.
TEXT_COLUMNS = tuple(1 + inches / (WIDTH - LEFT - RIGHT) for inches in (0.2, 0.9, 1.95))


def _line(axis: "Axes", place: int, row: dict, lowest: float, highest: float) -> None:
    colour = FLAG_COLOURS.get(row["flag"], QUIET)
    has_interval = row["lower"] == row["lower"]
    if has_interval:
        axis.plot([max(row["lower"], lowest), min(row["upper"], highest)], [place, place], color=colour, linewidth=1.6)
    axis.plot([row["ri"]], [place], "o", color=colour, markersize=5.5, zorder=3)
    interval = f"{row['lower']:.2f} to {row['upper']:.2f}" if has_interval else "–"
    texts = (f"{row['ri']:.2f}", interval, row["peak_days"] if row["selected"] else "–")
    for x, text in zip(TEXT_COLUMNS, texts, strict=True):
        axis.text(x, place, text, transform=axis.get_yaxis_transform(), fontsize=8.5, va="center")


def _label(row: dict) -> str:
    name = row["name"] if len(row["name"]) <= 26 else f"{row['name'][:25]}…"
    return name if row["name"] == row["drug"] else f"{name}  {row['drug']}"
