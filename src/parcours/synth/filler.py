"""Plausible values for the columns that the simulation says nothing about."""

from functools import cache
from typing import Any

import numpy as np

from parcours.snds.contracts import Column
from parcours.snds.declarations import read_facts
from parcours.synth.facts import HERE
from parcours.synth.text import Texts, texts

POOL = 997  # rows of the pool; a prime, so that neighbouring blocks do not fall in step
BY_TYPE = {
    "decimal": ["0.00", "0.00", "0.00", "1.00", "0.50"],
    "date": ["0001-01-01", "1600-01-01"],
    "string": ["0", "1", ""],
    "integer": ["0", "0", "1", "2"],
}


@cache
def _domains() -> dict[str, Any]:
    loaded: dict[str, Any] = read_facts(HERE / "domains.yaml")
    return loaded


@cache
def _pool(name: str, kind: str, length: int | None) -> Texts:
    """The column's pool; seeded by its name, so that every delivery has the same one."""
    rng = np.random.default_rng(list(name.encode()))
    values = _domains().get(name)
    if values is None and name.endswith("_NUM") and kind == "string" and (length or 0) >= 8:
        values = [
            f"{number:0{length}d}"[:length] for number in rng.integers(1, 10 ** min(length or 8, 12), 200).tolist()
        ]
    if values is None:
        values = [value[: length or 10] if kind == "string" else value for value in BY_TYPE[kind]]
    return texts([values[place] for place in rng.integers(0, len(values), POOL).tolist()], "pool")


def filler(column: Column, table: str = "") -> Texts:
    """Texts of a column drawn from a value set, indexed by "pool" (0 to POOL - 1).

    The set is that of TABLE.COLUMN, of the column, or of the column without its number (DENT_NUM for DENT_NUM_12).
    """
    names = (f"{table}.{column.name}", column.name, column.name.rstrip("0123456789").rstrip("_"))
    return _pool(next((name for name in names if name in _domains()), column.name), column.type, column.length)


def value_set(name: str) -> list[str]:
    """The value set of a column in domains.yaml."""
    return list(_domains()[name])


def constant(value: str) -> Texts:
    """The same text in every row, on the pool's index so that it merges with its neighbours."""
    return texts([value] * POOL, "pool")
