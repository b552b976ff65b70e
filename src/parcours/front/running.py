"""What runs now: on the root, as its jobs tell, and in Airflow."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from parcours.front.airflow_facts import SILENT, DagRun
from parcours.front.parts import day, duration, elsewhere, row, table
from parcours.front.study_part import Around
from parcours.storage.progress import seconds_left

# A job that has told nothing for so long is said to be silent.
SILENT_SECONDS = 300
HEAD = ("stage", "doing", "done", "left", "since")


def running_part(jobs: Iterable[Mapping[str, Any]], around: Around, now: datetime | None = None) -> str:
    """The jobs of the root with what is left of each, and the runs in Airflow, as HTML."""
    told = [_job(job, now or datetime.now(UTC)) for job in jobs]
    here = table("Jobs that run", HEAD, told, "jobs") if told else "<p>No job runs on this root.</p>"
    return here + _in_airflow(around)


def _job(job: Mapping[str, Any], now: datetime) -> str:
    left = seconds_left(job, now)
    silent = (now - datetime.fromisoformat(job["updated"])).total_seconds()
    eta = "not known yet" if left is None else f"about {duration(left)}"
    if silent > SILENT_SECONDS:
        eta += f", silent for {duration(silent)}"
    meter = f'<progress max="1" value="{job["share"]}" aria-label="{escape(stage_words(job["stage"]))}"></progress>'
    cells = (escape(str(job["label"])), f"{job['done']} of {job['total']} {meter}", eta, day(job["started"]))
    return row(escape(stage_words(job["stage"])), cells)


def stage_words(stage: str) -> str:
    """`train fall` of `train fall 20b8dd3f422faf16`: the run is told by its study."""
    return " ".join(word for word in stage.split() if not _is_fingerprint(word))


def _is_fingerprint(word: str) -> bool:
    return len(word) == 16 and all(letter in "0123456789abcdef" for letter in word)


def _in_airflow(around: Around) -> str:
    facts = around.airflow
    if not facts.asked:
        return ""
    if not facts.answers:
        return f'<p class="quiet">{SILENT}: what runs or waits there is not known.</p>'
    if not facts.running:
        return "<p>Nothing runs in Airflow.</p>"
    rows = [_dag_run(run, around) for run in facts.running]
    return table("Runs in Airflow", ("in Airflow", "run", "state", "since"), rows, "jobs")


def _dag_run(run: DagRun, around: Around) -> str:
    name = run.name or run.run
    page = elsewhere(around.addresses.dag_run(run.dag, run.run), name, "in Airflow", around.framed)
    return row(escape(run.title or run.dag), (page or escape(name), escape(run.state), day(run.started)))
