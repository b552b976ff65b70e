"""Columns as they were delivered -> typed columns: what each contract type accepts, and what is null.

Every form is in docs/reference/forms.md. Texts are read here, numbers and moments in modules of their own.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.flatten.converted import ARROW_TYPES, EPOCH, EVER, NO_ROW, Converted, Texts, Years, days_known, some
from parcours.flatten.dates import day_of, moment_reader, zone_named
from parcours.flatten.moments import is_moment, moment_texts, read_moments
from parcours.flatten.numbers import is_number, number_texts, read_numbers

INTEGER = r"^[+-]?\d+(\.0*)?$"
DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
# A code that a spreadsheet took for a number: most of its digits are gone.
SCIENTIFIC = r"^[+-]?\d([.,]\d*)?[eE]\+\d{2,3}$|^[+-]?\d\.\d+[eE]-?\d{1,3}$"
PADDING = " \t\n\r\v\f\0\u00a0\u202f\ufeff"
LARGEST = "9223372036854775807"


def convert(column: pa.Array, kind: str, texts: Texts, years: Years = EVER) -> Converted:
    """Read a column of texts, numbers, days or moments as a contract type; `years` are those that its dates can be of.

    integer: "12", "12.0", padded; decimal: "12.5"; date: the delivery's formats; string: trailing blanks cut.
    Empty texts and the delivery's null values are null, and so are sentinel dates and floats that are NaN.
    """
    column = _plain(column)
    if pa.types.is_null(column.type):
        return Converted(pa.nulls(len(column), ARROW_TYPES[kind]), None, None)
    if is_moment(column.type) and kind == "date":
        return read_moments(column, texts, years)
    if is_number(column.type) and kind != "date":
        return read_numbers(column, kind, texts)
    written, canonical = column, None
    if is_moment(column.type):
        written = moment_texts(column)
    elif is_number(column.type) or pa.types.is_decimal(column.type):
        written, canonical = number_texts(column)
    read = _read_texts(written, kind, texts, years)
    if canonical is None or kind == "decimal":
        return read
    return _also_canonical(read, canonical)


def _plain(column: pa.Array) -> pa.Array:
    """The column without an encoding that says nothing of its values; texts stay dictionaries."""
    if pa.types.is_dictionary(column.type) and not _is_text(column.type.value_type):
        return _plain(column.dictionary_decode())
    if pa.types.is_decimal32(column.type) or pa.types.is_decimal64(column.type):
        return column.cast(pa.decimal128(column.type.precision, column.type.scale))
    return column.cast(pa.string()) if pa.types.is_boolean(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _also_canonical(read: Converted, flags: np.ndarray) -> Converted:
    flags = flags & read.values.is_valid().to_numpy(zero_copy_only=False)
    both = flags if read.canonical is None else read.canonical | flags
    return Converted(read.values, read.bad, read.sentinel, both if both.any() else None, read.strange, read.unzoned)


# --- texts -------------------------------------------------------------------------------------------------------


def _read_texts(column: pa.Array, kind: str, how: Texts, years: Years) -> Converted:
    """Each distinct text is read once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    found = encoded.dictionary.cast(pa.string())
    read = _strings(found, how) if kind == "string" else _read_trimmed(found, kind, how, years)
    values = read.values.take(encoded.indices)
    flags = (read.bad, read.sentinel, read.canonical, read.strange)
    bad, sentinel, canonical, strange = (_spread(flag, encoded.indices) for flag in flags)
    return Converted(values, bad, sentinel, canonical, strange, read.unzoned)


def clean_strings(texts: pa.Array, how: Texts) -> Converted:
    """Cut the blanks and NULs that pad a text at its end; empty texts and null values become null.

    A byte order mark before it is that of a file that was put behind another one.
    """
    cut = pc.utf8_rtrim(pc.utf8_ltrim(texts, "\ufeff"), PADDING)
    values = _null_where_empty(cut, how)
    padded = pc.and_(values.is_valid(), pc.not_equal(pc.binary_length(texts), pc.binary_length(cut)))
    return Converted(values, None, None, some(pc.fill_null(padded, False).to_numpy(zero_copy_only=False)))


