"""SAS tables (.sas7bdat) as Arrow rows, some pages at a time; pyreadstat reads them.

pyreadstat can begin at a row, but passes over every page before it: many ranges of one table would cost the square of
its size. It is given the pages of a range, behind those that describe the columns, as a table of their own, so that
each range costs itself alone (measured in docs/adr/0008-sas-tables-by-pages.md).
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from re import fullmatch
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyreadstat

import parcours.snds
from parcours.errors import InputError
from parcours.flatten.sas_pages import (
    DamagedTableError,
    Digest,
    Layout,
    Survey,
    read_layout,
    rows_of,
    survey,
    table_of,
)
from parcours.snds.declarations import read_facts
from parcours.storage.place import Place

ORIGIN = date(1960, 1, 1)
DAY_SECONDS = 86_400
# Bytes of pages that are looked at once.
LOOKED_AT = 16 << 20
# Whole numbers up to here are told apart by a float.
WHOLE = 2**53
FIRST_DAY, LAST_DAY = (date.min - ORIGIN).days, (date.max - ORIGIN).days
TO_1970 = (date(1970, 1, 1) - ORIGIN).days


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns in its order, what the numbers of each are (days, instants, parts, number; text), and
    the bytes of a row."""

    kinds: dict[str, str]
    width: int


@dataclass(frozen=True)
class PageRange:
    """Pages `start` to `end` (offsets in the file), and the numbers of their rows from 1."""

    start: int
    end: int
    first_row: int
    number: int


def is_sas(path: Place) -> bool:
    """Whether the ending says a SAS table."""
    return path.suffix.lower() == ".sas7bdat"


@contextmanager
def opened(path: Place) -> Iterator[BinaryIO]:
    """The file of a table; InputError in place of what readers raise of a table that is broken."""
    try:
        with path.open("rb") as source:
            yield source
    except DamagedTableError as error:
        raise InputError(f"{path} cannot be read as a SAS table ({error}); deliver it again.") from error


def survey_of(path: Place, digest: Digest | None = None) -> Survey:
    """All pages of a table; `digest` is given the bytes of the file.

    Raises InputError when the table is cut short or damaged, or holds deleted rows.
    """
    with opened(path) as source:
        found = survey(source, LOOKED_AT, digest)
        _, told = _read(table_of(source, found.layout, found.frame), metadataonly=True)
        if told.number_rows != found.rows.sum():
            raise DamagedTableError("its pages do not hold as many rows as it says")
        return found


def sas_columns(path: Place, frame: list[int]) -> Columns:
    """The columns of a table.

    Raises InputError when one is shown as a part of its value (a month of a day), or as a time of day.
    """
    with opened(path) as source:
        _, told = _read(table_of(source, read_layout(source), frame), metadataonly=True)
        if None in told.column_names:
            raise DamagedTableError("a column has no name")
    kinds = {name: _kind(told, name) for name in told.column_names}
    for number, (name, kind) in enumerate(kinds.items(), 1):
        if kind == "parts":
            raise InputError(
                f"{path}: column {number} has the format {told.original_variable_types[name]}, which shows a part of a "
                "day or a time of day; give it a format of whole days or instants, or write it as a text."
            )
    return Columns(kinds, sum(told.variable_storage_width.values()))


def page_ranges(found: Survey, width: int, block: int) -> Iterator[PageRange]:
    """The pages that have rows, about `block` bytes at a time: on disk, or in memory with rows of `width` bytes."""
    size = np.maximum(found.layout.page_size, found.rows * width)
    before = np.concatenate([[0], np.cumsum(size)[:-1]]) // max(block, 1)
    firsts = np.flatnonzero(np.diff(before, prepend=-1))
    rows = np.add.reduceat(found.rows, firsts) if len(firsts) else firsts
    done = 0
    for first, last, number in zip(firsts, [*firsts[1:], found.layout.pages], rows.tolist(), strict=True):
        if number:
            yield PageRange(found.layout.start(int(first)), found.layout.start(int(last)), done + 1, number)
        done += number


def read_pages(
    path: Place, frame: list[int], pages: PageRange, names: list[str] | None = None, *, zeros: bool = False
) -> pa.RecordBatch:
    """The rows of some pages: all columns, or those of `names`; missing values of every kind are null.

    With `zeros`, numbers that their format shows with zeros before them (Z9.) are texts, as a CSV file has them.

    Whole numbers are int64, days date32, instants timestamp[us], texts without the blanks that fill them. Raises
    InputError when the table is broken or a text is not of the encoding that it states.
    """
    if names == []:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * pages.number, pa.struct([])))
    with opened(path) as source:
        some = _with_frame(source, read_layout(source), frame, pages)
        values, told = _read(
            some.table, row_offset=some.before, row_limit=pages.number, usecols=names, disable_datetime_conversion=True
        )
    return pa.record_batch(
        {name: _column(values[name], _kind(told, name), zeros * _zeros(told, name)) for name in told.column_names}
    )


@dataclass(frozen=True)
class _Framed:
    """Pages of a range among those that describe the columns, and the rows of these before the range."""

    table: io.BytesIO
    before: int


