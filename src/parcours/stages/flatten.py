"""The flattening stage: arguments -> session -> library -> commit."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from parcours.snds.delivery import load_delivery
from parcours.spark_classes import sharing_options
from parcours.spark_faults import told_by_spark
from parcours.storage.place import Place, place
from parcours.storage.root import open_root

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Raw bytes a second and core, as measured: benchmarks/results/flatten.json.
BYTES_PER_SECOND = 38e6
NAMED = 3
SPARK_SETTINGS = {
    "spark.python.daemon.module": "parcours.flatten.daemon",
    # The JVM schedules and moves bytes; its slow compiler would only take processor time from the tasks.
    "spark.driver.extraJavaOptions": f"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 {sharing_options()}",
}


def run_flatten(
    delivery: str | Place,
    root: str,
    products: list[str] | None = None,
    periods: list[str] | None = None,
    years: list[int] | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Flatten a delivery (the folder or its delivery.yaml) into a root; None asks for all that was delivered.

    Returns {status: done|reused, root, products: {product: {period: done|reused}}}. Raises InputError for wrong
    input, RetryableFault when another writer is on one of the periods.
    """
    from parcours.flatten.selection import Selection

    opened, target = load_delivery(place(delivery, "delivery")), open_root(root)
    selection = Selection(products, periods, years)
    # Spark takes seconds to start; meanwhile files are read for the first time, unless that is work for a cluster.
    with ThreadPoolExecutor(1) as starter:
        starting = starter.submit(_session_with_workers, flatten_name(opened.name, products, years, periods))
        from parcours.flatten.run import flatten, scan_ahead

        scan_ahead(target, opened, selection, scan_here)
        spark = starting.result()
    return flatten(spark, opened, target, selection, on_progress or _log_progress)


def flatten_name(delivery: str, products: list[str] | None, years: list[int] | None, periods: list[str] | None) -> str:
    """What Spark's pages call a job: `flatten · DCIR · 2016 · <delivery>`, of what was asked for."""
    asked = [[*map(str, few[:NAMED]), *(["..."] if few[NAMED:] else [])] for few in (products, years, periods) if few]
    return " · ".join(["flatten", *(map(", ".join, asked) if asked else ["all products"]), delivery])


@told_by_spark()
def _session_with_workers(name: str) -> "SparkSession":
    """A session whose Python workers run already: the first job would wait for them with most cores idle."""
    from parcours.session import spark_session

    spark = spark_session(name, SPARK_SETTINGS)
    spark.sparkContext.parallelize(range(2), 2).map(abs).collect()
    return spark


def scan_here(todo: list[Any]) -> list[Any]:
    """Scan files on this machine, a thread for each core."""
    from parcours.flatten.scan import scan_and_keep

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(scan_and_keep, todo))


def run_scan(delivery: str | Place, root: str, products: list[str] | None = None) -> dict[str, Any]:
    """Read every file of a delivery that is new to the root once, on Spark's cores, so that a plan reads none.

    Returns {status: done|reused, root, files, bytes}. Raises InputError for wrong input.
    """
    from parcours.flatten.engine import spark_scans
    from parcours.flatten.run import known_and_unread, scan, unread_bytes
    from parcours.flatten.selection import Selection

    opened, target = load_delivery(place(delivery, "delivery")), open_root(root)
    known, unread = known_and_unread(target, opened, Selection(products))
    new, files = unread_bytes(unread), len(known) + len(unread)
    spark = _session_with_workers(f"scan · {opened.name}")
    with told_by_spark():
        scan(target, opened, unread, lambda todo: spark_scans(spark, todo))
    return {"status": "done" if new else "reused", "root": str(target.path), "files": files, "bytes": new}


def unread_gigabytes(delivery: str | Place, root: str, products: list[str] | None = None) -> float:
    """10^9 bytes of the files of a delivery that a plan would have to read first. Raises InputError."""
    from parcours.flatten.run import known_and_unread, unread_bytes
    from parcours.flatten.selection import Selection

    opened, target = load_delivery(place(delivery, "delivery")), open_root(root)
    return unread_bytes(known_and_unread(target, opened, Selection(products))[1]) / 1e9


def plan_flatten(
    delivery: str | Place, root: str, products: list[str] | None = None, periods: list[str] | None = None
) -> list[dict[str, Any]]:
    """What `run_flatten` would do: one {product, period, status: reuse|compute|replace, bytes, rows, seconds} a period.

    `seconds` is an estimate for the cores of this machine, 0 for what is reused. Needs no Spark; files not seen before
    are read once, to know which periods they hold.
    """
    from parcours.flatten.run import plan
    from parcours.flatten.selection import Selection

    found = plan(open_root(root), load_delivery(place(delivery, "delivery")), Selection(products, periods), scan_here)
    return [
        {
            "product": p.product,
            "period": p.period,
            "status": p.status,
            "bytes": p.bytes,
            "rows": p.rows,
            "seconds": 0.0 if p.status == "reuse" else round(p.bytes / (BYTES_PER_SECOND * (os.cpu_count() or 1)), 1),
        }
        for _, plans in found
        for p in plans
    ]


def _log_progress(done: int, total: int, label: str) -> None:
    logging.getLogger(__name__).info("%d/%d %s", done, total, label)
