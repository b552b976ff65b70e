"""Which rows of a block are rejected, and why."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.flatten.convert import clean_strings
from parcours.flatten.converted import Converted, Texts
from parcours.snds.spelling import UNNAMED

NOTHING = Texts(("",), ())


def faults(
    raw: pa.Table, columns: dict[str, Converted], types: dict[str, str], key: tuple[str, ...]
) -> dict[int, tuple[str | None, str]]:
    """First fault of each faulty row: position -> (column, reason)."""
    found: dict[int, tuple[str | None, str]] = {}
    for row in _set(_unnamed(raw)):
        found[row] = (None, "a field stands after the last delimiter, where the header has no name")
    for row in _set(_headers(columns, key)):
        found.setdefault(row, (None, "is the header again"))
    for name, column in columns.items():
        for row in _set(column.bad):
            found.setdefault(row, (name, column.reason(row, types[name])))
        if name in key:
            for row in _set(column.values.is_null().to_numpy(zero_copy_only=False)):
                found.setdefault(row, (name, "the key is empty"))
    return dict(sorted(found.items()))


def repeats_header(columns: dict[str, Converted], key: tuple[str, ...]) -> bool:
    """Whether a row is the header of a file that was put behind another one."""
    return _headers(columns, key) is not None


def _headers(columns: dict[str, Converted], key: tuple[str, ...]) -> np.ndarray | None:
    """Rows that hold the names of all key columns; where one of these is a number or a day, it tells them already."""
    texts = [name for name in key if name in columns and pa.types.is_string(columns[name].values.type)]
    if not texts or len(texts) < len(key):
        return None
    same = _is_name(columns, texts[0])
    if not same.any():
        return None
    for name in texts[1:]:
        same &= _is_name(columns, name)
    return same if same.any() else None


def _is_name(columns: dict[str, Converted], name: str) -> np.ndarray:
    found = pc.equal(pc.ascii_lower(columns[name].values), name.lower())
    flags: np.ndarray = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return flags.copy()


def _unnamed(raw: pa.Table) -> np.ndarray | None:
    """Rows that hold something in the column without a name that ends a header; None where there is none."""
    if UNNAMED not in raw.column_names:
        return None
    texts = raw[UNNAMED].combine_chunks().cast(pa.string())
    return clean_strings(texts, NOTHING).values.is_valid().to_numpy(False)


def _set(flags: np.ndarray | None) -> list[int]:
    found: list[int] = [] if flags is None else np.flatnonzero(flags).tolist()
    return found
