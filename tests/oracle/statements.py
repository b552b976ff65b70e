"""The short text by which events name the sheet of a purchase: a hash, a name that tells nothing else."""

from collections.abc import Hashable
from functools import cache

from parcours.engine.duck import query
from parcours.engine.sql import text
from parcours.events.columns import column_type

# What names a statement (snds.md A1): the columns that its lines share.
STATEMENT_KEY = (
    "FLX_DIS_DTD",
    "FLX_TRT_DTD",
    "FLX_EMT_TYP",
    "FLX_EMT_NUM",
    "FLX_EMT_ORD",
    "ORG_CLE_NUM",
    "DCT_ORD_NUM",
)
PLACES = sorted(range(len(STATEMENT_KEY)), key=STATEMENT_KEY.__getitem__)


@cache
def number_of(statement: tuple[Hashable, ...]) -> int:
    """The number of a statement, from the values of STATEMENT_KEY."""
    values = [f"{text(statement[at])}::{column_type('DCIR', STATEMENT_KEY[at])}" for at in PLACES]
    (row,) = query(f"SELECT hash({', '.join(values)}) AS number").to_pylist()
    return int(row["number"])


def name_of(number: int) -> str:
    """The last 32 bits of a number."""
    return str(number % 2**32)
