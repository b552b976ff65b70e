"""The stages from features to the report: train (features -> model), report (model -> figures, tables, MLflow run).

Each reads its `run.json` and commits one directory; done already, it does nothing. No Spark: cases fit in memory.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parcours.cohort.plan import done_stage, done_step, read_run, stage_directory, stage_key, steps_in, study_of
from parcours.cohort.study import ModelSettings, Study
from parcours.errors import InputError
from parcours.quality.passed import refuse_unless_passed
from parcours.stages.steps import held, taken
from parcours.storage.commit import commit_directory, exclusive_writer, local_staging
from parcours.storage.manifest import read_manifest, write_json, write_manifest
from parcours.storage.place import Place, local_copy
from parcours.storage.progress import told_progress
from parcours.storage.root import Root, open_root

if TYPE_CHECKING:
    import pandas as pd

    from parcours.models import CaseSeries
    from parcours.reporting.compile import Material
    from parcours.reporting.findings import Findings
    from parcours.tracking.runs import TrackedRun

log = logging.getLogger(__name__)
Run = dict[str, Any]
Step = Callable[[int, str], None]

FEWEST_CASES = 20
DAYS_A_YEAR = 365.25
# First days (1..365) of the meteorological seasons: 1 March, 1 June, 1 September, 1 December.
SEASON_CUTS = (60, 152, 244, 335)
EPOCH = date(1970, 1, 1)
# What of a verdict leaves the platform: its sentences and places name counts of rows, which may be few.
VERDICT_FIELDS = ("run_name", "passed", "products", "started", "ended", "data_docs")
RULE_FIELDS = ("id", "table", "description", "severity", "success")


def run_train(run_json: str | Place) -> dict[str, Any]:
    """Fit the study's model on its features: model.json, curves, peaks and cross-validation tables, metrics.json.

    Raises InputError when the features are not there, or hold too few cases or exposed cases for the study's settings,
    GateRefused when the study gate has not let these features through.
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
        with local_staging(root, run["fingerprint"]) as staged:
            summary = _train(root, run, staged)
            told = {step["step"]: step for step in steps_in(run, "model")}
            manifest = {**_manifest(run, "train", staged, summary, started), "steps": told}
            commit_directory(root, staged, final, {**manifest, "fingerprint": stage_key(run, "model")})
    return {"status": "done", "stage": "train", "directory": str(final), **summary}


