"""Code lists: CSV files with one code a row, matched exactly, by beginning, or by a pattern of digits."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from parcours.errors import InputError

# Acts of the CSARR have a +, those of the NGAP their coefficient after _.
# Where the code lists of a run are on the machine that asks: a task of a cluster has to fetch them.
Lists = Callable[[], Path]
CODE = re.compile(r"[A-Z0-9?+]+(_[0-9]+(\.[0-9]+)?)?")
# The lists there are, each with the columns that are read.
LISTS = {
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
    "action": ("include", "exclude"),
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


def matching(codes: Iterable[str], listed: Iterable[Code]) -> set[str]:
    """Those of some codes that are one of the exact ones, or begin as a prefix or a pattern."""
    listed = tuple(listed)
    exact = {one.code for one in listed if one.match == EXACT}
    prefixes = tuple(one.code for one in listed if one.match == PREFIX)
    patterns = [one for one in listed if one.match == PATTERN]
    return {
        code
        for code in codes
        if code in exact or code.startswith(prefixes) or any(_is(code, pattern) for pattern in patterns)
    }


def looked_up(code: str | None, names: Mapping[Code, str]) -> str | None:
    """The name of the code itself, else of the longest listed beginning of it; None if none.

    In the beginning of a pattern `?` stands for one character; of two as long, the one with fewer of them decides.
    """
    if code is None:
        return None
    found = [listed for listed in names if _is(code, listed)]
    best = max(found, key=lambda one: (one.match == EXACT, len(one.code), -one.code.count("?")), default=None)
    return names[best] if best else None


def _is(code: str, listed: Code) -> bool:
    if listed.match == EXACT:
        return code == listed.code
    if listed.match == PREFIX:
        return code.startswith(listed.code)
    beginning = code[: len(listed.code)]
    return len(beginning) == len(listed.code) and all(
        known in ("?", one) for known, one in zip(listed.code, beginning, strict=True)
    )
