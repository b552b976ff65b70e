"""Find the run of a fingerprint, or make it."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parcours.cohort.titles import is_what_if
from parcours.storage.place import Place
from parcours.tracking import record as shape
from parcours.tracking.record import RunRecord
from parcours.tracking.server import artifact_location, connect, faults_of_the_server, run_page, tracking_uri
from parcours.tracking.view import TAG, saved_view

if TYPE_CHECKING:
    from mlflow.entities import Dataset, Run
    from mlflow.models.model import ModelInfo
    from mlflow.tracking import MlflowClient

# MLflow keeps the alias `latest` for itself (the newest version, finished or not).
CURRENT = "current"
# What the model file itself imports. Given explicitly: MLflow's own inference costs 6 s and finds the whole platform.
MODEL_PACKAGES = ("mlflow", "pandas", "numpy")


@dataclass(frozen=True)
class TrackedRun:
    """Where a run is: its id, its page (None without a server), and whether it was there before."""

    run_id: str
    url: str | None
    reused: bool


def find_run(root: Place, cohort: str, fingerprint: str) -> TrackedRun | None:
    """The finished run of this fingerprint, or None; a run that crashed does not count.

    Raises RetryableFault when the tracking server cannot be used.
    """
    client = connect(root)
    with faults_of_the_server(root):
        found = _runs_of(client, cohort, fingerprint)
    return next((_tracked(root, run, reused=True) for run in found if run.info.status == "FINISHED"), None)


def track(root: Place, record: RunRecord) -> TrackedRun:
    """Log a run and register its model, unless its fingerprint has a finished run already.

    A run that an earlier attempt left unfinished is marked failed and points to the new one. The run is marked
    finished last, so that a run found finished is whole.
    Raises RetryableFault when the tracking server cannot be used.
    """
    found = find_run(root, record.cohort, record.fingerprint)
    if found is not None:
        return found
    client = connect(root)
    import mlflow

    with faults_of_the_server(root):
        crashed = _runs_of(client, record.cohort, record.fingerprint)
        run = _create(client, root, record)
        for old in crashed:
            _supersede(client, old, run.info.run_id)
        # Leaving this block marks the run finished, or failed when an exception leaves it.
        with mlflow.start_run(run_id=run.info.run_id):
            metrics = shape.run_metrics(record)
            _log(client, run.info.run_id, record)
            model = _log_model(record)
            _log_metrics(client, run.info.run_id, record, metrics, model.model_id)
            # The alias stays where it is for a what-if run: `current` answers the study's own question.
            if not is_what_if(record.run):
                name = shape.registered_name(record.cohort)
                client.set_registered_model_alias(name, CURRENT, str(model.registered_model_version))
    return _tracked(root, run, reused=False)


def _tracked(root: Place, run: "Run", reused: bool) -> TrackedRun:
    return TrackedRun(run.info.run_id, run_page(root, run.info.experiment_id, run.info.run_id), reused)


def _runs_of(client: "MlflowClient", cohort: str, fingerprint: str) -> list["Run"]:
    experiment = client.get_experiment_by_name(shape.experiment_name(cohort))
    if experiment is None:
        return []
    wanted = f"tags.{shape.FINGERPRINT_TAG} = '{fingerprint}'"
    return list(client.search_runs([experiment.experiment_id], wanted, order_by=["attributes.start_time DESC"]))


def _create(client: "MlflowClient", root: Place, record: RunRecord) -> "Run":
    name = shape.experiment_name(record.cohort)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        address = tracking_uri(root)
        tags = {**shape.EXPERIMENT_TAGS, TAG: saved_view()}
        experiment_id = client.create_experiment(name, artifact_location(root, address), tags)
    else:
        experiment_id = experiment.experiment_id
        if experiment.tags.get(TAG) is None:  # what a user made of the view stays
            client.set_experiment_tag(experiment_id, TAG, saved_view())
    return client.create_run(experiment_id, run_name=shape.run_name(record.run), tags=shape.run_tags(record))


def _supersede(client: "MlflowClient", old: "Run", new_id: str) -> None:
    client.set_tag(old.info.run_id, "superseded_by", new_id)
    if old.info.status != "FAILED":
        client.set_terminated(old.info.run_id, "FAILED")


def _log(client: "MlflowClient", run_id: str, record: RunRecord) -> None:
    from mlflow.entities import DatasetInput, InputTag, Param

    for batch in shape.batches(shape.run_params(record)):
        client.log_batch(run_id, params=[Param(name, value) for name, value in batch.items()])
    context = [InputTag("mlflow.data.context", "training")]
    client.log_inputs(run_id, datasets=[DatasetInput(_dataset(record), context)])
    client.log_dict(run_id, dict(record.run), "run.json")
    client.log_dict(run_id, dict(record.run.get("data") or {}), "data.json")
    if record.verdict is not None:
        client.log_dict(run_id, dict(record.verdict), "verdict.json")
    for name, table in record.tables.items():
        client.log_table(run_id, _as_frame(table), f"tables/{name}.json")
    client.log_artifacts(run_id, str(record.artifacts), "report")


def _dataset(record: RunRecord) -> "Dataset":
    """The published tables that the run reads, of one version: where they are, and no row of them."""
    from mlflow.entities import Dataset

    data = record.run.get("data") or {}
    return Dataset(
        name=shape.dataset_name(data),
        digest=shape.data_version(data),
        source_type="parcours root",
        source=json.dumps({"uri": str(record.run.get("root", ""))}),
    )


def _log_metrics(
    client: "MlflowClient", run_id: str, record: RunRecord, metrics: Mapping[str, float], model_id: str
) -> None:
    """The metrics of the run, which are those of its model on its data too."""
    from mlflow.entities import Metric

    now, data = int(datetime.now(UTC).timestamp() * 1000), _dataset(record)
    of = {"model_id": model_id, "dataset_name": data.name, "dataset_digest": data.digest, "run_id": run_id}
    client.log_batch(run_id, metrics=[Metric(name, value, now, 0, **of) for name, value in metrics.items()])


def _as_frame(columns: Mapping[str, list[Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)


def _log_model(record: RunRecord) -> "ModelInfo":
    """Save the model in the run and make it a version of the study's model."""
    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        files = _model_files(Path(scratch), record)
        info: ModelInfo = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("curve_model.py")),
            artifacts=files,
            signature=_signature(),
            input_example=_as_frame({"drug": [record.curves["drug"][0]], "lag": [0]}),
            pip_requirements=[f"{package}=={version(package)}" for package in MODEL_PACKAGES],
            registered_model_name=shape.registered_name(record.cohort),
            metadata={"fingerprint": record.fingerprint, "cohort": record.cohort},
        )
    return info


def _model_files(folder: Path, record: RunRecord) -> dict[str, str]:
    contents = {"curves": record.curves, "fitted": record.model}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    return {name: str(folder / f"{name}.json") for name in contents}


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    def columns(kind: str, *names: str) -> list[Any]:
        return [ColSpec(kind, name) for name in names]

    asked = Schema([*columns("string", "drug"), *columns("long", "lag")])
    return ModelSignature(asked, Schema(columns("double", "relative_incidence", "lower", "upper")))
