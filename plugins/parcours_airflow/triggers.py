"""Waits for a driver on a cluster without holding a worker: tells its progress, and ends it when its task is ended."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from parcours.storage.job_status import read_status, withdraw
from parcours_airflow.links import SparkLink, spark_page
from parcours_airflow.spark_rest import LOST, RUNNING_STATES, AnswerBroken, MastersUnavailable, SparkRest

POLL_SECONDS = 5.0
# A master that has just started may not know its drivers yet; a driver that told its outcome has a moment to leave.
LOST_POLLS, LEAVING_POLLS = 3, 6
KILL_SECONDS = 25.0
PROGRESS_KEY = "progress"


class DriverTrigger(BaseTrigger):
    """Fires {driver, state} once the driver has ended; `status` is the address of its file, `masters` are REST ones."""

    def __init__(self, driver: str, masters: list[str], status: str, submission: str) -> None:
        super().__init__()
        self.driver = driver
        self.masters = masters
        self.status = status
        self.submission = submission
        self._told: dict[str, Any] = {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and what makes an equal one in another process."""
        names = ("driver", "masters", "status", "submission")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until the driver has ended; masters that are away are waited for."""
        lost = leaving = 0
        while True:
            state, facts = await self._state(), await asyncio.to_thread(self._facts)
            lost = lost + 1 if state == LOST else 0
            leaving = leaving + 1 if "exit_code" in facts else 0
            if lost >= LOST_POLLS or leaving >= LEAVING_POLLS or state not in (*RUNNING_STATES, LOST, None):
                yield TriggerEvent({"driver": self.driver, "state": state})
                return
            await self._tell(state, facts)
            await asyncio.sleep(POLL_SECONDS)

    async def on_kill(self) -> None:
        """End the driver, unless the task still waits for it: then another triggerer has taken the trigger over."""
        if await asyncio.to_thread(self._still_deferred):
            self.log.warning("The task still waits for %s in another triggerer: it goes on.", self.driver)
            return
        self.log.info("The task was ended: killing %s.", self.driver)
        async with asyncio.timeout(KILL_SECONDS):
            while not await self._killed():
                await asyncio.sleep(1)

    async def _killed(self) -> bool:
        """Whether a master was told; the driver is told too, for the time when no master answers."""
        try:
            await asyncio.to_thread(withdraw, self.status, self.submission)
        except OSError as error:
            self.log.warning("%s cannot be told to end by its status file: %s", self.driver, error)
        try:
            await SparkRest(self.masters).kill(self.driver)
        except (MastersUnavailable, AnswerBroken) as error:
            self.log.warning("%s", error)
            return False
        return True

    async def _state(self) -> str | None:
        """None as long as no master answers: the driver may run all the same."""
        try:
            return await SparkRest(self.masters).state(self.driver)
        except (MastersUnavailable, AnswerBroken) as error:
            self.log.warning("%s Waiting for %s.", error, self.driver)
            return None

    def _facts(self) -> dict[str, Any]:
        """What the driver told, {} while nothing can be read."""
        try:
            facts = read_status(self.status)
        except (OSError, ValueError) as error:
            self.log.warning("The status of %s cannot be read now: %s", self.driver, error)
            return {}
        return facts if facts.get("submission") == self.submission else {}

    async def _tell(self, state: str | None, facts: dict[str, Any]) -> None:
        """Progress and the page of the application, on the page of the task, whenever they change."""
        progress = facts.get("progress") or {"label": f"driver {state or 'not known: no master answers'}"}
        tasks = await running_tasks(facts.get("ui"), facts.get("application_id"))
        page = spark_page(facts.get("application_id"))
        shown = {PROGRESS_KEY: {**progress, **tasks, "driver": self.driver, "state": state}, SparkLink().xcom_key: page}
        for key, value in shown.items():
            if value and self._told.get(key) != value:
                self._told[key] = value
                await self._push(key, value)

    async def _push(self, key: str, value: Any) -> None:
        from airflow.sdk.execution_time.xcom import XCom

        task = self.task_instance
        if task is not None:
            await XCom.aset(
                key, value, dag_id=task.dag_id, task_id=task.task_id, run_id=task.run_id, map_index=task.map_index
            )

    def _still_deferred(self) -> bool:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        task = self.task_instance
        if task is None:
            return False
        found = RuntimeTaskInstance.get_task_states(
            dag_id=task.dag_id, map_index=task.map_index, task_ids=[task.task_id], run_ids=[task.run_id]
        )
        return "deferred" in {str(state) for states in found.values() for state in states.values()}


async def running_tasks(ui: str | None, application: str | None) -> dict[str, Any]:
    """{stages, tasks_done, tasks_total} of what Spark runs now, as the driver's page tells; {} when it does not."""
    import httpx

    if not ui or not application:
        return {}
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as client:
            answer = await client.get(f"{ui}/api/v1/applications/{application}/jobs?status=running")
            jobs = answer.json() if answer.status_code == httpx.codes.OK else []
    except (httpx.HTTPError, ValueError):
        return {}  # its page may be out of reach from here: the status file tells the rest
    if not jobs:
        return {}
    return {
        "stages": sum(job["numActiveStages"] for job in jobs),
        "tasks_done": sum(job["numCompletedTasks"] for job in jobs),
        "tasks_total": sum(job["numTasks"] for job in jobs),
    }
