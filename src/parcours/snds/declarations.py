"""Reading the YAML facts of the package: what is misspelt or misses is a developer's error, named by file and field."""

import re
from pathlib import Path
from typing import Any

import yaml

YearRanges = tuple[tuple[int, int], ...]

# The C loader where PyYAML has one: the facts are some thousand lines.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RANGE = re.compile(r"(\d{4})?(-)?(\d{4})?")
FIRST, LAST = 0, 9999


def read_declared(path: Path, required: set[str], allowed: set[str]) -> dict[str, Any]:
    """The top-level fields of a YAML file.

    Raises ValueError when a field is unknown or a required one is missing.
    """
    return check_fields(path, "it", read_facts(path), required, allowed)


def read_facts(path: Path) -> Any:
    """What a YAML file of the package holds."""
    return yaml.load(path.read_text("utf-8"), Loader=LOADER)


def check_fields(path: Path, what: str, declared: Any, required: set[str], allowed: set[str]) -> dict[str, Any]:
    """`declared` when it is a map with these fields only; ValueError names the file, the place and the field."""
    if not isinstance(declared, dict):
        raise ValueError(f"{path}: {what} must map fields to values, not {declared!r}")
    for name in sorted(required - set(declared)):
        raise ValueError(f"{path}: {what} needs the field `{name}`")
    for name in sorted(set(declared) - required - allowed, key=str):
        raise ValueError(f"{path}: {what} has the unknown field `{name}`")
    return declared


def year_ranges(path: Path, what: str, text: Any) -> YearRanges:
    """Inclusive (first, last) years of "2011-", "-2010", "2009-2012" or "2006,2008-"; () for None, which is always."""
    if text is None:
        return ()
    return tuple(_range(path, what, part.strip()) for part in str(text).split(","))


def _range(path: Path, what: str, part: str) -> tuple[int, int]:
    found = RANGE.fullmatch(part)
    first, dash, last = found.groups() if found else (None, None, None)
    if (first is None and last is None) or (last is not None and dash is None):
        raise ValueError(f'{path}: {what} has `years` {part!r}; write "2011-", "-2010", "2009-2012" or "2016"')
    low = int(first) if first else FIRST
    high = int(last) if last else LAST if dash else low
    if low > high:
        raise ValueError(f"{path}: {what} has `years` {part!r}, which end before they begin")
    return low, high


def within(ranges: YearRanges, year: int) -> bool:
    """Whether a year is in one of the ranges; in no range at all means always."""
    return not ranges or any(first <= year <= last for first, last in ranges)
