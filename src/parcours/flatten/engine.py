"""Spark distributes the work: read -> shuffle by claim -> join -> shuffle by person -> write, in one job."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from parcours.errors import InputError
from parcours.flatten.plan import PeriodPlan
from parcours.flatten.scan import Scan, Span, scan_file
from parcours.flatten.tasks import Batches, Job, PeriodWork, join_task, read_task, write_task
from parcours.snds.contracts import Product
from parcours.snds.delivery import Delivery, RawFile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TASK_BYTES = 32 << 20
BUCKET_BYTES = 64 << 20
SHUFFLE = "partition int, group string, kind string, payload binary"


def run_job(spark: "SparkSession", job: Job) -> dict[str, list[dict[str, Any]]]:
    """Run a job; for each period, what was written and counted: {kind, ...} as the tasks report it."""
    done = (
        spark.range(0, len(job.tasks), 1, len(job.tasks))
        .mapInArrow(partial(read_task, job), SHUFFLE)
        .repartitionById(job.partitions, "partition")
        .mapInArrow(partial(join_task, job), SHUFFLE)
        .repartitionById(job.partitions, "partition")
        .mapInArrow(partial(write_task, job), SHUFFLE)
        .select("group", "kind", "payload")
        .collect()
    )
    reported: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in done:
        reported[row["group"]].append({"kind": row["kind"], **json.loads(bytes(row["payload"]))})
    return reported


def spark_scans(spark: "SparkSession", todo: list[tuple[RawFile, Delivery, Product]]) -> list[Scan]:
    """Scan files as Spark tasks, several small files a task; the first wrong file ends it with its sentence."""
    if not todo:
        return []
    sizes = [raw.path.stat().st_size for raw, _, _ in todo]
    groups = packed(list(range(len(todo))), sizes, spark.sparkContext.defaultParallelism)
    rows = (
        spark.range(0, len(groups), 1, len(groups))
        .mapInArrow(partial(_scan_task, todo, groups), "number int, scan string, fault string")
        .collect()
    )
    found: dict[int, Scan] = {}
    for row in sorted(rows, key=lambda row: row["number"]):
        if row["fault"]:
            raise InputError(row["fault"])
        kept = json.loads(row["scan"])
        found[row["number"]] = Scan(**{**kept, "spans": [Span(**span) for span in kept["spans"]]})
    return [found[number] for number in range(len(todo))]


def _scan_task(
    todo: list[tuple[RawFile, Delivery, Product]], groups: list[list[int]], batches: Batches
) -> Iterator[pa.RecordBatch]:
    names = ["number", "scan", "fault"]
    for batch in batches:
        for number in (number for group in batch.column(0).to_pylist() for number in groups[group]):
            scan, fault = None, None
            try:
                scan = json.dumps(asdict(scan_file(*todo[number])))
            except InputError as error:
                fault = str(error)
            arrays = [pa.array([number], pa.int32()), pa.array([scan], pa.string()), pa.array([fault], pa.string())]
            yield pa.record_batch(arrays, names=names)


def packed(items: list[Any], sizes: list[int], parallelism: int) -> list[list[Any]]:
    """Items in groups of about 32 MiB, or smaller ones when there would be too few groups for all cores."""
    limit = min(TASK_BYTES, max(sum(sizes) // (3 * parallelism), 1))
    groups: list[list[Any]] = []
    filled = limit
    for item, size in zip(items, sizes, strict=True):
        if filled >= limit:
            groups.append([])
            filled = 0
        groups[-1].append(item)
        filled += size
    return groups


def make_job(plans: list[PeriodPlan], product: Product, delivery: Delivery, parallelism: int, **fixed: Any) -> Job:
    """The job that computes these periods; `fixed`: the other fields of Job."""
    scans = list({scan.path: scan for plan in plans for scan in plan.inputs}.values())
    wanted = {plan.period for plan in plans}
    items, sizes = [], []
    for number, scan in enumerate(scans):
        for span, size in _spans(scan, wanted):
            items.append((number, span))
            sizes.append(size)
    works = {
        plan.period: PeriodWork(plan.period, plan.columns, plan.absent, 1 + plan.bytes // BUCKET_BYTES)
        for plan in plans
    }
    buckets = sum(work.buckets for work in works.values())
    weight = sum(sizes) // TASK_BYTES
    return Job(
        product=product,
        delivery=delivery,
        periods=works,
        scans=scans,
        tasks=packed(items, sizes, parallelism) or [[]],
        partitions=max(1, min(buckets, max(2 * parallelism, weight))),
        **fixed,
    )


def _spans(scan: Scan, wanted: set[str]) -> Iterator[tuple[Span | None, int]]:
    """Parts of a file that hold rows of these periods, with their bytes."""
    if not scan.splittable:
        yield None, scan.bytes
        return
    for span in scan.spans:
        if wanted & set(scan.span_periods(span)):
            yield span, span.end - span.start


def batches_by_bytes(plans: list[PeriodPlan], limit: int) -> list[list[PeriodPlan]]:
    """Consecutive periods, as many as fit in `limit` bytes of input; at least one."""
    batches: list[list[PeriodPlan]] = []
    filled = limit
    for plan in plans:
        if filled >= limit:
            batches.append([])
            filled = 0
        batches[-1].append(plan)
        filled += plan.bytes
    return batches
