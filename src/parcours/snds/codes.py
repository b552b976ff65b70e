"""Texts of digits alone that have a fixed width (codes.yaml)."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from parcours.snds.declarations import read_facts


@dataclass(frozen=True)
class Code:
    """A text of digits alone: its width, and how it shows a day (such as %d%m%Y) where it does."""

    width: int
    day: str | None = None


@cache
def code_of(column: str) -> Code | None:
    """The fixed form of the texts of a column (codes.yaml), None where it has none."""
    for entry in read_facts(Path(__file__).with_suffix(".yaml")):
        if column in entry["columns"]:
            return Code(entry["width"], entry.get("day"))
    return None
