"""Code lists: CSV files with one code a row, matched exactly, by beginning, or by a pattern of digits."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING

from parcours.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import Column


@dataclass(frozen=True)
class Code:
    """One code; `match` is exact, prefix, or pattern (`?` stands for one digit, and more characters may follow)."""

    code: str
    match: str

    @property
    def like(self) -> str:
        """The SQL LIKE pattern of the code."""
        return {"exact": self.code, "prefix": f"{self.code}%", "pattern": f"{self.code.replace('?', '_')}%"}[self.match]


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
        code = row.get("code")
        if (code is not None and not code.replace("?", "0").isalnum()) or (code != (code or "").upper() and code):
            raise InputError(f'{path}, line {number}: "{code}" is not a code: write capitals and digits, no dot.')
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
    """Whether a column of codes matches any of them; false when it is null."""
    from pyspark.sql import Column
    from pyspark.sql import functions as F

    codes = tuple(codes)
    exact = sorted(code.code for code in codes if code.match == "exact")
    tests = [column.like(code.like) for code in codes if code.match != "exact"]
    if exact:
        tests.append(column.isin(exact))
    return F.coalesce(reduce(Column.__or__, tests), F.lit(False))
