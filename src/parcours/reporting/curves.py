"""Curves of relative incidence around the first purchase: small multiples, flagged medicines first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from parcours.reporting.findings import Findings
from parcours.reporting.scale import day_ticks, ratio_axis, ratio_limits, within
from parcours.reporting.style import (
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

COLUMNS, ROWS = 4, 3
A_PAGE = COLUMNS * ROWS
LINE_CHARACTERS = 30  # of a name and a code above a panel
WIDTH, PANEL, GAP = 11.7, 1.45, 1.0  # inches; the gap holds the counts of one panel and the title of the next
TOP, AXIS = 1.35, 0.75
FOOT_CHARACTERS = 178


def curve_pages(findings: Findings) -> "list[Figure]":
    """Pages of 12 medicines; all panels share their axes, that of the forest plot, so that heights compare."""
    peaks = findings.peaks.to_dict("records")
    pages = [peaks[start : start + A_PAGE] for start in range(0, len(peaks), A_PAGE)]
    limits = ratio_limits(findings.peaks)
    by_drug = {str(drug): curve for drug, curve in findings.curves.groupby("drug")}
    with styled():
        return [
            _page(findings, page, by_drug, limits, findings.texts.say("page_of", number=number, pages=len(pages)))
            for number, page in enumerate(pages, 1)
        ]


def _page(
    findings: Findings, page: list[dict], by_drug: "dict[str, pd.DataFrame]", limits: tuple[float, float], place: str
) -> "Figure":
    texts, rows = findings.texts, -(-len(page) // COLUMNS)
    small_print = texts.say("curves_foot", tested=findings.tested, days=findings.last_day)
    bottom = AXIS + foot_height(small_print, FOOT_CHARACTERS)
    figure = new_figure(WIDTH, TOP + rows * PANEL + (rows - 1) * GAP + bottom)
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).ravel()
    cases = texts.count(findings.cases)
    subtitle = texts.say("curves_subtitle", title=findings.title, cases=cases, page=place)
    headline(figure, texts.say("curves_title"), subtitle, findings.mark)
    ratio_axis(axes[0], limits, "y", texts)
    axes[0].set_xlim(findings.first_day, findings.last_day)
    axes[0].set_xticks(day_ticks(findings.first_day, findings.last_day))
    for axis, peak in zip(axes, page, strict=False):
        _panel(axis, peak, by_drug[peak["drug"]].sort_values("lag"), findings, limits)
    for axis in axes[len(page) :]:
        axis.set_visible(False)
    _outer_labels(axes[: len(page)], texts)
    foot(figure, small_print, 0.36, FOOT_CHARACTERS)
    source_line(figure, findings.source)
    leave_margins(figure, top=TOP, bottom=bottom, left=1.0, right=0.4, wspace=0.12, hspace=GAP / PANEL)
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
    _words(axis, peak, findings.texts)
    axis.tick_params(length=2.5, labelbottom=True)


def _words(axis: "Axes", peak: dict, texts: Texts) -> None:
    """Above a panel the medicine and its flag in words, with its mark; under it how many persons stand behind it."""
    code = peak["drug"] if peak["drug"] != peak["name"] else ""
    room = LINE_CHARACTERS - len(code)
    name = peak["name"] if len(peak["name"]) <= room else f"{peak['name'][: room - 1]}…"
    axis.set_title(name, loc="left", fontsize=10, fontweight="bold", pad=16)
    axis.set_title(code, loc="right", fontsize=7, color=QUIET, pad=17)
    flag = peak["flag"]
    axis.plot(
        [0.02], [1.085], marker_of(flag), transform=axis.transAxes, color=colour_of(flag), markersize=4.5, clip_on=False
    )
    flagged = texts.say(flag_key(flag))
    axis.text(0.055, 1.03, flagged, transform=axis.transAxes, fontsize=7.8, color=letters_of(flag), va="bottom")
    exposed, events = texts.count(peak["exposed"]), texts.count(peak["events_after"])
    counted = texts.say("curves_counts", exposed=exposed, events=events)
    axis.annotate(
        counted, (0, 0), (0, -17), xycoords="axes fraction", textcoords="offset points", fontsize=7.8, color=QUIET,
        va="top",
    )  # fmt: skip


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
    low, high = (min(max(window[bound], lowest), highest) for bound in ("lower", "upper"))
    axis.plot([middle, middle], [low, high], color=colour, linewidth=1.1, solid_capstyle="butt")
    for edge, marker, beyond in ((lowest, "v", window["lower"] < lowest), (highest, "^", window["upper"] > highest)):
        if beyond:
            axis.plot([middle], [edge], marker, color=colour, markersize=3.5, clip_on=False)
    if within(window["ri"], limits):
        axis.plot([window["first_day"], window["last_day"] + 1], [window["ri"]] * 2, color=colour, linewidth=1.9)
        axis.plot([middle], [window["ri"]], "o", color=colour, markersize=3.2)


def _outer_labels(axes: "Sequence[Axes]", texts: Texts) -> None:
    """What the axes are: which end is which at the left, days under the lowest panel of each column."""
    for place, axis in enumerate(axes):
        if place % COLUMNS == 0:
            axis.set_ylabel(texts.say("relative_incidence"), fontsize=8.5, labelpad=13)
            _ends(axis, texts)
        if place + COLUMNS >= len(axes):
            axis.set_xlabel(texts.say("curves_days"), fontsize=8.5, labelpad=16)


def _ends(axis: "Axes", texts: Texts) -> None:
    for key, height, side in (("raises", 1.0, "top"), ("lowers", 0.0, "bottom")):
        look: dict[str, Any] = {"fontsize": 7, "fontweight": "bold", "rotation": 90, "ha": "center", "va": side}
        axis.annotate(
            texts.say(key), (0, height), (-33, 0), xycoords="axes fraction", textcoords="offset points", **look
        )
