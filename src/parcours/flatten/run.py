"""Flatten a delivery into a root: what is there already is reused, the rest computed and committed period by period."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from parcours.errors import RetryableFault
from parcours.flatten.engine import Batch, batches, make_job, run_job, spark_scans
from parcours.flatten.owners import Owners
from parcours.flatten.persons import cost_without_referential, ensure_identity, lookup_of, planned_owners, with_persons
from parcours.flatten.plan import PeriodPlan, plan_product
from parcours.flatten.reconcile import check, summarise
from parcours.flatten.scan import Scan, Scanner, Unread, kept_scans, scan_delivery
from parcours.flatten.selection import UNKNOWN, Selection, held_periods, selected_products, unmatched
from parcours.snds.contracts import Product
from parcours.snds.delivery import Delivery
from parcours.snds.person_forms import columns_of_rows
from parcours.spark_faults import told_by_spark
from parcours.storage.commit import commit_directory, exclusive_writer, staging_attempt, waiting_writer
from parcours.storage.fingerprint import code_version, fingerprint
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, file_size, place, stamp
from parcours.storage.progress import Tell, told_progress
from parcours.storage.root import Root, buckets_for, ensure_layout

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# About a minute of reading on two cores.
SCAN_HERE_BYTES = 16 << 30
# What a manifest takes over from the summary of its tasks.
COUNTED = ("rows", "amounts", "sentinels", "canonical", "persons", "unidentified", "files")
Progress = Callable[[int, int, str], None]
log = logging.getLogger(__name__)


def _layout(root: Root, delivery: Delivery) -> int:
    """Number of person buckets: the root's, or for a new root what the size of its first delivery asks for."""
    return ensure_layout(root, buckets_for(sum(file_size(raw.path) for raw in delivery.files)))


def plan(
    root: Root, delivery: Delivery, selection: Selection, scan_all: Scanner
) -> list[tuple[Product, list[PeriodPlan]]]:
    """What flattening would do, product by product; says of which product a period that is asked for holds nothing.

    Raises InputError when such a period holds nothing of any product.
    """
    products = selected_products(delivery, selection)
    scans = scan_delivery(root, delivery, with_persons(delivery, products), scan_all)
    for sentence in unmatched(selection, held_periods(products, scans)):
        log.warning(sentence)
    buckets = _layout(root, delivery)
    owners = planned_owners(root, delivery, scans, buckets)
    found = [
        (product, plan_product(root, delivery, product, scans, buckets, _owners_of(product, delivery, owners)))
        for product in products
    ]
    return [(product, [plan for plan in plans if selection.wants(plan.period)]) for product, plans in found]


def _owners_of(product: Product, delivery: Delivery, owners: Owners | None) -> Owners | None:
    columns = columns_of_rows(delivery.person, product)
    return None if owners is None or columns is None or columns.names_persons else replace(owners, columns=columns)


def scan_ahead(root: Root, delivery: Delivery, selection: Selection, scan_all: Scanner) -> None:
    """Scan what `flatten` will ask for, where this machine is enough for it; the scans are kept in the root."""
    _, unread = known_and_unread(root, delivery, selection)
    if unread_bytes(unread) <= SCAN_HERE_BYTES:
        scan(root, delivery, unread, scan_all)


def known_and_unread(root: Root, delivery: Delivery, selection: Selection) -> tuple[list[Scan], list[Unread]]:
    """Of the files that a plan needs, the scans in the root and those to be read first.

    Raises InputError as `plan` does.
    """
    return kept_scans(root, delivery, with_persons(delivery, selected_products(delivery, selection)))


def unread_bytes(unread: list[Unread]) -> int:
    """Bytes of these files."""
    return sum(file_size(one.raw.path) for one in unread)


def scan(root: Root, delivery: Delivery, unread: list[Unread], scan_all: Scanner) -> None:
    """Read these files; their scans are kept in the root, each as soon as its file is read."""
    _layout(root, delivery)
    scan_all(unread)


@told_by_spark()
def flatten(
    spark: "SparkSession", delivery: Delivery, root: Root, selection: Selection, on_progress: Progress
) -> dict[str, Any]:
    """Flatten what the selection asks for; returns {status, products: {name: {period: reused|done}}}.

    Raises what a task raised, and RetryableFault when another writer is on one of the periods, an input changed while
    it was read, or a process of Spark died.
    """
    with told_progress(root, selection.name) as tell:
        return _flatten(spark, delivery, root, selection, on_progress, tell)


