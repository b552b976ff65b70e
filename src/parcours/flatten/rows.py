"""One block of a raw file -> typed rows by period, rejected rows, counts."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from parcours.flatten.convert import ARROW_TYPES, NOT_READABLE, Converted, Texts, clean_strings, convert
from parcours.flatten.records import Records, decoded, split_records
from parcours.flatten.source import Block

UNKNOWN = "unknown"
TEXT = pa.dictionary(pa.int32(), pa.string())
# Bytes that the CSV reader takes at once: what fits in a core's cache is read twice as fast as 16 MiB.
PARSED_BYTES = 1 << 20
CACHED_BYTES = 1 << 17


@dataclass(frozen=True)
class Reading:
    """How the rows of one file are read.

    `columns` gives the contract type of each column of the header for a period; `key` are columns that must not be
    null; `period` is the period of the file, or None when `period_column` gives that of each row (month); rows whose
    own period cannot be read belong to `only_period`, that of the rest of the file, when it has just one.
    """

    table: str
    file: str
    header: tuple[str, ...]
    columns: Callable[[str], dict[str, str]]
    key: tuple[str, ...]
    period: str | None
    period_column: str | None
    only_period: str
    amounts: tuple[str, ...]
    delimiter: str
    encoding: str
    texts: Texts


@dataclass
class Counts:
    """What was counted in one period of one table."""

    read: int = 0
    rejected: int = 0
    sentinels: dict[str, int] = field(default_factory=dict)
    canonical: dict[str, int] = field(default_factory=dict)
    amounts: dict[str, float] = field(default_factory=dict)


@dataclass
class Rows:
    """Accepted rows by period; rejected ones as records (period, table, file, line, column, reason, raw)."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)

    def count(self, period: str) -> Counts:
        """The counts of a period, made when it is first met."""
        return self.counts.setdefault(period, Counts())


def read_rows(block: Block, how: Reading, periods: list[str]) -> Rows:
    """The rows of a block, typed; `periods` are those that the block is known to hold.

    A row is rejected whole when a value is not of its contract type, a key is null, or its fields are not as many
    as the header's.
    """
    forms = {tuple(sorted(how.columns(period).items())) for period in periods if period != UNKNOWN}
    if len(forms) <= 1 and block.rows is None:
        types = how.columns(next((period for period in periods if period != UNKNOWN), UNKNOWN))
        typed = _typed_at_once(block, how, types)
        if typed is not None:
            return _accept_all(typed, how)
    texts, records = text_columns(block, how.header, how.delimiter, how.encoding)
    return _read_with_care(texts, records, how)


def period_texts(block: Block, how: Reading) -> tuple[pa.Array, int]:
    """Period of each record of a block ("unknown" where its column cannot be read), and how many lines are no record.

    This is the one reading of the period column: the plan and the rows must agree.
    """
    data = _plain_utf8(block, how.encoding)
    column = how.period_column
    if data is not None and column in how.header:
        try:
            table = _parse(data, how, {column: TEXT}, [column])
            if table.num_rows == block.lines:
                return _periods(_single(table[column]), how.texts), 0
        except pa.ArrowInvalid:
            pass  # a line with another number of fields: split with care below
    if block.rows is not None:
        return _periods_of_rows(block.rows, how), 0
    texts, records = text_columns(block, how.header, how.delimiter, how.encoding)
    if column not in how.header:
        return pa.array([UNKNOWN] * texts.num_rows, pa.string()), len(records.bad)
    return _periods(_single(texts[column]), how.texts), len(records.bad)


def _periods_of_rows(rows: pa.RecordBatch, how: Reading) -> pa.Array:
    if how.period_column not in how.header:
        return pa.array([UNKNOWN] * rows.num_rows, pa.string())
    return _periods(_texts_of(rows.column(how.period_column)), how.texts)


def row_count(block: Block, how: Reading) -> int:
    """Records of a block and lines that are none, without reading their values."""
    if block.rows is not None:
        return int(block.rows.num_rows)
    data = block.data
    if b'"' in data or b"\n\n" in data or b"\n\r\n" in data or data[:1] in (b"\n", b"\r"):
        records = split_records(data, block.first_line, len(how.header), how.delimiter, last=True)
        return len(records.texts) + len(records.bad)
    return block.lines


def _periods(column: pa.Array, texts: Texts) -> pa.Array:
    return months(convert(column, "date", texts))


def months(days: Converted) -> pa.Array:
    """Days -> "2016-01"; "unknown" where there is none."""
    encoded = days.values.dictionary_encode()
    names = [f"{day.year:04d}-{day.month:02d}" for day in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices).fill_null(UNKNOWN)


# --- at once: every value of the block is as the contract says ---------------------------------------------------


def _plain_utf8(block: Block, encoding: str) -> bytes | None:
    """The block as UTF-8 when it holds no quote, lone carriage return or byte that is not of the encoding."""
    data = block.data
    if block.rows is not None or b'"' in data:
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    if data.isascii():
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError:
        return None


