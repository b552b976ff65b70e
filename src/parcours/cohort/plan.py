"""From a study and a root to a run: what will be read, what will be computed, and the `run.json` that fixes it.

Standard library and YAML only: called inside Airflow tasks and by the command line.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from parcours.cohort.definitions import check_uses
from parcours.cohort.late_flux import periods_needed
from parcours.cohort.planned_copies import CODE_LISTS, codelist_checksums, keep_copies, planned_codelists
from parcours.cohort.steps import COHORT, EVENTS, FLUX_LAGS, REPORT, STAGES, products_read, required_products, steps_of
from parcours.cohort.study import LANGUAGES, Study, resolve, study_from_dict
from parcours.cohort.titles import changes, run_name, study_subtitle, study_title
from parcours.cohort.window import dated, up_to
from parcours.errors import InputError
from parcours.events.codelists import check_codelists
from parcours.storage.fingerprint import code_version, fingerprint, sources_version
from parcours.storage.manifest import committed_periods, is_synthetic, read_manifest, write_json
from parcours.storage.place import Place, place
from parcours.storage.publication import published_periods
from parcours.storage.root import Root, open_root

DEATHS = ("IR_BEN_R_ARC", "KI_CCI_R", "SSR", "HAD", "RIP")  # tell of deaths, beside IR_BEN_R and MCO
TOLD_BY = ("MCO", "MCO_CE", *DEATHS)  # show care and deaths, where they are published


def write_run(
    root: Root | str, study: Study, overrides: Mapping[str, Any], airflow: Mapping[str, str] | None = None
) -> Place:
    """Resolve the study on the published data and write its `run.json`; the same input gives the same path.

    Its code lists and its file are copied beside it: the stages of the run read those.

    `airflow` is {dag_id, run_id} of the run that asked, or None.
    Raises InputError for a wrong override, a product that is not published, or a period the study misses.
    """
    root = root if isinstance(root, Root) else open_root(root)
    run = plan_run(root, study, overrides)
    path = root.study(study.cohort, run["fingerprint"]) / "run.json"
    keep_copies(path.parent, study.codelists, study.file)
    write_json(path, {**run, "airflow": dict(airflow) if airflow else None})
    return path


def plan_run(root: Root, study: Study, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `run.json`, without writing it.

    Raises what `write_run` raises.
    """
    asked = resolve(study, overrides)
    data = study_data(root, asked)
    resolved = dated(asked, data, str(root.path))
    missing = missing_periods(resolved, data)
    _check_missing(resolved, missing)
    check_codelists(resolved.codelists)
    check_uses(resolved.codelists)
    codelists = codelist_checksums(resolved.codelists)
    persons = identity_mapping(root)
    made_of = {
        "study": resolved.as_dict(),
        # A what-if run and the study itself are two runs, even where the study file is changed to say the same later.
        # Words are compared as they are written: the days that they stand for today change nothing.
        "changes": changes(study, asked),
        "data": data,
        "identity": persons,
        "codelists": codelists,
        "code": sources_version(""),
    }
    mark = fingerprint(made_of)
    steps = steps_of(resolved, data, persons, codelists)
    return {
        "cohort": study.cohort,
        "name": run_name(resolved, data),
        "title": study_title(resolved),
        "subtitle": study_subtitle(resolved),
        # No part of what the run is: another language writes its report again, and nothing else.
        "language": resolved.language,
        "titles": dict(resolved.titles),
        "synthetic": is_synthetic(every for product in data for every in committed_periods(root, product).values()),
        "fingerprint": mark,
        "root": str(root.path),
        **made_of,
        "dates_in_words": asked.population.words,
        "code_version": code_version(),
        "steps": [step.as_dict() for step in steps],
        # The same in runs that read the same events.
        "events_fingerprint": fingerprint({step.name: step.fingerprint for step in steps if step.stage == EVENTS}),
        "missing_periods": missing,
        "codelists_folder": str(root.study(study.cohort, mark) / CODE_LISTS),
    }


def read_run(path: Place | str) -> dict[str, Any]:
    """The content of a `run.json`.

    Raises InputError when it does not exist or is not one.
    """
    path = place(path, "run file")
    if not path.is_file():
        raise InputError(f"Run file {path} does not exist; plan the run first.")
    try:
        run: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError:
        raise InputError(f"{path} is not a run file: it holds no JSON.") from None
    absent = [key for key in ("cohort", "fingerprint", "root", "study", "data") if key not in run]
    if absent:
        raise InputError(f"{path} is not a run file: {', '.join(absent)} missing.")
    return run


def study_of(run: Mapping[str, Any]) -> Study:
    """The resolved study of a run, with the code lists that it was planned with.

    Raises InputError when one of these is gone or is not what it was.
    """
    return study_from_dict(run["study"], planned_codelists(run))


def steps_in(run: Mapping[str, Any], stage: str) -> list[dict[str, Any]]:
    """The steps of one stage of a run: {step, stage, fingerprint, made_of}."""
    return [step for step in run["steps"] if step["stage"] == stage]


def step_directory(run: Mapping[str, Any], name: str) -> Place:
    """The directory of a step of events, which runs of the same data share."""
    step = next(step for step in run["steps"] if step["step"] == name)
    return open_root(run["root"]).events(name, step["fingerprint"])


