"""The alias `approved` of a study's registered model: which run somebody answers for, who, and why."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from parcours.errors import InputError
from parcours.storage.place import Place
from parcours.tracking.record import registered_name
from parcours.tracking.runs import find_run
from parcours.tracking.server import connect, faults_of_the_server

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

APPROVED = "approved"
TAG = "sign_off"


def tell_decision(root: Place, cohort: str, fingerprint: str, decision: Mapping[str, str], words: str) -> str | None:
    """Write the decision to the run and its model version, and set or take away the alias; the run's page.

    Raises InputError when the run was never logged, RetryableFault when the tracking server cannot be used.
    """
    tracked = find_run(root, cohort, fingerprint)
    if tracked is None:
        raise InputError(f"MLflow knows no finished run {fingerprint} of {cohort}; run its report again, then sign it.")
    client, name = connect(root), registered_name(cohort)
    with faults_of_the_server(root):
        version = _version_of(client, name, tracked.run_id)
        client.set_tag(tracked.run_id, TAG, words)
        client.set_model_version_tag(name, version.version, TAG, words)
        if decision["decision"] == APPROVED:
            client.set_registered_model_alias(name, APPROVED, version.version)
        elif APPROVED in version.aliases:
            client.delete_registered_model_alias(name, APPROVED)
    return tracked.url


def _version_of(client: "MlflowClient", name: str, run_id: str) -> "ModelVersion":
    found = client.search_model_versions(f"name = '{name}'")
    version = next((one for one in found if one.run_id == run_id), None)
    if version is None:
        raise InputError(f"The run {run_id} has no version of {name} in MLflow; run its report again, then sign it.")
    return client.get_model_version(name, version.version)  # a search leaves the aliases out
