"""What a raw file holds: checksum, header, where its blocks are, how many rows of which period.

A first pass over each file (about a tenth of the work of flattening it), kept under `<root>/_scans` for as long as
the file is the same file: it gives plans without Spark, real line numbers, and safe places to cut.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from re import fullmatch

import pyarrow.compute as pc

from parcours.errors import InputError
from parcours.flatten.converted import Texts
from parcours.flatten.dates import ISO
from parcours.flatten.needed import check_columns
from parcours.flatten.rows import Reading, check_instants, period_texts, row_count
from parcours.flatten.sas import Columns, is_sas, sas_columns, survey_of
from parcours.flatten.selection import UNKNOWN
from parcours.flatten.source import (
    Block,
    blocks,
    check_names,
    header,
    header_line,
    is_parquet,
    is_plain,
    read_pages_of,
    read_range,
    sas_blocks,
)
from parcours.snds.contracts import Product, load_table
from parcours.snds.delivery import Delivery, RawFile
from parcours.snds.person_forms import named_columns
from parcours.snds.spelling import UNNAMED, folded, spelled
from parcours.storage.fingerprint import checksum, fingerprint, named, sources_version
from parcours.storage.manifest import write_json
from parcours.storage.place import Place, place, stamp
from parcours.storage.root import Root


@dataclass(frozen=True)
class Span:
    """One block of a file: offsets, the number of its first line, its lines, and its rows by period."""

    start: int
    end: int
    first_line: int
    lines: int
    rows: dict[str, int]


@dataclass(frozen=True)
class Scan:
    """One raw file as it was when it was read; `splittable` files can be read block by block.

    `period` is that of the whole file, None where each row has its own; `frame` are the pages of a SAS table that
    describe its columns.
    """

    table: str
    path: str
    name: str
    year: int | None
    period: str | None
    bytes: int
    checksum: str
    stamp: list[int]
    header: list[str]
    splittable: bool
    spans: list[Span]
    frame: list[int] = field(default_factory=list)

    @property
    def periods(self) -> dict[str, int]:
        """Rows by period; rows whose own period cannot be read count for the only other period, if there is one."""
        total: Counter[str] = Counter() if self.period is None else Counter({self.period: 0})
        for span in self.spans:
            total.update(span.rows)
        if self.only_period != UNKNOWN and UNKNOWN in total:
            total[self.only_period] += total.pop(UNKNOWN)
        return dict(total)

    @property
    def only_period(self) -> str:
        """The period of all rows whose period can be read; "unknown" when they have several or none."""
        known = {period for span in self.spans for period in span.rows} - {UNKNOWN}
        return known.pop() if len(known) == 1 else UNKNOWN

    def span_periods(self, span: Span) -> list[str]:
        """Periods of the rows of one span, once rows of unknown period found theirs."""
        return sorted({self.only_period if period == UNKNOWN else period for period in span.rows})


@dataclass(frozen=True)
class _Seen:
    """What one reading of a file found."""

    header: list[str]
    spans: list[Span]
    checksum: str
    frame: list[int] = field(default_factory=list)


def scan_file(raw: RawFile, delivery: Delivery, product: Product) -> Scan:
    """Read a file once.

    Raises InputError when it is empty, broken, or its header cannot be used.
    """
    before = stamp(raw.path)
    seen = _seen_sas(raw, delivery, product) if is_sas(raw.path) else _seen(raw, delivery, product)
    return Scan(
        table=raw.table,
        path=str(raw.path),
        name=_name(raw.path, delivery.folder),
        year=raw.year,
        period=file_period(raw, product),
        bytes=before[0],
        checksum=seen.checksum,
        stamp=before,
        header=seen.header,
        splittable=is_plain(raw.path) or is_sas(raw.path),
        spans=seen.spans,
        frame=seen.frame,
    )


def columns_of(raw: RawFile, delivery: Delivery, product: Product) -> list[str]:
    """Names of the columns of a CSV or Parquet file as its contract spells them.

    UNNAMED is last where lines end with a delimiter. Raises InputError as `header` does, and when a column is missing
    that is a key of the table.
    """
    names = _spelled(raw, header(raw.path, delivery.delimiter, delivery.encoding), delivery, product)
    if delivery.trailing_delimiter and not is_parquet(raw.path) and names[-1] != UNNAMED:
        names.append(UNNAMED)
    return names


def _spelled(raw: RawFile, found: list[str], delivery: Delivery, product: Product) -> list[str]:
    names = spelled(raw.table, found, named_columns(delivery.person))
    check_columns(raw, names, delivery, product)
    return names


def _seen(raw: RawFile, delivery: Delivery, product: Product) -> _Seen:
    """The spans of a file and its checksum; the blocks of a plain file are all its bytes after the first line."""
    names = columns_of(raw, delivery, product)
    how = _period_reading(raw.table, tuple(names), delivery, product)
    plain = is_plain(raw.path)
    digest = hashlib.sha256(header_line(raw.path) if plain else b"")
    spans = []
    for block in blocks(raw.path, len(names), how.delimiter):
        digest.update(block.data if plain else b"")
        spans.append(_span(block, how, raw, product))
    return _Seen(names, spans, named(digest) if plain else checksum(raw.path))


def _span(block: Block, how: Reading, raw: RawFile, product: Product) -> Span:
    return Span(block.start, block.end, block.first_line, block.lines, _rows_by_period(block, how, raw, product))


def _seen_sas(raw: RawFile, delivery: Delivery, product: Product) -> _Seen:
    """Of the rows of a SAS table, the columns alone that say their period, or that have to be looked at."""
    digest = hashlib.sha256()
    found = survey_of(raw.path, digest)
    columns = sas_columns(raw.path, found.frame)
    check_names(raw.path, list(columns.kinds))
    names = _spelled(raw, list(columns.kinds), delivery, product)
    how = _period_reading(raw.table, tuple(names), delivery, product)
    undated, looked_at = _undated(raw.table, columns, how.texts), _dates(columns, raw.table)
    spans = []
    for block in sas_blocks(raw.path, found, columns, looked_at):
        _check_undated(raw, block, undated)
        spans.append(_span(block, how, raw, product))
    return _Seen(names, spans, named(digest), found.frame)


def _dates(columns: Columns, table: str) -> list[str]:
    """The columns that are dates in the contract, among them that of the period."""
    dates = {folded(name) for name in load_table(table).dates}
    return [name for name in columns.kinds if folded(name) in dates]


def _undated(table: str, columns: Columns, texts: Texts) -> list[str]:
    """Dates of the contract that are numbers without a format of dates, and cannot be in one of the delivery's."""
    if any(fullmatch(r"(%[YmdHMSf])+", form) for form in texts.date_formats):
        return []
    return [name for name in _dates(columns, table) if columns.kinds[name] == "number"]


