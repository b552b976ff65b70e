"""Figures of a comparison: relative incidences as dumbbells, and curves laid over each other; as SVG and PNG."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from parcours.comparison.compare import Comparison, Pair, curves_worth_drawing
from parcours.comparison.finished import FinishedRun, Level
from parcours.comparison.labels import Labels, labels_of, short, source_of
from parcours.comparison.sentence import change_words
from parcours.comparison.signals import Signal
from parcours.comparison.tables import estimate_words
from parcours.reporting.scale import day_ticks, ratio_axis, ratio_limits
from parcours.reporting.style import (
    FAINT,
    INK,
    PAGE,
    QUIET,
    headline,
    leave_margins,
    new_figure,
    png,
    source_line,
    styled,
    svg,
)
from parcours.reporting.texts import ENGLISH, texts_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's bluish green beside grey: told apart by colour-blind readers, and by their marks too. Vermilion and
# blue say what raises and lowers everywhere else.
GREEN = "#009E73"
COLOURS = (QUIET, GREEN)
MARKERS, FILLS = ("o", "D"), ("white", GREEN)
LINES, PANELS, COLUMNS = 40, 12, 3
WIDTH, LEFT, RIGHT = 11.2, 2.75, 4.3  # inches
LINE_HEIGHT, PANEL_HEIGHT, OFFSET = 0.42, 1.85, 0.17
CAPTIONS = (0.15, 1.75)  # inches to the right of the axis: both intervals, what became of the flag
INTERVAL = "95% interval"
COMMON = 32  # characters


def draw(comparison: Comparison) -> "dict[str, Figure]":
    """The figures by name; none of medicines where neither run estimated one."""
    if not comparison.medicines:
        return {}
    figures = {"relative-incidences": dumbbells(comparison)}
    if curves_worth_drawing(comparison, PANELS):
        figures["curves"] = overlaid_curves(comparison)
    return figures


def files_of(name: str, figure: "Figure") -> dict[str, bytes]:
    """The figure as SVG and PNG, by file name; the same figure gives the same bytes."""
    return {f"{name}.svg": svg(figure), f"{name}.png": png(figure)}


def dumbbells(comparison: Comparison) -> "Figure":
    """A row a medicine, with a mark and an interval for each run; 40 rows at most, in reading order."""
    drawn = comparison.medicines[:LINES]
    labels = labels_of(comparison)
    limits = _limits(each["ri"] for pair in drawn for each in (pair.earlier, pair.later) if each)
    with styled():
        figure = new_figure(WIDTH, 2.25 + LINE_HEIGHT * max(len(drawn), 3))
        axis = figure.add_subplot()
        of_all = "" if len(drawn) == len(comparison.medicines) else f" · {len(drawn)} of {len(comparison.medicines)}"
        said = f"{INTERVAL} · the window of days after the first purchase that stands out most{of_all}"
        headline(figure, _title("Relative incidence in both runs", labels), said, labels.mark)
        _key(figure, labels)
        ratio_axis(axis, limits, "x", texts_in(ENGLISH))
        _rows(axis, drawn, limits)
        axis.axvline(1, color=QUIET, linewidth=0.9, zorder=1)
        axis.set_xlabel(f"relative incidence with its {INTERVAL} (log scale; line at 1: no change)")
        leave_margins(figure, top=1.3, bottom=0.85, left=LEFT, right=RIGHT)
        source_line(figure, source_of(comparison))
    return figure


def _title(said: str, labels: Labels) -> str:
    """With what the runs have in common, where it is short enough to stand beside a mark."""
    return f"{said}: {labels.common}" if 0 < len(labels.common) <= COMMON else said


def _key(figure: "Figure", labels: Labels) -> None:
    """Which mark is which run, under the title."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=colour, marker=marker, markerfacecolor=fill, markersize=6, linewidth=1.4, label=name)
        for colour, marker, fill, name in zip(COLOURS, MARKERS, FILLS, (labels.earlier, labels.later), strict=True)
    ]
    width, height = figure.get_size_inches()
    figure.legend(
        handles=marks, loc="center left", bbox_to_anchor=(0.38 / width, 1 - 0.97 / height), ncols=2, frameon=False,
        fontsize=9, handletextpad=0.6, columnspacing=2.0, borderaxespad=0,
    )  # fmt: skip


def _rows(axis: "Axes", drawn: Sequence[Pair], limits: tuple[float, float]) -> None:
    axis.set_ylim(len(drawn) - 0.45, -0.55)
    axis.set_yticks(range(len(drawn)))
    axis.set_yticklabels([_label(pair) for pair in drawn], fontsize=8.5)
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.spines["left"].set_visible(False)
    for place, pair in enumerate(drawn):
        if place % 2:
            axis.axhspan(place - 0.5, place + 0.5, color=FAINT, alpha=0.4, linewidth=0, zorder=0)
        _row(axis, place, pair, limits)


def _row(axis: "Axes", place: int, pair: Pair, limits: tuple[float, float]) -> None:
    both = [each["ri"] for each in (pair.earlier, pair.later) if each and each["ri"] is not None]
    if len(both) == 2:
        inside = [min(max(ri, limits[0]), limits[1]) for ri in both]
        axis.plot(inside, [place - OFFSET, place + OFFSET], color=QUIET, linewidth=0.8, linestyle=(0, (1, 1.5)))
    for which, signal in enumerate((pair.earlier, pair.later)):
        at = place + (OFFSET if which else -OFFSET)
        if signal is not None and signal["ri"] is not None:
            _interval(axis, at, signal, which, limits)
        _caption(axis, CAPTIONS[0], at, estimate_words(signal), COLOURS[which] if which == 0 else INK)
    _caption(axis, CAPTIONS[1], place, change_words(pair), INK, "bold" if pair.change else "normal")


