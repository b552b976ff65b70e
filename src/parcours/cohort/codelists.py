"""Code lists: CSV files with one code a row, matched exactly, by beginning, or by a pattern of digits."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING

from parcours.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import Column


CODE = re.compile(r"[A-Z0-9?]+")


@dataclass(frozen=True)
class Code:
    """One code; `match` is exact, prefix, or pattern (a prefix in which `?` stands for one character)."""

    code: str
    match: str


@cache
def read_codelist(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of a code list.

    Raises InputError when the file is not there, or a code of a medical vocabulary holds anything but capitals
    and digits (a dot or a comma, and it would never match).
    """
    if not path.is_file():
        raise InputError(f"Code list {path} does not exist.")
    with path.open(newline="", encoding="utf-8") as lines:
        rows = tuple(csv.DictReader(lines))
    for number, row in enumerate(rows, start=2):
        if not CODE.fullmatch(row.get("code", "0")):
            raise InputError(
                f'{path}, line {number}: "{row["code"]}" is not a code: write capitals and digits, no dot.'
            )
    return rows


def codes_for(path: Path, use: str) -> tuple[Code, ...]:
    """The codes of a list that serve one use.

    Raises InputError when there are none.
    """
    codes = tuple(Code(row["code"], row["match"]) for row in read_codelist(path) if row["use"] == use)
    if not codes:
        raise InputError(f'{path} has no code for the use "{use}".')
    return codes


def matches(column: "Column", codes: Iterable[Code]) -> "Column":
    """Whether a column of codes is one of the exact codes or begins with one of the prefixes; false when null."""
    from pyspark.sql import Column
    from pyspark.sql import functions as F

    codes = tuple(codes)
    exact = sorted(code.code for code in codes if code.match == "exact")
    tests = [column.startswith(code.code) for code in codes if code.match == "prefix"]
    if exact:
        tests.append(column.isin(exact))
    return F.coalesce(reduce(Column.__or__, tests), F.lit(False))


def looked_up(column: "Column", names: Mapping[str, str]) -> "Column":
    """The name of the longest listed beginning of a code (`?` in the list stands for one character); null if none.

    `names` maps beginnings of codes to names. One literal map for each shape of beginning keeps the query small.
    """
    from pyspark.sql import functions as F

    shapes: dict[str, dict[str, str]] = {}
    for beginning, name in names.items():
        shapes.setdefault("".join("?" if c == "?" else "#" for c in beginning), {})[beginning] = name
    longest_first = sorted(shapes, key=lambda shape: (-len(shape), shape.count("?")))
    found = []
    for shape in longest_first:
        literals = [F.lit(word) for pair in sorted(shapes[shape].items()) for word in pair]
        found.append(F.try_element_at(F.create_map(*literals), _beginning(column, shape)))
    return F.coalesce(*found)


def _beginning(column: "Column", shape: str) -> "Column":
    from pyspark.sql import functions as F

    if "?" not in shape:
        return F.substring(column, 1, len(shape))
    characters = [F.lit("?") if c == "?" else F.substring(column, n, 1) for n, c in enumerate(shape, start=1)]
    return F.concat(*characters)
