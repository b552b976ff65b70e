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
# The lists there are, each with the columns that are read.
LISTS = {
    "fracture_rules.csv": ("rule", "form", "product", "event_category", "group", "severity"),
    "fracture_codes.csv": ("use", "code", "match"),
    "fracture_surgery.csv": ("use", "code", "match"),
    "fracture_sites.csv": ("site", "site_group", "code", "match"),
    "drug_families.csv": ("family", "subfamily", "atc_prefix", "action"),
    "finess_double_count.csv": ("finess",),
}
EXACT, PREFIX, PATTERN = MATCHES = ("exact", "prefix", "pattern")
# What a word may be, wherever a list has such a column: another one would be passed over in silence.
WORDS = {
    "match": MATCHES,
    "use": ("hospital_diagnosis", "outpatient_act", "material_removal", "surgery"),
    "form": ("hospital", "outpatient"),
    "action": ("include", "exclude"),
    "severity": ("1", "2", "3", "4"),
}


@dataclass(frozen=True)
class Code:
    """One code; `match` is exact, prefix, or pattern (a prefix in which `?` stands for one character)."""

    code: str
    match: str


def check_codelists(folder: Path) -> None:
    """Read every list of a folder of code lists that is there.

    Raises InputError as `read_codelist` does.
    """
    for path in (folder / name for name in LISTS):
        if path.is_file():
            read_codelist(path)


@cache
def read_codelist(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of a code list.

    Raises InputError when the file or one of its columns in LISTS is not there, when a code of a medical vocabulary
    holds anything but capitals and digits (a dot or a comma, and it would never match), or a row says a word of a
    column of WORDS that means nothing.
    """
    if not path.is_file():
        raise InputError(f"Code list {path} does not exist.")
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        for column in LISTS.get(path.name, ()):
            if column not in (reader.fieldnames or ()):
                raise InputError(f"Code list {path} has no column {column}: separate columns by commas.")
        rows = tuple(reader)
    for number, row in enumerate(rows, start=2):
        _check_row(row, f"{path}, line {number}")
    return rows


def _check_row(row: dict[str, str], where: str) -> None:
    code, match = row.get("code", row.get("atc_prefix", "0")), row.get("match", PATTERN)
    if not CODE.fullmatch(code or ""):
        raise InputError(f'{where}: "{code}" is not a code: write capitals and digits, no dot.')
    for column, words in WORDS.items():
        if column in row and row[column] not in words:
            raise InputError(f'{where}: {column} is "{row[column]}", but must be one of {", ".join(words)}.')
    if "?" in code and match != PATTERN:
        raise InputError(f'{where}: the code {code} has a "?", but its match is {match}: only a pattern has one.')


@cache
def words_of(path: Path, columns: tuple[str, ...]) -> frozenset[str]:
    """The distinct values of some columns of a code list.

    Raises InputError as `read_codelist` does.
    """
    return frozenset(row[column] for row in read_codelist(path) for column in columns if row[column])


def codes_for(path: Path, use: str) -> tuple[Code, ...]:
    """The codes of a list that serve one use.

    Raises InputError when there are none.
    """
    codes = tuple(Code(row["code"], row["match"]) for row in read_codelist(path) if row["use"] == use)
    if not codes:
        raise InputError(f'{path} has no code for the use "{use}".')
    return codes


def matches(column: "Column", codes: Iterable[Code]) -> "Column":
    """Whether a column of codes is one of the exact codes, or begins as a prefix or a pattern; false when null."""
    from pyspark.sql import Column
    from pyspark.sql import functions as F

    codes = tuple(codes)
    exact = sorted(code.code for code in codes if code.match == EXACT)
    tests = [column.startswith(code.code) for code in codes if code.match == PREFIX]
    tests += [column.like(code.code.replace("?", "_") + "%") for code in codes if code.match == PATTERN]
    if exact:
        tests.append(column.isin(exact))
    return F.coalesce(reduce(Column.__or__, tests), F.lit(False))


def looked_up(column: "Column", names: Mapping[Code, str]) -> "Column":
    """The name of the code itself, else of the longest listed beginning of it; null if none.

    In the beginning of a pattern `?` stands for one character. One literal map for each shape keeps the query small.
    """
    from pyspark.sql import functions as F

    exact = {code.code: name for code, name in names.items() if code.match == EXACT}
    shapes: dict[str, dict[str, str]] = {}
    for code, name in names.items():
        if code.match != EXACT:
            shapes.setdefault("".join("?" if c == "?" else "#" for c in code.code), {})[code.code] = name
    longest_first = sorted(shapes, key=lambda shape: (-len(shape), shape.count("?")))
    tried = [(exact, column)] if exact else []
    tried += [(shapes[shape], _beginning(column, shape)) for shape in longest_first]
    return F.coalesce(*[F.try_element_at(_literal_map(known), key) for known, key in tried])


def _literal_map(names: Mapping[str, str]) -> "Column":
    from pyspark.sql import functions as F

    return F.create_map(*[F.lit(word) for pair in sorted(names.items()) for word in pair])


def _beginning(column: "Column", shape: str) -> "Column":
    from pyspark.sql import functions as F

    if "?" not in shape:
        return F.substring(column, 1, len(shape))
    characters = [F.lit("?") if c == "?" else F.substring(column, n, 1) for n, c in enumerate(shape, start=1)]
    return F.concat(*characters)
