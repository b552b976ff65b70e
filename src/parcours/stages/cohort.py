"""The stages of the cohort (follow-up, exposures, outcomes) and of the features that the models read."""

import logging
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from parcours.cohort.definitions import load_definition
from parcours.cohort.enough import refuse_too_few
from parcours.cohort.late_flux import missing_care
from parcours.cohort.plan import (
    done_stage,
    done_step,
    read_run,
    stage_directory,
    stage_key,
    step_directory,
    steps_in,
    study_of,
)
from parcours.cohort.planned_copies import lists_of
from parcours.cohort.planned_steps import made_before
from parcours.cohort.population import attrition, inclusion_steps, next_step
from parcours.cohort.slices import EXPOSURES, FOLLOW_UP, OUTCOMES, CohortSlices
from parcours.cohort.steps import COHORT, FEATURES, FLUX_LAGS, MEDICINES, PERSONS
from parcours.cohort.study import Study
from parcours.cohort.titles import application_name
from parcours.engine.results import files_in
from parcours.engine.work import now, read_table, summed, write_table
from parcours.events.extractors import extractors
from parcours.events.person_slices import PERSONS as PERSONS_FILE
from parcours.features.case_series import exposed_cases
from parcours.features.cases import SCHEMAS, Cases
from parcours.stages.steps import Workshop, beside, commit, held, slices_told, staged_for, taken, workshop
from parcours.storage.commit import exclusive_writer
from parcours.storage.manifest import read_manifest, write_json
from parcours.storage.place import Place, copy_file, found
from parcours.storage.root import Root, open_root

log = logging.getLogger(__name__)
Run = dict[str, Any]
# The result of each step of the cohort.
RESULTS = {"population": FOLLOW_UP, "exposures": EXPOSURES, "outcomes": OUTCOMES}


def run_cohort(run_json: str | Place) -> dict[str, Any]:
    """Select the study's persons, exposures and outcomes, with the attrition table.

    What another run of the study has made of the same is taken from there. Raises InputError when the events were not
    extracted yet, or fewer than 11 persons or cases are left.
    """
    run = read_run(run_json)
    root, final = open_root(run["root"]), stage_directory(run, COHORT)
    with exclusive_writer(root, final):
        manifest = held(final, stage_key(run, COHORT))
        if manifest is not None:
            return {"status": "reused", "stage": COHORT, "directory": str(final), **manifest["summary"]}
        with workshop(root, f"cohort {run['cohort']}", application_name(run, COHORT)) as shop:
            manifest = make_cohort(run, root, shop, final)
    reused = all("reused_from" in step for step in manifest["steps"].values())
    return {"status": "reused" if reused else "done", "stage": COHORT, "directory": str(final), **manifest["summary"]}


def make_cohort(run: Run, root: Root, shop: Workshop, final: Place) -> dict[str, Any]:
    """Make and commit the cohort of a run; its manifest.

    Raises InputError when too few persons or cases are left.
    """
    study, started = study_of(run), now()
    events = _events_of(run)
    with staged_for(root, stage_key(run, COHORT), [final]) as staged:
        steps = {step["step"]: dict(step) for step in steps_in(run, COHORT)}
        made = {name: told for name, step in steps.items() if (told := _take(run, name, step, staged)) is not None}
        work = CohortSlices(
            study=study,
            lists=lists_of(run),
            persons=files_in(step_directory(run, PERSONS) / PERSONS_FILE),
            events=events,
            packs=read_table(step_directory(run, MEDICINES) / "packs.parquet"),
            made={RESULTS[name]: files_in(staged / RESULTS[name]) for name in made},
        ).work()
        reports = shop.run(work, staged, "cohort") if len(made) < len(steps) else []
        counts = summed(reports)
        for name, step in steps.items():
            (staged / RESULTS[name]).mkdir(exist_ok=True)
            step |= made.get(name) or {"counts": counts.get(name, {}), "slices": slices_told(reports, RESULTS[name])}
        summary = _cohort_summary(run, study, {name: step["counts"] for name, step in steps.items()})
        write_json(staged / "attrition.json", summary["attrition"])
        write_json(staged / "summary.json", summary)
        manifest = {
            "stage": COHORT,
            "cohort": run["cohort"],
            "fingerprint": stage_key(run, COHORT),
            "steps": steps,
            "summary": summary,
            "spark_application": shop.application,
        }
        return commit(root, staged, final, manifest, started)


def _events_of(run: Run) -> dict[str, dict[str, list[Place]]]:
    """The files of each category of a run, by bucket.

    Raises InputError when one of its steps is not there.
    """
    names = [step["step"] for step in steps_in(run, "events")]
    places = {name: done_step(run, name) for name in names}
    return {name: files_in(place) for name, place in places.items() if name in extractors()}