def _check_undated(raw: RawFile, block: Block, names: list[str]) -> None:
    """Raise InputError when such a column has a value: a number alone does not say from when it counts, or what."""
    assert block.rows is not None
    for name in names:
        if block.rows.column(name).null_count < block.rows.num_rows:
            raise InputError(
                f"{raw.path}: column {name} is a date in the contract of {raw.table} and a number without a format of "
                "dates in the file; give it one in SAS, such as DATE9. or DATETIME20., and deliver it again."
            )


def scan_blocks(scan: Scan, spans: list[Span], delimiter: str) -> Iterator[tuple[Block, Span]]:
    """The blocks of some spans of a file that was scanned, with their spans; of other than plain files, of all."""
    path = place(scan.path)
    if is_sas(path):
        for span in spans:
            yield read_pages_of(path, scan.frame, span.start, span.end, span.first_line, span.lines), span
    elif scan.splittable:
        for span in spans:
            yield read_range(path, span.start, span.end, span.first_line, span.lines), span
    else:
        yield from zip(blocks(path, len(scan.header), delimiter), scan.spans, strict=True)


def _name(path: Place, folder: Place) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def texts_of(delivery: Delivery) -> Texts:
    """How texts stand for values in a delivery; Parquet gives ISO days, which every delivery may hold."""
    return Texts(delivery.null_values, tuple(dict.fromkeys([*delivery.date_formats, ISO])), delivery.time_zone)


