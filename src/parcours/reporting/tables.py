"""The report's CSV files: round numbers, stable columns, counts as they may leave."""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from parcours.reporting.findings import Findings

PEAKS = (
    *(
        "drug",
        "name",
        "exposed_cases",
        "events_after",
        "selected",
        "peak_lag",
        "peak_day",
        "ri",
        "lower",
        "upper",
        "p_value",
        "flag",
    ),
    *("first_day", "last_day", "selected_share"),
    *("before", "before_ri", "before_lower", "before_upper", "before_p_value"),
)
CURVES = ("drug", "name", "lag", "day", "ri", "lower", "upper", "band_lower", "band_upper", "penalised_ri")
ATTRITION = ("step", "description", "persons", "lost")


def write_tables(findings: Findings, folder: Path) -> list[Path]:
    """peaks.csv, curves.csv, attrition.csv and breakdowns.csv in `folder`."""
    tables = {
        "peaks.csv": (PEAKS, peak_rows(findings)),
        "curves.csv": (CURVES, curve_rows(findings)),
        "attrition.csv": (ATTRITION, attrition_rows(findings)),
        "breakdowns.csv": (("breakdown", "group", "count"), breakdown_rows(findings)),
    }
    for name, (header, rows) in tables.items():
        _write(folder / name, header, rows)
    return [folder / name for name in tables]


def peak_rows(findings: Findings) -> list[list[Any]]:
    """Rows of peaks.csv, in reading order."""
    return [
        [
            row["drug"], row["name"], row["exposed"], row["events_after"], bool(row["selected"]), int(row["peak_lag"]),
            int(row["peak_day"]),
            *(_rounded(row[name]) for name in ("ri", "lower", "upper")), _significant(row["p_value"]), row["flag"],
            int(row["first_day"]), int(row["last_day"]), _rounded(row["selected_share"]), row["before"],
            *(_rounded(row[f"before_{name}"]) for name in ("ri", "lower", "upper")),
            _significant(row["before_p_value"]),
        ]
        for row in findings.peaks.to_dict("records")
    ]  # fmt: skip


def curve_rows(findings: Findings) -> list[list[Any]]:
    """Rows of curves.csv: a medicine's lags in order."""
    return [
        [row["drug"], row["name"], int(row["lag"]), int(row["day"])] + [_rounded(row[name]) for name in CURVES[4:]]
        for row in findings.curves.to_dict("records")
    ]


def attrition_rows(findings: Findings) -> list[list[Any]]:
    """Rows of attrition.csv, from everybody to the study."""
    return [[number, step.description, step.persons, step.lost] for number, step in enumerate(findings.attrition, 1)]


def breakdown_rows(findings: Findings) -> list[list[Any]]:
    """Rows of breakdowns.csv: each breakdown closes with its total."""
    rows: list[list[Any]] = []
    for panel in findings.breakdowns:
        rows += [[panel.title, label, count] for label, count in zip(panel.labels, panel.counts, strict=True)]
        rows.append([panel.title, "total", panel.total])
    return rows


def columns(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """The same table by column, as text and numbers."""
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


def _rounded(value: float) -> float | str:
    """Four decimals; what was not estimated is empty, and an infinite bound a word, as JSON knows none."""
    if value != value:
        return ""
    return str(float(value)) if math.isinf(value) else round(float(value), 4)


def _significant(p_value: float) -> float | str:
    return "" if p_value != p_value else float(f"{p_value:.3g}")


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
