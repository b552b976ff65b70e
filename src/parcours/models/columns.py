"""Columns of tables (pandas, Arrow, or a mapping of arrays) as checked numpy arrays; result tables as pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parcours.errors import InputError
from parcours.leaving import ROWS, in_words

if TYPE_CHECKING:
    import pandas as pd


def check_columns(table: Any, name: str, columns: Sequence[str]) -> None:
    """Raise `InputError` unless `table` has all `columns`, of one length; `name` is used in the sentence."""
    present = columns_of(table)
    if present is None:
        raise InputError(
            f"The table {name} is a {type(table).__name__}: give a pandas DataFrame, an Arrow table, or a mapping of "
            "numpy arrays by column."
        )
    missing = [column for column in columns if column not in present]
    if missing:
        raise InputError(f"The table {name} lacks the column {missing[0]}: it needs {', '.join(columns)}.")
    if len({len(table[column]) for column in present}) > 1:
        raise InputError(f"The columns of {name} are not of one length: give each row a value in each.")


def columns_of(table: Any) -> list[str] | None:
    """The names of the columns of a table; None of what is none."""
    named = table if isinstance(table, Mapping) else getattr(table, "column_names", getattr(table, "columns", None))
    return None if named is None else list(named)


def _values(table: Any, column: str) -> np.ndarray:
    data = table[column]
    return np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)


def _missing(values: np.ndarray) -> np.ndarray:
    """Which values are missing, shape (rows,)."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "O":
        return np.array([value is None or value != value or type(value).__name__ == "NAType" for value in values], bool)
    return np.zeros(len(values), bool)


def _refuse_missing(missing: np.ndarray, name: str, column: str) -> None:
    count = int(missing.sum())
    if count:
        rows = in_words(count, ROWS)
        raise InputError(f"The column {column} of {name} has missing values in {rows}: fill them or remove the rows.")


def read_days(table: Any, name: str, column: str) -> np.ndarray:
    """A column of whole days as int64, shape (rows,). Raises `InputError` on missing or fractional values."""
    values = _values(table, column)
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    _refuse_missing(_missing(values), name, column)
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
    elif hasattr(data, "factorize"):
        codes, values = data.factorize()
    else:
        codes, values = _of_array(np.asarray(data))
    _refuse_missing(codes < 0, name, column)
    texts, place = np.unique(np.asarray(values).astype(str), return_inverse=True)
    return place[codes] if len(codes) else np.zeros(0, dtype=np.int64), texts


def _of_array(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes and distinct values of an array; -1 where a value is missing."""
    told = ~_missing(data)
    values, place = np.unique(data[told], return_inverse=True)
    codes = np.full(len(data), -1, np.int64)
    codes[told] = place
    return codes, values


def read_keys(table: Any, name: str, column: str) -> np.ndarray:
    """A column of integers or strings, shape (rows,). Raises `InputError` on missing values."""
    values = _values(table, column)
    _refuse_missing(_missing(values), name, column)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        return read_days(table, name, column)
    return values.astype(str)


def result_table(columns: dict[str, Any]) -> pd.DataFrame:
    """The columns as a pandas DataFrame (imported here, so that the models load without pandas)."""
    import pandas as pd

    return pd.DataFrame(columns)
