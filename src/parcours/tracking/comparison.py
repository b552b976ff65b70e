"""A comparison as an artifact of the later run's MLflow run."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from parcours.storage.place import Place
from parcours.tracking.runs import TrackedRun, find_run
from parcours.tracking.server import connect, faults_of_the_server, is_there

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

FOLDER = "comparison"


def log_comparison(root: Place, cohort: str, fingerprint: str, name: str, page: Path) -> TrackedRun | None:
    """Log a comparison's page and what lies beside it under `comparison/<name>` of the finished run of a fingerprint.

    A page that is there as it is is not logged again (`reused`). None when MLflow has no such run.
    Raises RetryableFault when the tracking server cannot be used.
    """
    if not is_there(root):
        return None
    run = find_run(root, cohort, fingerprint)
    if run is None:
        return None
    client, place = connect(root), f"{FOLDER}/{name}"
    with faults_of_the_server(root):
        if _logged(client, run.run_id, f"{place}/{page.name}") == page.read_bytes():
            return run
        client.log_artifacts(run.run_id, str(page.parent), place)
    return TrackedRun(run.run_id, run.url, reused=False)


def _logged(client: "MlflowClient", run_id: str, path: str) -> bytes | None:
    """An artifact of a run, None where it has no such one."""
    if path not in {item.path for item in client.list_artifacts(run_id, path.rpartition("/")[0])}:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        return Path(client.download_artifacts(run_id, path, scratch)).read_bytes()
