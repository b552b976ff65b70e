"""What DAGs and plugins ask of a running task is what Airflow gives it: a slip shows only in a run that comes there."""

import re
from pathlib import Path

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

HOME = Path(__file__).resolve().parents[2]
ASKED = re.compile(r'(?:\["ti"\]|\bti)\.(\w+)')


def test_a_task_instance_has_all_that_is_asked_of_it() -> None:
    files = [file for folder in ("dags", "plugins") for file in (HOME / folder).rglob("*.py")]
    asked = {name: file.name for file in files for name in ASKED.findall(file.read_text("utf-8"))}
    assert {"xcom_push", "xcom_pull", "task_id"} <= set(asked), "the pattern finds what there is"
    known = {*dir(RuntimeTaskInstance), *RuntimeTaskInstance.model_fields}
    assert {name: file for name, file in asked.items() if name not in known} == {}
