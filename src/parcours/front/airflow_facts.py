"""What Airflow tells of its DAGs, as plain data: what runs there, and when each starts next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from parcours.front.parts import day

SILENT = "Airflow does not answer"


@dataclass(frozen=True)
class Dag:
    """One DAG: whether it is paused, and when its next scheduled run starts ("" for none)."""

    paused: bool
    next_start: str


@dataclass(frozen=True)
class DagRun:
    """A run that is queued or running, by its ids; `started` is "" while it is queued.

    `title` is what Airflow shows for the DAG, `name` what the run's note calls it, "" for both where there is none.
    """

    dag: str
    run: str
    state: str
    started: str
    title: str = ""
    name: str = ""


@dataclass(frozen=True)
class AirflowFacts:
    """`asked` is False where no Airflow is configured; `answers` is False where it does not answer."""

    asked: bool
    answers: bool
    dags: Mapping[str, Dag] = field(default_factory=dict)
    running: tuple[DagRun, ...] = ()

    def next_run(self, dag: str, schedule: str) -> str:
        """When a DAG runs next, as HTML; `schedule` is what its file says."""
        if not self.asked:
            return escape(schedule)
        if not self.answers:
            return f"{escape(schedule)} ({SILENT})"
        known = self.dags.get(dag)
        if known is None:
            return f"{escape(schedule)} (not in Airflow)"
        if known.paused:
            return f"{escape(schedule)} (paused in Airflow)"
        return f"{day(known.next_start)}, {escape(schedule)}" if known.next_start else escape(schedule)


NOT_ASKED = AirflowFacts(asked=False, answers=False)
NO_ANSWER = AirflowFacts(asked=True, answers=False)
