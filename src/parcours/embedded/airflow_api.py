"""Airflow over REST: start runs, follow their tasks, read why one failed."""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from parcours.embedded import http
from parcours.errors import InputError, RetryableFault

ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
DAG_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class TaskState:
    """One task of a run; `label` names the slice of a mapped task."""

    task: str
    map_index: int
    label: str
    state: str
    attempt: int

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


class Airflow:
    """A logged-in client of one Airflow."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        credentials = {"username": user, "password": password}
        self._token = http.call(f"{url}/auth/token", "POST", credentials)["access_token"]

    def call(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        """The decoded answer of `/api/v2<path>`; raises http.Refused for an error status."""
        return http.call(f"{self.url}/api/v2{path}", method, body, self._token)

    def enable(self, dag: str) -> None:
        """Unpause a DAG, waiting until Airflow has read its file.

        Raises RetryableFault, with the reason Airflow gives, when it does not turn up.
        """
        deadline = time.monotonic() + DAG_PATIENCE_SECONDS
        while not self._is_read(dag):
            if time.monotonic() > deadline:
                raise RetryableFault(f"Airflow does not know the DAG {dag}: {self._import_errors()}")
            time.sleep(1)
        self.call(f"/dags/{dag}", "PATCH", {"is_paused": False})

    def _is_read(self, dag: str) -> bool:
        """Whether the DAG is there and current: after a pause of the platform it is stale until it was read again."""
        try:
            return not self.call(f"/dags/{dag}")["is_stale"]
        except http.Refused as refusal:
            if refusal.status != 404:
                raise
            return False

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Start a run; its id. Raises InputError, with Airflow's own words, when a parameter is refused."""
        try:
            answer = self.call(f"/dags/{dag}/dagRuns", "POST", {"logical_date": None, "conf": conf})
        except http.Refused as refusal:
            if refusal.status in (400, 422):
                raise InputError(refusal.detail.split("\n")[0]) from None
            raise
        return str(answer["dag_run_id"])

    def run_state(self, dag: str, run: str) -> str:
        """queued, running, success or failed."""
        return str(self.call(f"/dags/{dag}/dagRuns/{quote(run)}")["state"])

    def tasks(self, dag: str, run: str) -> list[TaskState]:
        """Every task of a run, mapped ones one by one."""
        found = self.call(f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances?limit=1000")["task_instances"]
        return [
            TaskState(
                task=item["task_id"],
                map_index=item["map_index"],
                label=item.get("rendered_map_index") or "",
                state=item["state"] or "waiting",
                attempt=item["try_number"],
            )
            for item in found
        ]

    def xcom(self, dag: str, run: str, task: TaskState, key: str = "return_value") -> Any:
        """What a task handed over, or None."""
        path = f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task.task}/xcomEntries/{key}"
        try:
            return self.call(f"{path}?map_index={task.map_index}&deserialize=true")["value"]
        except http.Refused as refusal:
            if refusal.status != 404:
                raise
            return None

    def links(self, dag: str, run: str, task: TaskState) -> dict[str, str]:
        """The pages a task points to, by name; those that are not there yet are left out."""
        path = f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task.task}/links"
        found = self.call(f"{path}?map_index={task.map_index}")["extra_links"]
        return {name: page for name, page in found.items() if page}

    def log_tail(self, dag: str, run: str, task: TaskState, lines: int = 15) -> list[str]:
        """The last lines of a task's log."""
        path = f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task.task}/logs/{task.attempt}"
        content = self.call(f"{path}?map_index={task.map_index}&full_content=true")["content"]
        events = [entry["event"] if isinstance(entry, dict) else str(entry) for entry in content]
        return [line for line in events if line and not line.startswith("::")][-lines:]

    def _import_errors(self) -> str:
        errors = self.call("/importErrors")["import_errors"]
        last = [error["stack_trace"].strip().splitlines()[-1] for error in errors]
        return "; ".join(last) or "its file was not read yet; look at the log of the dag-processor."
