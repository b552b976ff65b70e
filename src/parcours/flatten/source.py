"""Raw files as blocks of whole records: plain, .gz and .zst CSV, Parquet, and pages of SAS tables."""

import codecs
import csv
import errno
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from parcours.errors import InputError
from parcours.flatten.claim_rows import CLAIM_ROW, SOURCE
from parcours.flatten.records import split_records
from parcours.flatten.sas import Columns, PageRange, is_sas, page_ranges, read_pages
from parcours.flatten.sas_pages import Survey
from parcours.snds.identity import PERSON
from parcours.snds.spelling import PADDING, folded
from parcours.storage.hdfs import HdfsPath
from parcours.storage.place import Place

BLOCK = 16 << 20
BOM = b"\xef\xbb\xbf"
PARQUET_ROWS = 50_000
ZSTD_BYTES = 256 << 10
ADDED = (PERSON, CLAIM_ROW, SOURCE)
# What a file raises that was cut off or changed on its way.
BROKEN = (OSError, EOFError, zlib.error, zstandard.ZstdError, pa.ArrowException)
# Of what the system refuses, that which another delivery would mend; the rest is a fault of a disk or of HDFS.
OF_THE_PATH = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def _broken(path: Place, error: Exception, what: str) -> InputError:
    """What to raise of a file that cannot be read. Raises the error itself when the machine is at fault."""
    if isinstance(error, OSError) and error.errno is not None and error.errno not in OF_THE_PATH:
        raise error
    return InputError(f"{path} {what} ({_why(error)}); deliver it again.")


def _why(error: Exception) -> str:
    """What is wrong with a broken file; a library's own words may quote a row, so they are not passed on."""
    if isinstance(error, EOFError):
        return "it ends too early"
    if isinstance(error, pa.ArrowException):
        return "its content is damaged"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "its compression is damaged"


@dataclass(frozen=True)
class Block:
    """Whole records of a file: CSV bytes, or rows of Parquet or SAS; `start` and `end` are offsets in a file that can
    be read by them.

    `lines` counts those of the bytes, an unfinished last one too.
    """

    start: int
    end: int
    first_line: int
    lines: int
    data: bytes
    rows: pa.RecordBatch | None = None


def is_parquet(path: Place) -> bool:
    """Whether the ending says Parquet."""
    return path.suffix.lower() in (".parquet", ".pq")


def is_plain(path: Place) -> bool:
    """Whether all bytes after the first line are records of CSV."""
    return path.suffix.lower() not in (".gz", ".zst") and not is_parquet(path) and not is_sas(path)


def open_raw(path: Place) -> BinaryIO:
    """The bytes of a file, decompressed as its ending says."""
    if path.suffix.lower() == ".gz":
        return io.BufferedReader(gzip.GzipFile(fileobj=path.open("rb")))
    if path.suffix.lower() == ".zst":
        return io.BufferedReader(_Zstandard(path.open("rb")))
    return path.open("rb")