def _flatten(
    spark: "SparkSession", delivery: Delivery, root: Root, selection: Selection, on_progress: Progress, tell: Tell
) -> dict[str, Any]:
    buckets = _layout(root, delivery)
    tell(0, 1, "reading headers and checksums")
    on_progress(0, 1, "reading headers and checksums")
    scan_all: Scanner = lambda todo: spark_scans(spark, todo)  # noqa: E731
    products = selected_products(delivery, selection)
    scans = scan_delivery(root, delivery, with_persons(delivery, products), scan_all)
    unmatched(selection, held_periods(products, scans))  # refused before anything is written
    done = ensure_identity(delivery, root, scans, buckets, partial(flatten_product, spark, delivery, root))
    plans = plan(root, delivery, selection, scan_all)
    reporter = _Reporter(tell, [found for _, periods in plans for found in periods], on_progress)
    for product, periods in plans:
        states = done.setdefault(product.name, {})
        for period, state in flatten_product(spark, delivery, root, product, periods):
            states.setdefault(period, state)  # of a referential, what was done above
            reporter.step(product.name, period)
    if cost := cost_without_referential(root, products):
        log.warning(cost)
    computed = any(state == "done" for states in done.values() for state in states.values())
    return {"status": "done" if computed else "reused", "root": str(root.path), "products": done}


class _Reporter:
    """Tells the caller and the root how far the work is; what is left is weighed by the bytes still to be read."""

    def __init__(self, tell: Tell, plans: list[PeriodPlan], on_progress: Progress) -> None:
        self._tell, self._on_progress = tell, on_progress
        self._total, self._done = len(plans), 0
        self._bytes = {(plan.product, plan.period): plan.bytes for plan in plans if plan.status != "reuse"}
        self._all, self._behind = sum(self._bytes.values()), 0
        tell(0, self._total, "joining", 0.0)

    def step(self, product: str, period: str) -> None:
        """One more period is settled."""
        self._done += 1
        self._behind += self._bytes.get((product, period), 0)
        share = self._behind / self._all if self._all else 1.0
        self._tell(self._done, self._total, f"{product} {period}", share)
        self._on_progress(self._done, self._total, f"{product} {period}")


def flatten_product(
    spark: "SparkSession", delivery: Delivery, root: Root, product: Product, plans: list[PeriodPlan]
) -> Iterator[tuple[str, str]]:
    """Compute and commit the periods that are not there yet; yields (period, reused|done) as each is settled."""
    yield from ((plan.period, "reused") for plan in plans if plan.status == "reuse")
    unknown = [plan for plan in plans if plan.status != "reuse" and plan.period == UNKNOWN]
    todo = [plan for plan in plans if plan.status != "reuse" and plan.period != UNKNOWN]
    finals = [root.period(product.name, plan.period) for plan in todo]
    with exclusive_writer(root, *finals):
        meanwhile = [plan for plan in todo if _committed_by_now(root, plan)]
        yield from ((plan.period, "reused") for plan in meanwhile)
        todo = [plan for plan in todo if plan not in meanwhile]
        mark = fingerprint([plan.fingerprint for plan in todo])
        with staging_attempt(root, mark) as staged, _jobs(spark) as pool:
            compute = partial(_compute, spark, delivery, root, product, staged)
            for computed in _as_computed([pool.submit(compute, batch) for batch in batches(todo)]):
                yield from _committed(root, product, staged, computed)
    for plan in unknown:
        yield from _flatten_unknown(spark, delivery, root, product, plan)


def _committed_by_now(root: Root, plan: PeriodPlan) -> bool:
    """Whether another job has committed this very state since it was planned.

    Raises RetryableFault when it committed another state: that may be newer than what this plan knows.
    """
    current = (read_manifest(root.period(plan.product, plan.period)) or {}).get("fingerprint")
    if current in (None, plan.replaces):
        return False
    if current == plan.fingerprint:
        return True
    raise RetryableFault(
        f"{plan.product} {plan.period} was flattened by another job since this one was planned; run again."
    )


@dataclass(frozen=True)
class Computed:
    """The periods of one job, and what its tasks reported of each."""

    plans: list[PeriodPlan]
    reported: dict[str, list[dict[str, Any]]]
    started: datetime
    application: str


def _as_computed(running: list[Future[Computed]]) -> Iterator[Computed]:
    """What jobs computed, as they end; after a fault no other job starts, and those under way still count."""
    fault: BaseException | None = None
    for job in as_completed(running):
        if job.cancelled():
            continue
        if job.exception() is None:
            yield job.result()
            continue
        fault = fault or job.exception()
        for other in running:
            other.cancel()
    if fault is not None:
        raise fault


