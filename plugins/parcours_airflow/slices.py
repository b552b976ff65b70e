"""From a flatten plan to tasks: the reference tables in one job, then one job for each product and year."""

from collections.abc import Mapping, Sequence
from typing import Any

Periods = Sequence[Mapping[str, Any]]
REUSED = "reuse"
WHOLE = "all"  # the only period of a reference table
UNKNOWN = "unknown"  # rows whose period cannot be read: they go to the rejects of the product, not of a year


def reference_arguments(periods: Periods, common: Sequence[str]) -> list[str]:
    """Arguments of the job that flattens the reference tables and the identity; none when they are all there."""
    products = sorted({period["product"] for period in _to_do(periods) if period["period"] == WHOLE})
    chosen = [text for product in products for text in ("--product", product)]
    return [*common, *chosen] if chosen else []


def slice_jobs(periods: Periods, common: Sequence[str], narrowed: Sequence[str]) -> list[dict[str, Any]]:
    """{name, application_args} of each product and year that has something to do.

    `narrowed` are the periods the user asked for. A product with rows of unknown period is one slice: every job of it
    writes them, and two jobs must not write the same.
    """
    todo = [period for period in _to_do(periods) if period["period"] != WHOLE]
    undivided = {period["product"] for period in todo if period["period"] == UNKNOWN}
    wanted = sorted({(period["product"], _year(period, undivided)) for period in todo})
    only = [text for period in narrowed for text in ("--period", period)]
    return [
        {
            "name": f"{product} {year}".strip(),
            "application_args": [*common, "--product", product, *(["--year", year] if year else []), *only],
        }
        for product, year in wanted
    ]


def _to_do(periods: Periods) -> list[Mapping[str, Any]]:
    return [period for period in periods if period["status"] != REUSED]


def _year(period: Mapping[str, Any], undivided: set[str]) -> str:
    return "" if period["product"] in undivided else str(period["period"])[:4]