class _Zstandard(io.RawIOBase):
    """The bytes of all frames of a .zst file; the library's own reader stops without a word where a frame is cut."""

    def __init__(self, source: BinaryIO):
        self.source, self.frame = source, zstandard.ZstdDecompressor().decompressobj()
        self.compressed, self.ready, self.begun = b"", memoryview(b""), False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises EOFError where the file ends within a frame."""
        while not self.ready:
            self.compressed = self.compressed or self.source.read(ZSTD_BYTES)
            if not self.compressed:
                if self.begun:
                    raise EOFError("the file ended within a Zstandard frame")
                return 0
            self._decompress()
        count = min(len(buffer), len(self.ready))
        buffer[:count], self.ready = self.ready[:count], self.ready[count:]
        return count

    def _decompress(self) -> None:
        self.ready, self.begun = memoryview(self.frame.decompress(self.compressed)), not self.frame.eof
        self.compressed = self.frame.unused_data
        if self.frame.eof:
            self.frame = zstandard.ZstdDecompressor().decompressobj()

    def close(self) -> None:
        """Closes the file."""
        self.source.close()
        super().close()


def header(path: Place, delimiter: str, encoding: str) -> list[str]:
    """Column names of a file; the last of a CSV file is UNNAMED where the header ends with a delimiter.

    Raises InputError when the file is empty, cannot be decoded, or has another column without a name, two of one name
    (in any case), or one that flattening adds. It shows no other name: the first line of a file that lacks its header
    is a row of somebody.
    """
    _check_container(path)
    if is_parquet(path):
        schema = _parquet(path).schema_arrow
        _check_types(path, schema)
        names = [name.strip(PADDING) for name in schema.names]
    else:
        check_settings(delimiter, encoding)
        names = _csv_header(path, delimiter, encoding)
    check_names(path, names)
    return names


def _check_container(path: Place) -> None:
    """Compressed Parquet and SAS files would be read as lines of text."""
    if path.suffix.lower() in (".gz", ".zst") and (is_sas(inner := path.with_suffix("")) or is_parquet(inner)):
        raise InputError(f"{path} is a compressed table; deliver {inner.name} itself, decompressed.")


def _check_types(path: Place, schema: pa.Schema) -> None:
    for number, kind in enumerate(schema.types, 1):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        refused = (pa.types.is_nested(kind), pa.types.is_time(kind), pa.types.is_duration(kind))
        if any(refused) or isinstance(kind, pa.BaseExtensionType):
            raise InputError(f"{path}: column {number} cannot be read as texts; write it as a text, a number or a day.")


def check_names(path: Place, names: list[str]) -> None:
    """Raise InputError for a column without a name, two of one name, or one that flattening adds."""
    if not names:
        raise InputError(f"{path} has no column; deliver it again.")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name.isprintable() or (
            not name and (number < len(names) or number == 1 or is_parquet(path) or is_sas(path))
        ):
            raise InputError(f"{path}: column {number} of the header has no name that can be printed; mend the header.")
        if folded(name) in ADDED:
            raise InputError(f"{path}: column {number} is named {name}, as a column that flattening adds; rename it.")
        first = seen.setdefault(folded(name), number)
        if first != number:
            raise InputError(f"{path}: columns {first} and {number} of the header have one name; mend the header.")


def check_settings(delimiter: str, encoding: str) -> None:
    """Raise InputError for a delimiter or an encoding that cannot be used."""
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise InputError(f"delimiter {delimiter!r} cannot be used; give one ASCII character such as ';'.")
    try:
        ascii_compatible = '\n"A1'.encode(encoding) == b'\n"A1'
    except LookupError:
        raise InputError(f"encoding {encoding!r} is not known; use utf-8, latin-1 or cp1252.") from None
    if not ascii_compatible:
        raise InputError(f"encoding {encoding!r} cannot be read in blocks; convert the files to utf-8.")


def _csv_header(path: Place, delimiter: str, encoding: str) -> list[str]:
    line = header_line(path)
    if line.startswith(BOM) and codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        raise InputError(
            f"{path} begins with the mark of utf-8, and `encoding:` of delivery.yaml says {encoding}; set it to utf-8, "
            "or convert the file."
        )
    text = line.removeprefix(BOM).rstrip(b"\r\n")
    if not text.strip():
        raise InputError(f"{path} is empty: its first line must name the columns.")
    try:
        names = next(csv.reader([text.decode(encoding)], delimiter=delimiter))
    except csv.Error:
        raise InputError(f"{path}: the first line cannot be read as a header; it must name the columns.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: the header is not {encoding}; set `encoding:` in delivery.yaml.") from None
    return [name.strip(PADDING) for name in names]


def header_line(path: Place) -> bytes:
    """The first line of a CSV file.

    Raises InputError when it cannot be read.
    """
    try:
        with open_raw(path) as source:
            return source.readline()
    except BROKEN as error:
        raise _broken(path, error, "cannot be read") from error


def _parquet(path: Place) -> pq.ParquetFile:
    try:
        # In microseconds an INT96 of the year 1 is one; in nanoseconds it is a day of another century.
        source = path.open("rb") if isinstance(path, HdfsPath) else path
        return pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
    except (*BROKEN, UnicodeDecodeError) as error:
        raise _broken(path, error, "is not a Parquet file that can be read") from error


def blocks(path: Place, fields: int, delimiter: str) -> Iterator[Block]:
    """All blocks of a file in order, each of whole records, about 16 MiB.

    Raises InputError when a compressed file is broken.
    """
    if is_parquet(path):
        yield from _parquet_blocks(path)
        return
    try:
        with open_raw(path) as source:
            start = len(source.readline())
            cut = _plain_blocks if is_plain(path) else _streamed_blocks
            yield from cut(source, start, fields, delimiter)
    except BROKEN as error:
        raise _broken(path, error, "is broken") from error


def _plain_blocks(source: BinaryIO, start: int, fields: int, delimiter: str) -> Iterator[Block]:
    """Blocks that end with a line are read as they are; bytes after the last whole record are read again."""
    line, size = 2, BLOCK
    while True:
        source.seek(start + size)
        tail = source.readline()
        source.seek(start)
        data = source.read(size + len(tail))
        if not data:
            return
        last = not tail.endswith(b"\n")
        cut, lines = _cut(data, fields, delimiter, last=last)
        if cut:
            yield Block(start, start + cut, line, lines, data if cut == len(data) else data[:cut])
        start, line, size = start + cut, line + lines, BLOCK if cut else 2 * size


def _streamed_blocks(source: BinaryIO, start: int, fields: int, delimiter: str) -> Iterator[Block]:
    rest, line = b"", 2
    while True:
        more = source.read(BLOCK)
        data = rest + more
        if not data:
            return
        cut, lines = _cut(data, fields, delimiter, last=not more)
        if cut:
            yield Block(start, start + cut, line, lines, data[:cut])
        start, line, rest = start + cut, line + lines, data[cut:]


def _cut(data: bytes, fields: int, delimiter: str, *, last: bool) -> tuple[int, int]:
    """Where the last whole record of `data` ends, and how many lines that is, an unfinished last one too."""
    if last:
        return len(data), _line_ends(data) + (not data.endswith(b"\n"))
    end = data.rfind(b"\n") + 1
    if b'"' not in data:
        return end, _line_ends(data)
    records = split_records(data[:end], 0, fields, delimiter, last=False)
    return records.rest, records.rest_line


def _line_ends(data: bytes) -> int:
    """How many ends of lines there are; three times as fast as bytes.count for lines of some hundred bytes."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def read_range(path: Place, start: int, end: int, first_line: int, lines: int) -> Block:
    """One block of a plain file, by the offsets and lines that `blocks` found."""
    with path.open("rb") as source:
        source.seek(start)
        return Block(start, end, first_line, lines, source.read(end - start))


