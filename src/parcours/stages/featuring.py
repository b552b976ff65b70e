"""The stages from published flat tables to the case series: events, cohort, features.

Each reads its `run.json`, computes in Spark, and commits one directory; done already, it does nothing.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from parcours.cohort.enough import refuse_too_few
from parcours.cohort.late_flux import missing_care
from parcours.cohort.plan import (
    done_stage,
    identity_mapping,
    published_data,
    read_run,
    stage_directory,
    stage_key,
    study_of,
)
from parcours.cohort.planned_copies import planned_codelists
from parcours.cohort.study import Study
from parcours.errors import GateRefused
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
    key = stage_key(run, stage)
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
    from pyspark.sql import functions as F

    from parcours.events.extraction import (
        extract_events,
        extract_flux_lags,
        extract_medicine_names,
        extract_packs,
    )

    root = open_root(run["root"])
    _check_published(root, run)
    periods = {
        product: {period: root.period(product, period) for period in fingerprints}
        for product, fingerprints in run["data"].items()
    }
    codelists = planned_codelists(run)
    packs = extract_packs(spark, periods["IR_PHA_R"])
    _write(packs.coalesce(1), staged / "packs.parquet")
    _write(extract_medicine_names(spark, periods["IR_PHA_R"]).coalesce(1), staged / "medicine_names.parquet")
    _write(extract_flux_lags(spark, periods["DCIR"]).coalesce(1), staged / "flux_lags.parquet")
    extraction = extract_events(spark, periods, packs, codelists)
    _write(extraction.events.withColumn("kind", F.col("category")), staged, by="kind")
    for directory in found(staged, "kind=*"):
        move(directory, staged / f"{directory.name.removeprefix('kind=')}.parquet")
    summary = extraction.summary()
    persons = _persons(spark, run, periods, staged)
    rows = {**summary["rows"], **persons["rows"]}
    not_delivered = sorted({*summary["not_delivered"], *persons["not_delivered"]})
    summary = {**summary, **persons, "rows": rows, "not_delivered": not_delivered}
    write_json(staged / "summary.json", summary)
    _check_published(root, run)  # what was flattened again meanwhile may have been read half before, half after
    return summary


def _persons(spark: "SparkSession", run: Run, periods: dict[str, dict[str, Place]], staged: Place) -> dict[str, Any]:
    """Write who there is and who died, once for all stages: `deaths.parquet` and `persons.parquet`."""
    from parcours.events.deaths import care_after_death, decided, judged
    from parcours.events.person_extraction import extract_persons
    from parcours.events.persons import everybody

    events = _read_events(spark, staged)
    identity = open_root(run["root"]).identity
    extraction = extract_persons(spark, periods, events, identity, planned_codelists(run))
    known = extraction.known.persist()
    _write(judged(extraction.told, known, events), staged / "deaths.parquet")
    told = _read(spark, staged / "deaths.parquet")
    _write(everybody(known, events, decided(told)), staged / "persons.parquet")
    known.unpersist()
    persons = _read(spark, staged / "persons.parquet")
    summary = extraction.summary()
    deaths = {**_told(told), **_deaths(persons), "certificates": summary.pop("certificates")}
    return {**summary, "deaths": deaths, "events_after_death": _counts(care_after_death(events, persons).collect())}


def _told(deaths: "DataFrame") -> dict[str, Any]:
    """{told: {source: persons it tells credibly}, not_credible: {reason: persons}}."""
    from pyspark.sql import functions as F

    from parcours.events.deaths import CREDIBLE

    source = F.when(F.col("verdict") == CREDIBLE, F.col("source"))
    persons = F.count_distinct("person_id")
    rows = deaths.groupBy("verdict", source.alias("source")).agg(persons.alias("persons")).collect()
    return {
        "told": {row["source"]: row["persons"] for row in sorted(rows, key=str) if row["source"]},
        "not_credible": {row["verdict"]: row["persons"] for row in sorted(rows, key=str) if not row["source"]},
    }


def _deaths(persons: "DataFrame") -> dict[str, Any]:
    """{by_source: {source that gives the date: persons}, disagree: persons} of the persons who died."""
    from pyspark.sql import functions as F

    dead = persons.where("death is not null").groupBy("death_source")
    counts = dead.agg(F.count(F.lit(1)), F.count_if("deaths_disagree").alias("disagree")).collect()
    return {"by_source": _counts(counts), "disagree": sum(row["disagree"] for row in counts)}


def _check_published(root: Root, run: Run) -> None:
    if published_data(root) != run["data"] or identity_mapping(root) != run["identity"]:
        raise GateRefused(f"The published data changed since run {run['fingerprint']} was planned; plan it again.")


def _cohort(spark: "SparkSession", run: Run, staged: Place) -> dict[str, Any]:
    from pyspark.sql import functions as F

    from parcours.cohort.assembly import study_exposures, study_outcomes, study_population
    from parcours.cohort.population import next_step

    study = study_of(run)
    source = done_stage(run, "events")
    events = _read_events(spark, source)
    persons, packs = (_read(spark, source / f"{name}.parquet") for name in ("persons", "packs"))
    population = study_population(persons, study)
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
        "deaths": _counts(followed.where("end_reason = 'death'").groupBy("death_source").count().collect()),
        "events_after_death": json.loads((source / "summary.json").read_text("utf-8"))["events_after_death"],
        "rules_without_data": _rules_without_data(study, run),
        "missing_care": _missing_care(spark, source, study, run),
    }
    write_json(staged / "summary.json", summary)
    return summary


def _features(spark: "SparkSession", run: Run, staged: Place) -> dict[str, Any]:
    from parcours.features.case_series import case_events, case_exposures, case_persons, exposed_cases

    study = study_of(run)
    source = done_stage(run, "cohort")
    follow_up, exposures, outcomes = (
        _read(spark, source / f"{name}.parquet") for name in ("follow_up", "exposures", "outcomes")
    )
    events = case_events(outcomes, study.outcomes.outcome_events)
    n_events = _write_sorted(events, staged / "events.parquet")
    events = _read(spark, staged / "events.parquet")
    n_cases = _write_sorted(case_persons(follow_up, events), staged / "persons.parquet")
    _write_sorted(case_exposures(exposures, events), staged / "exposures.parquet")
    persons, started = (_read(spark, staged / f"{name}.parquet") for name in ("persons", "exposures"))
    per_drug = exposed_cases(started, persons, study).orderBy("drug").collect()
    cohort = json.loads((source / "summary.json").read_text("utf-8"))
    totals = {"cases": n_cases, "events": n_events, "persons_followed": cohort["persons_followed"]}
    drugs = {row["drug"]: {"exposed_cases": row["exposed_cases"]} for row in per_drug}
    write_json(staged / "summary.json", {**totals, "drugs": drugs})
    return {"cases": n_cases, "events": n_events, "drugs": len(drugs)}


def _missing_care(spark: "SparkSession", events: Place, study: Study, run: Run) -> dict[str, Any]:
    """Which share of the care is still to come, by the lags of the delivery (see `missing_care`)."""
    lines = [(row["care"], row["flux"], row["rows"]) for row in _read(spark, events / "flux_lags.parquet").collect()]
    return missing_care(study.population, lines, run["data"]["DCIR"])


def _rules_without_data(study: Study, run: Run) -> list[str]:
    from parcours.cohort.fractures import load_fracture_lists

    rules = load_fracture_lists(study.codelists).rules
    return [r["rule"] for r in rules if r["rule"] in study.outcomes.rules and r["product"] not in run["data"]]


def _prevalence(spark: "SparkSession", path: Place) -> dict[str, int]:
    counts = {row["prevalent"]: row["count"] for row in _read(spark, path).groupBy("prevalent").count().collect()}
    return {"kept": counts.get(False, 0), "prevalent": counts.get(True, 0)}


def _read_events(spark: "SparkSession", directory: Place) -> "DataFrame":
    from parcours.events.schema import CATEGORIES, EVENT_SCHEMA

    written = [path for name in CATEGORIES if (path := directory / f"{name}.parquet").exists()]
    if not written:
        return spark.createDataFrame([], EVENT_SCHEMA)
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
