"""What Spark's tasks do: read spans, join buckets, write files. Payloads between them are Arrow IPC streams."""

import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from parcours.errors import RetryableFault
from parcours.flatten.join import CLAIM_ROW, PERSON, SOURCE, align, join, materialise
from parcours.flatten.plan import file_columns
from parcours.flatten.rows import UNKNOWN, Counts, Reading, Rows, read_rows
from parcours.flatten.scan import Scan, Span, file_period, texts_of
from parcours.flatten.source import Block, blocks, read_range
from parcours.snds.contracts import Product
from parcours.snds.delivery import Delivery, RawFile
from parcours.snds.identity import PersonColumns, resolve_persons

PAYLOADS = pa.schema(
    [("partition", pa.int32()), ("group", pa.string()), ("kind", pa.string()), ("payload", pa.binary())]
)
COUNTS = "counts"
REJECTS = "rejects"
COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class PeriodWork:
    """One period of a job: the columns of its tables, tables not delivered for it, and its number of claim buckets."""

    period: str
    columns: dict[str, dict[str, str]]
    absent: tuple[str, ...]
    buckets: int


@dataclass(frozen=True)
class Job:
    """Everything that tasks need to know; `tasks` are lists of (file, span) to read, span None for the whole file."""

    product: Product
    delivery: Delivery
    periods: dict[str, PeriodWork]
    scans: list[Scan]
    tasks: list[list[tuple[int, Span | None]]]
    partitions: int
    person_buckets: int
    persons: PersonColumns | None
    lookup: Path | None
    staged: Path


# --- read --------------------------------------------------------------------------------------------------------


def read_task(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Ids of tasks -> typed rows by (period, claim bucket), rejects and counts."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            if task == 0:
                yield from _announced(job)
            for number, span in job.tasks[task]:
                for block, periods in _blocks(job, job.scans[number], span):
                    rows = read_rows(block, reading(job, job.scans[number]), periods)
                    yield from _emit_rows(job, job.scans[number].table, rows)


def _announced(job: Job) -> Iterator[pa.RecordBatch]:
    """One empty count for each period, so that a period without any accepted row has its (empty) table too."""
    for period in job.periods:
        counts = {"table": job.product.main, **asdict(Counts())}
        yield _payload(job, f"{period}/0", COUNTS, json.dumps(counts).encode())


def _blocks(job: Job, scan: Scan, span: Span | None) -> Iterator[tuple[Block, list[str]]]:
    path = Path(scan.path)
    if span is not None:
        yield read_range(path, span.start, span.end, span.first_line), scan.span_periods(span)
        return
    for block, known in zip(blocks(path, len(scan.header), job.delivery.delimiter), scan.spans, strict=True):
        periods = scan.span_periods(known)
        if any(period in job.periods for period in periods):
            yield block, periods


def reading(job: Job, scan: Scan) -> Reading:
    """How the rows of one file are read."""
    product, delivery = job.product, job.delivery
    key = product.key
    if product.form == "reference":
        key = tuple(name for name in key if name in scan.header)
    return Reading(
        table=scan.table,
        file=scan.name,
        header=tuple(scan.header),
        columns=partial(file_columns, scan.table, scan.header),
        key=key,
        period=file_period(RawFile(scan.table, Path(scan.path), scan.year), product),
        period_column=product.period_column,
        only_period=scan.only_period,
        amounts=product.amounts if scan.table == product.main else (),
        delimiter=delivery.delimiter,
        encoding=delivery.encoding,
        texts=texts_of(delivery),
    )


def _emit_rows(job: Job, table: str, rows: Rows) -> Iterator[pa.RecordBatch]:
    for period, accepted in rows.tables.items():
        if period in job.periods:
            for bucket, part in _by_claim(job.product, accepted, job.periods[period].buckets):
                yield _payload(job, f"{period}/{bucket}", table, _packed(part))
    rejected = [record for record in rows.rejects if record["period"] in job.periods]
    for period in {record["period"] for record in rejected}:
        mine = [{k: v for k, v in record.items() if k != "period"} for record in rejected if record["period"] == period]
        yield _payload(job, f"{period}/0", REJECTS, _packed(pa.Table.from_pylist(mine, REJECT_SCHEMA)))
    for period, counts in rows.counts.items():
        if period in job.periods:
            yield _payload(job, f"{period}/0", COUNTS, json.dumps({"table": table, **asdict(counts)}).encode())


REJECT_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)


