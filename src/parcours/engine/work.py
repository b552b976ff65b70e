"""Work on slices: each finished slice is kept, so that work that was killed goes on where it was."""

import json
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from parcours.engine.schedule import OnDone, run_tasks
from parcours.engine.slices import BUCKET, PERSON, Slice
from parcours.storage.manifest import write_json
from parcours.storage.place import Place, file_size, found, move

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MARKS = "_slices"
ROW_GROUP = 128 * 1024
SOUGHT = (BUCKET, PERSON)  # by which row groups are left unread; minima of other columns are a third of writing


Rows = Any  # an Arrow table, or a reader of batches
Write = Callable[[str, Rows], int]


@dataclass(frozen=True)
class Work:
    """What is computed for each slice: `cut` gives the slices of a bucket, `compute` the results of a slice.

    `compute` hands each result, sorted by person, to the function that it gets, which writes it and says how many rows
    that were; it returns what it counted on the way. `results` names what it makes where that is not always the same:
    a slice that was finished for others is computed again.
    """

    buckets: Sequence[str]
    cut: Callable[[str], Iterable[Slice]]
    compute: Callable[[Slice, Write], Mapping[str, Any]]
    results: Collection[str] = ()


def run_work(
    work: Work, staged: Place, spark: "SparkSession | None", cores: int, done: OnDone | None = None
) -> list[dict[str, Any]]:
    """Write `staged`/<result>/<slice>.parquet for each result and slice; the report of each slice, by bucket.

    A report is {slice, counts, results, files: {result: {rows, bytes}}, ended}. A slice whose report and files are
    there already is not computed again. A result without a row has no file.
    """
    kept = {path.stem for path in found(staged / MARKS, "*.json")}
    (staged / MARKS).mkdir(parents=True, exist_ok=True)
    return run_tasks(partial(_bucket, work, staged, kept), list(work.buckets), spark, cores, done)


def _bucket(work: Work, staged: Place, kept: set[str], bucket: str) -> Iterator[dict[str, Any]]:
    for piece in work.cut(bucket):
        mark = staged / MARKS / f"{piece.name}.json"
        before = json.loads(mark.read_text("utf-8")) if piece.name in kept else None
        if before is not None and _is_whole(staged, before, {*work.results}):
            yield before
            continue
        files: dict[str, dict[str, int]] = {}
        counts = work.compute(piece, partial(_write, staged, piece, files))
        report = {"slice": piece.name, "counts": dict(counts), "results": sorted(work.results)}
        report |= {"files": files, "ended": now()}
        write_json(mark, report)
        yield report


def _is_whole(staged: Place, report: Mapping[str, Any], results: set[str]) -> bool:
    """Whether a finished slice has the results that are asked for, or all.

    A run may have been killed while it committed or took away some of them.
    """
    files = {result: file for result, file in report["files"].items() if not results or result in results}
    told = {staged / result / f"{report['slice']}.parquet": file for result, file in files.items()}
    return results <= {*report["results"]} and all(
        path.is_file() and file_size(path) == file["bytes"] for path, file in told.items()
    )


def _write(staged: Place, piece: Slice, files: dict[str, dict[str, int]], result: str, rows: Rows) -> int:
    path = staged / result / f"{piece.name}.parquet"
    written = write_rows(path, rows)
    if written:
        files[result] = {"rows": written, "bytes": file_size(path)}
    return written


def write_rows(path: Place, rows: Rows) -> int:
    """Write a file that has its name only once it is whole; how many rows it holds. Without any, none is written."""
    reader = rows.to_reader(ROW_GROUP) if isinstance(rows, pa.Table) else rows
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    written = _fill(own, reader)
    if written:
        move(own, path)
    else:
        own.unlink()
    return written


def read_table(path: Place) -> pa.Table:
    """The rows of a file."""
    with path.open("rb") as source:
        return pq.read_table(source)


def write_table(path: Place, table: pa.Table) -> None:
    """Write a file that has its name only once it is whole, be it without a row."""
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    _fill(own, table.to_reader(ROW_GROUP))
    move(own, path)


def _fill(path: Place, reader: pa.RecordBatchReader) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("wb") as sink:
        kept = [name for name in SOUGHT if name in reader.schema.names]
        with pq.ParquetWriter(
            sink, reader.schema, compression="zstd", store_schema=False, write_statistics=kept
        ) as writer:
            for batch in reader:
                writer.write_batch(batch, row_group_size=ROW_GROUP)
                written += batch.num_rows
        if isinstance(path, Path):  # a slice that is marked as finished must be there after a loss of power
            sink.flush()
            os.fsync(sink.fileno())
    return written


def summed(reports: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of all slices, added up at each place."""
    total: dict[str, Any] = {}
    for report in reports:
        _add(total, report["counts"])
    return total


def _add(total: dict[str, Any], counts: Mapping[str, Any]) -> None:
    for key, value in counts.items():
        if isinstance(value, Mapping):
            _add(total.setdefault(key, {}), value)
        else:
            total[key] = total.get(key, 0) + value


def now() -> str:
    """The time, as manifests write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