def _period_reading(table: str, names: tuple[str, ...], delivery: Delivery, product: Product) -> Reading:
    return Reading(
        table=table,
        file="",
        header=names,
        columns=lambda _: {},
        key=(),
        period=None,
        period_column=product.period_column,
        only_period=UNKNOWN,
        amounts=(),
        delimiter=delivery.delimiter,
        encoding=delivery.encoding,
        texts=texts_of(delivery),
    )


def _rows_by_period(block: Block, how: Reading, raw: RawFile, product: Product) -> dict[str, int]:
    check_instants(block, replace(how, file=str(raw.path)))
    fixed = file_period(raw, product)
    if fixed is not None:
        return {fixed: row_count(block, how)}
    periods, bad = period_texts(block, how)
    counted = {entry["values"].as_py(): entry["counts"].as_py() for entry in pc.value_counts(periods)}
    if bad:
        counted[UNKNOWN] = counted.get(UNKNOWN, 0) + bad
    return counted


def file_period(raw: RawFile, product: Product) -> str | None:
    """The period of all rows of a file, or None when each row has its own.

    Raises InputError when the year of the file is needed and not given.
    """
    if product.period_step == "all":
        return "all"
    if product.period_step == "month":
        return None
    if raw.year is None:
        raise InputError(
            f"{raw.path}: the year of this {raw.table} file is not known; write `year:` beside it in delivery.yaml."
        )
    return str(raw.year)


@dataclass(frozen=True)
class Unread:
    """A file whose scan is not in the root."""

    root: Root
    raw: RawFile
    delivery: Delivery
    product: Product


Scanner = Callable[[list[Unread]], list[Scan]]


def scan_delivery(root: Root, delivery: Delivery, products: list[Product], scan_all: Scanner) -> list[Scan]:
    """Scans of all files of these products; files seen before and not touched since are not read again."""
    scans, unread = kept_scans(root, delivery, products)
    return sorted([*scans, *scan_all(unread)], key=lambda scan: (scan.table, scan.name))


def kept_scans(root: Root, delivery: Delivery, products: list[Product]) -> tuple[list[Scan], list[Unread]]:
    """The scans that the root holds, and the files that are still to be read.

    Raises InputError when the year of a file is needed and not given.
    """
    scans, unread = [], []
    for product in products:
        for table in product.tables:
            for raw in delivery.files_of(table):
                file_period(raw, product)
                known = _kept(root, raw, delivery)
                if known is not None:
                    scans.append(known)
                else:
                    unread.append(Unread(root, raw, delivery, product))
    return scans, unread


def scan_and_keep(unread: Unread) -> Scan:
    """Read a file once, and keep its scan: a reader of many that is killed goes on with the others.

    Raises InputError as `scan_file` does.
    """
    scan = scan_file(unread.raw, unread.delivery, unread.product)
    write_json(_kept_path(unread.root, unread.raw, unread.delivery), asdict(scan))
    return scan


def _kept_path(root: Root, raw: RawFile, delivery: Delivery) -> Place:
    how = [delivery.delimiter, delivery.encoding, delivery.null_values, delivery.date_formats]
    settings = [*how, delivery.time_zone, delivery.trailing_delimiter, delivery.person]
    key = [str(raw.path), raw.table, raw.year, str(delivery.folder), settings, sources_version("flatten", "snds")]
    return root.path / "_scans" / f"{fingerprint(key)}.json"


def _kept(root: Root, raw: RawFile, delivery: Delivery) -> Scan | None:
    path = _kept_path(root, raw, delivery)
    if not path.is_file():
        return None
    kept = json.loads(path.read_text("utf-8"))
    if kept["stamp"] != stamp(raw.path):
        return None
    return Scan(**{**kept, "spans": [Span(**span) for span in kept["spans"]]})
