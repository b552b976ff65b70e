"""Texts -> typed columns: what each contract type accepts, and what is null."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.flatten.dates import date_reader
from parcours.snds.contracts import sentinel_dates

ARROW_TYPES = {"string": pa.string(), "integer": pa.int64(), "decimal": pa.float64(), "date": pa.date32()}
NOT_READABLE = {
    "integer": "is not an integer",
    "decimal": "is not a decimal number (with a point)",
    "date": "is not a date in the formats of the delivery",
}
INTEGER = r"^[+-]?\d{1,18}(\.0*)?$"
DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


@dataclass(frozen=True)
class Texts:
    """How the texts of a delivery stand for values."""

    null_values: tuple[str, ...]
    date_formats: tuple[str, ...]


@dataclass(frozen=True)
class Converted:
    """A typed column, and which of its rows need to be counted (None: none of them).

    `bad` could not be read; `sentinel` held a date that means "not known"; `canonical` were written otherwise than
    they are stored: a text padded with blanks, an integer as 3400930000001.0.
    """

    values: pa.Array
    bad: np.ndarray | None
    sentinel: np.ndarray | None
    canonical: np.ndarray | None = None


def convert(column: pa.Array, kind: str, texts: Texts) -> Converted:
    """Read a column of texts (dictionary-encoded: each distinct text is read once) as a contract type.

    integer: "12", "12.0", padded; decimal: "12.5"; date: the delivery's formats; string: trailing blanks cut.
    Empty texts and the delivery's null values are null, and so are sentinel dates.
    """
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts_ = encoded.dictionary.cast(pa.string())
    if kind == "string":
        cleaned = clean_strings(texts_, texts)
        padded = _spread(cleaned.canonical, encoded.indices)
        return Converted(cleaned.values.take(encoded.indices), None, None, padded)
    trimmed = _null_where_empty(pc.utf8_trim_whitespace(texts_), texts)
    values, bad, sentinel = _READERS[kind](trimmed, texts)
    floats = pc.match_substring(trimmed, ".") if kind == "integer" else pa.nulls(len(trimmed), pa.bool_())
    flags = (values.is_valid(), pc.or_kleene(pc.not_equal(texts_, trimmed), pc.fill_null(floats, False)))
    canonical = pc.fill_null(pc.and_(*flags), False).to_numpy(zero_copy_only=False)
    spread = (_spread(flag, encoded.indices) for flag in (bad, sentinel, canonical))
    return Converted(values.take(encoded.indices), *spread)


def clean_strings(texts: pa.Array, how: Texts) -> Converted:
    """Cut the trailing blanks that pad a text; empty texts and null values become null."""
    cut = pc.utf8_rtrim(texts, " ")
    values = _null_where_empty(cut, how)
    padded = pc.and_(values.is_valid(), pc.not_equal(pc.binary_length(texts), pc.binary_length(cut)))
    return Converted(values, None, None, pc.fill_null(padded, False).to_numpy(zero_copy_only=False))


def _null_where_empty(texts: pa.Array, how: Texts) -> pa.Array:
    empty = pc.is_in(texts, value_set=pa.array(["", *how.null_values], pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts)


def _spread(flags: np.ndarray | None, indices: pa.Array) -> np.ndarray | None:
    """Flags of distinct texts -> flags of rows; None when no flag is set."""
    if flags is None or not flags.any():
        return None
    positions = indices.fill_null(len(flags)).to_numpy(zero_copy_only=False)
    return np.append(flags, False)[positions]


def _integers(texts: pa.Array, _: Texts) -> tuple[pa.Array, np.ndarray, None]:
    texts, bad = _matching(texts, INTEGER)
    digits = pc.replace_substring_regex(texts, r"^\+|\.0*$", "")
    return digits.cast(pa.int64()), bad, None


def _decimals(texts: pa.Array, _: Texts) -> tuple[pa.Array, np.ndarray, None]:
    texts, bad = _matching(texts, DECIMAL)
    values = pc.replace_substring_regex(texts, r"^\+", "").cast(pa.float64())
    infinite = pc.fill_null(pc.is_inf(values), False)
    return pc.if_else(infinite, pa.scalar(None, pa.float64()), values), bad | infinite.to_numpy(False), None


def _matching(texts: pa.Array, pattern: str) -> tuple[pa.Array, np.ndarray]:
    fits = pc.match_substring_regex(texts, pattern)
    bad = pc.fill_null(pc.invert(fits), False)
    return pc.if_else(bad, pa.scalar(None, pa.string()), texts), bad.to_numpy(zero_copy_only=False)


def _dates(texts: pa.Array, how: Texts) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    read = date_reader(how.date_formats)
    sentinels = {date.fromisoformat(day) for day in sentinel_dates()}
    days = [None if text is None else read(text) for text in texts.to_pylist()]
    bad = np.array([day is None for day in days], bool) & texts.is_valid().to_numpy(zero_copy_only=False)
    sentinel = np.array([day in sentinels for day in days], bool)
    values = pa.array([None if day in sentinels else day for day in days], pa.date32())
    return values, bad, sentinel


_READERS = {"integer": _integers, "decimal": _decimals, "date": _dates}
