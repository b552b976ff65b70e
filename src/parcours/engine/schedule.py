"""Who runs tasks: the executors of a Spark cluster, or threads of this process, where Spark would run here anyway."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Task = Callable[[Any], Iterable[Any]]
OnDone = Callable[[int, int], None]


def run_tasks(
    task: Task, items: Sequence[Any], spark: "SparkSession | None", cores: int, done: OnDone | None = None
) -> list[Any]:
    """What a task reports of each item, in the order of items; as Spark tasks, one an item, or in `cores` threads.

    `done` is told how many items of how many are behind, where this process runs them. What a task raises ends it all.
    """
    if spark is not None:
        if not items:
            return []
        reports: list[Any] = (
            spark.sparkContext.parallelize(list(items), len(items)).mapPartitions(partial(_of_each, task)).collect()
        )
        return reports
    return _in_threads(task, items, cores, done)


def _of_each(task: Task, items: Iterable[Any]) -> Iterator[Any]:
    for item in list(items):  # a worker that leaves its input unread is not used again
        yield from task(item)


def _in_threads(task: Task, items: Sequence[Any], cores: int, done: OnDone | None) -> list[Any]:
    with ThreadPoolExecutor(max(1, cores)) as pool:
        running = {pool.submit(lambda item: list(task(item)), item): number for number, item in enumerate(items)}
        try:
            for behind, future in enumerate(as_completed(running), start=1):
                future.result()
                if done is not None:
                    done(behind, len(items))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [report for future in running for report in future.result()]
