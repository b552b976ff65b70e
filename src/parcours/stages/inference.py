"""The stages from features to the report: train (features -> model), report (model -> figures, tables, MLflow run).

Each reads its `run.json` and commits one directory; done already, it does nothing. Cases fit in memory; the pieces of a
training run in threads of this process, or as tasks of the cluster that spark-submit was given.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parcours.cohort.plan import (
    done_stage,
    done_step,
    language_of,
    read_run,
    stage_directory,
    stage_key,
    steps_in,
)
from parcours.cohort.titles import application_name
from parcours.quality.passed import refuse_unless_passed
from parcours.stages.releases import leave
from parcours.stages.replicates import Pieces, here, on_spark
from parcours.stages.report_steps import ReportSteps
from parcours.stages.steps import Workshop, beside, held, staged_for, taken, workshop
from parcours.stages.training import fit, read_json, read_table
from parcours.storage.commit import commit_directory, exclusive_writer, local_staging
from parcours.storage.manifest import read_manifest, write_manifest
from parcours.storage.place import Place, local_copy
from parcours.storage.progress import told_progress
from parcours.storage.root import Root, open_root

if TYPE_CHECKING:
    import pandas as pd

    from parcours.reporting.compile import Material
    from parcours.reporting.findings import Findings
    from parcours.tracking.runs import TrackedRun

log = logging.getLogger(__name__)
Run = dict[str, Any]

PIECES = "model_pieces"
INFINITE = (float("inf"), float("-inf"))
# What of a verdict leaves the platform: its sentences and places name counts of rows, which may be few.
VERDICT_FIELDS = ("run_name", "passed", "products", "started", "ended", "data_docs")
RULE_FIELDS = ("id", "table", "description", "severity", "success")


def run_train(run_json: str | Place) -> dict[str, Any]:
    """Fit the study's model on its features: model.json, curves, peaks and cross-validation tables, metrics.json.

    Raises NotConverged when a fit does not reach its certificate: no model is committed. Raises InputError when the
    features are not there, or hold too few cases or exposed cases for the study's settings, GateRefused when the study
    gate has not let these features through.
    """
    run = read_run(run_json)
    _check_gate(run)
    root, final = open_root(run["root"]), stage_directory(run, "model")
    with exclusive_writer(root, final):
        done = held(final, stage_key(run, "model")) or taken(run, root, "model", final)
        if done is not None:
            log.info("model of %s: reused", run["cohort"])
            return {"status": "reused", "stage": "train", "directory": str(final), **done["summary"]}
        started = _now()
        with workshop(root, f"train {run['cohort']} {run['fingerprint']}", application_name(run, "train")) as shop:
            summary = _make_model(root, run, shop, final, started)
    return {"status": "done", "stage": "train", "directory": str(final), **summary}


def run_report(run_json: str | Place) -> dict[str, Any]:
    """Write the study's report and log its run in MLflow; an MLflow run of this fingerprint is found, not made again.

    A report in another language than the study's is written again, from the same model.

    Raises InputError when there is no model yet, GateRefused when the study gate has not let its features through (its
    rules may have become stricter since), RetryableFault when the tracking server cannot be used: the report is then
    not committed, and the next attempt makes both.
    """
    run = read_run(run_json)
    done_stage(run, "model")
    _check_gate(run)
    root, final = open_root(run["root"]), stage_directory(run, "report")
    with exclusive_writer(root, final):
        done = read_manifest(final)
        if done is not None and done["fingerprint"] == stage_key(run, "report"):
            return _report_again(root, run, final, done)
        started = _now()
        with local_staging(root, run["fingerprint"]) as staged:
            summary = _report(root, run, staged, final)
            told = {"fingerprint": stage_key(run, "report"), "language": language_of(run)}
            commit_directory(root, staged, final, _manifest(run, "report", staged, summary, started) | told)
    return {"status": "done", "stage": "report", "directory": str(final), **summary}


def _check_gate(run: Run) -> None:
    features = done_stage(run, "features")
    refuse_unless_passed(features.parent, read_manifest(features) or {})


def _make_model(root: Root, run: Run, shop: Workshop, final: Place, started: str) -> dict[str, Any]:
    """Fit and commit; pieces that a killed training has finished are not computed again."""
    mark = stage_key(run, "model")
    ship = here if shop.spark is None else on_spark(shop.spark)
    with staged_for(root, mark, [final]) as kept, local_staging(root, run["fingerprint"]) as staged:
        with told_progress(root, shop.name) as tell:
            summary = fit(run, staged, Pieces(beside(kept, PIECES), ship, shop.cores, tell))
        told = {
            "steps": {step["step"]: step for step in steps_in(run, "model")},
            "spark_application": shop.application,
            "fingerprint": mark,
        }
        commit_directory(root, staged, final, {**_manifest(run, "train", staged, summary, started), **told})
    return summary


def _report(root: Root, run: Run, staged: Path, final: Place) -> dict[str, Any]:
    from parcours.reporting.report import number_of_figures, write_report

    with told_progress(root, f"report {run['cohort']} {run['fingerprint']}") as tell:
        tell(0, 1, "reading the model")
        material, verdict = _material(root, run), _verdict(run)
        findings = _findings(root, run, material)
        steps = ReportSteps(number_of_figures(findings), tell)
        write_report(_translated(run, findings, material), findings, staged, verdict, steps.behind)
        tracked = _track(root, run, findings, staged, verdict)
        steps.behind("MLflow run")
    return _summary(tracked, findings, final)


def _report_again(root: Root, run: Run, final: Place, manifest: dict[str, Any]) -> dict[str, Any]:
    """The report is there: log its run only if the tracking server has lost it."""
    from parcours.tracking.runs import find_run

    if find_run(root.path, run["cohort"], run["fingerprint"]) is not None:
        log.info("report of %s: reused", run["cohort"])
        return {"status": "reused", "stage": "report", "directory": str(final), **manifest["summary"]}
    findings, verdict = _findings(root, run, _material(root, run)), _verdict(run)
    with local_copy(final) as folder:
        summary = _summary(_track(root, run, findings, folder, verdict), findings, final)
    write_manifest(final, {**manifest, "summary": summary})
    return {"status": "done", "stage": "report", "directory": str(final), **summary}


def _findings(root: Root, run: Run, material: "Material") -> "Findings":
    """What the report tells: the counts of the run, those withheld that an earlier report would undo."""
    from parcours.reporting.compile import compile_findings
    from parcours.reporting.texts import ENGLISH
    from parcours.stages.report_cells import cells_of_report, findings_as_told

    findings = compile_findings(material, ENGLISH)
    return findings_as_told(findings, leave(root, run, cells_of_report(material, findings)), material)


def _translated(run: Run, findings: "Findings", material: "Material") -> "Findings":
    """The same findings in the language of the run's report."""
    from parcours.reporting.compile import compile_findings
    from parcours.stages.report_cells import with_counts_of

    language = language_of(run)
    if language == findings.language:
        return findings
    return with_counts_of(findings, compile_findings(material, language))


