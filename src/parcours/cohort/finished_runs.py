"""The finished runs of a study: those whose report is there. Standard library only: called inside Airflow tasks."""

from collections.abc import Mapping
from typing import Any

from parcours.cohort.plan import read_run, stage_directory
from parcours.cohort.steps import REPORT
from parcours.storage.manifest import read_manifest
from parcours.storage.place import found
from parcours.storage.root import Root, open_root


def last_finished(root: Root, cohort: str, but: str | None = None) -> dict[str, Any] | None:
    """The run of the study itself, no what-if, whose report was written last; `but` is a fingerprint to leave out."""
    files = [path for path in found(root.path, f"studies/{cohort}/*/run.json") if path.parent.name != but]
    ends = [(str(manifest["ended"]), path) for path in files if (manifest := read_manifest(path.parent / REPORT))]
    for _, path in sorted(ends, key=lambda end: end[0], reverse=True):
        run = read_run(path)
        if not run.get("changes"):
            return run
    return None


def nothing_new(run: Mapping[str, Any]) -> str | None:
    """A sentence when the last finished run of the study is this very one; None when there is something to compute."""
    last = last_finished(open_root(run["root"]), run["cohort"])
    if last is None or last["fingerprint"] != run["fingerprint"]:
        return None
    manifest = read_manifest(stage_directory(run, REPORT)) or {}
    return (
        f"Nothing new: the study {run['cohort']}, its data and its code are those of its last run, whose report was "
        f"written on {str(manifest['ended'])[:10]}. Nothing was computed."
    )
