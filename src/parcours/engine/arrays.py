"""Numbers of numpy as columns of Arrow and back, without a copy, and without pandas, which pyarrow.array would load."""

import numpy as np
import pyarrow as pa


def column(values: np.ndarray) -> pa.Array:
    """Some numbers as a column of Arrow, none of them null."""
    whole = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(whole.dtype), len(whole), [None, pa.py_buffer(whole)])


def coded(values: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """The distinct values of a column, null among them, as they appear first, and the place of each row's value."""
    encoded = values.dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(), encoded.dictionary


def ranked(values: np.ndarray) -> np.ndarray:
    """The place of each number among the distinct ones, in their order, from 0."""
    places, distinct = coded(column(values))
    order = np.argsort(distinct.to_numpy())
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[places]


def combined(rows: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Each combination of values once, with its `number` and how many `rows` have it; and the number of each row."""
    number, many = np.zeros(len(rows), np.int64), min(len(rows), 1)
    for values in rows.columns:
        places, distinct = coded(values.combine_chunks())
        if len(distinct) == 1:
            continue
        number, combinations = coded(column(number.astype(np.int64) * len(distinct) + places))
        many = len(combinations)
    first = np.empty(many, np.int64)
    first[number[::-1]] = np.arange(len(rows))[::-1]
    once = rows.take(column(first)).append_column("number", column(np.arange(many)))
    return once.append_column("rows", column(np.bincount(number, minlength=many))), number


def order_of(numbers: np.ndarray) -> np.ndarray:
    """The places of numbers, none below 0, in their order; equal ones in the order in which they stand."""
    bits = len(numbers).bit_length()
    if not len(numbers) or int(numbers.max()) >= 1 << (63 - bits):
        return np.argsort(numbers, kind="stable")
    # Number and place in one: sorted in a quarter of the time.
    return np.sort((numbers << bits) | np.arange(len(numbers))) & ((1 << bits) - 1)
