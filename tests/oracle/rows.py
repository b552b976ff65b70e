"""One flat row of one person: what its cells say, and which filter leaves the row out.

The oracle reads the history of one person in plain Python, rule by rule as they are written in docs/reference, so that
it can be read beside them. Facts (filters, sentinels, code lists, sources of deaths) are read from the same files as
the program reads; nothing is computed by it.
"""

import csv
import datetime as dt
import re
from calendar import monthrange
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

HOME = Path(__file__).resolve().parents[2]
FACTS = HOME / "src" / "parcours"
CODELISTS = HOME / "codelists"
DAY = dt.timedelta(days=1)

Row = Mapping[str, Any]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


# --- cells -------------------------------------------------------------------------------------------------------


def cell(row: Row, column: str) -> Any:
    """The value of a cell; None when it is empty, which a blank text and a sentinel date are too (flat-tables.md)."""
    value = row.get(column)
    if isinstance(value, str) and not value.strip():
        return None
    return None if value in sentinel_days() else value


def first_known(*values: Any) -> Any:
    """The first value that is one, None when none is."""
    return next((value for value in values if value is not None), None)


def whole_number(text: Any) -> int | None:
    """The whole number that a text or a number is, None for anything else."""
    return int(text) if text is not None and re.fullmatch(r"[+-]?\d+", str(text).strip()) else None


def pmsi_day(text: str | None) -> dt.date | None:
    """The day that a text of the PMSI is (31122015); None for another text, and for a day that stands for "not known".

    The program takes the text 01010001 for a day of the year 1; snds.md D says that sentinels are null.
    """
    parts = re.fullmatch(r"(\d\d)(\d\d)(\d{4})", text or "")
    found = calendar_day(*(int(part) for part in reversed(parts.groups()))) if parts else None
    return None if found in sentinel_days() else found


def calendar_day(year: int, month: int, day: int) -> dt.date | None:
    """That day, None when there is none."""
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def months_later(day: dt.date, months: int) -> dt.date:
    """The same day some months later, or the last day of that month when it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@cache
def sentinel_days() -> frozenset[dt.date]:
    """The days that mean "not known"."""
    return frozenset(facts("snds/sentinels.yaml")["dates"])


# --- filters -----------------------------------------------------------------------------------------------------


def kept(rows: Iterable[Row], product: str, category: str, codelists: Path = CODELISTS) -> list[Row]:
    """The rows that no filter of the product takes away from events of the category."""
    return [row for row in rows if removed_by(row, product, category, codelists) is None]


def removed_by(row: Row, product: str, category: str, codelists: Path = CODELISTS) -> str | None:
    """The first filter of filters.yaml that removes the row, None when the row stays."""
    for rule in facts("events/filters.yaml")["filters"]:
        concerned = product in rule["products"] and category in rule.get("categories", [category])
        if concerned and removes(rule, row, codelists):
            return str(rule["id"])
    return None


def removes(rule: Mapping[str, Any], row: Row, codelists: Path) -> bool:
    """Whether all conditions of a filter hold, not all its exceptions, and the row is of a year that it is for."""
    exceptions = rule.get("unless", [])
    excepted = bool(exceptions) and all(holds(condition, row, codelists) for condition in exceptions)
    in_time = "until" not in rule or int(str(row.get("period") or 9999)[:4]) <= rule["until"]
    return in_time and not excepted and all(holds(condition, row, codelists) for condition in rule["where"])


def holds(condition: Mapping[str, Any], row: Row, codelists: Path) -> bool:
    """Whether a condition holds on its column, or on one of its columns."""
    columns = condition.get("any_column") or [condition["column"]]
    return any(fits(cell(row, column), condition, codelists) for column in columns)


def fits(value: Any, condition: Mapping[str, Any], codelists: Path) -> bool:
    """Whether a value is as the condition says; an empty cell is only ever empty."""
    if value is None or "empty" in condition:
        return value is None and bool(condition.get("empty"))
    if "is" in condition:
        return value in condition["is"]
    if "is_not" in condition:
        return value not in condition["is_not"]
    if "at_least" in condition:
        return bool(value >= condition["at_least"])
    if "starts_with" in condition:
        return str(value).startswith(tuple(condition["starts_with"]))
    file, column = condition["in_list"]["file"], condition["in_list"]["column"]
    return value in {listed[column] for listed in code_list(codelists / file)}


# --- files, and lists by key -------------------------------------------------------------------------------------


@cache
def facts(name: str) -> Any:
    """The content of a YAML file of facts."""
    return yaml.safe_load((FACTS / name).read_text("utf-8"))


@cache
def code_list(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of a code list."""
    with path.open(newline="", encoding="utf-8-sig") as lines:
        return tuple(csv.DictReader(lines))


def gathered(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """The values of each key."""
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
