"""Compare two finished runs: read their reports, commit a page with its figures and tables, log it in MLflow."""

import json
import logging
import re
from collections.abc import Mapping
from os.path import relpath
from pathlib import Path
from typing import Any

from parcours.comparison.compare import Comparison, compare
from parcours.comparison.counts import SharedCases, shared_cases
from parcours.comparison.finished import FinishedRun, check_reported, find_run, read_finished
from parcours.comparison.sentence import NOTHING_DIFFERS
from parcours.comparison.tables import as_json, medicines_csv
from parcours.engine.work import now
from parcours.leaving import WITHHELD
from parcours.release.definitions import shared_cell
from parcours.stages.releases import leave
from parcours.stages.steps import commit
from parcours.stages.training import read_table
from parcours.storage.commit import exclusive_writer, local_staging
from parcours.storage.fingerprint import fingerprint, sources_version
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, local_copy
from parcours.storage.root import Root, open_root

log = logging.getLogger(__name__)
COMPARISONS, PAGE, FIGURES = "comparisons", "comparison.html", "figures"
PERSONS = "persons"
NOT_IN_MLFLOW = "no MLflow run of the later run was found; the page is in the root only"


def run_compare(root_address: str, earlier: str, later: str) -> dict[str, Any]:
    """Compare the run called `later` with the one called `earlier` (see `find_run`); the summary of it all.

    A comparison that is there is not made again; a run compared with itself differs in nothing, and leaves no page.
    Raises InputError when a run is not found or has no report, RetryableFault when the tracking server cannot be used:
    the page is kept then.
    """
    root = open_root(root_address)
    runs = [find_run(root, asked) for asked in (earlier, later)]
    folders = [check_reported(root, run) for run in runs]
    if folders[0] == folders[1]:
        return {"status": "the same run", "sentence": NOTHING_DIFFERS}
    first, second = (read_finished(run, folder) for run, folder in zip(runs, folders, strict=True))
    comparison = compare(first, second, _shared_cases(root, (first, second), folders))
    final = folders[1] / COMPARISONS / first.fingerprint
    status = _make(root, comparison, final)
    return {"status": status, **as_json(comparison), "page": str(final / PAGE), **_logged(root, comparison, final)}


def _shared_cases(root: Root, runs: tuple[FinishedRun, FinishedRun], folders: list[Place]) -> SharedCases | None:
    """How many cases both runs share, as it may leave, where the features of both are still there."""
    features = [folder / "features" for folder in folders]
    if any(read_manifest(folder) is None for folder in features):
        return None
    first, second = (read_table(folder, PERSONS, ["person_id"])["person_id"].tolist() for folder in features)
    shared = shared_cases(first, second, *(run.cases for run in runs))
    cell = shared_cell(runs[0].run, runs[1].run, len({*first} & {*second}), shared.both)
    if leave(root, runs[1].run, [cell])[cell.name] == WITHHELD:
        return SharedCases(WITHHELD, WITHHELD, WITHHELD)
    return shared


def _make(root: Root, comparison: Comparison, final: Place) -> str:
    """Commit the files of a comparison, unless the same ones are there: `done` or `reused`."""
    runs = (comparison.earlier, comparison.later)
    made_of = {
        "runs": [f"{run.cohort}/{run.fingerprint}" for run in runs],
        "content": as_json(comparison),
        "code": sources_version("comparison", "reporting", "leaving.py", "stages/comparison.py"),
    }
    mark = fingerprint(made_of)
    with exclusive_writer(root, final):
        done = read_manifest(final)
        if done is not None and done["fingerprint"] == mark:
            log.info("comparison of %s with %s: reused", *(run.fingerprint for run in reversed(runs)))
            return "reused"
        started = now()
        with local_staging(root, mark) as staged:
            _write(comparison, staged, _links(comparison))
            manifest = {"stage": "comparison", "fingerprint": mark, "runs": made_of["runs"]}
            commit(root, staged, final, manifest, started)
    return "done"


def _write(comparison: Comparison, folder: Path, links: Mapping[str, str]) -> None:
    """The files of a comparison; the same comparison gives the same bytes."""
    from parcours.comparison.figures import draw, files_of
    from parcours.comparison.page import comparison_page

    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    pictures = {}
    for name, figure in draw(comparison).items():
        for file, content in files_of(name, figure).items():
            (folder / FIGURES / file).write_bytes(content)
            pictures[file] = content
    drawn = {file.removesuffix(".svg"): content for file, content in pictures.items() if file.endswith(".svg")}
    (folder / PAGE).write_text(comparison_page(comparison, drawn, links), "utf-8")
    (folder / "medicines.csv").write_text(medicines_csv(comparison), "utf-8")
    (folder / "comparison.json").write_text(json.dumps(as_json(comparison), indent=1), "utf-8")


def _links(comparison: Comparison) -> dict[str, str]:
    """Where both reports are, from the page."""

    def folder(run: FinishedRun) -> str:
        return f"/{run.cohort}/{run.fingerprint}"

    here = f"{folder(comparison.later)}/{COMPARISONS}/{comparison.earlier.fingerprint}"
    runs = {"earlier": comparison.earlier, "later": comparison.later}
    return {which: relpath(f"{folder(run)}/report/report.html", here) for which, run in runs.items()}


def _logged(root: Root, comparison: Comparison, final: Place) -> dict[str, Any]:
    """Where MLflow has it: the artifacts of the later run's MLflow run."""
    from parcours.tracking.comparison import log_comparison

    earlier, later = comparison.earlier, comparison.later
    name = artifact_name(earlier.name, earlier.fingerprint)
    with local_copy(final) as folder:
        tracked = log_comparison(root.path, later.cohort, later.fingerprint, name, folder / PAGE)
    if tracked is None:
        return {"mlflow": NOT_IN_MLFLOW}
    return {"mlflow_run_id": tracked.run_id, "mlflow_url": tracked.url, "mlflow_artifacts": f"comparison/{name}"}


def artifact_name(name: str, mark: str) -> str:
    """A folder of MLflow from the name of a run: letters, digits and hyphens, with its fingerprint's first digits."""
    words = re.sub(r"[^0-9A-Za-z_.]+", "-", name).strip("-.")
    return f"{words}-{mark[:8]}"
