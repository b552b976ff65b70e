"""Write a report: report.html, the CSV tables and the figures, from findings."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parcours.reporting.findings import Findings
from parcours.reporting.page import report_page
from parcours.reporting.tables import write_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OnFigure = Callable[[str], None]


def nobody_asks(figure: str) -> None:
    """Whoever writes a report need not hear of its figures."""


def write_report(
    told: Findings,
    data: Findings,
    folder: Path,
    verdict: Mapping[str, Any] | None,
    on_figure: OnFigure = nobody_asks,
) -> list[Path]:
    """Files of the report, written in `folder`; the same findings give the same bytes.

    `told` are the findings in the language of page and figures; `data` the same in English, for the tables: these are
    data, in one language for all runs. `on_figure` hears the name of each figure once it is drawn.
    """
    from parcours.reporting.style import png, svg

    (folder / "figures").mkdir(parents=True, exist_ok=True)
    pictures: dict[str, bytes] = {}
    drawn: list[Path] = []
    for name, figure in draw(told).items():
        pictures[name] = svg(figure)
        for ending, picture in (("svg", pictures[name]), ("png", png(figure))):
            drawn.append(folder / "figures" / f"{name}.{ending}")
            drawn[-1].write_bytes(picture)
        on_figure(name)
    page = folder / "report.html"
    page.write_text(report_page(told, pictures, verdict), "utf-8")
    return [page, *write_tables(data, folder), *drawn]


def number_of_figures(findings: Findings) -> int:
    """How many figures `draw` will make."""
    from parcours.reporting.curves import A_PAGE

    return 2 + bool(findings.breakdowns) + -(-len(findings.peaks) // A_PAGE)


def draw(findings: Findings) -> "dict[str, Figure]":
    """Every figure of the report, by name: forest, flowchart, breakdowns, curves-01, curves-02, ..."""
    from parcours.reporting.breakdowns import breakdown_panels
    from parcours.reporting.curves import curve_pages
    from parcours.reporting.flowchart import flowchart
    from parcours.reporting.forest import forest_plot

    figures = {"forest": forest_plot(findings), "flowchart": flowchart(findings)}
    if findings.breakdowns:
        figures["breakdowns"] = breakdown_panels(findings)
    return figures | {f"curves-{number:02d}": page for number, page in enumerate(curve_pages(findings), 1)}
