"""The main job on one machine: a synthetic delivery through Airflow, Spark, the gate and MLflow to the report."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parcours.embedded.airflow_api import Airflow, TaskState
from parcours.embedded.follow import Follower, follower
from parcours.embedded.layout import Layout
from parcours.embedded.platform import Platform, start_platform
from parcours.embedded.results import medicines_table, recovery, worth_showing
from parcours.errors import InputError
from parcours.home import project_home
from parcours.storage.fingerprint import fingerprint, sources_version

FLATTEN, STUDY = "snds_flatten", "study__fall"
# Usual seconds of each phase on two cores: only the ETA is made of them.
USUAL_SECONDS = {"delivery": 20.0, "platform": 30.0, FLATTEN: 130.0, STUDY: 150.0}


def run_demo(
    home: Path,
    persons: int = 20_000,
    seed: int = 1,
    lines_per_person_year: float = 8.0,
    years: str = "2014-2017",
    study_settings: dict[str, Any] | None = None,
    faults: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Generate a delivery, start the platform, run both DAGs through the scheduler, and compare with the planted truth.

    The study runs over `years`; `study_settings` override its parameters, as its form would. What is there already is
    reused, so that a second call is short. Raises the error of the task that failed: GateRefused, InputError or
    RetryableFault.
    """
    layout = Layout(home.resolve(), project_home())
    settings: dict[str, Any] = {
        "persons": persons,
        "years": _years(years),
        "seed": seed,
        "lines_per_person_year": lines_per_person_year,
        "faults": faults,
    }
    with follower(USUAL_SECONDS) as shown:
        ensure_delivery(layout, settings, shown)
        shown.update("platform", 0.1, "starting Airflow, MLflow, Spark's history server and Data Docs")
        platform = start_platform(home)
        launched = f"{len(platform.started)} services started" if platform.started else "running already"
        shown.phase("platform", f"{launched}, see {platform.urls['airflow']}")
        airflow = Airflow(platform.urls["airflow"], platform.user, platform.password)
        _run(airflow, FLATTEN, {"delivery": str(layout.delivery), "root": str(layout.root)}, shown)
        first, last = settings["years"]
        dates = {"study_start": f"{first}-01-01", "study_end": f"{last}-12-31"}
        run, tasks = _run(airflow, STUDY, {**dates, **(study_settings or {}), "root": str(layout.root)}, shown)
    return _summary(platform, airflow, run, tasks)


def ensure_delivery(layout: Layout, settings: dict[str, Any], shown: Follower) -> Path:
    """The delivery of these settings: the one that is there when it was made with them, else a new one."""
    from parcours.synth.delivery import SynthSettings, write_delivery

    asked = SynthSettings(**settings)
    mark = layout.state / "delivery.fingerprint"
    wanted = fingerprint([asdict(asked), sources_version("synth")])
    described = layout.delivery / "delivery.yaml"
    if described.is_file() and mark.is_file() and mark.read_text("utf-8") == wanted:
        shown.phase("delivery", f"reused, {layout.delivery}")
        return layout.delivery
    layout.state.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    shown.update("delivery", 0.0, f"{asked.persons:,} persons")
    summary = write_delivery(
        asked, layout.delivery, lambda done, total, label: shown.update("delivery", done / total, label)
    )
    mark.write_text(wanted, "utf-8")
    shown.phase("delivery", f"{asked.persons:,} persons, {summary['bytes'] / 1e6:.0f} MB, {layout.delivery}")
    return layout.delivery


def _run(airflow: Airflow, dag: str, conf: dict[str, Any], shown: Follower) -> tuple[str, list[TaskState]]:
    airflow.enable(dag)
    run = airflow.trigger(dag, conf)
    tasks = shown.run(airflow, dag, run)
    shown.phase(dag, "done")
    return run, tasks


def _summary(platform: Platform, airflow: Airflow, run: str, tasks: list[TaskState]) -> dict[str, Any]:
    named = {task.task: task for task in tasks}
    run_json = Path(airflow.xcom(STUDY, run, named["plan"]))
    medicines = medicines_table(run_json, platform.layout.delivery / "truth.json")
    report = airflow.xcom(STUDY, run, named["report"])
    return {
        "medicines": worth_showing(medicines),
        "screened": {"medicines": len(medicines), "rows": medicines},
        **recovery(medicines),
        "mlflow_run_id": report["mlflow_run_id"],
        "fingerprint": json.loads(run_json.read_text("utf-8"))["fingerprint"],
        "login": f"user {platform.user}, password in {platform.password_file}",
        # The last line: everything else is a click from there.
        "home": platform.urls["docs"],
    }


def _years(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text)
    if not found:
        raise InputError(f"The years {text} cannot be read: write them as 2014-2017.")
    return int(found.group(1)), int(found.group(2) or found.group(1))
