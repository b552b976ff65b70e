"""Columns of pandas and Arrow tables as checked numpy arrays, and result tables as pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parcours.errors import InputError
from parcours.leaving import ROWS, in_words

if TYPE_CHECKING:
    import pandas as pd


def check_columns(table: Any, name: str, columns: Sequence[str]) -> None:
    """Raise `InputError` unless `table` (pandas or Arrow) has all `columns`; `name` is used in the sentence."""
    present = getattr(table, "column_names", None)
    if present is None:
        present = getattr(table, "columns", None)
    if present is None:
        raise InputError(f"The table {name} is a {type(table).__name__}: give a pandas DataFrame or an Arrow table.")
    missing = [column for column in columns if column not in list(present)]
    if missing:
        raise InputError(f"The table {name} lacks the column {missing[0]}: it needs {', '.join(columns)}.")


def _values(table: Any, column: str) -> np.ndarray:
    data = table[column]
    return np.asarray(data.to_numpy())


def _count_missing(values: np.ndarray) -> int:
    if values.dtype.kind == "f":
        return int(np.isnan(values).sum())
    if values.dtype.kind == "O":
        return sum(value is None or value != value or type(value).__name__ == "NAType" for value in values)
    return 0


def read_days(table: Any, name: str, column: str) -> np.ndarray:
    """A column of whole days as int64, shape (rows,). Raises `InputError` on missing or fractional values."""
    values = _values(table, column)
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    missing = _count_missing(values)
    if missing:
        rows = in_words(missing, ROWS)
        raise InputError(f"The column {column} of {name} has missing values in {rows}: fill them or remove the rows.")
    try:
        numbers = values if values.dtype.kind in "iu" else values.astype(np.float64)
    except (TypeError, ValueError) as fault:
        raise InputError(f"The column {column} of {name} is not numeric: give whole days as integers.") from fault
    if values.dtype.kind in "Mm" or not np.array_equal(numbers, np.floor(numbers)) or np.abs(numbers).max() > 1e9:
        raise InputError(f"The column {column} of {name} holds values that are not whole days: give integers.")
    return numbers.astype(np.int64)


def read_doses(table: Any, name: str, column: str) -> np.ndarray:
    """A column of doses, shape (rows,). Raises `InputError` on values that are missing, infinite or not above zero."""
    try:
        values = _values(table, column).astype(np.float64)
    except (TypeError, ValueError) as fault:
        raise InputError(f"The column {column} of {name} is not numeric: give doses as numbers.") from fault
    wrong = int((~(np.isfinite(values) & (values > 0))).sum())
    if wrong:
        rows = in_words(wrong, ROWS)
        raise InputError(f"The column {column} of {name} has {rows} without a dose above zero: fill or remove them.")
    return values


def read_names(table: Any, name: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of names or numbers as codes (rows,) into its distinct values, sorted as texts, (values,).

    pandas and Arrow find the distinct values themselves, much faster than a sort of all. Raises `InputError` on missing
    values.
    """
    data = table[column]
    if hasattr(data, "dictionary_encode"):
        encoded = (
            data.combine_chunks().dictionary_encode() if hasattr(data, "combine_chunks") else data.dictionary_encode()
        )
        codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
        values = np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False))
    else:
        codes, values = data.factorize()
    missing = int((codes < 0).sum())
    if missing:
        rows = in_words(missing, ROWS)
        raise InputError(f"The column {column} of {name} has missing values in {rows}: fill them or remove the rows.")
    texts, place = np.unique(np.asarray(values).astype(str), return_inverse=True)
    return place[codes] if len(codes) else np.zeros(0, dtype=np.int64), texts


def read_keys(table: Any, name: str, column: str) -> np.ndarray:
    """A column of integers or strings, shape (rows,). Raises `InputError` on missing values."""
    values = _values(table, column)
    missing = _count_missing(values)
    if missing:
        rows = in_words(missing, ROWS)
        raise InputError(f"The column {column} of {name} has missing values in {rows}: fill them or remove the rows.")
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        return read_days(table, name, column)
    return values.astype(str)


def result_table(columns: dict[str, Any]) -> pd.DataFrame:
    """The columns as a pandas DataFrame (imported here, so that the models load without pandas)."""
    import pandas as pd

    return pd.DataFrame(columns)
