"""Asks the plugin, inside Airflow, what the note of a DAG run says and what becomes of a fault; a process alone."""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HOME = Path(__file__).resolve().parents[2]


def told(run: dict[str, Any]) -> list[str]:
    """What is logged when the note is to be written."""
    from parcours_airflow.notes import log, note_run

    lines: list[str] = []
    keeper = logging.Handler()
    keeper.emit = lambda record: lines.append(f"{record.levelname} {record.getMessage()}")  # type: ignore[method-assign]
    log.handlers, log.propagate = [keeper], False
    log.setLevel(logging.INFO)
    note_run({"dag": SimpleNamespace(dag_id="study__fall"), "run_id": "manual__1"}, run, {})
    return lines


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as airflow_home:
        os.environ.update(AIRFLOW_HOME=airflow_home, AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR")
        sys.path.insert(0, str(HOME / "plugins"))
        from parcours_airflow.notes import note_text

        answer = {"text": note_text(asked["run"], asked["pages"]), "without": told(asked["run"])}
        os.environ["AIRFLOW_CONN_AIRFLOW_API"] = json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": 9})
        answer["unreachable"] = told(asked["run"])
        sys.stdout.write("\n" + json.dumps(answer))
