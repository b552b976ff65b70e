"""The stages from published flat tables to the case series: events, cohort, features.

Each reads its `run.json`, computes in Spark, and commits one directory; done already, it does nothing.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parcours.cohort.enough import refuse_too_few
from parcours.cohort.plan import published_data, read_run, stage_directory, study_of
from parcours.cohort.study import Study
from parcours.errors import GateRefused, InputError
from parcours.session import spark_session
from parcours.spark_faults import told_by_spark
from parcours.storage.commit import commit_directory, exclusive_writer, staging_attempt
from parcours.storage.manifest import read_manifest, write_json
from parcours.storage.place import Place, file_size, found, move, spark_path
from parcours.storage.root import Root, open_root

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

log = logging.getLogger(__name__)
Run = dict[str, Any]
Compute = Callable[["SparkSession", Run, Place], dict[str, Any]]


def run_events(run_json: str | Place) -> dict[str, Any]:
    """Extract every event of the published flat tables, shared by all studies of the same data.

    Raises InputError when the run file is wrong, GateRefused when the data changed since the run was planned.
    """
    return _stage(run_json, "events", _events)


def run_cohort(run_json: str | Place) -> dict[str, Any]:
    """Select the study's persons, exposures and outcomes, with the attrition table.

    Raises InputError when the events were not extracted yet, or fewer than 11 persons or cases are left.
    """
    return _stage(run_json, "cohort", _cohort)


def run_features(run_json: str | Place) -> dict[str, Any]:
    """Turn the cohort into the case series that the models read.

    Raises InputError when the cohort was not selected yet.
    """
    return _stage(run_json, "features", _features)


def _stage(run_json: str | Place, stage: str, compute: Compute) -> dict[str, Any]:
    run = read_run(run_json)
    root = open_root(run["root"])
    final = stage_directory(run, stage)
    key = run["events_fingerprint"] if stage == "events" else run["fingerprint"]
    with exclusive_writer(root, final):
        manifest = read_manifest(final)
        if manifest is not None and manifest["fingerprint"] == key:
            log.info("%s of %s: reused", stage, run["cohort"])
            return {"status": "reused", "stage": stage, "directory": str(final), **manifest["summary"]}
        started = _now()
        spark = spark_session(f"parcours {stage} {run['cohort']}")
        with staging_attempt(root, key) as staged, told_by_spark():
            summary = compute(spark, run, staged)
            manifest = {
                "stage": stage,
                "cohort": run["cohort"],
                "status": "complete",
                "fingerprint": key,
                "code_version": run["code_version"],
                "summary": summary,
                "files": _files(staged),
                "started": started,
                "ended": _now(),
                "spark_application": spark.sparkContext.applicationId,
            }
            commit_directory(root, staged, final, manifest)
    return {"status": "done", "stage": stage, "directory": str(final), **summary}


def _events(spark: "SparkSession", run: Run, staged: Place) -> dict[str, Any]:
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    from parcours.events.extraction import extract_events, extract_packs, extract_persons

    root = open_root(run["root"])
    _check_published(root, run)
    periods = {
        product: {period: root.period(product, period) for period in fingerprints}
        for product, fingerprints in run["data"].items()
    }
    codelists = Path(run["codelists_folder"])
    packs = extract_packs(spark, periods["IR_PHA_R"])
    _write(packs.coalesce(1), staged / "packs.parquet")
    extraction = extract_events(spark, periods, packs, codelists)
    _write(extraction.events.withColumn("kind", F.col("category")), staged, by="kind")
    for directory in found(staged, "kind=*"):
        move(directory, staged / f"{directory.name.removeprefix('kind=')}.parquet")
    seen = Observation("persons")
    _write(extract_persons(spark, periods["IR_BEN_R"], root.identity, codelists, seen), staged / "persons.parquet")
    summary = extraction.summary()
    summary["rows"]["persons"] = {name.partition("/")[2]: n for name, n in seen.get.items() if n}
    write_json(staged / "summary.json", summary)
    _check_published(root, run)  # what was flattened again meanwhile may have been read half before, half after
    return summary


def _check_published(root: Root, run: Run) -> None:
    if published_data(root) != run["data"]:
        raise GateRefused(f"The published data changed since run {run['fingerprint']} was planned; plan it again.")


def _cohort(spark: "SparkSession", run: Run, staged: Place) -> dict[str, Any]:
    from pyspark.sql import functions as F

    from parcours.cohort.assembly import care_after_death, study_exposures, study_outcomes, study_population
    from parcours.cohort.population import next_step

    study = study_of(run)
    source = _done(run, "events")
    events = _read_events(spark, source)
    persons, packs = (_read(spark, source / f"{name}.parquet") for name in ("persons", "packs"))
    population = study_population(persons, events, study)
    _write(population.follow_up, staged / "follow_up.parquet")
    chain = population.attrition()
    refuse_too_few(run["cohort"], chain)
    followed = _read(spark, staged / "follow_up.parquet")
    # A few outcomes per hundred persons: counted and written from memory.
    outcomes = study_outcomes(events, followed, study).persist()
    when = _counts(outcomes.groupBy("when").count().collect())
    _write(outcomes.where(F.col("when") == "during").drop("when"), staged / "outcomes.parquet")
    outcomes.unpersist()
    cases = _read(spark, staged / "outcomes.parquet").select("person_id").distinct().count()
    chain = next_step(chain, "cases", "with a fracture during follow-up", cases)
    refuse_too_few(run["cohort"], chain)
    _write(study_exposures(events, packs, followed, study), staged / "exposures.parquet")
    write_json(staged / "attrition.json", chain)
    summary = {
        "persons_followed": chain[-2]["persons"],
        "cases": cases,
        "outcomes": when,
        "attrition": chain,
        "exposures": _prevalence(spark, staged / "exposures.parquet"),
        "events_after_death": _counts(care_after_death(events, persons).collect()),
        "rules_without_data": _rules_without_data(study, run),
    }
    write_json(staged / "summary.json", summary)
    return summary


def _features(spark: "SparkSession", run: Run, staged: Place) -> dict[str, Any]:
    from parcours.features.case_series import case_events, case_exposures, case_persons, exposed_cases

    study = study_of(run)
    source = _done(run, "cohort")
    follow_up, exposures, outcomes = (
        _read(spark, source / f"{name}.parquet") for name in ("follow_up", "exposures", "outcomes")
    )
    events = case_events(outcomes, study.outcomes.outcome_events)
    n_events = _write_sorted(events, staged / "events.parquet")
    events = _read(spark, staged / "events.parquet")
    n_cases = _write_sorted(case_persons(follow_up, events), staged / "persons.parquet")
    _write_sorted(case_exposures(exposures, events), staged / "exposures.parquet")
    persons, started = (_read(spark, staged / f"{name}.parquet") for name in ("persons", "exposures"))
    per_drug = exposed_cases(started, persons, study.model).orderBy("drug").collect()
    cohort = json.loads((source / "summary.json").read_text("utf-8"))
    totals = {"cases": n_cases, "events": n_events, "persons_followed": cohort["persons_followed"]}
    drugs = {row["drug"]: {"exposed_cases": row["exposed_cases"]} for row in per_drug}
    write_json(staged / "summary.json", {**totals, "drugs": drugs})
    return {"cases": n_cases, "events": n_events, "drugs": len(drugs)}


def _rules_without_data(study: Study, run: Run) -> list[str]:
    from parcours.cohort.fractures import load_fracture_lists

    rules = load_fracture_lists(study.codelists).rules
    return [r["rule"] for r in rules if r["rule"] in study.outcomes.rules and r["product"] not in run["data"]]


def _prevalence(spark: "SparkSession", path: Place) -> dict[str, int]:
    counts = {row["prevalent"]: row["count"] for row in _read(spark, path).groupBy("prevalent").count().collect()}
    return {"kept": counts.get(False, 0), "prevalent": counts.get(True, 0)}


def _done(run: Run, stage: str) -> Place:
    directory = stage_directory(run, stage)
    if read_manifest(directory) is None:
        raise InputError(f"Run {run['fingerprint']} of {run['cohort']} has no {stage} yet; run that stage first.")
    return directory


def _read_events(spark: "SparkSession", directory: Place) -> "DataFrame":
    from parcours.events.schema import CATEGORIES, EVENT_SCHEMA

    written = [path for name in CATEGORIES if (path := directory / f"{name}.parquet").exists()]
    return spark.read.schema(EVENT_SCHEMA).parquet(*[spark_path(path) for path in written])


def _read(spark: "SparkSession", path: Place) -> "DataFrame":
    return spark.read.parquet(spark_path(path))


def _write(frame: "DataFrame", path: Place, by: str | None = None) -> None:
    writer = frame.write.mode("append" if by else "errorifexists")
    (writer.partitionBy(by) if by else writer).parquet(spark_path(path))


def _write_sorted(frame: "DataFrame", path: Place) -> int:
    """One sorted file: cases are few, and the same cohort gives the same bytes."""
    import pyarrow.parquet as pq

    table = frame.toArrow()
    table = table.sort_by([(name, "ascending") for name in table.column_names])
    with path.open("wb") as target:
        pq.write_table(table, target)
    return int(table.num_rows)


def _counts(rows: list["Row"]) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in sorted(rows)}


def _files(directory: Place) -> list[dict[str, Any]]:
    files = [path for path in found(directory, "**/*") if path.is_file() and not path.name.startswith((".", "_"))]
    return [{"path": str(path.relative_to(directory)), "bytes": file_size(path)} for path in files]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
