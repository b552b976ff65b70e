"""What Spark's tasks do: read spans, join buckets, write files. Payloads between them are Arrow IPC streams."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from parcours.engine.duck import duck
from parcours.engine.sql import quoted
from parcours.flatten.files import in_order, sort, write_file
from parcours.flatten.job import Item, Job, PeriodWork, read_blocks, reading
from parcours.flatten.join import Joined, align, holder, join, materialise
from parcours.flatten.lookups import lookup_here
from parcours.flatten.payloads import Batches, Parts, gathered, packed, payload, split, spool, unpacked, unpacked_bytes
from parcours.flatten.rows import Counts, Rows, read_rows
from parcours.flatten.selection import UNKNOWN
from parcours.snds.contracts import Product
from parcours.snds.identity import PERSON
from parcours.snds.persons_of_rows import resolve_persons

COUNTS, REJECTS, FLAT, ORPHANS = "counts", "rejects", "flat", "orphans"
# Bytes of typed rows of one claim bucket that are joined at once.
JOIN_BYTES = 512 << 20
# Bytes of typed rows that a task holds before it cuts them into claim buckets: of dense raw rows, half as many.
GATHERED_BYTES = 256 << 20
# Flat rows that are made at once: 220 columns of them are about 100 MB.
FLAT_ROWS = 128 * 1024
UNIDENTIFIED = "unidentified"

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


# --- a period whole ----------------------------------------------------------------------------------------------


Report = tuple[str, dict[str, Any]]


def whole_task(job: Job) -> Iterator[Report]:
    """Reads all rows of the job's periods and writes their files in the staging directory; (period, what was done)."""
    parts: dict[str, dict[str, list[pa.Table]]] = defaultdict(lambda: defaultdict(list))
    for item in [item for items in job.tasks for item in items]:
        scan = job.scans[item[0]]
        for block, periods in read_blocks(job, item):
            rows = read_rows(block, reading(job.product, job.delivery, scan), periods)
            for period, counts in rows.counts.items():
                if period in job.periods:
                    yield period, {"kind": COUNTS, "table": scan.table, **asdict(counts)}
            for period, table in rows.tables.items():
                parts[period][scan.table].append(table)
            for period, records in _rejects_by_period(job, rows).items():
                parts[period][REJECTS].append(records)
    for period, work in job.periods.items():
        for entry in _write_whole(job, work, parts.pop(period, {})):
            yield period, entry


def _write_whole(job: Job, work: PeriodWork, parts: dict[str, list[pa.Table]]) -> Iterator[dict[str, Any]]:
    rejects = parts.pop(REJECTS, [])
    if rejects:
        ordered = sort(job.product, REJECTS, pa.concat_tables(rejects))
        yield write_file(job.staged, f"{work.period}/rejects/0", [ordered], job.product, REJECTS)
    if work.period == UNKNOWN:
        return
    for bucket, some in _claim_buckets(job, work, parts):
        for name, kind, found in _flat_files(job, work, some, bucket):
            if kind == COUNTS:
                yield {"kind": COUNTS, **found}
            else:
                yield write_file(job.staged, f"{work.period}/{kind}/{name}", found, job.product, kind)


def _claim_buckets(
    job: Job, work: PeriodWork, parts: dict[str, list[pa.Table]]
) -> Iterator[tuple[int, dict[str, list[pa.Table]]]]:
    """All claims at once; a reference by bucket, for its buckets are its files."""
    if job.product.form != "reference":
        yield 0, parts
        return
    buckets: dict[int, list[pa.Table]] = {0: []}
    for table in parts.pop(job.product.main, []):
        for bucket, part in by_claim(job.product, table, work.buckets, 1):
            buckets.setdefault(bucket, []).append(part)
    for bucket in sorted(buckets):
        yield bucket, {job.product.main: buckets[bucket]}


# --- read --------------------------------------------------------------------------------------------------------


