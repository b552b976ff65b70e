"""What Airflow tells the front page, asked at most every few seconds; that it is away is no fault of the page."""

import json
import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parcours.embedded import http
from parcours.front.airflow_facts import NO_ANSWER, NOT_ASKED, AirflowFacts, Dag, DagRun

# Where Airflow's interface is reached from here, when that is another address than the one people use.
API_VARIABLE, PAGE_VARIABLE = "PARCOURS_AIRFLOW_API_URL", "PARCOURS_AIRFLOW_URL"
# {user: password}, as Airflow's own simple logins keep it.
PASSWORD_VARIABLE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
FRESH_SECONDS = 5.0
# How long a page waits for an answer, and how long the thread that asks for it.
HASTE_SECONDS, PATIENCE_SECONDS = 0.4, 3.0
NAME_IN_NOTE = re.compile(r"^\*\*(.+?)\*\*", re.MULTILINE)

log = logging.getLogger(__name__)


class AirflowNow:
    """Asks Airflow in a thread of its own: who reads a page hardly waits for it, and gets what was known last."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get(API_VARIABLE) or environment.get(PAGE_VARIABLE) or ""
        self._address, self._passwords = address.rstrip("/"), environment.get(PASSWORD_VARIABLE)
        self._facts = NO_ANSWER if self._address and self._passwords else NOT_ASKED
        self._asked, self._token = 0.0, ""
        self._asking = threading.Lock()

    def facts(self) -> AirflowFacts:
        """What Airflow said last; asks again when that is some seconds ago."""
        if not self._facts.asked or time.monotonic() - self._asked < FRESH_SECONDS:
            return self._facts
        thread = threading.Thread(target=self._ask, daemon=True)
        thread.start()
        thread.join(HASTE_SECONDS)
        return self._facts

    def _ask(self) -> None:
        if not self._asking.acquire(blocking=False):
            return
        try:
            self._facts = self._told()
        except (OSError, http.Refused, KeyError, TypeError, ValueError) as reason:
            self._facts, self._token = NO_ANSWER, ""
            log.info("Airflow at %s does not answer: %s", self._address, reason)
        finally:
            self._asked = time.monotonic()
            self._asking.release()

    def _told(self) -> AirflowFacts:
        dags = self._get("/dags?tags=parcours&limit=500")["dags"]
        runs = self._get("/dags/~/dagRuns?state=running&state=queued&limit=100")["dag_runs"]
        return AirflowFacts(
            asked=True,
            answers=True,
            dags={dag["dag_id"]: Dag(dag["is_paused"], dag.get("next_dagrun_run_after") or "") for dag in dags},
            running=tuple(map(_dag_run, runs)),
        )

    def _get(self, path: str) -> Any:
        self._token = self._token or self._new_token()
        return http.call(f"{self._address}/api/v2{path}", token=self._token, timeout=PATIENCE_SECONDS)

    def _new_token(self) -> str:
        logins = json.loads(Path(self._passwords or "").read_text("utf-8"))
        user, password = next(iter(logins.items()))
        credentials = {"username": user, "password": password}
        answer = http.call(f"{self._address}/auth/token", "POST", credentials, timeout=PATIENCE_SECONDS)
        return str(answer["access_token"])


def _dag_run(run: Mapping[str, Any]) -> DagRun:
    """A run as Airflow tells it; the plan of a study writes the run's name into its note, in bold."""
    name = NAME_IN_NOTE.search(run.get("note") or "")
    return DagRun(
        dag=run["dag_id"],
        run=run["dag_run_id"],
        state=run["state"],
        started=run.get("start_date") or "",
        title=run.get("dag_display_name") or "",
        name=name[1] if name else "",
    )
