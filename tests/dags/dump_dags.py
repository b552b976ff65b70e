"""Reads the DAG files as Airflow's processor does and prints what it found as JSON; run in a process of its own."""

import contextlib
import copy
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[2]
HEAVY = ("pyspark", "pandas", "numpy", "pyarrow", "great_expectations", "mlflow", "duckdb")


def prepare(airflow_home: str) -> None:
    """Airflow reads its settings once, on import."""
    os.environ.update(
        AIRFLOW_HOME=airflow_home,
        AIRFLOW__CORE__DAGS_FOLDER=str(HOME / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(HOME / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        PARCOURS_DATA_DOCS_URL="http://127.0.0.1:8090",
    )
    sys.path.insert(0, str(HOME / "plugins"))


def read_dags(
    cohorts: str | None, wrong: dict[str, dict[str, Any]], unknown: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """DAGs by id, import errors, heavy modules, and the answers to triggers {dag: {parameter: value}}.

    Each value of `wrong` is tried alone, the names of `unknown` all at once.
    """
    import parcours_airflow.defaults as defaults

    if cohorts:
        defaults.COHORTS = Path(cohorts)
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(HOME / "dags"))
    heavy = [name for name in HEAVY if name in sys.modules]
    return {
        "import_errors": bag.import_errors,
        "heavy": heavy,
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
        "refusals": {dag_id: refusals(bag.dags[dag_id], values) for dag_id, values in wrong.items()},
        "unknown": {dag_id: unknown_names(bag.dags[dag_id], conf) for dag_id, conf in unknown.items()},
        "plugins": plugins(),
        "views": views(),
    }


def describe(dag: Any) -> dict[str, Any]:
    """What the tests look at."""
    from airflow.serialization.serialized_objects import DagSerialization

    return {
        "serialized_bytes": len(json.dumps(DagSerialization.to_dict(dag))),
        "display_name": dag.dag_display_name,
        "tags": sorted(dag.tags),
        "doc_md": dag.doc_md,
        "description": dag.description,
        "when": describe_schedule(dag.schedule),
        "deadline": describe_deadline(dag),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "params": {name: describe_param(dag.params.get_param(name)) for name in dag.params},
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def describe_schedule(schedule: Any) -> dict[str, Any] | None:
    """What starts the DAG: a cron line in its zone, any of these assets."""
    if schedule is None:
        return None
    assets = getattr(schedule, "asset_condition", schedule)
    found: dict[str, Any] = {"any_of": sorted(asset.name for asset in assets.objects)}
    if timetable := getattr(schedule, "timetable", None):
        found |= {"cron": timetable.expression, "timezone": str(timetable.timezone)}
    return found


def describe_deadline(dag: Any) -> list[Any] | None:
    """From when on a run is late, after how many seconds, and what is called."""
    alerts = dag.deadline or []
    if not alerts:
        return None
    alert = alerts[0] if isinstance(alerts, list) else alerts
    return [type(alert.reference).__name__, alert.interval.total_seconds(), alert.callback.path]


def describe_param(param: Any) -> dict[str, Any]:
    """One field of the form."""
    return {**param.schema, "value": param.value, "description": param.description}


def describe_task(task: Any) -> dict[str, Any]:
    """One task: what follows it, and how it behaves."""
    return {
        "display_name": task.task_display_name,
        "name": getattr(task, "name", None),
        "downstream": sorted(task.downstream_task_ids),
        "operator": task.task_type,
        "mapped": task.is_mapped,
        "owner": task.owner,
        "retries": task.retries,
        "links": [link.name for link in task.operator_extra_links],
        "mails": {
            "failure": [one.compose.__name__ for one in task.on_failure_callback or []],
            "success": [one.compose.__name__ for one in task.on_success_callback or []],
        },
        "inlets": [asset.name for asset in (task.inlets or []) if hasattr(asset, "uri")],
        "outlets": [asset.name for asset in (task.outlets or [])],
    }


def refusals(dag: Any, values: dict[str, Any]) -> dict[str, str]:
    """What Airflow says to each wrong value, as it does when a run is triggered."""
    from airflow.sdk.exceptions import ParamValidationError

    said = {}
    for name, value in values.items():
        params = copy.copy(dag.params)
        try:
            params.update({name: value})
            params.validate()
            said[name] = "accepted"
        except ParamValidationError as error:
            said[name] = str(error)
    return said


def unknown_names(dag: Any, conf: dict[str, Any]) -> list[str]:
    """What the first task says to a trigger with this configuration, and to one that changes nothing."""
    from types import SimpleNamespace

    from airflow.sdk.definitions.param import process_params
    from parcours_airflow.forms import checked_params

    said = []
    for given in (conf, {}, None):
        params = process_params(dag, dag.get_task("plan"), given, suppress_exception=False)
        try:
            checked_params({"dag": dag, "params": params, "dag_run": SimpleNamespace(conf=given)})
            said.append("accepted")
        except Exception as error:  # noqa: BLE001 - the test looks at what it is
            said.append(f"{type(error).__name__}: {error}")
    return said


def plugins() -> list[str]:
    """Names of the plugins that load, errors included."""
    from airflow import plugins_manager

    found = [plugin["name"] for plugin in plugins_manager.get_plugin_info()]
    return [*found, *plugins_manager.get_import_errors().values()]


def views() -> list[dict[str, Any]]:
    """The pages that Airflow shows in a frame, as its own interface tells them."""
    from airflow import plugins_manager
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

    found, _ = plugins_manager._get_ui_plugins()
    return [ExternalViewResponse(**view).model_dump(exclude_unset=True) for view in found]


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    noise = io.StringIO()
    with tempfile.TemporaryDirectory() as airflow_home:
        prepare(asked.get("airflow_home") or airflow_home)
        with contextlib.redirect_stdout(noise):
            answer = read_dags(asked.get("cohorts"), asked.get("wrong", {}), asked.get("unknown", {}))
        sys.stdout.write(json.dumps(answer, default=str))