def _parse(data: bytes, how: Reading, types: dict[str, pa.DataType], include: list[str]) -> pa.Table:
    nulls = [] if len(include) == 1 else ["", *how.texts.null_values]
    return pa_csv.read_csv(
        pa.BufferReader(data),
        pa_csv.ReadOptions(column_names=list(how.header), use_threads=False, block_size=PARSED_BYTES),
        pa_csv.ParseOptions(delimiter=how.delimiter, quote_char=False),
        pa_csv.ConvertOptions(
            column_types=types, include_columns=include, null_values=nulls, strings_can_be_null=bool(nulls)
        ),
    )


def _typed_at_once(block: Block, how: Reading, types: dict[str, str]) -> dict[str, Converted] | None:
    """All columns typed by the CSV reader; None when anything in the block needs care."""
    plain = _plain_utf8(block, how.encoding)
    if not plain or len(how.header) == 1 or _holds_hexadecimal(plain, how.delimiter):
        return None
    arrow = {name: TEXT if kind == "date" else ARROW_TYPES[kind] for name, kind in types.items()}
    try:
        table = _parse(plain, how, arrow, list(how.header))
    except pa.ArrowInvalid:
        return None
    if table.num_rows != block.lines:
        return None
    padded = b" " in plain and any(pad in plain for pad in (f" {how.delimiter}".encode(), b" \n", b" \r"))
    columns = {
        name: _finish(_single(table[name]), kind, how.texts, padded or plain.endswith(b" "))
        for name, kind in types.items()
    }
    return columns if _all_good(columns, how) else None


def _holds_hexadecimal(data: bytes, delimiter: str) -> bool:
    """Whether a field such as 0x1F is there, which the CSV reader would take for an integer."""
    field = _hexadecimal_field(delimiter)
    before = np.zeros(256, bool)
    before[list(f"-\n \t{delimiter}".encode())] = True
    codes = np.frombuffer(data, np.uint8)
    for start in range(0, len(codes), CACHED_BYTES):
        some = codes[start : start + CACHED_BYTES + 1]
        found = np.flatnonzero((some[:-1] == ord("0")) & ((some[1:] | 0x20) == ord("x"))) + start
        starts = found[(found == 0) | before[codes[found - 1]]]
        if any(field.match(data, at) for at in starts.tolist()):
            return True
    return False


@cache
def _hexadecimal_field(delimiter: str) -> re.Pattern[bytes]:
    return re.compile(rb"0[xX][0-9A-Fa-f]+[ \t]*(?:[\r\n" + re.escape(delimiter).encode() + rb"]|\Z)")


def _finish(column: pa.Array, kind: str, texts: Texts, padded: bool) -> Converted:
    if kind == "date":
        return convert(column, kind, texts)
    if kind == "string" and padded:
        return clean_strings(column, texts)
    if kind == "decimal":
        bad = pc.fill_null(pc.invert(pc.is_finite(column)), False).to_numpy(zero_copy_only=False)
        return Converted(column, bad if bad.any() else None, None)
    return Converted(column, None, None)


def _all_good(columns: dict[str, Converted], how: Reading) -> bool:
    if any(column.bad is not None for column in columns.values()):
        return False
    return all(name in columns and columns[name].values.null_count == 0 for name in how.key)


def _accept_all(columns: dict[str, Converted], how: Reading) -> Rows:
    rows = Rows()
    table = pa.table({name: column.values for name, column in columns.items()})
    if how.period is not None:
        periods = pa.array([how.period]).take(pa.array(np.zeros(table.num_rows, np.int8)))
    else:
        periods = months(columns[how.period_column or ""])
    _accept(rows, table, columns, periods, np.ones(table.num_rows, bool), how)
    return rows


# --- with care: column by column, keeping what can be read -------------------------------------------------------


def text_columns(block: Block, header: tuple[str, ...], delimiter: str, encoding: str) -> tuple[pa.Table, Records]:
    """All columns of a block as texts (dictionary-encoded), with the records they come from."""
    if block.rows is not None:
        return _parquet_texts(block, header)
    records = split_records(block.data, block.first_line, len(header), delimiter, last=True)
    records = decoded(records, encoding)
    clean = b"\n".join(records.texts) + b"\n"
    table = (
        pa_csv.read_csv(
            pa.BufferReader(clean if records.texts else b""),
            pa_csv.ReadOptions(column_names=list(header), use_threads=False, block_size=len(clean) + 1),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(header, TEXT), null_values=[], strings_can_be_null=False),
        )
        if records.texts
        else pa.table({name: pa.array([], TEXT) for name in header})
    )
    if table.num_rows != len(records.texts):
        raise AssertionError("records were read as another number of rows")
    return table, records


def _parquet_texts(block: Block, header: tuple[str, ...]) -> tuple[pa.Table, Records]:
    assert block.rows is not None
    lines = list(range(block.first_line, block.first_line + block.rows.num_rows))
    table = pa.table({name: _texts_of(block.rows.column(name)) for name in header})
    return table, Records([], lines, [], 0, 0)


