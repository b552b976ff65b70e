"""What a plan says is reused and computed, and that the stages then do just that."""

import json
import shutil
from pathlib import Path

import pytest
from small_root import BISOPROLOL, ZOLPIDEM, build_root, filled, person, purchase, stay, write_period

from parcours.cohort.plan import plan_run, write_run
from parcours.cohort.planned_steps import COMPUTE, NOTHING_YET, planned_steps
from parcours.cohort.study import load_study
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events
from parcours.storage import fingerprint
from parcours.storage.manifest import read_manifest
from parcours.storage.publication import publish

HOME = Path(__file__).parents[3]
PACKS = [
    {"PHA_CIP_C13": BISOPROLOL, "PHA_ATC_C07": "C07AB07", "PHA_CND_TOP": None},
    {"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02", "PHA_CND_TOP": None},
]
CLAIMS = [purchase(1, "2015-02-01", ZOLPIDEM, 1), purchase(2, "2015-05-01", BISOPROLOL, 2)]
TABLES = {
    "DCIR": {"2015-06": CLAIMS},
    "MCO": {"2015": stay(1, "2015-03-01", 1, "S7200")},
    "IR_BEN_R": {"all": [person(1, "1930"), person(2, "1940")]},
    "IR_PHA_R": {"all": PACKS},
}
HOSPITAL = {
    "mco_hospital_stay",
    "mco_main_diagnosis",
    "mco_linked_diagnosis",
    "mco_associated_diagnosis",
    "mco_ccam_act",
}
CLAIMS_STEPS = {"drug_purchase", "dcir_ccam_act", "flux_lags"}
ACCEPT = {"incomplete_data": "accept"}


@pytest.fixture
def study(tmp_path):
    """The fall study with code lists of its own, which a test may change."""
    shutil.copytree(HOME / "codelists", tmp_path / "codelists")
    file = tmp_path / "cohorts" / "fall.yaml"
    file.parent.mkdir()
    shutil.copy(HOME / "cohorts" / "fall.yaml", file)
    return load_study(file)


@pytest.fixture
def done(tmp_path, study):
    """A root on which the study has run as far as its features."""
    root = build_root(tmp_path / "root", filled(TABLES))
    return root, featured(root, study)


def featured(root, study, **changes):
    path = write_run(root, study, {**ACCEPT, **changes})
    return path, {"events": run_events(path), "cohort": run_cohort(path), "features": run_features(path)}


def plan(root, study, **changes):
    return {step["step"]: step for step in planned_steps(plan_run(root, study, {**ACCEPT, **changes}))}


def to_compute(planned):
    return {name for name, step in planned.items() if step["status"] == COMPUTE}


def cohort_steps_made(path):
    steps = (read_manifest(Path(path).parent / "cohort") or {})["steps"]
    return {name for name, step in steps.items() if "reused_from" not in step}


def test_of_nothing_everything_is_computed(tmp_path, study):
    planned = plan(build_root(tmp_path / "root", filled(TABLES)), study)
    assert to_compute(planned) == set(planned)
    assert {step["why"] for step in planned.values()} == {NOTHING_YET}


def test_after_the_run_only_the_model_is_left(done, study):
    root, _ = done
    assert to_compute(plan(root, study)) == {"model"}


def test_a_commit_that_touches_documentation_alone_changes_no_run(done, study, monkeypatch):
    root, (path, _) = done
    monkeypatch.setattr(fingerprint, "_commit", lambda git: "d0c5" * 10)
    fingerprint.code_version.cache_clear()
    try:
        again, told = featured(root, study)
    finally:
        monkeypatch.undo()
        fingerprint.code_version.cache_clear()
    assert again == path
    assert {stage["status"] for stage in told.values()} == {"reused"}


def test_another_seed_computes_nothing_but_the_model(done, study):
    root, (path, _) = done
    planned = plan(root, study, seed=5)
    assert to_compute(planned) == {"model"}
    other, told = featured(root, study, seed=5)
    assert other != path
    assert {stage["status"] for stage in told.values()} == {"reused"}
    assert cohort_steps_made(other) == set()
    first, second = ((Path(run).parent / "features" / "persons.parquet").read_bytes() for run in (path, other))
    assert first == second


def test_another_list_of_outcomes_computes_outcomes_and_what_follows(done, study):
    root, _ = done
    codes = study.codelists / "fracture_codes.csv"
    codes.write_text("\n".join(line for line in codes.read_text().splitlines() if ",S52," not in line) + "\n")
    from parcours.cohort.definitions import load_definition
    from parcours.events.codelists import read_codelist

    read_codelist.cache_clear()
    load_definition.cache_clear()
    planned = plan(root, study)
    assert to_compute(planned) == {"outcomes", "features", "model"}
    assert planned["outcomes"]["why"] == "codelists.fracture_codes.csv changed"
    assert planned["features"]["why"] == "outcomes changed"
    path, told = featured(root, study)
    assert told["events"]["computed"] == []
    assert cohort_steps_made(path) == {"outcomes"}


def test_a_new_flux_month_computes_what_it_can_change(done, study):
    root, (_, before) = done
    fingerprints = {"2015-06": "DCIR-2015-06"}
    fingerprints["2015-07"] = write_period(root, "DCIR", "2015-07", [purchase(1, "2015-02-01", BISOPROLOL, 9)])
    publish(root, "DCIR", root.path / "verdict.json", fingerprints)
    planned = plan(root, study)
    follow = {"persons", "population", "exposures", "outcomes", "features", "model"}
    assert to_compute(planned) == CLAIMS_STEPS | follow
    assert planned["drug_purchase"]["why"] == "data.DCIR.2015-07 changed"
    _, told = featured(root, study)
    assert set(told["events"]["computed"]) == CLAIMS_STEPS | {"persons"}
    assert told["events"]["events"]["drug_purchase"] == before["events"]["events"]["drug_purchase"] + 1
    assert all(planned[name]["status"] == "reuse" for name in HOSPITAL)


def test_the_run_says_what_each_step_is_made_of(done, study):
    root, (path, _) = done
    run = json.loads(Path(path).read_text("utf-8"))
    washout = plan(root, study, washout_months=5)
    assert washout["exposures"]["why"] == "exposures.washout_months changed"
    assert {step["step"] for step in run["steps"]} == set(washout)