def sas_blocks(path: Place, found: Survey, columns: Columns, names: list[str]) -> Iterator[Block]:
    """All blocks of a SAS table in order, with these of its columns."""
    for pages in page_ranges(found, columns.width, BLOCK):
        yield _of_pages(pages, read_pages(path, found.frame, pages, names, zeros=True))


def read_pages_of(path: Place, frame: list[int], start: int, end: int, first_row: int, number: int) -> Block:
    """One block of a SAS table, by the offsets and rows that `sas_blocks` found."""
    pages = PageRange(start, end, first_row, number)
    return _of_pages(pages, read_pages(path, frame, pages, zeros=True))


def _of_pages(pages: PageRange, rows: pa.RecordBatch) -> Block:
    return Block(pages.start, pages.end, pages.first_row, pages.number, b"", rows)


def _parquet_blocks(path: Place) -> Iterator[Block]:
    done, batches = 0, _parquet(path).iter_batches(PARQUET_ROWS)
    while (rows := _next_rows(path, batches)) is not None:
        yield Block(done, done + rows.num_rows, done + 1, rows.num_rows, b"", rows)
        done += rows.num_rows


def _next_rows(path: Place, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    try:
        rows = next(batches, None)
        return None if rows is None else _with_texts(rows)
    except BROKEN as error:
        raise _broken(path, error, "is broken") from error


def _with_texts(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with texts for bytes; texts that are not UTF-8 raise ArrowInvalid."""
    for number, name in enumerate(rows.schema.names):
        column = rows.column(number)
        if pa.types.is_dictionary(column.type) and _is_bytes(column.type.value_type):
            column = column.dictionary_decode()
        if _is_bytes(column.type):
            rows = rows.set_column(number, name, column.cast(pa.binary()).cast(pa.string()))
    rows.validate(full=True)
    return rows


def _is_bytes(kind: pa.DataType) -> bool:
    sized = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return sized or pa.types.is_binary_view(kind)
