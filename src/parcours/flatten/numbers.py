"""Numbers of Parquet and SAS -> integers, decimals, texts of codes."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.flatten.converted import Converted, Texts, some

# Up to which a float holds every whole number: 2 to the digits of its fraction.
WHOLE = {pa.float16(): 2**11, pa.float32(): 2**24, pa.float64(): 2**53}
NUMPY = {pa.float16(): np.float16, pa.float32(): np.float32, pa.float64(): np.float64}


def is_number(kind: pa.DataType) -> bool:
    """Whether values are integers or floats."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def read_numbers(column: pa.Array, kind: str, how: Texts) -> Converted:
    """Integers or floats as integer, decimal or string."""
    if pa.types.is_floating(column.type):
        return _floats(column, kind, how)
    valid = column.is_valid() if not _missing(how) else pc.and_(column.is_valid(), _is_other(column, how))
    column = pc.if_else(valid, column, pa.scalar(None, column.type))
    if kind == "string":
        return Converted(column.cast(pa.string()), None, None)
    if kind == "decimal":
        return Converted(column.cast(pa.float64(), safe=False), None, None)
    if not pa.types.is_uint64(column.type):
        return Converted(column.cast(pa.int64()), None, None)
    large = pc.fill_null(pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())), False)
    bad = large.to_numpy(zero_copy_only=False)
    return Converted(pc.if_else(large, pa.scalar(None, pa.uint64()), column).cast(pa.int64()), some(bad), None)


def _missing(how: Texts) -> list[float]:
    """The delivery's null values that are numbers."""
    return [float(text) for text in how.null_values if re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII)]


def _is_other(column: pa.Array, how: Texts) -> pa.Array:
    return pa.array(~np.isin(column.fill_null(0).to_numpy(zero_copy_only=False), _missing(how)))


def _floats(column: pa.Array, kind: str, how: Texts) -> Converted:
    """Whole floats are those numbers up to where the next one is a float too; NaN is null, and counted."""
    present = column.is_valid().to_numpy(zero_copy_only=False)
    numbers = column.to_numpy(zero_copy_only=False).astype(NUMPY[column.type])
    unknown = present & np.isnan(numbers)
    valid = present & ~unknown & ~np.isin(numbers.astype(np.float64), _missing(how))
    finite = valid & np.isfinite(numbers)
    whole = finite & (np.floor(np.where(finite, numbers, 0)) == numbers)
    exact = whole & (np.abs(np.where(whole, numbers, 0).astype(np.float64)) <= WHOLE[column.type])
    if kind == "decimal":
        return Converted(_shortest(numbers, finite), some(valid & ~finite), None, some(unknown), some(valid & ~finite))
    integers = pa.array(np.where(exact, numbers, 0).astype(np.int64), pa.int64(), mask=~exact)
    if kind == "integer":
        strange = (whole & ~exact) | (valid & ~finite)
        return Converted(integers, some(valid & ~exact), None, some(exact | unknown), some(strange))
    other = finite & ~whole
    values = integers.cast(pa.string())
    if other.any():
        values = pc.if_else(pa.array(other), _positional(numbers, other), values)
    strange = valid & ~exact & ~other
    return Converted(values, some(strange), None, some(exact | unknown), some(strange))


def _shortest(numbers: np.ndarray, kept: np.ndarray) -> pa.Array:
    """As float64: of a narrower float the shortest decimal that it stands for, 12.1 rather than 12.10000038."""
    if numbers.dtype == np.float64:
        return pa.array(numbers, pa.float64(), mask=~kept)
    return _positional(numbers, kept).cast(pa.float64())


def _positional(numbers: np.ndarray, kept: np.ndarray) -> pa.Array:
    """Texts of some floats, never in scientific notation; null for the others."""
    distinct, places = np.unique(np.where(kept, numbers, 0).astype(numbers.dtype), return_inverse=True)
    texts = pa.array([np.format_float_positional(number, trim="-") for number in distinct], pa.string())
    return pc.if_else(pa.array(kept), texts.take(pa.array(places)), pa.scalar(None, pa.string()))


def number_texts(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Texts of integers, floats or decimals without zeros after the point, and which had to be written otherwise."""
    if not pa.types.is_decimal(column.type):
        read, none = read_numbers(column, "string", Texts((), ())), np.zeros(len(column), bool)
        texts = read.values if read.bad is None else pc.if_else(pa.array(read.bad), "no number", read.values)
        return texts, none if read.canonical is None else read.canonical
    encoded = column.dictionary_encode()
    digits = [_digits(format(number, "f")) for number in encoded.dictionary.to_pylist()]
    canonical = column.is_valid().to_numpy(zero_copy_only=False) & (column.type.scale > 0)
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(digits, pa.string())), canonical


def _digits(text: str) -> str:
    return text.rstrip("0").removesuffix(".") if "." in text else text