def run_report(run_json: str | Place) -> dict[str, Any]:
    """Write the study's report and log its run in MLflow; an MLflow run of this fingerprint is found, not made again.

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
        if done is not None and done["fingerprint"] == run["fingerprint"]:
            return _report_again(root, run, final, done)
        started = _now()
        with local_staging(root, run["fingerprint"]) as staged:
            summary = _report(root, run, staged, final)
            commit_directory(root, staged, final, _manifest(run, "report", staged, summary, started))
    return {"status": "done", "stage": "report", "directory": str(final), **summary}


def _check_gate(run: Run) -> None:
    features = done_stage(run, "features")
    refuse_unless_passed(features.parent, read_manifest(features) or {})


def _train(root: Root, run: Run, staged: Path) -> dict[str, Any]:
    with _progress(root, run, "train", 4) as progress:
        return _fit(run, staged, progress)


def _fit(run: Run, staged: Path, progress: Step) -> dict[str, Any]:
    from parcours.models import ConvSCCS

    study = study_of(run)
    settings = study.model
    progress(0, "reading the features")
    series = _case_series(run, settings)
    progress(1, "cross-validation")
    model = ConvSCCS.cross_validate(series, **model_settings(study, series), threads=_threads())
    progress(2, "bootstrap")
    if settings.bootstrap:
        model.bootstrap(settings.bootstrap, settings.seed, threads=_threads())
    progress(3, "writing the model")
    curves = _with_empty_columns(model.curves(), "lower", "upper")
    peaks = model.peaks() if settings.bootstrap else _peaks_without_tests(curves)
    for name, table in (("curves", curves), ("peaks", peaks), ("cv", model.cv_table_)):
        table.to_parquet(staged / f"{name}.parquet", index=False)
    write_json(staged / "model.json", model.to_dict())
    metrics = _metrics(model, peaks)
    write_json(staged / "metrics.json", metrics)
    progress(4, "done")
    return metrics


def _case_series(run: Run, settings: ModelSettings) -> "CaseSeries":
    """The cases, with the medicines that enough of them were exposed to.

    Raises InputError when the features are missing, or too few cases or exposed cases are left.
    """
    from parcours.models import CaseSeries

    source = done_stage(run, "features")
    summary = _read_json(source / "summary.json")
    if summary["cases"] < FEWEST_CASES:
        raise InputError(
            f"Study {run['cohort']} has fewer than {FEWEST_CASES} cases, too few to fit a model: widen its dates, ages "
            "or outcomes."
        )
    kept = [drug for drug, about in summary["drugs"].items() if about["exposed_cases"] >= settings.min_exposed_cases]
    if not kept:
        raise InputError(
            f"No medicine of study {run['cohort']} has {settings.min_exposed_cases} exposed cases: lower "
            "min_exposed_cases or widen the study."
        )
    persons, events, exposures = (_read_table(source, name) for name in ("persons", "events", "exposures"))
    return CaseSeries(persons, events, exposures[exposures["drug"].isin(kept)])


def model_settings(study: Study, series: "CaseSeries") -> dict[str, Any]:
    """The study's settings as ConvSCCS.cross_validate takes them.

    Cuts that leave nobody on one side are dropped: their group would have no estimate.
    """
    settings, population = study.model, study.population
    age = (series.start - series.age_origin()).min(), (series.end - series.age_origin()).max()
    years = range(population.follow_up_start.year + 1, population.study_end.year + 1)
    return {
        "lags": settings.lags,
        "bucket": settings.bucket_days,
        "tv": list(settings.tv_grid) or None,
        "group": list(settings.group_grid) or None,
        "folds": settings.cv_folds,
        "seed": settings.seed,
        "age_cuts": _inside([round(cut * DAYS_A_YEAR) for cut in settings.age_cuts_years], *age),
        "calendar_cuts": _inside(
            [(date(year, 1, 1) - EPOCH).days for year in years] if settings.calendar else [],
            series.start.min(),
            series.end.max(),
        ),
        "season_cuts": SEASON_CUTS if settings.season else (),
    }


def _inside(cuts: list[int], first: int, last: int) -> list[int]:
    return [cut for cut in cuts if first < cut <= last]


def _metrics(model: Any, peaks: "pd.DataFrame") -> dict[str, float]:
    """Numbers that compare across runs of a study. Counts are exact here: they are suppressed when they leave."""
    from parcours.reporting.findings import LOWERED, RAISED

    return {
        "held_out_likelihood": float(model.held_out_likelihood_),
        "medicines_screened": len(peaks),
        "medicines_selected": int(peaks["selected"].sum()),
        "medicines_raising": int((peaks["flag"] == RAISED).sum()),
        "medicines_lowering": int((peaks["flag"] == LOWERED).sum()),
        "tv": float(model.tv),
        "group": float(model.group),
        "cases": int(model.n_cases_),
        "events": int(model.n_events_),
    }


def _peaks_without_tests(curves: "pd.DataFrame") -> "pd.DataFrame":
    """One row a drug, like ConvSCCS.peaks(), for a model without a bootstrap: no interval, no p value, no flag."""
    sized = curves.assign(size=curves["log_ri"].abs()).sort_values(
        ["drug", "size", "lag"], ascending=[True, False, True]
    )
    peaks = sized.drop_duplicates("drug").rename(columns={"lag": "peak_lag"})
    peaks = peaks.assign(selected=peaks["log_ri"] != 0, flag="")[["drug", "selected", "peak_lag", "log_ri", "flag"]]
    return _with_empty_columns(peaks.reset_index(drop=True), "lower", "upper", "p_value")


def _with_empty_columns(table: "pd.DataFrame", *names: str) -> "pd.DataFrame":
    return table.assign(**{name: float("nan") for name in names if name not in table})


def _report(root: Root, run: Run, staged: Path, final: Place) -> dict[str, Any]:
    from parcours.reporting.report import write_report

    with _progress(root, run, "report", 3) as progress:
        progress(0, "reading the model")
        findings, verdict = _findings(root, run), _verdict(run)
        progress(1, "figures and tables")
        write_report(findings, staged, verdict)
        progress(2, "MLflow run")
        tracked = _track(root, run, findings, staged, verdict)
        progress(3, "done")
    return _summary(tracked, findings, final)


def _report_again(root: Root, run: Run, final: Place, manifest: dict[str, Any]) -> dict[str, Any]:
    """The report is there: log its run only if the tracking server has lost it."""
    from parcours.tracking.runs import find_run

    if find_run(root.path, run["cohort"], run["fingerprint"]) is not None:
        log.info("report of %s: reused", run["cohort"])
        return {"status": "reused", "stage": "report", "directory": str(final), **manifest["summary"]}
    findings, verdict = _findings(root, run), _verdict(run)
    with local_copy(final) as folder:
        summary = _summary(_track(root, run, findings, folder, verdict), findings, final)
    write_manifest(final, {**manifest, "summary": summary})
    return {"status": "done", "stage": "report", "directory": str(final), **summary}


def _findings(root: Root, run: Run) -> "Findings":
    from parcours.reporting.compile import compile_findings

    return compile_findings(_material(root, run))


def _material(root: Root, run: Run) -> "Material":
    from parcours.reporting.compile import Material
    from parcours.reporting.names import medicine_names

    cohort, features, model = (done_stage(run, stage) for stage in ("cohort", "features", "model"))
    return Material(
        run=run,
        peaks=_read_table(model, "peaks"),
        curves=_read_table(model, "curves"),
        metrics=_read_json(model / "metrics.json"),
        summary=_read_json(features / "summary.json"),
        attrition=_read_json(cohort / "attrition.json"),
        persons=_read_table(features, "persons"),
        events=_read_table(features, "events"),
        outcomes=_read_table(cohort, "outcomes", ["person_id", "date", "site"]),
        names=medicine_names(
            _read_table(done_step(run, "medicines"), "medicine_names"), run["study"]["medicines"]["level"]
        ),
        missing_care=_read_json(cohort / "summary.json")["missing_care"],
    )


def _track(root: Root, run: Run, findings: "Findings", folder: Path, verdict: Mapping[str, Any] | None) -> "TrackedRun":
    from parcours.reporting import tables
    from parcours.tracking.record import RunRecord
    from parcours.tracking.runs import track

    model = done_stage(run, "model")
    curves = _read_table(model, "curves")
    record = RunRecord(
        run=run,
        metrics=findings.metrics,
        artifacts=folder,
        curves={name: _plain(curves[name]) for name in ("drug", "lag", "log_ri", "lower", "upper")},
        model=_without_counts(_read_json(model / "model.json")),
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
    verdict = _read_json(path)
    rules = [
        {name: rule.get(name) for name in RULE_FIELDS} | {"unexpected": rule["found"]} for rule in verdict["rules"]
    ]
    return {name: verdict.get(name) for name in VERDICT_FIELDS} | {"rules": rules}


def _summary(tracked: "TrackedRun", findings: "Findings", final: Place) -> dict[str, Any]:
    from parcours.reporting.findings import LOWERED, RAISED

    return {
        "mlflow_run_id": tracked.run_id,
        "mlflow_url": tracked.url,
        "mlflow_run_reused": tracked.reused,
        "report": str(final / "report.html"),
        "cases": findings.cases,
        "medicines_selected": int(findings.peaks["selected"].sum()),
        "raising": list(findings.flagged(RAISED)["drug"]),
        "lowering": list(findings.flagged(LOWERED)["drug"]),
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


def _read_table(directory: Place, name: str, columns: list[str] | None = None) -> "pd.DataFrame":
    import pandas as pd

    with local_copy(directory / f"{name}.parquet") as source:
        return pd.read_parquet(source, columns=columns)


def _read_json(path: Place) -> Any:
    return json.loads(path.read_text("utf-8"))


def _plain(column: "pd.Series") -> list[Any]:
    """Values that JSON knows: a bound that was not computed is null."""
    return [None if value != value else value for value in column.tolist()]


@contextmanager
def _progress(root: Root, run: Run, stage: str, total: int) -> Iterator[Step]:
    """Tells the root, and with a line such as `2/4 bootstrap` whoever reads the log, how far the stage is."""
    with told_progress(root, f"{stage} {run['cohort']} {run['fingerprint']}") as tell:

        def step(done: int, label: str) -> None:
            log.info("%d/%d %s", done, total, label)
            tell(done, total, label)

        yield step


def _threads() -> int:
    return max(1, len(os.sched_getaffinity(0)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