def done_step(run: Mapping[str, Any], name: str) -> Place:
    """The directory that a step of events has committed.

    Raises InputError when it has not.
    """
    directory = step_directory(run, name)
    if read_manifest(directory) is None:
        raise InputError(f"Run {run['fingerprint']} of {run['cohort']} has no {EVENTS} yet; run that stage first.")
    return directory


def stage_key(run: Mapping[str, Any], stage: str) -> str:
    """The fingerprint of what a stage of the run commits: of its steps, or of the run where it has none."""
    own = {step["step"]: step["fingerprint"] for step in steps_in(run, stage)}
    if stage == COHORT:  # its summary tells of late flux
        own |= {step["step"]: step["fingerprint"] for step in run["steps"] if step["step"] == FLUX_LAGS}
    if stage == REPORT and language_of(run) != LANGUAGES[0]:
        own = {"run": str(run["fingerprint"]), "language": language_of(run)}
    return fingerprint(own) if own else str(run["fingerprint"])


def done_stage(run: Mapping[str, Any], stage: str) -> Place:
    """The directory that a stage after the events has committed.

    Raises InputError when it has not, or when what is there is not of this run.
    """
    directory = stage_directory(run, stage)
    manifest = read_manifest(directory)
    if manifest is None:
        raise InputError(f"Run {run['fingerprint']} of {run['cohort']} has no {stage} yet; run that stage first.")
    if manifest["fingerprint"] != stage_key(run, stage):
        raise InputError(f"{directory} is not of run {run['fingerprint']}; remove it and run that stage again.")
    return directory


def stage_directory(run: Mapping[str, Any], stage: str) -> Place:
    """The directory that a stage of the run after the events commits."""
    return open_root(run["root"]).study(run["cohort"], run["fingerprint"]) / stage


def study_data(root: Root, study: Study) -> dict[str, dict[str, str]]:
    """{product: {period: fingerprint}} that a study reads of what is published: up to its `data_until`.

    Raises what `published_data` raises, and InputError when a product that is required has no period up to then.
    """
    required = required_products(study)
    data = up_to(published_data(root, products_read(study), required), study.population.data_until)
    absent = [product for product in required if product not in data]
    if absent:
        raise InputError(
            f"Study {study.cohort} reads what was published up to {study.population.data_until}, but that is nothing "
            f"of {', '.join(absent)}: give a later data_until, or none."
        )
    return data


def published_data(root: Root, also: Iterable[str], required: Iterable[str]) -> dict[str, dict[str, str]]:
    """{product: {period: fingerprint}} of what the gate let through; `also` are products that few studies read.

    Raises InputError or GateRefused when a product that is required is not published as it is.
    """
    data, needed = {}, tuple(required)
    for product in dict.fromkeys((*needed, *TOLD_BY, *sorted(also))):
        if product not in needed and not root.publication(product).is_file():
            continue
        manifests = committed_periods(root, product)
        periods = published_periods(root, product)
        data[product] = {period: manifests[period]["fingerprint"] for period in sorted(periods)}
    return data


def identity_mapping(root: Root) -> str | None:
    """The fingerprint of who each identifier is; None where no referential says it."""
    mapping: str | None = (read_manifest(root.identity) or {}).get("mapping")
    return mapping


def missing_periods(study: Study, data: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Periods that a study needs and that are not published: flux months of DCIR and years of MCO."""
    read = {*required_products(study), *data}
    wanted = {product: periods for product, periods in periods_needed(study.population).items() if product in read}
    gaps = {product: [p for p in periods if p not in data.get(product, {})] for product, periods in wanted.items()}
    return {product: periods for product, periods in gaps.items() if periods}


def _check_missing(study: Study, missing: Mapping[str, list[str]]) -> None:
    if not missing or study.population.incomplete_data == "accept":
        return
    listed = "; ".join(f"{product} {_shortened(periods)}" for product, periods in missing.items())
    population = study.population
    raise InputError(
        f"Study {study.cohort} runs from {population.study_start} to {population.study_end} and needs the flux of "
        f"{population.late_flux_months} months more, but not all of it is published: {listed} missing. Flatten and "
        "check, change the dates, or set incomplete_data=accept."
    )


def _shortened(periods: list[str]) -> str:
    return ", ".join(periods) if len(periods) <= 3 else f"{periods[0]} to {periods[-1]} ({len(periods)} periods)"


def planned_stages(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """[{stage, directory, done}] in order: a stage that is done will be reused."""
    events = all(read_manifest(step_directory(run, step["step"])) is not None for step in steps_in(run, EVENTS))
    stages = [{"stage": EVENTS, "directory": str(open_root(run["root"]).path / "events"), "done": events}]
    for stage in STAGES[1:]:
        directory = stage_directory(run, stage)
        manifest = read_manifest(directory)
        done = manifest is not None and (stage != REPORT or manifest["fingerprint"] == stage_key(run, REPORT))
        stages.append({"stage": stage, "directory": str(directory), "done": done})
    return stages


def language_of(run: Mapping[str, Any]) -> str:
    """The language of a run's report; English where its run.json is older than languages."""
    return str(run.get("language", LANGUAGES[0]))
