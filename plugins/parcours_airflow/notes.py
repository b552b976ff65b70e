"""The note of a DAG run: the name of the study's run, what differs from the study file, and where to look.

A task has no way to write it but Airflow's own API, which the connection `airflow_api` opens (host, port, login and
password of a user who may edit DAG runs). Without it, or when it does not answer, the run goes on without a note.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from parcours.cohort.titles import change_words, named
from parcours.storage.place import Place
from parcours.storage.served import served_page

CONNECTION = "airflow_api"
NOTE_CHARACTERS = 1000
SECONDS_TO_ANSWER = 20.0
log = logging.getLogger(__name__)


def note_text(run: Mapping[str, Any], pages: Mapping[str, str], said: Sequence[str] = ()) -> str:
    """Markdown of one run.json; `pages` are {what it is: address}, left out where they are empty.

    `said` are sentences about this run, such as that there is nothing new.
    """
    name = f"**{named(run)}**" + (" · SYNTHETIC" if run.get("synthetic") else "")
    changed = change_words(run.get("changes") or {})
    differs = ["What-if run; it differs from the study file:\n" + "\n".join(f"* {each}" for each in changed)]
    links = " · ".join(f"[{what}]({page})" for what, page in pages.items() if page)
    return "\n\n".join(filter(None, (name, *said, *(differs if changed else []), links)))


def report_page(run_json: Place) -> str:
    """Where the report of a run will be served."""
    return served_page(str(run_json.parent / "report" / "report.html"))


def note_run(context: Any, run: Mapping[str, Any], pages: Mapping[str, str], said: Sequence[str] = ()) -> None:
    """Write the note of the DAG run, below what its user wrote; a fault is logged and nothing more."""
    try:
        connection = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        log.info("%s. (There is no connection %s: the DAG run gets no note.)", named(run), CONNECTION)
        return
    import httpx

    try:
        _write(connection, context["dag"].dag_id, context["run_id"], note_text(run, pages, said))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        log.warning("The note of the DAG run could not be written, the run goes on: %r", error)


def _write(connection: Any, dag: str, run_id: str, text: str) -> None:
    import httpx

    host = f"{connection.schema or 'http'}://{connection.host}:{connection.port or 8080}"
    # A proxy set in the environment is for the outside, not for the platform.
    with httpx.Client(base_url=host, timeout=SECONDS_TO_ANSWER, trust_env=False) as client:
        login = {"username": connection.login, "password": connection.password}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        address = f"/api/v2/dags/{quote(dag, safe='')}/dagRuns/{quote(run_id, safe='')}"
        written = client.get(address).raise_for_status().json().get("note") or ""
        kept = written.partition(text.partition("\n")[0])[0].strip()
        note = "\n\n".join(filter(None, (kept, text)))[:NOTE_CHARACTERS]
        client.patch(address, params={"update_mask": "note"}, json={"note": note}).raise_for_status()