def _texts_of(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.date32(), safe=False)
    return column.cast(pa.string()).dictionary_encode()


def _read_with_care(texts: pa.Table, records: Records, how: Reading) -> Rows:
    rows = Rows()
    periods = _row_periods(texts, how)
    own = periods.to_numpy(zero_copy_only=False)
    for line, reason, raw in records.bad:
        _reject(rows, how, how.period or how.only_period, line, None, reason, _shown(raw, how.encoding))
    for form in sorted({tuple(how.columns(period).items()) for period in set(own)}):
        inside = np.isin(own, [period for period in set(own) if tuple(how.columns(period).items()) == form])
        part = texts if inside.all() else texts.filter(pa.array(inside))
        lines = np.array(records.lines, np.int64)[inside]
        raws = [records.texts[i] for i in np.flatnonzero(inside)] if records.texts else None
        _convert_part(rows, part, dict(form), periods.filter(pa.array(inside)), lines, raws, how)
    return rows


def _row_periods(texts: pa.Table, how: Reading) -> pa.Array:
    if how.period is not None:
        return pa.array([how.period] * texts.num_rows, pa.string())
    if how.period_column not in how.header:
        return pa.array([how.only_period] * texts.num_rows, pa.string())
    own = _periods(_single(texts[how.period_column]), how.texts)
    return pc.if_else(pc.equal(own, UNKNOWN), how.only_period, own)


def _convert_part(
    rows: Rows,
    texts: pa.Table,
    types: dict[str, str],
    periods: pa.Array,
    lines: np.ndarray,
    raws: list[bytes] | None,
    how: Reading,
) -> None:
    columns = {name: convert(_single(texts[name]), kind, how.texts) for name, kind in types.items()}
    accepted = np.ones(texts.num_rows, bool)
    for position, (column, reason) in _faults(columns, types, how, texts.num_rows).items():
        accepted[position] = False
        raw = _shown(raws[position], "utf-8") if raws is not None else _as_json(texts, position)
        _reject(rows, how, periods[position].as_py(), int(lines[position]), column, reason, raw)
    table = pa.table({name: column.values for name, column in columns.items()})
    _accept(rows, table, columns, periods, accepted, how)


def _faults(
    columns: dict[str, Converted], types: dict[str, str], how: Reading, count: int
) -> dict[int, tuple[str, str]]:
    """First fault of each faulty row: position -> (column, reason)."""
    found: dict[int, tuple[str, str]] = {}
    for name in how.key:
        if name not in columns:
            found.update(dict.fromkeys(range(count), (name, "the file has no such column, which is a key")))
    for name, column in columns.items():
        for row in np.flatnonzero(column.bad) if column.bad is not None else ():
            found.setdefault(int(row), (name, NOT_READABLE[types[name]]))
        if name in how.key:
            for row in np.flatnonzero(column.values.is_null().to_numpy(zero_copy_only=False)):
                found.setdefault(int(row), (name, "the key is empty"))
    return dict(sorted(found.items()))


def _reject(rows: Rows, how: Reading, period: str, line: int, column: str | None, reason: str, raw: str) -> None:
    counts = rows.count(period)
    counts.read += 1
    counts.rejected += 1
    record = {"table": how.table, "file": how.file, "line": line, "column": column, "reason": reason, "raw": raw}
    rows.rejects.append({"period": period, **record})


def _shown(raw: bytes, encoding: str) -> str:
    return raw.decode(encoding, errors="backslashreplace")


def _as_json(texts: pa.Table, position: int) -> str:
    return json.dumps(texts.slice(position, 1).to_pylist()[0], ensure_ascii=False)


def _accept(
    rows: Rows,
    table: pa.Table,
    columns: dict[str, Converted],
    periods: pa.Array,
    accepted: np.ndarray,
    how: Reading,
) -> None:
    for period in pc.unique(periods).to_pylist():
        mask = accepted & pc.equal(periods, period).to_numpy(zero_copy_only=False)
        if not mask.any():
            continue
        part = table if mask.all() else table.filter(pa.array(mask))
        held = [rows.tables[period]] if period in rows.tables else []
        rows.tables[period] = pa.concat_tables([*held, part], promote_options="default")
        _count_accepted(rows.count(period), part, columns, mask, how)


def _count_accepted(
    counts: Counts, part: pa.Table, columns: dict[str, Converted], mask: np.ndarray, how: Reading
) -> None:
    counts.read += part.num_rows
    for name, column in columns.items():
        for flags, counted in ((column.sentinel, counts.sentinels), (column.canonical, counts.canonical)):
            if flags is not None and (found := int((flags & mask).sum())):
                counted[name] = counted.get(name, 0) + found
    for name in how.amounts:
        if name in part.column_names:
            counts.amounts[name] = counts.amounts.get(name, 0.0) + (pc.sum(part[name]).as_py() or 0.0)


def _single(column: pa.ChunkedArray) -> pa.Array:
    """One array; a block is parsed as one chunk, so nothing is copied."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
