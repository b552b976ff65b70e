"""Forest plot of the peaks: one line a medicine, the strongest effects first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parcours.reporting.curves import ratio_limits
from parcours.reporting.findings import NOT_FLAGGED, Findings
from parcours.reporting.style import (
    DARK_PURPLE,
    FAINT,
    FLAG_MARKERS,
    INK,
    QUIET,
    colour_of,
    flag_key,
    headline,
    interval_text,
    leave_margins,
    new_figure,
    ratio_axis,
    ratio_text,
    source_line,
    styled,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 40
WIDTH, LEFT, RIGHT = 10.7, 2.75, 4.05  # inches
# Inches to the right of the plot.
HEADINGS = {"RI": 0.2, "interval": 0.75, "days of the window": 1.85, "before purchase": 3.05}


def forest_plot(findings: Findings) -> "Figure":
    """Relative incidence of the window that stands out most of each medicine, with its interval; 40 lines at most."""
    drawn = findings.peaks.head(LINES).sort_values("ri", ascending=False, na_position="last")
    with styled():
        figure = new_figure(WIDTH, 2.3 + 0.26 * max(len(drawn), 4))
        axis = figure.add_subplot()
        headline(
            figure, "What stands out most after the first purchase", _subtitle(findings, len(drawn)), findings.mark
        )
        flag_key(figure, 0.95, "line at 1: no change")
        lowest, highest = ratio_limits(drawn)
        ratio_axis(axis, lowest, highest, along="x")
        _lines(axis, drawn, lowest, highest)
        axis.axvline(1, color=QUIET, linewidth=0.9, zorder=1)
        axis.set_xlabel("relative incidence of the window (log scale)")
        leave_margins(figure, top=1.45, bottom=0.85, left=LEFT, right=RIGHT)
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
    for heading, inches in HEADINGS.items():
        axis.text(_column(inches), -0.75, heading, transform=axis.get_yaxis_transform(), fontsize=8, color=QUIET)


def _column(inches: float) -> float:
    return 1 + inches / (WIDTH - LEFT - RIGHT)


def _line(axis: "Axes", place: int, row: dict, lowest: float, highest: float) -> None:
    colour = colour_of(row["flag"])
    if row["lower"] == row["lower"]:
        _interval(axis, place, row, colour, (lowest, highest))
    if lowest <= row["ri"] <= highest:
        axis.plot([row["ri"]], [place], FLAG_MARKERS.get(row["flag"], "o"), color=colour, markersize=5.5, zorder=3)
    days = row["peak_days"] if row["ri"] == row["ri"] else "–"
    texts = (ratio_text(row["ri"]), interval_text(row["lower"], row["upper"]), days, before_text(row))
    for inches, text in zip(HEADINGS.values(), texts, strict=True):
        rises = text.startswith("rises")
        colour = DARK_PURPLE if rises else INK
        axis.text(
            _column(inches), place, text, transform=axis.get_yaxis_transform(), fontsize=8.5, va="center", color=colour
        )


def _interval(axis: "Axes", place: int, row: dict, colour: str, limits: tuple[float, float]) -> None:
    """The interval as far as the axis goes, with an arrow where it goes on."""
    low, high = max(row["lower"], limits[0]), min(row["upper"], limits[1])
    axis.plot([low, high], [place, place], color=colour, linewidth=1.6)
    for bound, marker, beyond in ((low, "<", row["lower"] < limits[0]), (high, ">", row["upper"] > limits[1])):
        if beyond:
            axis.plot([bound], [place], marker, color=colour, markersize=4.5, clip_on=False)


def before_text(row: Mapping[Any, Any]) -> str:
    """What the days before the purchase say: nothing, or a rise or fall with its relative incidence."""
    if row["before"] == NOT_FLAGGED:
        return "–"
    word = "rises" if row["before_ri"] > 1 else "falls"
    return f"{word} ({ratio_text(row['before_ri'])})"


def _label(row: dict) -> str:
    name = row["name"] if len(row["name"]) <= 26 else f"{row['name'][:25]}…"
    return name if row["name"] == row["drug"] else f"{name}  {row['drug']}"
