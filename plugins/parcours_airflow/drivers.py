"""The driver of a task on a cluster: found again, replaced or started, but never two for the same work.

A task keeps {id, fingerprint, submission, status, outputs} under `driver` in its state store. It is written before the
driver is submitted, so that a worker that dies in between leaves a trace: the driver, once it runs, tells its id in the
status file of that submission, and a later submission takes the file over, which ends the earlier driver.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow.sdk import NEVER_EXPIRE

from parcours.errors import RetryableFault
from parcours.storage.job_status import open_status, read_status
from parcours_airflow.cluster import Cluster, status_variables, submission_request
from parcours_airflow.defaults import safe_name
from parcours_airflow.spark_rest import RUNNING_STATES, MastersUnavailable, SparkRest
from parcours_airflow.work import Work

DRIVER_KEY = "driver"
# The triggerer ends the driver of a cleared task while its next attempt starts already.
CLEARED_SECONDS = 10.0
KILLED_SECONDS = 60.0
# A standby master takes over within a minute or two.
MASTER_SECONDS, MASTER_PAUSE = 300.0, 5.0

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A driver: `succeeded` when it has done the work already, else it runs."""

    driver: str
    submission: str
    status: str
    succeeded: bool


def wait_for(call: Coroutine[Any, Any, T]) -> T:
    """The result of an asynchronous call, also in a signal handler and where a loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()


def patiently(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The answer of the leading master, waited for while there is none. Raises MastersUnavailable, AnswerBroken."""
    deadline = time.monotonic() + MASTER_SECONDS
    while True:
        try:
            return wait_for(call())
        except MastersUnavailable as error:
            if time.monotonic() > deadline:
                raise
            log.warning("%s Waiting for one.", error)
            time.sleep(MASTER_PAUSE)


def status_address(cluster: Cluster, context: Any) -> str:
    """The status file of a task: one for all its attempts."""
    task = context["ti"]
    index = f"-{task.map_index}" if task.map_index >= 0 else ""
    return f"{cluster.status.rstrip('/')}/{task.dag_id}/{safe_name(task.run_id)}/{task.task_id}{index}.json"


def find_driver(cluster: Cluster, work: Work, store: Any) -> Found | None:
    """The driver that does or has done this very work; one that does other work for the task is ended.

    Raises MastersUnavailable, AnswerBroken, OSError.
    """
    kept = store.get(DRIVER_KEY)
    if not kept:
        return None
    facts = read_status(kept["status"])
    told = facts if facts.get("submission") == kept["submission"] else {}
    driver = kept["id"] or told.get("driver_id")
    if not driver:
        return None
    same = kept["fingerprint"] == work.fingerprint()
    if same and told.get("exit_code") == 0 and kept["outputs"] in ("", work.outputs()):
        return Found(driver, kept["submission"], kept["status"], succeeded=True)
    if not _is_running(cluster, driver) or "exit_code" in told:
        return None
    if same:
        return _followed(cluster, store, {**kept, "id": driver})
    log.warning("Ending %s: the arguments, inputs or code of the task have changed since it started.", driver)
    end_driver(cluster, driver)
    return None


def start_driver(
    cluster: Cluster, work: Work, conf: Mapping[str, str], store: Any, status: str, started: Callable[[str], None]
) -> Found:
    """Submit a driver; `started` is told its id at once.

    Raises MastersUnavailable, AnswerBroken, InputError when the master refuses it, OSError when the status file cannot
    be written.
    """
    submission = uuid.uuid4().hex
    kept = {"id": "", "fingerprint": work.fingerprint(), "submission": submission, "status": status, "outputs": ""}
    open_status(status, submission, kept["fingerprint"])
    _keep(store, kept)
    variables = status_variables(status, submission)
    request = submission_request(cluster, work.job, work.name, work.arguments, conf, variables)
    driver = patiently(lambda: SparkRest(cluster.rest).submit(request))
    started(driver)
    _keep(store, {**kept, "id": driver})
    log.info("Submitted %s to %s.", driver, cluster.master)
    return Found(driver, submission, status, succeeded=False)


def end_driver(cluster: Cluster, driver: str) -> None:
    """Kill a driver and wait until it is gone. Raises MastersUnavailable, AnswerBroken, RetryableFault if it stays."""
    wait_for(SparkRest(cluster.rest).kill(driver))
    if not _ended_within(cluster, driver, KILLED_SECONDS):
        raise RetryableFault(f"The driver {driver} does not end; look at its worker in the pages of the Spark master.")


def note_success(store: Any, work: Work) -> None:
    """Remember what the job left, so that a later Clear knows whether it is still there."""
    _keep(store, {**store.get(DRIVER_KEY), "outputs": work.outputs()})


def _followed(cluster: Cluster, store: Any, kept: dict[str, Any]) -> Found | None:
    """The running driver, unless the triggerer is about to end it because its task was cleared."""
    driver = kept["id"]
    if _ended_within(cluster, driver, CLEARED_SECONDS):
        return None
    _keep(store, kept)
    return Found(driver, kept["submission"], kept["status"], succeeded=False)


def _ended_within(cluster: Cluster, driver: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _is_running(cluster, driver):
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def _is_running(cluster: Cluster, driver: str) -> bool:
    return patiently(lambda: SparkRest(cluster.rest).state(driver)) in RUNNING_STATES


def _keep(store: Any, kept: Mapping[str, Any]) -> None:
    store.set(DRIVER_KEY, dict(kept), retention=NEVER_EXPIRE)