def _strings(texts: pa.Array, how: Texts) -> Converted:
    """Numbers in scientific notation are bad, and kept: it does not matter where the contract knows no such column."""
    read = clean_strings(texts, how)
    lossy = pc.fill_null(pc.match_substring_regex(read.values, SCIENTIFIC), False).to_numpy(zero_copy_only=False)
    return Converted(read.values, some(lossy), None, read.canonical, some(lossy))


def _read_trimmed(found: pa.Array, kind: str, how: Texts, years: Years) -> Converted:
    trimmed = _null_where_empty(pc.utf8_trim(found, PADDING), how)
    read = _dates(trimmed, how, years) if kind == "date" else _READERS[kind](trimmed)
    floats = pc.match_substring(trimmed, ".") if kind == "integer" else pa.nulls(len(trimmed), pa.bool_())
    written = pc.or_kleene(pc.not_equal(found, trimmed), pc.fill_null(floats, False))
    canonical = pc.fill_null(pc.and_(read.values.is_valid(), written), False).to_numpy(zero_copy_only=False)
    return Converted(read.values, read.bad, read.sentinel, canonical, read.strange, read.unzoned)


def _null_where_empty(texts: pa.Array, how: Texts) -> pa.Array:
    empty = pc.is_in(texts, value_set=pa.array(["", *how.null_values], pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts)


def _spread(flags: np.ndarray | None, indices: pa.Array) -> np.ndarray | None:
    """Flags of distinct texts -> flags of rows; None when no flag is set."""
    if flags is None or not flags.any():
        return None
    positions = indices.fill_null(len(flags)).to_numpy(zero_copy_only=False)
    return np.append(flags, False)[positions]


def _integers(texts: pa.Array) -> Converted:
    """Whole numbers of 64 bits."""
    texts, bad = _matching(texts, INTEGER)
    digits = pc.replace_substring_regex(pc.replace_substring_regex(texts, r"\.0*$", ""), r"^\+?(-?)0*(\d)", r"\1\2")
    size = pc.utf8_length(pc.utf8_ltrim(digits, "-"))
    large = pc.or_(pc.greater(size, 19), pc.and_(pc.equal(size, 19), pc.greater(pc.utf8_ltrim(digits, "-"), LARGEST)))
    digits = pc.if_else(large, pa.scalar(None, pa.string()), digits)
    return Converted(digits.cast(pa.int64()), bad | pc.fill_null(large, False).to_numpy(zero_copy_only=False), None)


def _decimals(texts: pa.Array) -> Converted:
    texts, bad = _matching(texts, DECIMAL)
    values = pc.replace_substring_regex(texts, r"^\+", "").cast(pa.float64())
    infinite = pc.fill_null(pc.is_inf(values), False)
    finite = pc.if_else(infinite, pa.scalar(None, pa.float64()), values)
    return Converted(finite, bad | infinite.to_numpy(zero_copy_only=False), None)


_READERS = {"integer": _integers, "decimal": _decimals}


def _matching(texts: pa.Array, pattern: str) -> tuple[pa.Array, np.ndarray]:
    fits = pc.match_substring_regex(texts, pattern)
    bad = pc.fill_null(pc.invert(fits), False)
    return pc.if_else(bad, pa.scalar(None, pa.string()), texts), bad.to_numpy(zero_copy_only=False)


def _dates(texts: pa.Array, how: Texts, years: Years) -> Converted:
    read, zone = moment_reader(how.date_formats), zone_named(how.time_zone)
    moments = [None if text is None else read(text) for text in texts.to_pylist()]
    told = [(None, True) if moment is None else day_of(moment, zone) for moment in moments]
    days = np.array([NO_ROW if day is None else day.toordinal() - EPOCH for day, _ in told], np.int64)
    known = days_known(days, days != NO_ROW, years)
    unread = (days == NO_ROW) & texts.is_valid().to_numpy(zero_copy_only=False)
    bad = unread if known.bad is None else unread | known.bad
    return Converted(known.values, bad, known.sentinel, None, known.strange, not all(sure for _, sure in told))
