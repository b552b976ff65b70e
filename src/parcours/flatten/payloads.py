"""What travels between tasks: compressed Arrow IPC streams by group and kind, in memory or, beyond a limit, on disk.

A payload is compressed as one piece: Arrow's own compression is of each column, and of a hundred columns of a few rows
it took six times longer than this (benchmarks/payloads.py).
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

PAYLOADS = pa.schema(
    [("partition", pa.int32()), ("group", pa.string()), ("kind", pa.string()), ("payload", pa.binary())]
)
CODEC = pa.Codec("lz4_raw")
SIZE_BYTES = 8  # before the compressed bytes: how many there were
SPOOL_BYTES = 96 << 20  # compressed; about three times as much once read
Batches = Iterable[pa.RecordBatch]
Parts = dict[str, list[pa.Buffer]]


def payload(partition: int, group: str, kind: str, content: bytes | pa.Buffer) -> pa.RecordBatch:
    """One row for the shuffle: where it goes, what it belongs to, what it is."""
    binary = pa.array([content.to_pybytes() if isinstance(content, pa.Buffer) else content], pa.binary())
    return pa.record_batch([pa.array([partition], pa.int32()), [group], [kind], binary], schema=PAYLOADS)


def packed(table: pa.Table) -> pa.Buffer:
    """A table as a compressed Arrow IPC stream of one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    content = sink.getvalue()
    return pa.py_buffer(content.size.to_bytes(SIZE_BYTES, "little") + CODEC.compress(content, asbytes=True))


def unpacked(payloads: Iterable[pa.Buffer]) -> list[pa.Table]:
    """The tables again."""
    return [_unpacked(content) for content in payloads]


def unpacked_bytes(payloads: Iterable[pa.Buffer]) -> int:
    """Bytes of the tables once read: of sparse ones many times those of the payloads."""
    return sum(int.from_bytes(content.slice(0, SIZE_BYTES), "little") for content in payloads)


def _unpacked(content: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(CODEC.decompress(content.slice(SIZE_BYTES), unpacked_bytes([content]))).read_all()


def split(table: pa.Table, groups: np.ndarray) -> Iterator[tuple[int, pa.Table]]:
    """Rows of each group (one integer a row), in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = table.take(pa.array(order)) if len(order) else table
    names, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    for name, start, count in zip(names, starts, counts, strict=True):
        yield int(name), ordered.slice(int(start), int(count))


class Spool:
    """Payloads by group and kind; those that come after `limit` bytes wait in one file a group."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._held = 0
        self._memory: dict[str, Parts] = defaultdict(lambda: defaultdict(list))
        self._files: dict[str, Path] = {}
        self._places: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        self._groups: set[str] = set()

    def add(self, group: str, kind: str, content: pa.Buffer) -> None:
        """Keep one payload."""
        self._groups.add(group)
        if self._held + content.size <= self._limit:
            self._held += content.size
            self._memory[group][kind].append(content)
            return
        if group not in self._files:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._files[group] = self._directory / uuid.uuid4().hex
        with self._files[group].open("ab") as out:
            self._places[group].append((kind, out.tell(), content.size))
            out.write(content)

    def groups(self) -> list[str]:
        """The groups that payloads were kept for, in order."""
        return sorted(self._groups)

    def take(self, group: str) -> Parts:
        """All payloads of a group by kind, which the spool then forgets; those on disk are mapped, not read."""
        parts = self._memory.pop(group, defaultdict(list))
        self._held -= sum(content.size for contents in parts.values() for content in contents)
        path = self._files.pop(group, None)
        if path is not None:
            with pa.memory_map(str(path)) as mapped:
                for kind, start, size in self._places.pop(group):
                    mapped.seek(start)
                    parts[kind].append(mapped.read_buffer(size))
            path.unlink()
        return parts

    def clear(self) -> None:
        """Remove what was never taken."""
        for path in self._files.values():
            path.unlink(missing_ok=True)


@contextmanager
def spool(directory: Path, limit: int | None = None) -> Iterator[Spool]:
    """A spool whose files are gone at the end; `limit` in bytes, the module's when None."""
    kept = Spool(directory, SPOOL_BYTES if limit is None else limit)
    try:
        yield kept
    finally:
        kept.clear()


@contextmanager
def gathered(batches: Batches, directory: Path) -> Iterator[Spool]:
    """All payloads that a task was sent."""
    with spool(directory) as kept:
        for batch in batches:
            for group, kind, content in zip(
                *(batch.column(name) for name in ("group", "kind", "payload")), strict=True
            ):
                kept.add(group.as_py(), kind.as_py(), content.as_buffer())
        yield kept
