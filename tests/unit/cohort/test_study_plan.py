"""Planning a run: what it is made of, when it is the same run, and what it refuses."""

import json
from pathlib import Path

import pytest

from parcours.cohort.plan import planned_stages, read_run, study_of, write_run
from parcours.cohort.study import load_study
from parcours.errors import InputError
from parcours.storage.manifest import write_manifest
from parcours.storage.publication import publish
from parcours.storage.root import Root, ensure_layout

HOME = Path(__file__).parents[3]
MONTHS = [f"{year}-{month:02d}" for year in range(2014, 2018) for month in range(1, 13)]
PERIODS = {"DCIR": MONTHS, "MCO": ["2014", "2015", "2016", "2017"], "IR_BEN_R": ["all"], "IR_PHA_R": ["all"]}


@pytest.fixture
def study():
    return load_study(HOME / "cohorts" / "fall.yaml")


@pytest.fixture
def root_with(tmp_path):
    def build(periods):
        root = Root(tmp_path)
        ensure_layout(root)
        for product, names in periods.items():
            for period in names:
                write_manifest(root.period(product, period), {"fingerprint": f"{product}-{period}"})
            publish(root, product, tmp_path / "verdict.json", {period: f"{product}-{period}" for period in names})
        return root

    return build


def test_a_run_file_holds_everything_that_decides_the_result(root_with, study):
    root = root_with(PERIODS)
    path = write_run(root, study, {"age_minimum": 70}, airflow={"dag_id": "study__fall", "run_id": "r1"})
    run = read_run(path)
    assert path == root.study("fall", run["fingerprint"]) / "run.json"
    assert run["study"]["population"]["age_minimum"] == 70
    assert run["data"]["MCO"] == {year: f"MCO-{year}" for year in PERIODS["MCO"]}
    assert set(run["codelists"]) >= {"fracture_codes.csv", "fracture_sites.csv", "finess_double_count.csv"}
    assert run["airflow"] == {"dag_id": "study__fall", "run_id": "r1"}
    assert study_of(run).as_dict() == run["study"]


def test_the_same_question_on_the_same_data_is_the_same_run(root_with, study):
    root = root_with(PERIODS)
    first = write_run(str(root.path), study, {})
    assert write_run(root, study, {"age_minimum": "65"}, airflow={"dag_id": "d", "run_id": "r"}) == first
    assert write_run(root, study, {"age_minimum": 66}) != first


def test_new_data_and_only_new_data_change_the_events(root_with, study):
    root = root_with(PERIODS)
    before, other_age = (read_run(write_run(root, study, {"age_minimum": age})) for age in (65, 80))
    assert before["events_fingerprint"] == other_age["events_fingerprint"]
    write_manifest(root.period("MCO", "2017"), {"fingerprint": "late"})
    publish(root, "MCO", root.path / "v.json", {**{y: f"MCO-{y}" for y in PERIODS["MCO"]}, "2017": "late"})
    assert read_run(write_run(root, study, {}))["events_fingerprint"] != before["events_fingerprint"]


def test_nothing_is_done_before_the_first_stage(root_with, study):
    run = read_run(write_run(root_with(PERIODS), study, {}))
    assert [(stage["stage"], stage["done"]) for stage in planned_stages(run)] == [
        (name, False) for name in ("events", "cohort", "features", "model", "report")
    ]


def test_a_study_refuses_data_with_a_hole_in_it(root_with, study):
    root = root_with({**PERIODS, "DCIR": [m for m in MONTHS if m != "2015-06"], "MCO": ["2014", "2015", "2016"]})
    with pytest.raises(InputError, match="not all of it is published: DCIR 2015-06; MCO 2017 missing"):
        write_run(root, study, {})
    accepted = read_run(write_run(root, study, {"incomplete_data": "accept"}))
    assert accepted["missing_periods"] == {"DCIR": ["2015-06"], "MCO": ["2017"]}


def test_a_shorter_study_needs_less_data(root_with, study):
    root = root_with({**PERIODS, "DCIR": MONTHS[:36], "MCO": ["2014", "2015", "2016"]})
    assert read_run(write_run(root, study, {"study_end": "2016-12-31"}))["missing_periods"] == {}


def test_what_did_not_pass_the_gate_is_named(root_with, study):
    root = root_with({name: periods for name, periods in PERIODS.items() if name != "IR_PHA_R"})
    with pytest.raises(InputError, match="IR_PHA_R has not been flattened"):
        write_run(root, study, {})


def test_a_file_that_is_no_run_file_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"cohort": "fall"}), "utf-8")
    with pytest.raises(InputError, match="is not a run file: fingerprint, root, study, data missing"):
        read_run(path)