def _with_frame(source: BinaryIO, layout: Layout, frame: list[int], pages: PageRange) -> _Framed:
    first, last = layout.page_at(pages.start), layout.page_at(pages.end)
    numbers = sorted({*frame, *range(first, last)})
    before = [page for page in numbers if page < first]
    return _Framed(table_of(source, layout, numbers), rows_of(source, layout, before) if before else 0)


def _read(table: io.BytesIO, **how: Any) -> tuple[dict[str, list[Any]], Any]:
    """Columns as lists, and what the table says of them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found: tuple[dict[str, list[Any]], Any] = pyreadstat.read_sas7bdat(table, output_format="dict", **how)
            return found
    except UnicodeDecodeError as error:
        raise DamagedTableError("a text of it is not of the encoding that it states") from error
    except UserWarning as error:  # the reader would give the second one a name of its own
        raise DamagedTableError("two columns have one name") from error
    except TypeError as error:  # of a name that is not there, met twice
        raise DamagedTableError("columns have no name") from error
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, OverflowError) as error:
        raise DamagedTableError(_why(error)) from error


def _why(error: Exception) -> str:
    """What the reader says; its own words on a text may quote it, so they are not passed on."""
    if "convert" in str(error).lower():
        return "a text of it is not of the encoding that it states"
    if "charset" in str(error).lower():
        return "its encoding is not known"
    return "its content is damaged"


# --- values ------------------------------------------------------------------------------------------------------


def _kind(told: Any, name: str) -> str:
    if told.readstat_variable_types[name] == "string":
        return "text"
    shown = fullmatch(r"([A-Z_][A-Z0-9_]*?)\d*(\.\d*)?", (told.original_variable_types[name] or "").upper())
    return _kinds_of_formats().get(shown[1], "number") if shown else "number"


def _zeros(told: Any, name: str) -> int:
    """The width of numbers that are shown with zeros before them, such as 9 of Z9.; 0 of others."""
    shown = fullmatch(r"Z(\d+)(\.0?)?", (told.original_variable_types[name] or "").upper())
    return int(shown[1]) if shown else 0


@cache
def _kinds_of_formats() -> dict[str, str]:
    declared = read_facts(Path(parcours.snds.__file__).parent / "sas_formats.yaml")
    return {name: kind for kind, names in declared.items() for name in names}


def _column(values: list[Any], kind: str, zeros: int) -> pa.Array:
    if kind == "text":
        return pc.utf8_rtrim(pa.array(values, pa.string()), " ")
    numbers = pa.array(values, pa.float64())
    if kind == "number":
        return _with_zeros(numbers, zeros) if zeros else _numbers(numbers)
    seconds = pc.multiply(numbers, float(DAY_SECONDS)) if kind == "days" else numbers
    return _moments(numbers, seconds.to_numpy(zero_copy_only=False), kind)


def _numbers(numbers: pa.Array) -> pa.Array:
    """Integers where all are: every number of a SAS table is a float."""
    values = numbers.drop_null().to_numpy()
    whole = bool((np.abs(values) <= WHOLE).all() and (values == np.floor(values)).all())
    return numbers.cast(pa.int64()) if whole else numbers


def _with_zeros(numbers: pa.Array, width: int) -> pa.Array:
    """Texts of whole numbers as a format such as Z9. shows them: that of a code which SAS keeps as a number."""
    values = numbers.to_numpy(zero_copy_only=False)
    whole = numbers.is_valid().to_numpy(zero_copy_only=False) & (values >= 0) & (values <= WHOLE)
    whole &= np.floor(np.where(whole, values, 0)) == values
    digits = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
    return pc.if_else(pa.array(whole), pc.utf8_lpad(digits, width=width, padding="0"), numbers.cast(pa.string()))


def _moments(numbers: pa.Array, seconds: np.ndarray, kind: str) -> pa.Array:
    """Days, or instants where a value is no whole day; texts where a number is of no year from 1 to 9999."""
    known = ~np.isnan(seconds)
    inside = known & (seconds >= FIRST_DAY * DAY_SECONDS) & (seconds < (LAST_DAY + 1) * DAY_SECONDS)
    held = np.where(inside, seconds, 0.0)
    if kind == "days" and (held % DAY_SECONDS == 0).all():
        days = pa.array((held // DAY_SECONDS).astype(np.int32) - TO_1970, pa.int32(), mask=~inside)
        return _or_texts(days.cast(pa.date32()), numbers, known & ~inside)
    micros = np.rint(held * 1e6).astype(np.int64) - TO_1970 * DAY_SECONDS * 10**6
    return _or_texts(pa.array(micros, pa.int64(), mask=~inside).cast(pa.timestamp("us")), numbers, known & ~inside)


def _or_texts(moments: pa.Array, numbers: pa.Array, outside: np.ndarray) -> pa.Array:
    """The moments; as texts when some numbers are outside the calendar: their rows are then rejected one by one."""
    if not outside.any():
        return moments
    return pc.if_else(pa.array(outside), pc.binary_join_element_wise("number", numbers.cast(pa.string()), " "),
                      pc.utf8_replace_slice(moments.cast(pa.string()), 19, 26, ""))  # fmt: skip
