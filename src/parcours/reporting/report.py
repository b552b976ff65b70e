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
    findings: Findings, folder: Path, verdict: Mapping[str, Any] | None, on_figure: OnFigure = nobody_asks
) -> list[Path]:
    """Files of the report, written in `folder`; the same findings give the same bytes.

    `on_figure` hears the name of each figure once it is drawn.
    """
    figures = draw(findings, on_figure)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawn = [folder / "figures" / f"{name}.png" for name in figures]
    for path, picture in zip(drawn, figures.values(), strict=True):
        path.write_bytes(picture)
    page = folder / "report.html"
    page.write_text(report_page(findings, figures, verdict), "utf-8")
    return [page, *write_tables(findings, folder), *drawn]


def number_of_figures(findings: Findings) -> int:
    """How many figures `draw` will make."""
    from parcours.reporting.curves import A_PAGE

    return 2 + bool(findings.breakdowns) + -(-len(findings.peaks) // A_PAGE)


def draw(findings: Findings, on_figure: OnFigure = nobody_asks) -> dict[str, bytes]:
    """Every figure of the report as PNG, by name."""
    from parcours.reporting.breakdowns import breakdown_panels
    from parcours.reporting.curves import curve_pages
    from parcours.reporting.flowchart import flowchart
    from parcours.reporting.forest import forest_plot
    from parcours.reporting.style import png

    figures: dict[str, bytes] = {}

    def keep(name: str, figure: "Figure") -> None:
        figures[name] = png(figure)
        on_figure(name)

    keep("forest", forest_plot(findings))
    keep("flowchart", flowchart(findings))
    if findings.breakdowns:
        keep("breakdowns", breakdown_panels(findings))
    for number, page in enumerate(curve_pages(findings), 1):
        keep(f"curves-{number:02d}", page)
    return figures
