"""One block of a raw file -> typed rows by period, rejected rows, counts."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from parcours.errors import InputError
from parcours.flatten.codes import as_codes, written_as_float
from parcours.flatten.convert import clean_strings, convert
from parcours.flatten.converted import ARROW_TYPES, Converted, Texts
from parcours.flatten.csv_bytes import holds_odd_text, holds_padding, plain_utf8
from parcours.flatten.faults import faults, repeats_header
from parcours.flatten.moments import is_moment
from parcours.flatten.numbers import is_number
from parcours.flatten.records import Records, decoded, split_records
from parcours.flatten.selection import UNKNOWN
from parcours.flatten.source import Block
from parcours.snds.codes import code_of
from parcours.snds.contracts import load_table, plausible_years
from parcours.snds.spelling import UNNAMED, folded

TEXT = pa.dictionary(pa.int32(), pa.string())
# Bytes that the CSV reader takes at once: what fits in a core's cache is read twice as fast as 16 MiB.
PARSED_BYTES = 1 << 20


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
    as the header's. Raises InputError when a column holds instants that are not midnight, and their zone is not known.
    """
    forms = {tuple(sorted(how.columns(period).items())) for period in periods if period != UNKNOWN}
    if len(forms) <= 1 and block.rows is None:
        types = how.columns(next((period for period in periods if period != UNKNOWN), UNKNOWN))
        typed = _typed_at_once(block, how, types)
        if typed is not None:
            return _accept_all(typed, how)
    raw, records = raw_columns(block, how.header, how)
    return _read_with_care(raw, records, how)


def period_texts(block: Block, how: Reading) -> tuple[pa.Array, int]:
    """Period of each record of a block ("unknown" where its column cannot be read), and how many lines are no record.

    This is the one reading of the period column: the plan and the rows must agree.
    """
    column = how.period_column
    raw, records = _some_columns(block, [column] if column in how.header else [], how)
    if column not in how.header:
        return pa.array([UNKNOWN] * len(records.lines), pa.string()), len(records.bad)
    return _periods(_single(raw[column]), how), len(records.bad)


def _some_columns(block: Block, names: list[str], how: Reading) -> tuple[pa.Table, Records]:
    """Some columns as they were delivered, at once where a CSV file needs no care."""
    data = None if block.rows is not None else plain_utf8(block.data, how.encoding)
    if data is not None and names:
        try:
            table = _parse(data, how, dict.fromkeys(names, TEXT), names)
            if table.num_rows == block.lines:
                return table, Records([], [], [], 0, 0)
        except pa.ArrowInvalid:
            pass  # a line with another number of fields: split with care below
    return raw_columns(block, names if block.rows is not None else how.header, how)


def row_count(block: Block, how: Reading) -> int:
    """Records of a block and lines that are none, without reading their values."""
    if block.rows is not None:
        return int(block.rows.num_rows)
    data = block.data
    if b'"' in data or b"\n\n" in data or b"\n\r\n" in data or data[:1] in (b"\n", b"\r"):
        records = split_records(data, block.first_line, len(how.header), how.delimiter, last=True)
        return len(records.texts) + len(records.bad)
    return block.lines


def check_instants(block: Block, how: Reading) -> None:
    """Raise InputError where a date holds instants that are not midnight, and the delivery does not say their zone.

    Looks at the columns that are dates in some year; at those of a CSV file only where it may hold a time of day.
    """
    dates = [name for name in how.header if name in load_table(how.table).dates]
    timed = any("%H" in form for form in how.texts.date_formats)
    if how.texts.time_zone or not dates or (block.rows is None and not (timed and b":" in block.data)):
        return
    if block.rows is not None:
        dates = [name for name in dates if folded(name) in map(folded, block.rows.schema.names)]
    columns, _ = _some_columns(block, dates, how)
    for name in dates:
        _check_zoned(name, convert(_single(columns[name]), "date", how.texts), how)


