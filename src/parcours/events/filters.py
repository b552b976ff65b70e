"""The SNDS filters as data: which rows a study leaves out, and why each row was left out."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from parcours.engine.sql import listed, text
from parcours.events.codelists import words_of
from parcours.snds.declarations import read_facts

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
    return tuple(_filter(row) for row in read_facts(TABLE)["filters"])


def filters_of(product: str, category: str | None = None) -> tuple[Filter, ...]:
    """The filters of a product that apply to an event category."""
    return tuple(f for f in filter_table() if product in f.products and (not f.categories or category in f.categories))


def columns_of(filters: tuple[Filter, ...]) -> set[str]:
    """Every flat column that some filters read."""
    return {column for one in filters for column in one.columns}


def left_out_by(filters: tuple[Filter, ...], codelists: Path) -> str:
    """SQL: the id of the first filter that removes a row, null when the row stays."""
    tried = [f"WHEN {_removes(one, codelists)} THEN {text(one.id)}" for one in filters]
    return f"CASE {' '.join(tried)} END" if tried else "NULL::VARCHAR"


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


def _removes(one: Filter, codelists: Path) -> str:
    # An empty cell makes a comparison unknown; unknown is no reason to remove a row, nor to keep it.
    holds = _all(one.where, codelists)
    if one.unless:
        holds += f" AND NOT coalesce({_all(one.unless, codelists)}, false)"
    if one.until is not None:
        holds += f" AND CAST(substring(period, 1, 4) AS INTEGER) <= {one.until}"
    return f"({holds})"


def _all(conditions: tuple[dict[str, Any], ...], codelists: Path) -> str:
    return " AND ".join(_holds(condition, codelists) for condition in conditions)


def _holds(condition: dict[str, Any], codelists: Path) -> str:
    return f"({' OR '.join(f'({_test(column, condition, codelists)})' for column in _columns(condition))})"


def _test(column: str, condition: dict[str, Any], codelists: Path) -> str:
    if condition.get("empty"):
        return f"{column} IS NULL"
    if "is" in condition:
        return f"{column} IN ({listed(condition['is'])})"
    if "is_not" in condition:
        return f"{column} NOT IN ({listed(condition['is_not'])})"
    if "at_least" in condition:
        return f"{column} >= {condition['at_least']}"
    if "starts_with" in condition:
        return " OR ".join(f"{column} LIKE {text(start + '%')}" for start in condition["starts_with"])
    source = condition["in_list"]
    words = sorted(words_of(codelists / source["file"], (source["column"],)))
    return f"{column} IN ({listed(words)})" if words else "false"
