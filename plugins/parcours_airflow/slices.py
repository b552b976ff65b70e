"""From a flatten plan to tasks: the reference tables in one job, then one job for each product and year."""

from collections.abc import Mapping, Sequence
from typing import Any

Periods = Sequence[Mapping[str, Any]]
REUSED = "reuse"
WHOLE = "all"  # the only period of a reference table
UNKNOWN = "unknown"  # rows whose period cannot be read: whichever job of the product comes first writes them


def reference_arguments(periods: Periods, common: Sequence[str]) -> list[str]:
    """Arguments of the job that flattens the reference tables and the identity; none when they are all there."""
    products = sorted({period["product"] for period in _to_do(periods) if period["period"] == WHOLE})
    chosen = [text for product in products for text in ("--product", product)]
    return [*common, *chosen] if chosen else []


def slice_jobs(periods: Periods, common: Sequence[str], narrowed: bool) -> list[dict[str, Any]]:
    """{name, application_args} of each product and year that has something to do.

    `narrowed`: the user asked for some periods only; each job is then told its own. Rows of unknown period go with any
    job of their product, and get one of their own, without a year, when there is no other.
    """
    todo = [(period["product"], str(period["period"])) for period in _to_do(periods) if period["period"] != WHOLE]
    years = {(product, period[:4]) for product, period in todo if period != UNKNOWN}
    alone = {(product, "") for product, _ in todo} - {(product, "") for product, _ in years}
    return [_slice_job(product, year, todo, common, narrowed) for product, year in sorted(years | alone)]


def _slice_job(
    product: str, year: str, todo: Sequence[tuple[str, str]], common: Sequence[str], narrowed: bool
) -> dict[str, Any]:
    mine = [period for name, period in todo if name == product and (not year or period[:4] == year)]
    only = [text for period in mine if narrowed for text in ("--period", period)]
    arguments = [*common, "--product", product, *(["--year", year] if year else []), *only]
    return {"name": f"{product} {year}".strip(), "application_args": arguments}


def _to_do(periods: Periods) -> list[Mapping[str, Any]]:
    return [period for period in periods if period["status"] != REUSED]
