"""Outcomes and follow-up described: one bar a group; a withheld group is hatched and has no height of its own."""

from typing import TYPE_CHECKING

from parcours.leaving import THRESHOLD
from parcours.reporting.findings import Breakdown, Findings
from parcours.reporting.style import BLUE, FAINT, QUIET, headline, leave_margins, new_figure, source_line, styled
from parcours.reporting.texts import Texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def breakdown_panels(findings: Findings) -> "Figure":
    """The breakdowns side by side."""
    panels, texts = findings.breakdowns, findings.texts
    longest = max((len(panel.labels) for panel in panels), default=1)
    with styled():
        figure = new_figure(11.7, 2.3 + 0.26 * max(longest, 6))
        subtitle = texts.say("breakdowns_subtitle", title=findings.title, cases=texts.count(findings.cases))
        headline(figure, texts.say("breakdowns_title"), subtitle, findings.mark)
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
        for axis, panel in zip(axes, panels, strict=True):
            _bars(axis, panel, texts)
        leave_margins(figure, top=1.3, bottom=0.75, left=2.05, right=0.55, wspace=0.75)
        source_line(figure, f"{findings.source} {texts.say('breakdowns_withheld')}")
    return figure


def _bars(axis: "Axes", panel: Breakdown, texts: Texts) -> None:
    known = [count for count in panel.counts if isinstance(count, int)]
    longest = max([*known, THRESHOLD])
    for place, count in enumerate(panel.counts):
        if isinstance(count, int):
            axis.barh(place, count, color=BLUE, height=0.72)
        else:
            axis.barh(place, longest * 0.06, color="white", edgecolor=QUIET, hatch="/////", height=0.72, linewidth=0.6)
        length = count if isinstance(count, int) else longest * 0.06
        axis.text(length + longest * 0.02, place, texts.count(count), va="center", fontsize=8, color=QUIET)
    axis.set_yticks(range(len(panel.labels)))
    axis.set_yticklabels(panel.labels, fontsize=8.5)
    axis.tick_params(axis="y", length=0, labelcolor="#1B1F24")
    axis.set_ylim(len(panel.labels) - 0.4, -0.6)
    axis.set_xlim(0, longest * 1.2)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.spines["left"].set_color(FAINT)
    axis.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