@contextmanager
def _jobs(spark: "SparkSession") -> Iterator[ThreadPoolExecutor]:
    """Jobs run side by side, so that cores stay busy while a job starts, ends or waits for its last task."""
    pool = ThreadPoolExecutor(spark.sparkContext.defaultParallelism + 1, "flatten")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _flatten_unknown(
    spark: "SparkSession", delivery: Delivery, root: Root, product: Product, plan: PeriodPlan
) -> Iterator[tuple[str, str]]:
    """Rows of no known period belong to every selection: of several jobs, one writes them and the others wait."""
    final = root.rejects(product.name, UNKNOWN)
    with waiting_writer(root, final):
        if (read_manifest(final) or {}).get("fingerprint") == plan.fingerprint:
            yield plan.period, "reused"
            return
        with staging_attempt(root, plan.fingerprint) as staged:
            batch = batches([plan])[0]
            yield from _committed(root, product, staged, _compute(spark, delivery, root, product, staged, batch))


def _compute(
    spark: "SparkSession", delivery: Delivery, root: Root, product: Product, staged: Place, batch: Batch
) -> Computed:
    """Write the files of some periods in the staging directory.

    Raises RetryableFault when an input changed while it was read.
    """
    started = datetime.now(UTC)
    job = make_job(
        batch,
        product,
        delivery,
        spark.sparkContext.defaultParallelism,
        person_buckets=batch.plans[0].config["person_buckets"],
        persons=columns_of_rows(delivery.person, product),
        lookup=lookup_of(root, batch.plans[0].config["identity"]),
        staged=staged,
    )
    try:
        reported = run_job(spark, job, batch.whole)
    finally:
        _check_inputs(job.scans)  # first: what tasks made of a file that changed says nothing of its cause
    return Computed(batch.plans, reported, started, spark.sparkContext.applicationId)


def _committed(root: Root, product: Product, staged: Place, computed: Computed) -> Iterator[tuple[str, str]]:
    for plan in computed.plans:
        summary = summarise(product, plan, computed.reported.get(plan.period, []))
        check(product, plan, summary)
        manifest = _manifest(product, plan, summary, computed.started, computed.application)
        if plan.period != UNKNOWN:
            _committed_by_now(root, plan)  # cut off from HDFS, this job may have lost its locks
        _commit(root, product, plan, staged / plan.period, manifest)
        log.info("%s %s: committed", product.name, plan.period)
        yield plan.period, "done"


def _check_inputs(scans: list[Scan]) -> None:
    for scan in scans:
        path = place(scan.path)
        if not path.is_file() or stamp(path) != scan.stamp:
            raise RetryableFault(f"{path} changed while it was read; nothing was committed, run again.")


def _manifest(
    product: Product, plan: PeriodPlan, summary: dict[str, Any], started: datetime, application: str
) -> dict[str, Any]:
    return {
        "product": product.name,
        "period": plan.period,
        "status": "complete",
        "fingerprint": plan.fingerprint,
        "inputs": [
            {"table": scan.table, "path": scan.path, "bytes": scan.bytes, "checksum": scan.checksum}
            for scan in plan.inputs
        ],
        "config": plan.config,
        "code_version": code_version(),
        **{name: summary[name] for name in COUNTED},
        "drift": plan.drift,
        "absent": list(plan.absent),
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "spark_application": application,
    }


def _commit(root: Root, product: Product, plan: PeriodPlan, staged: Place, manifest: dict[str, Any]) -> None:
    """Orphans, rejects, then the flat period: each in one step, each with the fingerprint that they share.

    Rows of unknown period have no flat period: their rejects come last, and say that all of it is there.
    """
    sides = {"orphans": root.orphans, "rejects": root.rejects}
    for name, side_of in sides.items():
        final = side_of(product.name, plan.period)
        side = staged / name
        side.mkdir(parents=True, exist_ok=True)
        held = read_manifest(final)
        if held is None or held.get("fingerprint") != plan.fingerprint:
            commit_directory(root, side, final, manifest if plan.period == UNKNOWN else _side(manifest, side))
    if plan.period != UNKNOWN:
        (staged / "flat").mkdir(parents=True, exist_ok=True)
        commit_directory(root, staged / "flat", root.period(product.name, plan.period), manifest)


def _side(manifest: dict[str, Any], side: Place) -> dict[str, Any]:
    shared = {name: manifest[name] for name in ("product", "period", "fingerprint", "ended")}
    return {**shared, "files": sorted(path.name for path in side.glob("*.parquet"))}
