"""A fresh demo, as small as a study can be."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from parcours.embedded.airflow_api import Airflow
from parcours.embedded.demo import STUDY, run_demo
from parcours.embedded.follow import follower
from parcours.embedded.platform import Platform, start_platform, stop_platform

HOME = Path(__file__).resolve().parents[2]
PERSONS, YEARS = 10_000, "2016"
# A study that a small delivery can carry, with medicines that have an estimate: one penalty, few replicates. Airflow's
# form to trigger a run again has the fields that the run was given, so the age is given as the study file has it.
SMALL_STUDY = {
    "age_minimum": 65,
    "start_gap_months": 2,
    "washout_months": 0,
    "lags": 4,
    "min_exposed_cases": 11,
    "tv_grid": [0.001],
    "group_grid": [0.0003],
    "cv_folds": 2,
    "bootstrap": 4,
}


@dataclass(frozen=True)
class Demo:
    """The platform after its first demo."""

    result: dict[str, Any]
    platform: Platform
    airflow: Airflow

    @property
    def home(self) -> str:
        """The address of home."""
        return str(self.platform.urls["docs"])

    def newest(self, dag: str) -> str:
        """The run of a DAG that was asked for last."""
        runs = self.airflow.call(f"/dags/{dag}/dagRuns?order_by=-run_after&limit=1")["dag_runs"]
        return str(runs[0]["dag_run_id"])

    def follow(self, dag: str, run: str) -> None:
        """Wait for the end of a run, which must be a good one."""
        with follower({dag: 1.0}) as shown:
            shown.run(self.airflow, dag, run)

    def command(self, line: str) -> str:
        """A command of Parcours as a person types it, on the machine that has the root."""
        return self._run("-c", "from parcours.cli import main; main()", *line.split()[1:])

    def job(self, name: str, *arguments: str) -> str:
        """One of the project's jobs, without Spark."""
        return self._run(str(HOME / "spark_jobs" / name), *arguments)

    def _run(self, *arguments: str) -> str:
        environment = {**os.environ, "MLFLOW_TRACKING_URI": self.platform.urls["mlflow"]}
        program = [sys.executable, *arguments]
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout

    def airflow_page(self, *parts: str) -> str:
        """A page of the study's DAG in Airflow."""
        return "/".join((self.platform.urls["airflow"], "dags", STUDY, *(quote(part, safe="") for part in parts)))


@contextmanager
def fresh_demo(home: Path) -> Iterator[Demo]:
    """A demo in a folder that is empty yet; its processes end with it."""
    try:
        result = run_demo(home, PERSONS, seed=3, years=YEARS, study_settings=SMALL_STUDY)
        platform = start_platform(home)
        yield Demo(result, platform, Airflow(platform.urls["airflow"], platform.user, platform.password))
    finally:
        stop_platform(home)