def _check_zoned(name: str, column: Converted, how: Reading) -> None:
    if column.unzoned:
        raise InputError(
            f"{how.file}: column {name} of {how.table} holds instants that are not midnight; write `time_zone:` in "
            "delivery.yaml, such as Europe/Paris: each is the day that it was there (UTC where they are local times)."
        )


def _periods(column: pa.Array, how: Reading) -> pa.Array:
    return months(convert(column, "date", how.texts, plausible_years(how.period_column or "")))


def months(days: Converted) -> pa.Array:
    """Days -> "2016-01"; "unknown" where there is none."""
    encoded = days.values.dictionary_encode()
    names = [f"{day.year:04d}-{day.month:02d}" for day in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices).fill_null(UNKNOWN)


# --- at once: every value of the block is as the contract says ---------------------------------------------------


def _parse(data: bytes, how: Reading, types: dict[str, pa.DataType], include: list[str]) -> pa.Table:
    nulls = ["", *how.texts.null_values] if len(include) == len(how.header) > 1 else []
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
    plain = None if block.rows is not None else plain_utf8(block.data, how.encoding)
    if not plain or len(how.header) == 1 or holds_odd_text(plain, how.delimiter):
        return None
    arrow = {name: TEXT if kind == "date" else ARROW_TYPES[kind] for name, kind in types.items()}
    arrow[UNNAMED] = pa.string()
    try:
        table = _parse(plain, how, arrow, list(how.header))
    except pa.ArrowInvalid:
        return None
    if table.num_rows != block.lines:
        return None
    padded = holds_padding(plain, how.delimiter)
    if UNNAMED in how.header and table[UNNAMED].null_count < table.num_rows:
        return None
    known = load_table(how.table).names
    if any(written_as_float(table[name]) for name, kind in types.items() if kind == "string" and name in known):
        return None
    columns = {name: _finish(_single(table[name]), name, kind, how.texts, padded) for name, kind in types.items()}
    for name, column in columns.items():
        _check_zoned(name, column, how)
    if not _all_good(columns, how):
        return None
    return {**columns, **_padded_numbers(plain, columns, types, how)} if padded else columns


def _padded_numbers(
    data: bytes, columns: dict[str, Converted], types: dict[str, str], how: Reading
) -> dict[str, Converted]:
    """The columns of numbers that blanks or tabs pad, which the CSV reader passes over, with those counted."""
    names = [name for name, kind in types.items() if kind in ("integer", "decimal")]
    found: dict[str, Converted] = {}
    if not names:
        return found
    for name, texts in zip(names, _parse(data, how, dict.fromkeys(names, pa.string()), names).columns, strict=True):
        padded = pc.and_(columns[name].values.is_valid(), pc.match_substring_regex(_single(texts), r"[ \t]"))
        flags = pc.fill_null(padded, False).to_numpy(zero_copy_only=False)
        found |= {name: replace(columns[name], canonical=flags)} if flags.any() else {}
    return found


def _finish(column: pa.Array, name: str, kind: str, texts: Texts, padded: bool) -> Converted:
    if kind == "date":
        return convert(column, kind, texts, plausible_years(name))
    if kind == "string" and padded:
        return clean_strings(column, texts)
    if kind == "decimal":
        bad = pc.fill_null(pc.invert(pc.is_finite(column)), False).to_numpy(zero_copy_only=False)
        return Converted(column, bad if bad.any() else None, None)
    return Converted(column, None, None)


def _all_good(columns: dict[str, Converted], how: Reading) -> bool:
    if any(column.bad is not None for column in columns.values()) or repeats_header(columns, how.key):
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


