"""Forest plot of the peaks: one line a medicine, under what is said of it; the strongest effects first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parcours.reporting.findings import BEFORE, LOWERED, NOT_FLAGGED, RAISED, Findings
from parcours.reporting.scale import ratio_axis, ratio_limits, within
from parcours.reporting.style import (
    DARK_PURPLE,
    FAINT,
    INK,
    QUIET,
    colour_of,
    flag_key,
    foot,
    foot_height,
    headline,
    leave_margins,
    letters_of,
    marker_of,
    new_figure,
    source_line,
    styled,
)
from parcours.reporting.texts import Texts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEDICINES = 40
GROUPS = (RAISED, LOWERED, BEFORE, NOT_FLAGGED)
WIDTH, LEFT, RIGHT, LINE = 12.8, 2.75, 5.85, 0.26  # inches
TOP, AXIS = 1.25, 0.85
FOOT_CHARACTERS = 190
NAME_CHARACTERS = 26
# Right ends of the columns, or left ones of the first, in inches to the right of the plot.
COLUMNS = {
    "column_estimate": (0.2, "left"),
    "column_p": (2.3, "right"),
    "column_days": (3.15, "right"),
    "column_exposed": (3.8, "right"),
    "column_events": (4.55, "right"),
    "column_before": (4.75, "left"),
}


def forest_plot(findings: Findings) -> "Figure":
    """Relative incidence of the window that stands out most of each medicine, with its interval; 40 medicines at most.

    Medicines stand under the words that say their flag.
    """
    texts = findings.texts
    drawn = findings.peaks.head(MEDICINES)
    lines = _lines(drawn, texts)
    small_print = _small_print(findings)
    bottom = AXIS + foot_height(small_print, FOOT_CHARACTERS)
    with styled():
        figure = new_figure(WIDTH, TOP + bottom + LINE * max(len(lines), 5))
        axis = figure.add_subplot()
        headline(figure, texts.say("forest_title"), _subtitle(findings, len(drawn)), findings.mark)
        limits = ratio_limits(findings.peaks)
        ratio_axis(axis, limits, "x", texts)
        _draw(axis, lines, limits, texts)
        leave_margins(figure, top=TOP, bottom=bottom, left=LEFT, right=RIGHT)
        foot(figure, small_print, 0.36, FOOT_CHARACTERS)
        source_line(figure, findings.source)
    return figure


def _subtitle(findings: Findings, drawn: int) -> str:
    texts, everything = findings.texts, len(findings.peaks)
    said = texts.say("forest_subtitle", title=findings.title)
    return said if drawn == everything else f"{said} · {texts.say('forest_of_all', shown=drawn, all=everything)}"


def _small_print(findings: Findings) -> str:
    return findings.texts.say("forest_foot", tested=findings.tested, days=findings.last_day)


def _lines(drawn: "pd.DataFrame", texts: Texts) -> list[str | dict[Any, Any]]:
    """From top to bottom: the words of a flag, then its medicines, the highest relative incidence first."""
    lines: list[str | dict[Any, Any]] = []
    for flag in GROUPS:
        rows = drawn[drawn["flag"] == flag].sort_values("ri", ascending=False, na_position="last", kind="stable")
        lines += [flag, *rows.to_dict("records")] if len(rows) else []
    return lines


def _draw(axis: "Axes", lines: list[str | dict[Any, Any]], limits: tuple[float, float], texts: Texts) -> None:
    axis.set_ylim(max(len(lines), 5) - 0.4, -0.6)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.axvline(1, color=QUIET, linewidth=0.9, zorder=1)
    counts = {flag: sum(isinstance(row, dict) and row["flag"] == flag for row in lines) for flag in GROUPS}
    for place, line in enumerate(lines):
        if isinstance(line, str):
            said = texts.say("forest_group", flag=texts.say(flag_key(line)), medicines=counts[line])
            _write(axis, 0.45 - LEFT, place, said, fontweight="bold", color=letters_of(line), fontsize=9)
        else:
            _medicine(axis, place, line, limits, texts)
    for key, (inches, side) in COLUMNS.items():
        _write(axis, inches, -0.95, texts.say(key), ha=side, fontsize=8, color=QUIET)
    axis.set_xlabel(texts.say("forest_axis"), labelpad=15)
    for place, key, side in ((0, "lowers_risk", "left"), (1, "raises_risk", "right")):
        said = f"◀ {texts.say(key)}" if side == "left" else f"{texts.say(key)} ▶"
        axis.annotate(
            said, (place, 0), (0, -20), xycoords="axes fraction", textcoords="offset points", ha=side, va="top",
            fontsize=8.5, fontweight="bold",
        )  # fmt: skip


def _medicine(axis: "Axes", place: int, row: dict[Any, Any], limits: tuple[float, float], texts: Texts) -> None:
    if place % 2:
        axis.axhspan(place - 0.5, place + 0.5, color=FAINT, alpha=0.4, linewidth=0, zorder=0)
    colour, tested = colour_of(row["flag"]), row["ri"] == row["ri"]
    if row["lower"] == row["lower"]:
        _interval(axis, place, row, colour, limits)
    if within(row["ri"], limits):
        axis.plot([row["ri"]], [place], marker_of(row["flag"]), color=colour, markersize=5.5, zorder=3, clip_on=False)
    cells = {
        "column_estimate": estimate_text(row, texts),
        "column_p": texts.p_value(row["p_value"]),
        "column_days": texts.days(row["first_day"], row["last_day"]) if tested else "–",
        "column_exposed": texts.count(row["exposed"]),
        "column_events": texts.count(row["events_after"]),
        "column_before": before_text(row, texts),
    }
    _write(axis, 0.6 - LEFT, place, _label(row), fontsize=8.5)
    for key, text in cells.items():
        inches, side = COLUMNS[key]
        rises = key == "column_before" and row["before"] != NOT_FLAGGED
        _write(axis, inches, place, text, ha=side, fontsize=8.5, color=DARK_PURPLE if rises else INK)


def _write(axis: "Axes", inches: float, place: float, text: str, **look: Any) -> None:
    """Text so many inches to the right of the plot or, where negative, to the left of it."""
    width = WIDTH - LEFT - RIGHT
    across = inches / width if inches < 0 else 1 + inches / width
    axis.text(across, place, text, transform=axis.get_yaxis_transform(), va="center", **look)


def _interval(axis: "Axes", place: int, row: dict[Any, Any], colour: str, limits: tuple[float, float]) -> None:
    """The interval as far as the axis goes, with an arrow where it goes on."""
    low, high = (min(max(row[bound], limits[0]), limits[1]) for bound in ("lower", "upper"))
    axis.plot([low, high], [place, place], color=colour, linewidth=1.6)
    for edge, marker, beyond in (
        (limits[0], "<", row["lower"] < limits[0]),
        (limits[1], ">", row["upper"] > limits[1]),
    ):
        if beyond:
            axis.plot([edge], [place], marker, color=colour, markersize=5, clip_on=False)


def estimate_text(row: Mapping[Any, Any], texts: Texts) -> str:
    """`2.31 (1.80 to 2.96)`, or `–` where too little is expected for a test."""
    if row["ri"] != row["ri"]:
        return "–"
    return f"{texts.ratio(row['ri'])} ({texts.interval(row['lower'], row['upper'])})"


def before_text(row: Mapping[Any, Any], texts: Texts) -> str:
    """What the days before the purchase say: nothing, or a rise or fall with its relative incidence."""
    if row["before"] == NOT_FLAGGED:
        return "–"
    return f"{texts.say('rises' if row['before_ri'] > 1 else 'falls')} ({texts.ratio(row['before_ri'])})"


def _label(row: dict[Any, Any]) -> str:
    name = row["name"] if len(row["name"]) <= NAME_CHARACTERS else f"{row['name'][: NAME_CHARACTERS - 1]}…"
    return name if row["name"] == row["drug"] else f"{name}  {row['drug']}"
