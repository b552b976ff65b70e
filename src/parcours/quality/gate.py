"""The gate: every rule on a root or on a study's features, one verdict, Data Docs, and publication or refusal."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from parcours.cohort.plan import read_run
from parcours.errors import InputError, RetryableFault
from parcours.quality.catalogue import Catalogue, catalogue_version, load_catalogue, product_catalogues
from parcours.quality.context import run_context
from parcours.quality.data_docs import build_pages
from parcours.quality.evaluation import evaluate
from parcours.quality.losses import losses
from parcours.quality.manifests import Manifests, fingerprints
from parcours.quality.passed import features_state
from parcours.quality.steps import GateSteps
from parcours.quality.tables import (
    private_session,
    register_features,
    register_flat,
    register_manifests,
    register_view,
)
from parcours.quality.verdict import VERDICT, critical_failures, refuse, rule_record
from parcours.snds.contracts import committed_names, load_product
from parcours.storage.commit import exclusive_writer, show, staging_attempt
from parcours.storage.fingerprint import fingerprint
from parcours.storage.manifest import committed_periods, is_synthetic, read_manifest, write_json
from parcours.storage.place import Place, copy_folder
from parcours.storage.progress import told_progress
from parcours.storage.publication import publish
from parcours.storage.root import Root, open_root

if TYPE_CHECKING:
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context import FileDataContext
    from pyspark.sql import SparkSession

DATA_DOCS = "data_docs"


@dataclass(frozen=True)
class Task:
    """What one run of the gate is about: `place` is named in sentences, `folder` takes verdict and Data Docs.

    `job` is what it is called while it runs, `rows` those of each product.
    """

    root: Root
    job: str
    place: Place
    folder: Place
    run_name: str
    products: tuple[str, ...]
    catalogues: tuple[Catalogue, ...]
    fingerprints: dict[str, dict[str, str]]
    rows: dict[str, int]
    synthetic: bool
    losses: dict[str, dict[str, float | str]]


def check_root(
    spark: Callable[[], "SparkSession"], root: Root, products: Iterable[str] | None, run_name: str
) -> dict[str, Any]:
    """Check the committed periods of products (None: all of the root) and publish them when they pass.

    `spark` makes the session; it is not called when the verdict of an earlier run is reused. Returns the
    verdict with `status` done or reused. Raises GateRefused when a critical rule fails, after the verdict
    is written; InputError when a product is not in the root; RetryableFault when the same run is being checked,
    or a product was flattened again meanwhile.
    """
    manifests = _manifests(root, products)
    own = [load_catalogue(name) for name in product_catalogues() if name in manifests]
    task = Task(
        root=root,
        job=f"gate {run_name}",
        place=root.path,
        folder=root.quality(_checked_name(run_name)),
        run_name=run_name,
        products=tuple(manifests),
        catalogues=(*own, load_catalogue("RECONCILIATION")),
        fingerprints=fingerprints(manifests),
        rows={name: sum(each["rows"]["written"] for each in held.values()) for name, held in manifests.items()},
        synthetic=is_synthetic(each for periods in manifests.values() for each in periods.values()),
        losses=losses(manifests),
    )
    verdict = _run(task, spark, lambda session: _register_root(session, task, manifests))
    refuse(verdict)
    if fingerprints(_manifests(root, products)) != task.fingerprints:
        raise RetryableFault(f"{root.path} was flattened again while the gate looked at it; check it again.")
    for product in task.products:
        publish(root, product, task.folder / VERDICT, task.fingerprints[product])
    return verdict


def check_features(spark: Callable[[], "SparkSession"], run_json: Place) -> dict[str, Any]:
    """Check the features of a study run; verdict and Data Docs go to `quality/` beside its run.json.

    Raises GateRefused when a critical rule fails, InputError when the run or its features are not there.
    """
    run = read_run(run_json)
    study = run_json.absolute().parent
    manifest = read_manifest(study / "features")
    if manifest is None:
        raise InputError(f"{study} holds no finished features; run the features stage of {run['cohort']} first.")
    task = Task(
        root=open_root(run["root"]),
        job=f"gate {run['cohort']} {run['fingerprint']}",
        place=study,
        folder=study / "quality",
        run_name=f"{run['cohort']}-{run['fingerprint']}",
        products=("FEATURES",),
        catalogues=(load_catalogue("FEATURES"),),
        fingerprints=features_state(manifest),
        rows={},
        synthetic=bool(run.get("synthetic", False)),
        losses={},
    )
    summary = json.loads((study / "features" / "summary.json").read_text("utf-8"))
    verdict = _run(task, spark, lambda session: register_features(session, study / "features", summary))
    refuse(verdict)
    return verdict


def _manifests(root: Root, products: Iterable[str] | None) -> Manifests:
    names = [load_product(name).name for name in products] if products is not None else committed_names()
    found = {name: committed_periods(root, name) for name in names}
    missing = [name for name, periods in found.items() if not periods]
    if products is not None and missing:
        raise InputError(f"{missing[0]} has not been flattened into {root.path}; run `parcours flatten` first.")
    found = {name: periods for name, periods in found.items() if periods}
    if not found:
        raise InputError(f"{root.path} holds no flat tables to check; run `parcours flatten` first.")
    return found


def _checked_name(run_name: str) -> str:
    if not run_name or run_name.startswith(".") or "/" in run_name:
        raise InputError(f"The run name {run_name!r} cannot be a folder name; give letters, digits, '-' and '_'.")
    return run_name


def _register_root(session: "SparkSession", task: Task, manifests: Manifests) -> None:
    register_manifests(session, manifests)
    for catalogue in task.catalogues:
        if catalogue.product is not None:
            register_flat(session, task.root, catalogue, manifests[catalogue.product])


def _run(task: Task, spark: Callable[[], "SparkSession"], register: Callable[["SparkSession"], None]) -> dict[str, Any]:
    earlier = _earlier_verdict(task)
    if earlier is not None:
        return {**earlier, "status": "reused"}
    with exclusive_writer(task.root, task.folder), told_progress(task.root, task.job) as tell:
        started = datetime.now(UTC)
        steps = GateSteps(task.catalogues, task.rows, tell)
        session = private_session(spark())
        register(session)
        steps.behind("tables")
        with run_context() as context, staging_attempt(task.root, fingerprint(task.fingerprints)) as staged:
            steps.behind("rules")
            rules = _evaluate(session, context, task, started, steps)
            copy_folder(build_pages(context), staged / DATA_DOCS)
            show(task.root, staged / DATA_DOCS, task.folder / DATA_DOCS)
            steps.behind("pages")
        verdict = _verdict(task, rules, started)
        write_json(task.folder / VERDICT, verdict)
    return {**verdict, "status": "done"}


def _earlier_verdict(task: Task) -> dict[str, Any] | None:
    path = task.folder / VERDICT
    if not path.is_file():
        return None
    verdict: dict[str, Any] = json.loads(path.read_text("utf-8"))
    same = verdict["fingerprints"] == task.fingerprints and verdict["catalogue"] == catalogue_version()
    return verdict if same and (task.folder / DATA_DOCS / "index.html").is_file() else None


def _evaluate(
    session: "SparkSession", context: "FileDataContext", task: Task, started: datetime, steps: GateSteps
) -> list[dict[str, Any]]:
    records = []
    run_id, about = _run_id(task.run_name, started), _about(task, started)
    for catalogue in task.catalogues:
        for view in catalogue.views:
            frame = register_view(session, view)
            rules = catalogue.rules_of(view.name)
            outcomes = evaluate(context, view.name, rules, frame, run_id, about) if rules else []
            records += [rule_record(outcome, catalogue.name, str(task.place)) for outcome in outcomes]
            steps.behind(view.name)
    return records


def _about(task: Task, started: datetime) -> dict[str, Any]:
    """What every page of Data Docs says of its run."""
    return {
        "run_name": task.run_name,
        "products": list(task.products),
        "place": str(task.place),
        "synthetic": task.synthetic,
        "losses": task.losses,
        "started": f"{started:%Y-%m-%d %H:%M} UTC",
    }


def _run_id(run_name: str, started: datetime) -> "RunIdentifier":
    from great_expectations.core.run_identifier import RunIdentifier

    # The name becomes a folder of Data Docs that browsers must be able to open.
    return RunIdentifier(run_name=re.sub(r"[^A-Za-z0-9_.-]", "_", run_name), run_time=started)


def _verdict(task: Task, rules: list[dict[str, Any]], started: datetime) -> dict[str, Any]:
    return {
        "run_name": task.run_name,
        "passed": not critical_failures(rules),
        "products": list(task.products),
        "rules": rules,
        "data_docs": str(task.folder / DATA_DOCS / "index.html"),
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprints": task.fingerprints,
        "catalogue": catalogue_version(),
    }