def _take(run: Run, name: str, step: Mapping[str, Any], staged: Place) -> dict[str, Any] | None:
    """What another run of this study has made of the same, copied; its counts and slices."""
    for folder, theirs in made_before(run, name, COHORT):
        if theirs["fingerprint"] == step["fingerprint"]:
            for file in found(folder / RESULTS[name], "*.parquet"):
                copy_file(file, staged / RESULTS[name] / file.name)
            log.info("%s of %s: reused from %s", name, run["cohort"], folder.parent.name)
            return {"counts": theirs["counts"], "slices": theirs["slices"], "reused_from": folder.parent.name}
    return None


def _cohort_summary(run: Run, study: Study, counts: Mapping[str, Any]) -> dict[str, Any]:
    definition = load_definition(study.codelists, study.outcomes.definition)
    chain = attrition(inclusion_steps(study.population), counts["population"].get("steps", {}))
    refuse_too_few(run["cohort"], chain)
    cases = counts["outcomes"].get("cases", 0)
    chain = next_step(chain, "cases", definition.attrition, cases)
    refuse_too_few(run["cohort"], chain)
    persons = read_manifest(step_directory(run, PERSONS)) or {}
    lags = read_table(step_directory(run, FLUX_LAGS) / "flux_lags.parquet").to_pylist()
    lines = [(row["care"], row["flux"], row["rows"]) for row in lags]
    return {
        "persons_followed": chain[-2]["persons"],
        "cases": cases,
        "outcomes": counts["outcomes"].get("when", {}),
        "attrition": chain,
        "exposures": counts["exposures"],
        "deaths": counts["population"].get("deaths", {}),
        "events_after_death": persons["counts"].get("events_after_death", {}),
        "rules_without_data": [
            rule.rule
            for rule in definition.rules
            if rule.rule in study.outcomes.rules
            and not any(extractors()[name].product in run["data"] for name in rule.find.categories)
        ],
        "missing_care": missing_care(study.population, lines, run["data"]["DCIR"]),
    }


def run_features(run_json: str | Place) -> dict[str, Any]:
    """Turn the cohort into the case series that the models read.

    Raises InputError when the cohort was not selected yet.
    """
    run = read_run(run_json)
    root, final = open_root(run["root"]), stage_directory(run, FEATURES)
    with exclusive_writer(root, final):
        manifest = held(final, stage_key(run, FEATURES)) or taken(run, root, FEATURES, final)
        if manifest is not None:
            return {"status": "reused", "stage": FEATURES, "directory": str(final), **manifest["summary"]}
        with workshop(root, f"features {run['cohort']}", application_name(run, FEATURES)) as shop:
            manifest = make_features(run, root, shop, final)
    return {"status": "done", "stage": FEATURES, "directory": str(final), **manifest["summary"]}


def make_features(run: Run, root: Root, shop: Workshop, final: Place) -> dict[str, Any]:
    """Make and commit the case series of a run's cohort; its manifest."""
    study, source, started = study_of(run), done_stage(run, COHORT), now()
    cohort = (read_manifest(source) or {})["summary"]
    with staged_for(root, stage_key(run, FEATURES), [final]) as staged:
        files = {name: files_in(source / name) for name in (FOLLOW_UP, EXPOSURES, OUTCOMES)}
        parts = beside(staged, "parts")
        reports = shop.run(Cases(files, study.outcomes.outcome_events).work(), parts, "features")
        tables = _gathered(parts)
        for name, table in tables.items():
            write_table(staged / f"{name}.parquet", table)
        drugs = {
            drug: {"exposed_cases": n}
            for drug, n in exposed_cases(tables["exposures"], tables["persons"], study).items()
        }
        totals = {"cases": len(tables["persons"]), "events": len(tables["events"])}
        write_json(staged / "summary.json", {**totals, "persons_followed": cohort["persons_followed"], "drugs": drugs})
        manifest = {
            "stage": FEATURES,
            "cohort": run["cohort"],
            "fingerprint": stage_key(run, FEATURES),
            "steps": {step["step"]: step for step in steps_in(run, FEATURES)},
            "slices": slices_told(reports, "events"),
            "summary": {**totals, "drugs": len(drugs)},
            "spark_application": shop.application,
        }
        return commit(root, staged, final, manifest, started)


def _gathered(parts: Place) -> dict[str, pa.Table]:
    """The cases of all slices in one table each, in the order of persons: they are few."""
    gathered = {}
    for name, schema in SCHEMAS.items():
        tables = [read_table(file).cast(schema) for file in found(parts / name, "*.parquet")]
        whole = pa.concat_tables([schema.empty_table(), *tables])
        gathered[name] = whole.sort_by([(column, "ascending") for column in whole.column_names])
    return gathered
