"""The pages of a SAS table (.sas7bdat): where they are, how many rows each has, and which of them describe the columns.

Source: M. Shotwell, "SAS7BDAT Database Binary Format" (2014), and ReadStat, which reads the rows themselves.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np

MAGIC = bytes.fromhex("000000000000000000000000c2ea8160b31411cfbd92080009c7318c181f1011")
SHORTEST = 1024
DATA, MIX, KIND, DELETED, OTHER = 0x0100, 0x0200, 0x0F00, 0x0080, 0x9000
NOT_COMPRESSED, LEFT_OUT, COMPRESSED = 0, 1, 4
# First words of the parts of a page that are no row of a compressed table.
DESCRIPTIONS = (0xF7F7F7F7, 0xF6F6F6F6, 0xFFFFFC00, 0xFFFFFBFE)
TEXTS, ALL_ONES = 0xFFFFFFF8, 0xFFFFFFFF


class DamagedTableError(ValueError):
    """The bytes are not those of a whole SAS table that can be read; its text says why, without a value of a row."""


class Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


@dataclass(frozen=True)
class Layout:
    """The head of a SAS table: its bytes, their order, whether numbers take eight bytes (`wide`), and its pages."""

    header: bytes
    order: str
    wide: bool
    page_size: int
    pages: int

    def start(self, page: int) -> int:
        """Offset of a page."""
        return len(self.header) + page * self.page_size

    def page_at(self, offset: int) -> int:
        """Number of the page that starts at an offset."""
        return (offset - len(self.header)) // self.page_size

    def header_of(self, pages: int) -> bytes:
        """The head of a table of so many pages."""
        form = f"{self.order}{'Q' if self.wide else 'I'}"
        at = _page_count_at(self.header)
        return self.header[:at] + struct.pack(form, pages) + self.header[at + struct.calcsize(form) :]


@dataclass(frozen=True)
class Survey:
    """All pages of a table: the rows of each, and the numbers of those that describe columns (the `frame`)."""

    layout: Layout
    rows: np.ndarray
    frame: list[int]


def _page_count_at(header: bytes) -> int:
    return 208 if header[35] == 0x33 else 204


def read_layout(source: BinaryIO) -> Layout:
    """The layout of a table.

    Raises DamagedTableError when it is none, or has not the bytes that its head says.
    """
    head = source.read(SHORTEST)
    if len(head) < SHORTEST or not head.startswith(MAGIC):
        raise DamagedTableError("it is no SAS table")
    order, wide, at = "<" if head[37] == 1 else ">", head[32] == 0x33, _page_count_at(head)
    header_size, page_size = struct.unpack_from(f"{order}II", head, at - 8)
    (pages,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, at)
    size = source.seek(0, io.SEEK_END)
    if header_size < SHORTEST or page_size < SHORTEST or header_size + page_size * pages != size:
        raise DamagedTableError("it is not as long as it says")
    source.seek(0)
    return Layout(source.read(header_size), order, wide, page_size, pages)


def survey(source: BinaryIO, block: int, digest: Digest | None = None) -> Survey:
    """Look at every page of a table once, about `block` bytes at a time; `digest` is given all bytes of the file.

    Raises DamagedTableError when the table holds deleted rows, which no reader tells from others, or is broken.
    """
    layout = read_layout(source)
    if digest is not None:
        digest.update(layout.header)
    rows, frame = [np.zeros(0, np.int64)], list[int]()
    for first, pages in _chunks(source, layout, block):
        if digest is not None:
            digest.update(pages.tobytes())
        counted, described = _looked_at(layout, pages)
        rows.append(counted)
        frame.extend(first + page for page in described)
    return Survey(layout, np.concatenate(rows), frame)


def _chunks(source: BinaryIO, layout: Layout, block: int) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the first page, bytes of some pages: one row of the array each)."""
    some = max(1, block // layout.page_size)
    for first in range(0, layout.pages, some):
        number = min(some, layout.pages - first)
        data = source.read(number * layout.page_size)
        if len(data) != number * layout.page_size:
            raise DamagedTableError("it is not as long as it says")
        yield first, np.frombuffer(data, np.uint8).reshape(number, layout.page_size)


def _looked_at(layout: Layout, pages: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Rows of each of these pages, and which of them describe columns."""
    at = 32 if layout.wide else 16
    heads = np.ascontiguousarray(pages[:, at : at + 6]).view(f"{layout.order}u2").astype(np.int64)
    types, blocks, parts = heads[:, 0], heads[:, 1], heads[:, 2]
    if (types & DELETED).any():
        raise DamagedTableError("it holds rows that were deleted; copy it with a DATA step, which leaves them out")
    kinds = types & KIND
    rows = np.where(kinds == DATA, blocks, np.where(kinds == MIX, blocks - parts, 0))
    described = []
    for page in np.flatnonzero((kinds != DATA) & ((types & OTHER) == 0)).tolist():
        found, more = _parts(layout, pages[page].tobytes(), int(parts[page]))
        rows[page] += found
        if more:
            described.append(page)
    return rows, described


def _parts(layout: Layout, page: bytes, number: int) -> tuple[int, bool]:
    """Of the parts of one page: how many are rows of a compressed table, and whether any other describes columns."""
    form, start = _part_form(layout), 40 if layout.wide else 24
    if start + number * form.itemsize > len(page):
        raise DamagedTableError("a page of it is damaged")
    parts = np.frombuffer(page, form, number, start)
    parts = parts[(parts["size"] > 0) & (parts["compression"] != LEFT_OUT)]
    if not np.isin(parts["compression"], (NOT_COMPRESSED, COMPRESSED)).all():
        raise DamagedTableError("a page of it is damaged, or its compression is not known")
    described = sum(_describes(layout, page, part) for part in parts[parts["compression"] == NOT_COMPRESSED])
    return len(parts) - described, described > 0


def _part_form(layout: Layout) -> np.dtype:
    """How a page points to one of its parts."""
    size = 8 if layout.wide else 4
    word = f"{layout.order}u{size}"
    return np.dtype(
        {
            "names": ["at", "size", "compression", "kind"],
            "formats": [word, word, "u1", "u1"],
            "offsets": [0, size, 2 * size, 2 * size + 1],
            "itemsize": 3 * size,
        }
    )


def _describes(layout: Layout, page: bytes, part: Any) -> bool:
    """Whether a part that is not compressed is no row: a row of a compressed table may be left as it was."""
    at = int(part["at"])
    if at + max(int(part["size"]), 8) > len(page):
        raise DamagedTableError("a page of it is damaged")
    first, second = struct.unpack_from(f"{layout.order}II", page, at)
    if layout.order == ">" and layout.wide and first == ALL_ONES:
        first = second
    return first in DESCRIPTIONS or first & TEXTS == TEXTS or part["kind"] == 0


def table_of(source: BinaryIO, layout: Layout, pages: Iterable[int]) -> io.BytesIO:
    """Some pages of a table, in order, as a table of its own."""
    numbers = list(pages)
    parts = [layout.header_of(len(numbers))]
    for first, last in _runs(numbers):
        source.seek(layout.start(first))
        parts.append(source.read((last - first) * layout.page_size))
    return io.BytesIO(b"".join(parts))


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, after the last) of each run without a gap."""
    start = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[start], numbers[at - 1] + 1
            start = at


def rows_of(source: BinaryIO, layout: Layout, pages: Iterable[int]) -> int:
    """How many rows some pages have."""
    some = table_of(source, layout, pages)
    return int(survey(some, layout.page_size).rows.sum())