def _by_claim(product: Product, table: pa.Table, buckets: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows of one key go to one bucket, whatever their table."""
    if buckets == 1:
        yield 0, table
        return
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("keys", table.select(list(product.key)))
        names = ", ".join(f'"{key}"' for key in product.key)
        bucket = connection.sql(f"SELECT (hash({names}) % {buckets})::INTEGER AS b FROM keys").to_arrow_table()["b"]
    yield from split(table, bucket.to_numpy())


def split(table: pa.Table, groups: np.ndarray) -> Iterator[tuple[int, pa.Table]]:
    """Rows of each group, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = table.take(pa.array(order)) if len(order) else table
    names, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    for name, start, count in zip(names, starts, counts, strict=True):
        yield int(name), ordered.slice(int(start), int(count))


# --- join --------------------------------------------------------------------------------------------------------


def join_task(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Typed rows of whole buckets -> flat rows by (period, person bucket), orphans, rejects and counts."""
    for group, kinds in sorted(_gathered(batches).items()):
        period = group.rpartition("/")[0]
        for payload in kinds.pop(COUNTS, []):
            yield _payload(job, f"{period}/{COUNTS}", COUNTS, payload)
        for payload in kinds.pop(REJECTS, []):
            yield _payload(job, f"{period}/rejects/0", REJECTS, payload)
        if period != UNKNOWN and (kinds or group.endswith("/0")):
            yield from _join_bucket(job, job.periods[period], {name: _unpacked(p) for name, p in kinds.items()})


def _gathered(batches: Batches) -> dict[str, dict[str, list[bytes]]]:
    groups: dict[str, dict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for batch in batches:
        for group, kind, payload in zip(*(batch.column(i).to_pylist() for i in (1, 2, 3)), strict=True):
            groups[group][kind].append(payload)
    return groups


def _join_bucket(job: Job, work: PeriodWork, parts: dict[str, list[pa.Table]]) -> Iterator[pa.RecordBatch]:
    tables = {name: align(parts.pop(name, []), work.columns[name]) for name in job.product.tables}
    if job.product.form == "reference":
        flat = tables[job.product.main]
        yield _payload(job, f"{work.period}/flat/0", "flat", _packed(flat))
        yield _counts(job, work, {"joined": {job.product.main: flat.num_rows}, "flat": flat.num_rows})
        return
    holder = job.product.patient or job.product.main
    persons = resolve_persons(tables[holder], job.persons, job.lookup) if job.persons else None
    assert persons is not None
    tables[holder] = tables[holder].append_column(PERSON, persons)
    result = join(job.product, tables, work.absent)
    for name, rows in _by_person(result.rows, holder, persons, job.person_buckets) or [("0", result.rows)]:
        part = materialise(job.product, tables, rows)
        yield _payload(job, f"{work.period}/flat/{name}", "flat", _packed(part))
    for name, orphans in result.orphans.items():
        yield _payload(job, f"{work.period}/orphans/{name}", "orphans", _packed(orphans))
    orphaned = {name: orphans.num_rows for name, orphans in result.orphans.items()}
    yield _counts(job, work, {"joined": result.joined, "orphaned": orphaned, "flat": result.rows.num_rows})


def _by_person(rows: pa.Table, holder: str, persons: pa.Array, buckets: int) -> list[tuple[str, pa.Table]]:
    """Person bucket = person_id modulo their number; rows without a person apart."""
    owners = persons.take(rows[holder].combine_chunks()).fill_null(-1).to_numpy(zero_copy_only=False)
    parts = split(rows, np.where(owners < 0, -1, owners % buckets))
    return [("unidentified" if bucket < 0 else str(bucket), part) for bucket, part in parts]


def _counts(job: Job, work: PeriodWork, counts: dict[str, Any]) -> pa.RecordBatch:
    return _payload(job, f"{work.period}/{COUNTS}", COUNTS, json.dumps(counts).encode())


# --- write -------------------------------------------------------------------------------------------------------


def write_task(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Rows of whole files -> Parquet files in the staging directory; what was written and counted, as JSON."""
    for group, kinds in sorted(_gathered(batches).items()):
        for kind, payloads in kinds.items():
            period = group.partition("/")[0]
            if kind == COUNTS:
                for payload in payloads:
                    yield _payload(job, period, COUNTS, payload)
            else:
                written = _write_file(job, group, kind, _unpacked(payloads))
                yield _payload(job, period, kind, json.dumps(written).encode())


def _write_file(job: Job, name: str, kind: str, parts: list[pa.Table]) -> dict[str, Any]:
    table = pa.concat_tables(parts)
    order = _order(job.product, kind, table)
    if order:
        table = table.take(pc.sort_indices(table, sort_keys=[(column, "ascending") for column in order]))
    path = job.staged / f"{name}.parquet"
    if not job.staged.is_dir():
        raise RetryableFault(f"{job.staged} is gone: this attempt was given up; run again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own first: two attempts of one task may write the same file.
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    pq.write_table(table, own, compression="zstd", row_group_size=128 * 1024)
    size = own.stat().st_size
    own.replace(path)
    return {"path": path.name, "rows": table.num_rows, "bytes": size, "amounts": _amounts(job.product, kind, table)}


def _order(product: Product, kind: str, table: pa.Table) -> list[str]:
    if kind == REJECTS:
        return ["table", "file", "line"]
    wanted = [*product.key] if kind == "orphans" or product.form == "reference" else []
    if kind == "flat" and product.form != "reference":
        wanted = [PERSON, product.date or "", *product.key, SOURCE, CLAIM_ROW]
    return [name for name in wanted if name in table.column_names]


def _amounts(product: Product, kind: str, table: pa.Table) -> dict[str, float]:
    """Sums of the main table's amounts over the first row of each main row."""
    if kind != "flat" or CLAIM_ROW not in table.column_names:
        return {}
    first = table.filter(pc.equal(table[CLAIM_ROW], 1))
    prefix = f"{product.main}__" if product.form == "union" else ""
    return {
        name: pc.sum(first[f"{prefix}{name}"]).as_py() or 0.0
        for name in product.amounts
        if f"{prefix}{name}" in first.column_names
    }


# --- payloads ----------------------------------------------------------------------------------------------------


def _payload(job: Job, group: str, kind: str, payload: bytes) -> pa.RecordBatch:
    partition = crc32(group.encode()) % job.partitions
    return pa.record_batch([[partition], [group], [kind], [payload]], schema=PAYLOADS)


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=COMPRESSED) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def _unpacked(payloads: list[bytes]) -> list[pa.Table]:
    return [pa.ipc.open_stream(payload).read_all() for payload in payloads]


def spark_function(task: Callable[[Job, Batches], Iterator[pa.RecordBatch]], job: Any) -> Callable[[Batches], Any]:
    """A task as `mapInArrow` wants it."""
    return partial(task, job)
