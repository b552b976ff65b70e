"""Spark distributes the work, as jobs of a few periods.

A period that one task can hold is read, joined and written by that task: no row is shuffled. A larger one takes
read -> shuffle by claim -> join -> shuffle by person -> write, each of many tasks. The functions are the same.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from parcours.engine.schedule import run_tasks
from parcours.errors import InputError
from parcours.flatten.job import Item, Job, PeriodWork
from parcours.flatten.plan import PeriodPlan
from parcours.flatten.scan import Scan, Span, Unread, scan_and_keep
from parcours.flatten.tasks import join_task, read_task, whole_task, write_task
from parcours.snds.contracts import Product
from parcours.snds.delivery import Delivery
from parcours.storage.place import file_size

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Raw bytes that one task reads, that one task joins, and that one file of a reference stands for.
TASK_BYTES = 128 << 20
BUCKET_BYTES = 128 << 20
REFERENCE_BYTES = 64 << 20
# Raw bytes of a period that one task holds: its typed rows take twice as much.
WHOLE_BYTES = 512 << 20
# Raw bytes of the small periods that one task takes one after the other, and of the large ones of one shuffled job.
SMALL_BYTES = 8 << 20
JOB_BYTES = 1 << 30
SHUFFLE = "partition int, group string, kind string, payload binary"


@dataclass(frozen=True)
class Batch:
    """Periods that one Spark job computes; `whole`: one task holds them."""

    plans: list[PeriodPlan]
    whole: bool


def batches(plans: list[PeriodPlan]) -> list[Batch]:
    """The jobs of some periods, the large ones first."""
    whole = [plan for plan in plans if fits_one_task(plan)]
    shuffled = [plan for plan in plans if plan not in whole]
    return [Batch(some, False) for some in by_bytes(shuffled, JOB_BYTES)] + [
        Batch(some, True) for some in by_bytes(whole, SMALL_BYTES)
    ]


def fits_one_task(plan: PeriodPlan) -> bool:
    """Whether a period is small enough for one task, and no block has to be read for it and for another one too."""
    if plan.bytes > WHOLE_BYTES:
        return False
    for scan in plan.inputs:
        held = [scan.span_periods(span) for span in scan.spans]
        mine = [periods for periods in held if plan.period in periods]
        if any(len(periods) > 1 for periods in mine) or not (scan.splittable or len(mine) == len(held)):
            return False
    return True


def run_job(spark: "SparkSession", job: Job, whole: bool) -> dict[str, list[dict[str, Any]]]:
    """Run a job; for each period, what was written and counted: {kind, ...} as the tasks report it."""
    reported: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for period, entry in _whole(spark, job) if whole else _shuffled(spark, job):
        reported[period].append(entry)
    return reported


def _whole(spark: "SparkSession", job: Job) -> list[tuple[str, dict[str, Any]]]:
    return run_tasks(whole_task, [job], spark, 1)


def _shuffled(spark: "SparkSession", job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
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
    for row in done:
        yield row["group"], {"kind": row["kind"], **json.loads(bytes(row["payload"]))}


def spark_scans(spark: "SparkSession", todo: list[Unread]) -> list[Scan]:
    """Scan files as Spark tasks, several small files a task; the first wrong file ends it with its sentence."""
    if not todo:
        return []
    sizes = [file_size(unread.raw.path) for unread in todo]
    groups = packed(list(range(len(todo))), sizes, spark.sparkContext.defaultParallelism)
    reports: list[tuple[int, Scan | str]] = run_tasks(partial(_scan_task, todo), groups, spark, 1)
    scans: list[Scan] = []
    for _, scan in sorted(reports, key=lambda report: report[0]):
        if isinstance(scan, str):
            raise InputError(scan)
        scans.append(scan)
    return scans


def _scan_task(todo: list[Unread], numbers: list[int]) -> Iterator[tuple[int, Scan | str]]:
    """(number, scan) of each file, or the sentence of a wrong one."""
    for number in numbers:
        try:
            yield number, scan_and_keep(todo[number])
        except InputError as error:
            yield number, str(error)


def packed(items: list[Any], sizes: list[int], parallelism: int) -> list[list[Any]]:
    """Items in groups of about 128 MiB, or smaller ones when there would be too few groups for all cores."""
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


def make_job(batch: Batch, product: Product, delivery: Delivery, parallelism: int, **fixed: Any) -> Job:
    """The job of a batch; `fixed`: the other fields of Job."""
    scans = list({scan.path: scan for plan in batch.plans for scan in plan.inputs}.values())
    wanted = {plan.period for plan in batch.plans}
    items: list[Item] = []
    sizes = []
    for number, scan in enumerate(scans):
        for span, size in _spans(scan, wanted):
            items.append((number, span))
            sizes.append(size)
    works = {
        plan.period: PeriodWork(plan.period, plan.columns, plan.absent, claim_buckets(product, plan.bytes))
        for plan in batch.plans
    }
    buckets = sum(work.buckets for work in works.values())
    weight = sum(sizes) // TASK_BYTES
    return Job(
        product=product,
        delivery=replace(delivery, files=()),
        periods=works,
        scans=scans,
        tasks=[items] if batch.whole else packed(items, sizes, parallelism) or [[]],
        partitions=max(1, min(max(buckets, fixed["person_buckets"]), max(2 * parallelism, weight))),
        **fixed,
    )


def claim_buckets(product: Product, size: int) -> int:
    """Claim buckets of a period of `size` raw bytes; those of a reference are its files."""
    return 1 + size // (REFERENCE_BYTES if product.form == "reference" else BUCKET_BYTES)


def _spans(scan: Scan, wanted: set[str]) -> Iterator[tuple[Span | None, int]]:
    """Parts of a file that hold rows of these periods, with their bytes."""
    if not scan.splittable:
        yield None, scan.bytes
        return
    for span in scan.spans:
        if wanted & set(scan.span_periods(span)):
            yield span, span.end - span.start


def by_bytes(plans: list[PeriodPlan], limit: int) -> list[list[PeriodPlan]]:
    """Consecutive periods, as many as fit in `limit` bytes of input; at least one."""
    found: list[list[PeriodPlan]] = []
    filled = limit
    for plan in plans:
        if not found or filled + plan.bytes > limit:
            found.append([])
            filled = 0
        found[-1].append(plan)
        filled += plan.bytes
    return found
