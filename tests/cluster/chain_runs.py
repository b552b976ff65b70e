"""Runs of the DAGs on the cluster, and what they made compared with what one machine makes."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from parcours.embedded.airflow_api import Airflow


def parcours(*arguments: str) -> None:
    """Run a command of the project on this machine; one that fails shows the end of what it said.

    OpenBLAS chooses its kernels as in the containers, which do not see what this environment may tell it: other kernels
    change the last digits of estimates.
    """
    command = [str(Path(sys.executable).with_name("parcours")), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def follow(airflow: Airflow, dag: str, run: str, seen: list[dict[str, Any]]) -> None:
    """Until the run has ended well; `seen` gets what its waiting tasks showed meanwhile."""
    while (state := airflow.run_state(dag, run)) in ("queued", "running"):
        waiting = [task for task in airflow.tasks(dag, run) if task.state == "deferred"]
        shown = [airflow.xcom(dag, run, task, "progress") for task in waiting]
        seen.extend(progress for progress in shown if progress and progress not in seen)
        time.sleep(2)
    failed = [task for task in airflow.tasks(dag, run) if task.state == "failed"]
    why = [(task, airflow.xcom(dag, run, task, "failure"), airflow.log_tail(dag, run, task)) for task in failed]
    assert state == "success", why


def different(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """Names of the tables that differ; both sides must have the same ones."""
    assert here.keys() == there.keys()
    return [name for name in here if not here[name].equals(there[name])]
