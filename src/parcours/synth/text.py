"""Rows of a CSV file as one Arrow array, assembled from dictionaries of texts.

A column is either a dictionary of texts with the name of an index array, or texts row by row.
Neighbouring columns that share an index are joined once, in their dictionaries, and not row by row:
with most columns of the portal filled from one pool this is what makes wide files cheap to write.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DELIMITER = ";"


@dataclass(frozen=True)
class Texts:
    """Texts of one column: values[indices[index]]; without values, the array `indices[index]` itself."""

    values: pa.Array | None
    index: str


def row_by_row(name: str) -> Texts:
    """A column whose texts are given for each row, as the Arrow array `indices[name]`."""
    return Texts(None, name)


def texts(values: object, index: str) -> Texts:
    """Texts of a list or array of str or int; None counts as an empty text."""
    return Texts(as_text(values), index)


def as_text(values: object) -> pa.Array:
    """An Arrow array of strings; None counts as an empty text."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return (array if array.type == pa.string() else array.cast(pa.string())).fill_null("")


def cents(values: np.ndarray) -> pa.Array:
    """Amounts in cents as texts with two decimals."""
    distinct, place = np.unique(values, return_inverse=True)
    return pa.array([f"{value / 100:.2f}" for value in distinct.tolist()], pa.string()).take(pa.array(place))


def _join(columns: list[pa.Array]) -> pa.Array:
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, pa.scalar(DELIMITER))


def _end(column: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(column, pa.scalar("\n"), pa.scalar(""))


def merge(columns: list[Texts]) -> list[Texts]:
    """The same columns, neighbours of one index joined into one."""
    groups: list[list[Texts]] = []
    for column in columns:
        if (
            groups
            and column.values is not None
            and groups[-1][0].values is not None
            and groups[-1][0].index == column.index
        ):
            groups[-1].append(column)
        else:
            groups.append([column])
    return [
        group[0] if group[0].values is None else Texts(_join([c.values for c in group]), group[0].index)
        for group in groups
    ]


def lines_of(merged: list[Texts], indices: Mapping[str, object]) -> pa.Array:
    """One text a row, line end included, from merged columns."""
    taken = [indices[c.index] if c.values is None else c.values.take(pa.array(indices[c.index])) for c in merged]
    return _join([*taken[:-1], _end(taken[-1])])


def content(lines: pa.Array) -> memoryview:
    """The bytes of the rows, one after the other."""
    if not len(lines):
        return memoryview(b"")
    buffers = lines.buffers()
    offsets = np.frombuffer(buffers[1], np.int32, len(lines) + 1, lines.offset * 4)
    return memoryview(buffers[2])[offsets[0] : offsets[-1]]
