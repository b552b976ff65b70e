"""Small tables written as text: what an epidemiologist reads is what the test runs on."""

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest

READERS: dict[str, Callable[[str], object]] = {
    "int": int,
    "bigint": int,
    "double": float,
    "date": dt.date.fromisoformat,
    "string": str,
    "boolean": lambda word: word == "true",
}
TYPES = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


def parse_table(text: str, types: str) -> list[tuple]:
    """Rows of a text table with `|` between cells; `-` is an empty cell; the first line names the columns."""
    kinds = dict(column.strip().split() for column in types.split(","))
    header, *lines = [line for line in text.strip().splitlines() if not set(line.strip()) <= set("-+")]
    names = [name.strip() for name in header.split("|")]
    assert names == list(kinds), f"the table has {names}, its types are for {list(kinds)}"
    return [
        tuple(_cell(cell.strip(), kinds[name]) for name, cell in zip(names, line.split("|"), strict=True))
        for line in lines
    ]


def _cell(text: str, kind: str) -> object:
    return None if text == "-" else READERS[kind](text)


@pytest.fixture(scope="session")
def table():
    """`table(text, "person_id bigint, day date")` is the Arrow table that the text shows."""

    def build(text: str, types: str) -> pa.Table:
        schema = pa.schema([(name, TYPES[kind]) for name, kind in map(str.split, types.split(","))])
        return pa.Table.from_pylist(
            [dict(zip(schema.names, row, strict=True)) for row in parse_table(text, types)], schema
        )

    return build


@pytest.fixture(scope="session")
def rows():
    """`rows(text, types)` is the same table as a sorted list of tuples, for what is expected."""
    return lambda text, types: sorted(parse_table(text, types), key=repr)


@pytest.fixture(scope="session")
def collected():
    """Rows of an Arrow table as a sorted list of tuples, in the order of the columns given."""
    return lambda found, *columns: sorted(
        (tuple(row.values()) for row in found.select(list(columns)).to_pylist()), key=repr
    )
