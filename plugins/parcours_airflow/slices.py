"""From a flatten plan to tasks: the reference tables in one job, then one job for each product and year."""

from collections.abc import Mapping, Sequence
from typing import Any

REUSED = "reuse"
WHOLE = "all"  # the only period of a reference table


def reference_arguments(periods: Sequence[Mapping[str, Any]], common: Sequence[str]) -> list[str]:
    """Arguments of the job that flattens the reference tables and the identity; none when the plan names no table."""
    products = sorted({period["product"] for period in periods if period["period"] == WHOLE})
    chosen = [text for product in products for text in ("--product", product)]
    return [*common, *chosen] if chosen else []


def slice_jobs(
    periods: Sequence[Mapping[str, Any]], common: Sequence[str], narrowed: Sequence[str]
) -> list[dict[str, Any]]:
    """{name, application_args} of each product and year that has something to do; `narrowed` are the periods asked for."""
    wanted = sorted({(period["product"], period["period"][:4]) for period in periods if period["period"] != WHOLE})
    only = [text for period in narrowed for text in ("--period", period)]
    return [
        {"name": f"{product} {year}", "application_args": [*common, "--product", product, "--year", year, *only]}
        for product, year in wanted
    ]
