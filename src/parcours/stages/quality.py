"""The edges of the quality gate: a root or a run.json -> session -> gate -> summary."""

import logging
from typing import Any

from parcours.cohort.plan import read_run
from parcours.cohort.titles import application_name
from parcours.quality.gate import check_features, check_root
from parcours.quality.verdict import warnings
from parcours.session import spark_session
from parcours.spark_faults import told_by_spark
from parcours.storage.place import Place, place
from parcours.storage.root import open_root

log = logging.getLogger(__name__)


def run_check(root: str, products: list[str] | None, run_name: str) -> dict[str, Any]:
    """Check the flat tables of a root and publish them when they pass.

    Raises GateRefused (exit 1) with a sentence for each critical rule that failed; see check_root.
    """
    opened = open_root(root)
    with told_by_spark():
        verdict = check_root(
            lambda: spark_session(f"gate · {', '.join(products or ['all products'])} · {run_name}"),
            opened,
            products,
            run_name,
        )
    return _summary(verdict, opened.quality(run_name))


def run_study_gate(run_json: str | Place) -> dict[str, Any]:
    """Check the features of a study run before any model reads them.

    Raises GateRefused (exit 1) with a sentence for each critical rule that failed; see check_features.
    """
    path = place(run_json, "run file")
    with told_by_spark():
        verdict = check_features(lambda: spark_session(application_name(read_run(path), "gate")), path)
    return _summary(verdict, path.absolute().parent / "quality")


def _summary(verdict: dict[str, Any], folder: Place) -> dict[str, Any]:
    """What Airflow and the command line keep: paths and counts, small enough for an XCom."""
    sentences = warnings(verdict["rules"])
    for sentence in sentences:
        log.warning(sentence)
    return {
        "status": verdict["status"],
        "run_name": verdict["run_name"],
        "passed": verdict["passed"],
        "products": verdict["products"],
        "rules": len(verdict["rules"]),
        "warnings": sentences,
        "verdict": str(folder / "verdict.json"),
        "data_docs": verdict["data_docs"],
    }
