"""The flattening stage: arguments -> session -> library -> commit."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from parcours.snds.delivery import load_delivery
from parcours.storage.root import open_root


def run_flatten(
    delivery: Path,
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
    from parcours.flatten.run import Selection, flatten
    from parcours.session import spark_session

    opened, place = load_delivery(Path(delivery)), open_root(root)
    selection = Selection(products, periods, years)
    return flatten(spark_session("parcours flatten"), opened, place, selection, on_progress or _log_progress)


def plan_flatten(
    delivery: Path, root: str, products: list[str] | None = None, periods: list[str] | None = None
) -> list[dict[str, Any]]:
    """What `run_flatten` would do: one {product, period, status: reuse|compute|replace, bytes, rows} a period.

    Needs no Spark; files not seen before are read once, to know which periods they hold.
    """
    from parcours.flatten.run import Selection, plan
    from parcours.flatten.scan import scan_file

    def scan_all(todo: list[Any]) -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda item: scan_file(*item), todo))

    found = plan(open_root(root), load_delivery(Path(delivery)), Selection(products, periods), scan_all)
    return [
        {"product": p.product, "period": p.period, "status": p.status, "bytes": p.bytes, "rows": p.rows}
        for _, plans in found
        for p in plans
    ]


def _log_progress(done: int, total: int, label: str) -> None:
    logging.getLogger(__name__).info("%d/%d %s", done, total, label)