def _material(root: Root, run: Run) -> "Material":
    from parcours.reporting.compile import Material
    from parcours.reporting.names import medicine_names

    cohort, features, model = (done_stage(run, stage) for stage in ("cohort", "features", "model"))
    return Material(
        run=run,
        peaks=read_table(model, "peaks"),
        curves=read_table(model, "curves"),
        metrics=read_json(model / "metrics.json"),
        summary=read_json(features / "summary.json"),
        attrition=read_json(cohort / "attrition.json"),
        persons=read_table(features, "persons"),
        events=read_table(features, "events"),
        exposures=read_table(features, "exposures"),
        outcomes=read_table(cohort, "outcomes", ["person_id", "date", "site"]),
        names=medicine_names(
            read_table(done_step(run, "medicines"), "medicine_names"), run["study"]["medicines"]["level"]
        ),
        missing_care=read_json(cohort / "summary.json")["missing_care"],
    )


def _track(root: Root, run: Run, findings: "Findings", folder: Path, verdict: Mapping[str, Any] | None) -> "TrackedRun":
    from parcours.reporting import tables
    from parcours.tracking.record import RunRecord
    from parcours.tracking.runs import track

    model = done_stage(run, "model")
    curves = read_table(model, "curves")
    peaks = read_table(model, "peaks").set_index("drug").loc[list(findings.peaks["drug"])].reset_index()
    record = RunRecord(
        run=run,
        metrics=findings.metrics,
        artifacts=folder,
        curves={name: _plain(curves[name]) for name in ("drug", "lag", "log_ri", "lower", "upper")},
        peaks={name: _plain(peaks[name]) for name in ("drug", "log_ri", "lower", "upper")},
        model=_without_counts(read_json(model / "model.json")),
        tables={
            "curves": tables.columns(tables.CURVES, tables.curve_rows(findings)),
            "peaks": tables.columns(tables.PEAKS, tables.peak_rows(findings)),
            "attrition": tables.columns(tables.ATTRITION, tables.attrition_rows(findings)),
        },
        verdict=verdict,
    )
    return track(root.path, record)


def _without_counts(model: Mapping[str, Any]) -> dict[str, Any]:
    """The fitted model as it may leave: coefficients and settings, no counts of persons."""
    return {name: value for name, value in model.items() if name not in ("cases", "events", "exposed_cases")}


def _verdict(run: Run) -> dict[str, Any] | None:
    """The study gate's verdict as it may leave, or None when the gate did not run."""
    path = open_root(run["root"]).study(run["cohort"], run["fingerprint"]) / "quality" / "verdict.json"
    if not path.is_file():
        return None
    verdict = read_json(path)
    rules = [
        {name: rule.get(name) for name in RULE_FIELDS} | {"unexpected": rule["found"]} for rule in verdict["rules"]
    ]
    return {name: verdict.get(name) for name in VERDICT_FIELDS} | {"rules": rules}


def _summary(tracked: "TrackedRun", findings: "Findings", final: Place) -> dict[str, Any]:
    from parcours.reporting.findings import BEFORE, LOWERED, RAISED

    return {
        "mlflow_run_id": tracked.run_id,
        "mlflow_url": tracked.url,
        "mlflow_run_reused": tracked.reused,
        "report": str(final / "report.html"),
        "cases": findings.cases,
        "events": findings.events,
        "persons_followed": findings.persons_followed,
        "medicines_selected": int(findings.peaks["selected"].sum()),
        "raising": list(findings.flagged(RAISED)["drug"]),
        "lowering": list(findings.flagged(LOWERED)["drug"]),
        "rising_before": list(findings.flagged(BEFORE)["drug"]),
    }


def _manifest(run: Run, stage: str, staged: Path, summary: dict[str, Any], started: str) -> dict[str, Any]:
    files = sorted(path for path in staged.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    return {
        "stage": stage,
        "cohort": run["cohort"],
        "status": "complete",
        "fingerprint": run["fingerprint"],
        "code_version": run.get("code_version"),
        "summary": summary,
        "files": [{"path": str(path.relative_to(staged)), "bytes": path.stat().st_size} for path in files],
        "started": started,
        "ended": _now(),
    }


def _plain(column: "pd.Series") -> list[Any]:
    """Values that JSON knows: a bound that was not computed is null, an infinite one "inf" or "-inf"."""
    return [None if value != value else str(value) if value in INFINITE else value for value in column.tolist()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
