"""Where the runs are kept: the tracking server of `MLFLOW_TRACKING_URI`, else a SQLite file in the root."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from parcours.errors import InputError, RetryableFault
from parcours.storage.place import Place, local_path

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)

ADDRESS_VARIABLE = "MLFLOW_TRACKING_URI"
PAGE_VARIABLE = "PARCOURS_MLFLOW_URL"
SECONDS_TO_ANSWER = 10
# What MLflow's pages read of an address: show models that were trained, not traces of language models.
MODEL_TRAINING = "workflowType=machine_learning"
# MLflow's own defaults retry for minutes (a job that can be retried should say at once that nobody answers), print the
# address of the run on stdout, where the job's summary goes, and copy the project file of the working directory, which
# need not be this project's.
MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def tracking_uri(root: Place) -> str:
    """The address that runs of this root are logged to.

    Raises InputError for an address MLflow 3 no longer serves (a folder).
    """
    address = os.environ.get(ADDRESS_VARIABLE, "").strip() or _database(root)
    if address.startswith(("http://", "https://", "sqlite://", "postgresql", "mysql", "mssql")):
        return address
    raise InputError(
        f"{ADDRESS_VARIABLE} is {address}, which is no tracking server; set it to http://<host>:<port> of a running "
        "`mlflow server`, or leave it empty to keep the runs in the root."
    )


def _database(root: Place) -> str:
    if isinstance(root, Path):
        return f"sqlite:///{_file(root)}"
    raise InputError(
        f"Runs of {root} need a tracking server: set {ADDRESS_VARIABLE} to http://<host>:<port> of a running "
        "`mlflow server`; a database cannot be on HDFS."
    )


def _file(root: Path) -> Path:
    return root / "mlflow.db"


def artifact_location(root: Place, address: str) -> str | None:
    """Where artifacts of a new experiment go: the server decides, unless there is none."""
    return None if address.startswith("http") else (local_path(root) / "mlflow-artifacts").as_uri()


def connect(root: Place) -> "MlflowClient":
    """A client of the tracking server, which has answered.

    Raises RetryableFault when nobody answers at the address, InputError when the address is of a wrong kind.
    """
    address = tracking_uri(root)
    if address.startswith("http"):
        _require_answer(address)
    for variable, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(variable, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    return mlflow.tracking.MlflowClient(address, address)


def _require_answer(address: str) -> None:
    health = f"{address.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(health, timeout=SECONDS_TO_ANSWER):
            return
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return  # it is there; the client brings the credentials
        raise RetryableFault(_nobody_answers(address, f"HTTP {error.code}")) from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise RetryableFault(_nobody_answers(address, str(getattr(error, "reason", error)))) from None


@contextmanager
def faults_of_the_server(root: Place) -> Iterator[None]:
    """Turn what MLflow raises while the server is lost or busy into one sentence that a retry may cure.

    Raises RetryableFault for that, InputError when the server does not let us in; other errors of MLflow are bugs.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
            raise
        if error.error_code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            raise InputError(
                f"The MLflow tracking server at {tracking_uri(root)} does not let this job in; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or ask for the right to write."
            ) from None
        log.warning("MLflow: %s", error)
        first_line = str(error).splitlines()[0]
        reason = "it no longer answers" if "failed with exception" in first_line else first_line[:200]
        raise RetryableFault(_nobody_answers(tracking_uri(root), reason)) from error


def _nobody_answers(address: str, reason: str) -> str:
    return (
        f"The MLflow tracking server at {address} cannot be used ({reason}); start it or set {ADDRESS_VARIABLE}, then "
        "run again: the model is kept and nothing is computed twice."
    )


def run_page(root: Place, experiment_id: str, run_id: str) -> str | None:
    """The page of a run, for people: under `PARCOURS_MLFLOW_URL` when users reach the server by another name.

    None when the runs are in a database that no server shows.
    """
    address = os.environ.get(PAGE_VARIABLE, "").strip() or tracking_uri(root)
    if not address.startswith("http"):
        return None
    return f"{address.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{MODEL_TRAINING}"


def is_there(root: Place) -> bool:
    """Whether runs may have been logged: to a server, or to the database of a root, once a report has made it."""
    return bool(os.environ.get(ADDRESS_VARIABLE, "").strip()) or (isinstance(root, Path) and _file(root).is_file())
