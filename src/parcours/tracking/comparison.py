"""A comparison as an artifact of the later run's MLflow run."""

from pathlib import Path

from parcours.storage.place import Place, local_path
from parcours.tracking.runs import TrackedRun, find_run
from parcours.tracking.server import connect, faults_of_the_server, is_there

FOLDER = "comparison"


def log_comparison(root: Place, cohort: str, fingerprint: str, name: str, folder: Path) -> TrackedRun | None:
    """Log the files of a comparison under `comparison/<name>` of the finished run of this fingerprint.

    Files that are there already are not logged again (`reused`). None when MLflow has no such run.
    Raises RetryableFault when the tracking server cannot be used.
    """
    if not is_there(root):
        return None
    run = find_run(root, cohort, fingerprint)
    if run is None:
        return None
    client, place = connect(root), f"{FOLDER}/{name}"
    with faults_of_the_server(root):
        logged = {item.path for item in client.list_artifacts(run.run_id, place)}
        if logged:
            return run
        client.log_artifacts(run.run_id, str(local_path(folder)), place)
    return TrackedRun(run.run_id, run.url, reused=False)
