"""Write a report: report.html, the CSV tables and the figures, from findings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parcours.reporting.findings import Findings
from parcours.reporting.page import report_page
from parcours.reporting.tables import write_tables


def write_report(findings: Findings, folder: Path, verdict: Mapping[str, Any] | None) -> list[Path]:
    """Files of the report, written in `folder`; the same findings give the same bytes."""
    figures = draw(findings)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawn = [folder / "figures" / f"{name}.png" for name in figures]
    for path, picture in zip(drawn, figures.values(), strict=True):
        path.write_bytes(picture)
    page = folder / "report.html"
    page.write_text(report_page(findings, figures, verdict), "utf-8")
    return [page, *write_tables(findings, folder), *drawn]


def draw(findings: Findings) -> dict[str, bytes]:
    """Every figure of the report as PNG, by name."""
    from parcours.reporting.breakdowns import breakdown_panels
    from parcours.reporting.curves import curve_pages
    from parcours.reporting.flowchart import flowchart
    from parcours.reporting.forest import forest_plot
    from parcours.reporting.style import png

    figures = {"forest": png(forest_plot(findings)), "flowchart": png(flowchart(findings))}
    if findings.breakdowns:
        figures["breakdowns"] = png(breakdown_panels(findings))
    for number, page in enumerate(curve_pages(findings), 1):
        figures[f"curves-{number:02d}"] = png(page)
    return figures