def _caption(axis: "Axes", inches: float, at: float, text: str, colour: str, weight: str = "normal") -> None:
    x = 1 + inches / (WIDTH - LEFT - RIGHT)
    axis.text(
        x, at, text, transform=axis.get_yaxis_transform(), fontsize=7.8, va="center", color=colour, fontweight=weight
    )


def _interval(axis: "Axes", at: float, signal: Signal, which: int, limits: tuple[float, float]) -> None:
    """A mark with its interval as far as the axis goes, and an arrow where it goes on."""
    colour, (lowest, highest) = COLOURS[which], limits
    if signal["lower"] is not None and signal["upper"] is not None:
        low, high = max(signal["lower"], lowest), min(signal["upper"], highest)
        axis.plot([low, high], [at, at], color=colour, linewidth=1.4, solid_capstyle="butt")
        for bound, marker, beyond in ((low, "<", signal["lower"] < lowest), (high, ">", signal["upper"] > highest)):
            if beyond:
                axis.plot([bound], [at], marker, color=colour, markersize=4, clip_on=False)
    if lowest <= signal["ri"] <= highest:
        axis.plot(
            [signal["ri"]], [at], MARKERS[which], color=colour, markerfacecolor=FILLS[which], markersize=5.5, zorder=3
        )


def _label(pair: Pair) -> str:
    name = short(pair.name, 26)
    return name if pair.name == pair.drug else f"{name}  {pair.drug}"


def _limits(estimates: Iterable[float | None]) -> tuple[float, float]:
    """Limits of the axis, the same as of a report's figures wherever the estimates fit."""
    import pandas as pd

    return ratio_limits(pd.DataFrame({"ri": [value for value in estimates if value is not None]}, dtype=float))


def overlaid_curves(comparison: Comparison) -> "Figure":
    """Curves of both runs in one panel a medicine: those of which a flag changed, flagged ones, the most shifted."""
    drawn, labels = curves_worth_drawing(comparison, PANELS), labels_of(comparison)
    runs = (comparison.earlier, comparison.later)
    rows = -(-len(drawn) // COLUMNS)
    limits = _limits(level.ri for run in runs for pair in drawn for level in run.curves.get(pair.drug, ()))
    with styled():
        figure = new_figure(PAGE[0], 2.25 + PANEL_HEIGHT * rows + 0.35 * (rows - 1))
        axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel().tolist()
        said = f"level: estimate of a window of days; shade: its {INTERVAL}; grey ground: before the purchase"
        headline(figure, _title("Relative incidence around the first purchase", labels), said, labels.mark)
        _key(figure, labels)
        ratio_axis(axes[0], limits, "y", texts_in(ENGLISH))
        for axis, pair in zip(axes, drawn, strict=False):
            _panel(axis, pair, runs, limits)
        for axis in axes[len(drawn) :]:
            axis.set_visible(False)
        _outer_labels(axes, len(drawn), runs, drawn)
        source_line(figure, source_of(comparison))
        leave_margins(figure, top=1.75, bottom=0.85, left=0.85, right=0.4, wspace=0.1, hspace=0.42)
    return figure


def _panel(axis: "Axes", pair: Pair, runs: Sequence[FinishedRun], limits: tuple[float, float]) -> None:
    axis.grid(axis="y", color=FAINT, linewidth=0.6)
    axis.axhline(1, color=QUIET, linewidth=0.9, zorder=1.5)
    axis.axvline(0, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1.6)
    for run, colour, style in zip(runs, COLOURS, ((0, (4, 1.5)), "solid"), strict=True):
        levels = run.curves.get(pair.drug, ())
        if levels:
            axis.axvspan(min(level.day for level in levels), 0, color=FAINT, alpha=0.45, linewidth=0, zorder=0)
            _curve(axis, levels, run.bucket_days, limits, colour, style)
    axis.set_title(short(pair.name, 34), loc="left", fontsize=9.5, fontweight="bold", pad=15)
    axis.text(0, 1.03, change_words(pair), transform=axis.transAxes, fontsize=7.8, color=QUIET, va="bottom")


def _curve(
    axis: "Axes", levels: Sequence[Level], bucket: int, limits: tuple[float, float], colour: str, style: object
) -> None:
    """Levels with their shade, cut at the limits of the panel; where nothing was estimated there is a gap."""
    edges = [*(level.day for level in levels), levels[-1].day + bucket]
    ri, low, high = (
        [float("nan") if value is None else min(max(value, limits[0]), limits[1]) for value in values]
        for values in zip(*((level.ri, level.lower, level.upper) for level in levels), strict=True)
    )
    axis.fill_between(edges, [*low, low[-1]], [*high, high[-1]], step="post", color=colour, alpha=0.2, linewidth=0)
    axis.stairs(ri, edges, baseline=None, color=colour, linewidth=1.7, linestyle=style)


def _outer_labels(axes: "Sequence[Axes]", used: int, runs: Sequence[FinishedRun], drawn: Sequence[Pair]) -> None:
    days = [level.day for run in runs for pair in drawn for level in run.curves.get(pair.drug, ())]
    last = max(days) + max(run.bucket_days for run in runs)
    axes[0].set_xlim(min(days), last)
    axes[0].set_xticks(day_ticks(min(days), last))
    for place in range(used):
        if place % COLUMNS == 0:
            axes[place].set_ylabel("relative incidence", fontsize=8.5)
        if place + COLUMNS >= used:
            axes[place].set_xlabel("days since first purchase", fontsize=8.5)
            axes[place].tick_params(labelbottom=True)
