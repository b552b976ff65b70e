"""Attrition flowchart: from everybody in the data to the study, and who was left out at each step."""

import textwrap
from typing import TYPE_CHECKING

from parcours.leaving import Published
from parcours.reporting.findings import AttritionStep, Findings
from parcours.reporting.style import BLUE, FAINT, QUIET, headline, new_figure, source_line, styled
from parcours.reporting.texts import Texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOX_HEIGHT, GAP = 0.62, 0.5
BOX_WIDTH, SIDE_WIDTH, SIDE_LEFT = 4.6, 2.1, 5.4
TOP, BOTTOM, LEFT = 1.0, 0.5, 0.45
WIDTH = LEFT + SIDE_LEFT + SIDE_WIDTH + 0.45


def flowchart(findings: Findings) -> "Figure":
    """Boxes from top to bottom, losses to the right."""
    steps, texts = findings.attrition, findings.texts
    body = len(steps) * BOX_HEIGHT + (len(steps) - 1) * GAP
    height = TOP + body + BOTTOM
    with styled():
        figure = new_figure(WIDTH, height)
        subtitle = texts.say("flowchart_subtitle", title=findings.title)
        headline(figure, texts.say("flowchart_title"), subtitle, findings.mark)
        axis = figure.add_axes((LEFT / WIDTH, BOTTOM / height, 1 - 0.9 / WIDTH, body / height))
        axis.set_xlim(0, SIDE_LEFT + SIDE_WIDTH)
        axis.set_ylim(body, 0)
        axis.axis("off")
        for place, step in enumerate(steps):
            _step(axis, place, step, len(steps) - 1, texts)
        source_line(figure, findings.source)
    return figure


def _step(axis: "Axes", place: int, step: AttritionStep, last: int, texts: Texts) -> None:
    top = place * (BOX_HEIGHT + GAP)
    _box(axis, 0, top, BOX_WIDTH, BLUE if place == last else "#9AA1AB", "#E8F1F8" if place == last else "white")
    description = f"{step.description[0].upper()}{step.description[1:]}"
    text = "\n".join(textwrap.wrap(description, 46)[:2])
    axis.text(0.15, top + BOX_HEIGHT / 2, text, va="center", fontsize=9)
    axis.text(
        BOX_WIDTH - 0.15, top + BOX_HEIGHT / 2, texts.count(step.persons), va="center", ha="right", fontsize=10.5,
        fontweight="bold",
    )  # fmt: skip
    if place:
        _arrow(axis, (BOX_WIDTH / 2, top - GAP), (BOX_WIDTH / 2, top))
        if step.lost != 0:
            _loss(axis, top - GAP / 2, step.lost, texts)


def _loss(axis: "Axes", middle: float, lost: Published, texts: Texts) -> None:
    _arrow(axis, (BOX_WIDTH / 2, middle), (SIDE_LEFT, middle))
    _box(axis, SIDE_LEFT, middle - 0.19, SIDE_WIDTH, FAINT, "#F6F7F8", height=0.38)
    said = texts.say("left_out", persons=texts.count(lost))
    axis.text(SIDE_LEFT + 0.12, middle, said, va="center", fontsize=8.8, color=QUIET)


def _box(axis: "Axes", x: float, y: float, width: float, edge: str, face: str, height: float = BOX_HEIGHT) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.06"
    axis.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle=style, edgecolor=edge, facecolor=face, linewidth=1.1, clip_on=False
        )
    )


def _arrow(axis: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": QUIET, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    )