def raw_columns(block: Block, names: Sequence[str], how: Reading) -> tuple[pa.Table, Records]:
    """Columns of a block as they were delivered, with the records they come from: those of CSV are all texts."""
    if block.rows is not None:
        lines = list(range(block.first_line, block.first_line + block.rows.num_rows))
        found = {folded(name): at for at, name in enumerate(block.rows.schema.names)}
        return pa.table({name: block.rows.column(found[folded(name)]) for name in names}), Records([], lines, [], 0, 0)
    records = split_records(block.data, block.first_line, len(how.header), how.delimiter, last=True)
    records = decoded(records, how.encoding)
    if not records.texts:
        return pa.table({name: pa.array([], TEXT) for name in how.header}), records
    clean = b"\n".join(records.texts) + b"\n"
    types = dict.fromkeys(how.header, TEXT)
    table = pa_csv.read_csv(
        pa.BufferReader(clean),
        pa_csv.ReadOptions(column_names=list(how.header), use_threads=False, block_size=len(clean) + 1),
        pa_csv.ParseOptions(delimiter=how.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
    )
    if table.num_rows != len(records.texts):
        raise AssertionError("records were read as another number of rows")
    return table, records


def _read_with_care(raw: pa.Table, records: Records, how: Reading) -> Rows:
    rows = Rows()
    periods = _row_periods(raw, how)
    own = periods.to_numpy(zero_copy_only=False)
    for line, reason, text in records.bad:
        _reject(rows, how, how.period or how.only_period, line, None, reason, _shown(text, how.encoding))
    for form in sorted({tuple(how.columns(period).items()) for period in set(own)}):
        inside = np.isin(own, [period for period in set(own) if tuple(how.columns(period).items()) == form])
        part = raw if inside.all() else raw.filter(pa.array(inside))
        lines = np.array(records.lines, np.int64)[inside]
        texts = [records.texts[i] for i in np.flatnonzero(inside)] if records.texts else None
        _convert_part(rows, part, dict(form), periods.filter(pa.array(inside)), lines, texts, how)
    return rows


def _row_periods(raw: pa.Table, how: Reading) -> pa.Array:
    if how.period is not None:
        return pa.array([how.period] * raw.num_rows, pa.string())
    if how.period_column not in how.header:
        return pa.array([how.only_period] * raw.num_rows, pa.string())
    own = _periods(_single(raw[how.period_column]), how)
    return pc.if_else(pc.equal(own, UNKNOWN), how.only_period, own)


def _convert_part(
    rows: Rows,
    raw: pa.Table,
    types: dict[str, str],
    periods: pa.Array,
    lines: np.ndarray,
    texts: list[bytes] | None,
    how: Reading,
) -> None:
    columns = {name: _converted(_single(raw[name]), name, kind, how) for name, kind in types.items()}
    accepted = np.ones(raw.num_rows, bool)
    for position, (column, reason) in faults(raw, columns, types, how.key).items():
        accepted[position] = False
        shown = _shown(texts[position], "utf-8") if texts is not None else _as_json(raw, position)
        _reject(rows, how, periods[position].as_py(), int(lines[position]), column, reason, shown)
    table = pa.table({name: column.values for name, column in columns.items()})
    _accept(rows, table, columns, periods, accepted, how)


def _converted(column: pa.Array, name: str, kind: str, how: Reading) -> Converted:
    """A column as its contract type; a text of a column that the contract does not know is any text."""
    read = convert(column, kind, how.texts, plausible_years(name))
    _check_zoned(name, read, how)
    if kind != "string":
        return read
    table = load_table(how.table)
    if name in table.names:
        return as_codes(read, column.type, code_of(name), table.length_of(name))
    return read if is_number(column.type) else replace(read, bad=None)


def _reject(rows: Rows, how: Reading, period: str, line: int, column: str | None, reason: str, raw: str) -> None:
    counts = rows.count(period)
    counts.read += 1
    counts.rejected += 1
    record = {"table": how.table, "file": how.file, "line": line, "column": column, "reason": reason, "raw": raw}
    rows.rejects.append({"period": period, **record})


def _shown(raw: bytes, encoding: str) -> str:
    return raw.decode(encoding, errors="backslashreplace")


def _as_json(raw: pa.Table, position: int) -> str:
    """A row of Parquet or SAS; moments as Arrow writes them, for Python knows those of the years 1 to 9999 alone."""
    row = {name: raw[name][position] for name in raw.column_names}
    values = {name: value.cast(pa.string()) if is_moment(value.type) else value for name, value in row.items()}
    return json.dumps({name: value.as_py() for name, value in values.items()}, ensure_ascii=False, default=str)


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
