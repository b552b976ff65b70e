"""SAS tables of tests, written by the C library that pyreadstat carries (its Python functions write no .sas7bdat).

Real SAS writes more forms than this writer: see tests/spec/flatten/sas/README.md.
"""

import csv
import ctypes
from datetime import date, datetime
from functools import cache
from pathlib import Path

import pyreadstat

from parcours.snds.contracts import load_table

STRING, DOUBLE = 0, 5
ROWS_COMPRESSED = 1
ORIGIN = datetime(1960, 1, 1)
TAKE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


@cache
def _library():
    (file,) = Path(pyreadstat.__file__).parent.glob("_readstat_writer*.so")
    library = ctypes.CDLL(str(file))
    library.readstat_writer_init.restype = library.readstat_add_variable.restype = ctypes.c_void_p
    library.readstat_insert_double_value.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double]
    library.readstat_insert_string_value.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p]
    library.readstat_insert_missing_value.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.readstat_insert_tagged_missing_value.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char]
    library.readstat_add_variable.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t]
    library.readstat_variable_set_format.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.readstat_variable_set_label.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.readstat_begin_writing_sas7bdat.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    return library


def days(day):
    """A day as SAS counts it."""
    return (day - ORIGIN.date()).days


def seconds(moment):
    """An instant as SAS counts it."""
    return (moment - ORIGIN).total_seconds()


class Missing(str):
    """A special missing value: A to Z, or _."""


def sas_table(columns, rows, compressed=False, wide=True):
    """The bytes of a table; `columns`: name -> format ("$" for a text, "" for a bare number), `rows` tuples.

    A day or an instant is given as one; None is the missing value `.` of a number. Raises ValueError of what SAS itself
    does not take; of names and texts of any length the writer would write beyond its memory.
    """
    _check_lengths(columns, rows)
    library, parts = _library(), []

    @TAKE
    def take(data, size, _):
        parts.append(ctypes.string_at(data, size))
        return size

    writer = ctypes.c_void_p(library.readstat_writer_init())
    library.readstat_set_data_writer(writer, take)
    library.readstat_writer_set_compression(writer, ROWS_COMPRESSED if compressed else 0)
    library.readstat_writer_set_file_format_is_64bit(writer, int(wide))
    variables = [
        _variable(library, writer, name, form, [row[at] for row in rows])
        for at, (name, form) in enumerate(columns.items())
    ]
    _check(library.readstat_begin_writing_sas7bdat(writer, None, len(rows)))
    for row in rows:
        _check(library.readstat_begin_row(writer))
        for variable, form, value in zip(variables, columns.values(), row, strict=True):
            _check(_insert(library, writer, variable, form, value))
        _check(library.readstat_end_row(writer))
    _check(library.readstat_end_writing(writer))
    library.readstat_writer_free(writer)
    return b"".join(parts)


def _check_lengths(columns, rows):
    if not columns or any(not 0 < len(name.encode()) <= 32 for name in columns):
        raise ValueError("a name of a SAS column has 1 to 32 bytes")
    if any(isinstance(value, str) and len(value.encode()) > 2000 for row in rows for value in row):
        raise ValueError("a text of these tables has 2,000 bytes at most")


def _variable(library, writer, name, form, values):
    text = form.startswith("$")
    width = max([1, *(len((value or "").encode()) for value in values)]) if text else 8
    variable = ctypes.c_void_p(library.readstat_add_variable(writer, name.encode(), STRING if text else DOUBLE, width))
    if form.strip("$"):
        library.readstat_variable_set_format(variable, form.encode())
    return variable


def _insert(library, writer, variable, form, value):
    if form.startswith("$"):
        return library.readstat_insert_string_value(writer, variable, (value or "").encode())
    if value is None:
        return library.readstat_insert_missing_value(writer, variable)
    if isinstance(value, Missing):
        return library.readstat_insert_tagged_missing_value(writer, variable, value.encode())
    if isinstance(value, datetime):
        value = seconds(value)
    elif isinstance(value, date):
        value = days(value) * (86_400 if form.startswith("DATETIME") else 1)
    return library.readstat_insert_double_value(writer, variable, float(value))


def _check(code):
    if code:
        raise ValueError(f"the writer of SAS tables ended with {code}")


# --- a CSV file as a SAS table -----------------------------------------------------------------------------------


def sas_of(text, table, dates="DATE9", **form):
    """The bytes of the SAS table of a CSV file: columns have the type of the contract where all values allow it."""
    header, *lines = csv.reader(text.splitlines(), delimiter=";")
    known = load_table(table).columns_of(None)
    columns, values = {}, []
    for name, texts in zip(header, zip(*lines, strict=True) if lines else [()] * len(header), strict=True):
        kind = known[name].type if name in known else "string"
        columns[name], found = _typed(texts, kind, dates)
        values.append(found)
    return sas_table(columns, list(zip(*values, strict=True)), **form)


def _typed(texts, kind, dates):
    read = {"integer": int, "decimal": float, "date": date.fromisoformat}.get(kind, str)
    try:
        return {"date": dates, "string": "$"}.get(kind, ""), [read(text) if text else None for text in texts]
    except ValueError:
        return "$", list(texts)
