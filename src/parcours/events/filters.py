"""The SNDS filters as data: which rows a study leaves out, and why each row was left out."""

from dataclasses import dataclass, field
from functools import cache, reduce
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import Column
from pyspark.sql import functions as F

from parcours.events.codelists import words_of

TABLE = Path(__file__).parent / "filters.yaml"


@dataclass(frozen=True)
class Filter:
    """One row of `filters.yaml`; `categories` empty means every event category of its products."""

    id: str
    products: tuple[str, ...]
    where: tuple[dict[str, Any], ...]
    meaning: str
    source: str
    unless: tuple[dict[str, Any], ...] = ()
    categories: tuple[str, ...] = ()
    until: int | None = None
    columns: frozenset[str] = field(default=frozenset())


@cache
def filter_table() -> tuple[Filter, ...]:
    """Every filter, in the order they are tried."""
    return tuple(_filter(row) for row in yaml.safe_load(TABLE.read_text("utf-8"))["filters"])


def filters_of(product: str, category: str | None = None) -> tuple[Filter, ...]:
    """The filters of a product that apply to an event category."""
    return tuple(f for f in filter_table() if product in f.products and (not f.categories or category in f.categories))


def columns_of(filters: tuple[Filter, ...]) -> set[str]:
    """Every flat column that some filters read."""
    return {column for one in filters for column in one.columns}


def removed_by(filters: tuple[Filter, ...], codelists: Path) -> Column:
    """The id of the first filter that removes the row, null when the row stays."""
    return F.coalesce(F.lit(None).cast("string"), *[F.when(_removes(one, codelists), F.lit(one.id)) for one in filters])


def removal_counts(kind: str, filters: tuple[Filter, ...], present: Column, removed: Column) -> list[Column]:
    """Aggregates named `<kind>/read` and `<kind>/<filter>`: rows read, and rows that each filter removes."""
    counts = [F.count_if(removed == one.id).alias(f"{kind}/{one.id}") for one in filters]
    return [F.count_if(present).alias(f"{kind}/read"), *counts]


def _filter(row: dict[str, Any]) -> Filter:
    conditions = [*row["where"], *row.get("unless", [])]
    columns = {name for condition in conditions for name in _columns(condition)}
    return Filter(
        id=row["id"],
        products=tuple(row["products"]),
        where=tuple(row["where"]),
        meaning=row["meaning"],
        source=row["source"],
        unless=tuple(row.get("unless", ())),
        categories=tuple(row.get("categories", ())),
        until=row.get("until"),
        columns=frozenset(columns),
    )


def _columns(condition: dict[str, Any]) -> list[str]:
    return condition.get("any_column") or [condition["column"]]


def _removes(one: Filter, codelists: Path) -> Column:
    holds = _all(one.where, codelists)
    if one.unless:
        holds = holds & ~_all(one.unless, codelists)
    if one.until is not None:
        holds = holds & (F.substring("period", 1, 4).cast("int") <= one.until)
    return holds


def _all(conditions: tuple[dict[str, Any], ...], codelists: Path) -> Column:
    return reduce(Column.__and__, [_holds(condition, codelists) for condition in conditions])


def _holds(condition: dict[str, Any], codelists: Path) -> Column:
    columns = [_test(F.col(name), condition, codelists) for name in _columns(condition)]
    # An empty cell makes a comparison unknown; unknown is not a reason to remove a row.
    return reduce(Column.__or__, [F.coalesce(test, F.lit(False)) for test in columns])


def _test(column: Column, condition: dict[str, Any], codelists: Path) -> Column:
    if condition.get("empty"):
        return column.isNull()
    if "is" in condition:
        return column.isin(condition["is"])
    if "is_not" in condition:
        return ~column.isin(condition["is_not"])
    if "at_least" in condition:
        return column >= condition["at_least"]
    if "starts_with" in condition:
        return reduce(Column.__or__, [column.startswith(start) for start in condition["starts_with"]])
    listed = condition["in_list"]
    return column.isin(sorted(words_of(codelists / listed["file"], (listed["column"],))))