def read_task(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Ids of tasks -> typed rows by (period, claim bucket), rejects and counts."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            if task == 0:
                yield from _announced(job)
            yield from _read_items(job, job.tasks[task])


def _read_items(job: Job, items: list[Item]) -> Iterator[pa.RecordBatch]:
    """Rows are cut into buckets when there are many: a payload costs as much with ten rows as with hundreds."""
    held: dict[tuple[str, int], list[pa.Table]] = defaultdict(list)
    for item in items:
        scan = job.scans[item[0]]
        for block, periods in read_blocks(job, item):
            rows = read_rows(block, reading(job.product, job.delivery, scan), periods)
            yield from _rejected_and_counted(job, scan.table, rows)
            for period, accepted in rows.tables.items():
                if period in job.periods:
                    held[period, item[0]].append(accepted)
            if sum(table.nbytes for tables in held.values() for table in tables) > GATHERED_BYTES:
                yield from _emit_rows(job, held)
    yield from _emit_rows(job, held)


def _announced(job: Job) -> Iterator[pa.RecordBatch]:
    """One empty count for each period, so that a period without any accepted row has its (empty) table too."""
    for period in job.periods:
        counts = {"table": job.product.main, **asdict(Counts())}
        yield _to(job, period, 0, f"{period}/0", COUNTS, json.dumps(counts).encode())


def _emit_rows(job: Job, held: dict[tuple[str, int], list[pa.Table]]) -> Iterator[pa.RecordBatch]:
    """What is held by (period, file), which is then held no more."""
    while held:
        (period, number), tables = held.popitem()
        rows = pa.concat_tables(tables)
        tables.clear()
        for bucket, part in by_claim(job.product, rows, job.periods[period].buckets, 1):
            yield _to(job, period, bucket, f"{period}/{bucket}", job.scans[number].table, packed(part))


def _rejected_and_counted(job: Job, table: str, rows: Rows) -> Iterator[pa.RecordBatch]:
    for period, records in _rejects_by_period(job, rows).items():
        yield _to(job, period, 0, f"{period}/0", REJECTS, packed(records))
    for period, counts in rows.counts.items():
        if period in job.periods:
            content = json.dumps({"table": table, **asdict(counts)}).encode()
            yield _to(job, period, 0, f"{period}/0", COUNTS, content)


def _rejects_by_period(job: Job, rows: Rows) -> dict[str, pa.Table]:
    records: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in rows.rejects:
        if record["period"] in job.periods:
            records[record["period"]].append({k: v for k, v in record.items() if k != "period"})
    return {period: pa.Table.from_pylist(mine, REJECT_SCHEMA) for period, mine in records.items()}


def by_claim(product: Product, table: pa.Table, buckets: int, level: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows of one key go to one bucket, whatever their table; another level cuts a bucket in other ways."""
    keys = [name for name in product.common_key if name in table.column_names]
    if buckets == 1 or not keys:
        yield 0, table
        return
    with duck() as connection:
        connection.register("keys", table.select(keys))
        names = ", ".join(quoted(key) for key in keys)
        bucket = connection.sql(f"SELECT (hash({names}, {level}) % {buckets})::INTEGER AS b FROM keys").to_arrow_table()
    yield from split(table, bucket["b"].to_numpy())


def _to(job: Job, period: str, number: int, group: str, kind: str, content: bytes | pa.Buffer) -> pa.RecordBatch:
    """A payload for the partition of one group; the groups of a job are dealt out in turn."""
    first = list(job.periods).index(period)
    return payload((first + number) % job.partitions, group, kind, content)


# --- join --------------------------------------------------------------------------------------------------------


def join_task(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Typed rows of whole buckets -> flat rows by (period, person bucket), orphans, rejects and counts."""
    with gathered(batches, job.spill) as kept:
        for group in kept.groups():
            period, _, bucket = group.rpartition("/")
            parts = kept.take(group)
            for content in parts.pop(COUNTS, []):
                yield _to(job, period, 0, f"{period}/{COUNTS}", COUNTS, content)
            for content in parts.pop(REJECTS, []):
                yield _to(job, period, 0, f"{period}/rejects/0", REJECTS, content)
            if period != UNKNOWN and (parts or bucket == "0"):
                yield from _join_bucket(job, job.periods[period], int(bucket), parts)


def _join_bucket(job: Job, work: PeriodWork, bucket: int, parts: Parts) -> Iterator[pa.RecordBatch]:
    for tables in _within_memory(job, parts):
        for name, kind, found in _flat_files(job, work, tables, bucket):
            if kind == COUNTS:
                yield _to(job, work.period, 0, f"{work.period}/{COUNTS}", COUNTS, json.dumps(found).encode())
                continue
            for table in found:
                number = int(name) if name.isdigit() else job.person_buckets
                yield _to(job, work.period, number, f"{work.period}/{kind}/{name}", kind, packed(table))


def _within_memory(job: Job, parts: Parts) -> Iterator[dict[str, list[pa.Table]]]:
    """The tables of a bucket, in pieces of whole claims when they are too large to be joined at once."""
    pieces = -(-sum(unpacked_bytes(contents) for contents in parts.values()) // JOIN_BYTES)
    if pieces <= 1:
        yield {name: unpacked(contents) for name, contents in parts.items()}
        return
    with spool(job.spill) as kept:
        for name, contents in parts.items():
            for content in contents:
                for piece, part in by_claim(job.product, unpacked([content])[0], pieces, 2):
                    kept.add(f"{piece:06d}", name, packed(part))
        for group in kept.groups():
            yield {name: unpacked(contents) for name, contents in kept.take(group).items()}


def _flat_files(
    job: Job, work: PeriodWork, parts: dict[str, list[pa.Table]], bucket: int = 0
) -> Iterator[tuple[str, str, Any]]:
    """(file name, kind, its tables in order) of what one bucket of claims gives; last, (.., COUNTS, counts)."""
    tables = {name: align(parts.pop(name, []), columns) for name, columns in work.columns.items()}
    if job.product.form == "reference":
        flat = sort(job.product, FLAT, tables[job.product.main])
        yield str(bucket), FLAT, iter([flat])
        yield "", COUNTS, {"joined": {job.product.main: flat.num_rows}, "flat": flat.num_rows}
        return
    with duck() as connection:
        persons, found = _persons(job, tables)
        result = join(connection, job.product, tables, work.absent, persons)
    pieces = _by_person(job.product, tables, result, job.person_buckets)
    for name, some in groupby(pieces, key=lambda piece: piece[0]):
        yield name, FLAT, (table for _, table in some)
    for name, orphans in result.orphans.items():
        yield name, ORPHANS, iter([sort(job.product, ORPHANS, orphans)])
    orphaned = {name: orphans.num_rows for name, orphans in result.orphans.items()}
    yield "", COUNTS, {"joined": result.joined, "orphaned": orphaned, "flat": result.rows.num_rows, "persons": found}


def _persons(job: Job, tables: dict[str, pa.Table]) -> tuple[pa.Array, dict[str, int]]:
    """The person of each row of the table that holds it, and how many were found how.

    Null in all, and none, where the product does not know persons.
    """
    table = tables[holder(job.product)]
    if job.persons is None:
        return pa.nulls(table.num_rows, pa.int64()), {}
    persons, how = resolve_persons(table, job.persons, None if job.lookup is None else lookup_here(job.lookup))
    return persons, how.counts()


def _by_person(
    product: Product, tables: dict[str, pa.Table], result: Joined, buckets: int
) -> Iterator[tuple[str, pa.Table]]:
    """(person bucket, flat rows) in the order of buckets, in flat order within each; rows without a person come last.

    Person bucket = person_id modulo their number. Wide rows are taken a bounded number at once, whatever the bucket.
    """
    owners = result.rows[PERSON].fill_null(-1).to_numpy()
    codes = np.where(owners < 0, buckets, owners % buckets)
    order = np.argsort(codes, kind="stable")
    codes, rows = codes[order], result.rows.take(pa.array(order))
    if len(codes) == 0:
        yield "0", materialise(product, tables, rows)
    for start in range(0, len(codes), FLAT_ROWS):
        wide = materialise(product, tables, rows.slice(start, FLAT_ROWS))
        numbers, firsts, counts = np.unique(codes[start : start + FLAT_ROWS], return_index=True, return_counts=True)
        for number, first, count in zip(numbers.tolist(), firsts.tolist(), counts.tolist(), strict=True):
            yield UNIDENTIFIED if number == buckets else str(number), wide.slice(first, count)


# --- write -------------------------------------------------------------------------------------------------------


def write_task(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Rows of whole files -> Parquet files in the staging directory; what was written and counted, as JSON."""
    with gathered(batches, job.spill) as kept:
        for group in kept.groups():
            period = group.partition("/")[0]
            for kind, contents in kept.take(group).items():
                if kind == COUNTS:
                    for content in contents:
                        yield payload(0, period, COUNTS, content)
                else:
                    tables = in_order(job.product, kind, contents, job.spill)
                    written = write_file(job.staged, group, tables, job.product, kind)
                    yield payload(0, period, kind, json.dumps(written).encode())
