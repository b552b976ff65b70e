"""Where runs go without a server, and the limits of MLflow, without MLflow."""

import subprocess
import sys
from dataclasses import replace

import pytest

from parcours.errors import InputError
from parcours.tracking.record import (
    batches,
    data_version,
    dataset_name,
    medicines_without_metric,
    run_metrics,
    run_name,
    run_params,
    verdict_word,
)
from parcours.tracking.server import artifact_location, run_page, tracking_uri


def test_without_an_address_runs_are_kept_in_the_root(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    address = tracking_uri(tmp_path)
    assert address == f"sqlite:///{tmp_path}/mlflow.db"
    assert artifact_location(tmp_path, address) == f"file://{tmp_path}/mlflow-artifacts"
    assert artifact_location(tmp_path, "http://mlflow:5000") is None


def test_a_run_has_a_page_where_people_reach_the_server(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert run_page(tmp_path, "1", "abc") == "http://mlflow:5000/#/experiments/1/runs/abc?workflowType=machine_learning"
    monkeypatch.setenv("PARCOURS_MLFLOW_URL", "https://runs.example/")
    assert (
        run_page(tmp_path, "1", "abc") == "https://runs.example/#/experiments/1/runs/abc?workflowType=machine_learning"
    )


def test_a_run_kept_in_the_root_has_no_page(monkeypatch, tmp_path):
    for name in ("MLFLOW_TRACKING_URI", "PARCOURS_MLFLOW_URL"):
        monkeypatch.delenv(name, raising=False)
    assert run_page(tmp_path, "1", "abc") is None


def test_a_folder_is_no_tracking_server(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    with pytest.raises(InputError, match=r"MLFLOW_TRACKING_URI is \./mlruns.* set it to http://"):
        tracking_uri(tmp_path)


def test_parameters_go_in_batches_of_100():
    sizes = [len(batch) for batch in batches({f"p{i}": "x" for i in range(230)})]
    assert sizes == [100, 100, 30]


def test_parameters_are_flat_texts_and_those_that_differ_come_first(record):
    study = {"cohort": "fall", "end": None, "model": {"lags": 13, "grid": [1.0, 2.0]}, "sites": {}}
    changes = {"lags": {"file": 10, "run": 13}, "age_minimum": {"file": 65, "run": 75}}
    params = run_params(replace(record("fall"), run={"study": study, "changes": changes}))
    assert params.pop("data.version") == data_version({})
    assert params == {
        "changed.lags": "curve length 13 steps, was 10",
        "changed.age_minimum": "youngest age 75, was 65",
        "fit.tv": "0.001",
        "fit.certificate_residual": "3.1e-05",
        "cohort": "fall",
        "end": "",
        "model.lags": "13",
        "model.grid": "1.0, 2.0",
        "sites": "",
    }
    assert sorted(params)[:2] == ["changed.age_minimum", "changed.lags"]  # as MLflow shows them


def test_a_medicine_has_its_peak_and_the_bounds_that_have_an_end(record):
    assert run_metrics(record("fall")) == {
        "held_out_likelihood": -3.25,
        "cases": 1200.0,
        "medicines_selected": 1.0,
        "care_still_to_come_percent": 0.4,
        "log_ri/N05BA12": 0.6931,
        "log_ri_lower/N05BA12": 0.5,
        "log_ri_upper/N05BA12": 0.9,
        "log_ri/N05BA01_C07AA05": -0.5,
        "log_ri_upper/N05BA01_C07AA05": 0.1,
    }
    shown = list(run_metrics(record("fall")))
    assert (shown[0], shown[-1]) == ("log_ri/N05BA12", "held_out_likelihood")  # MLflow keeps the order


def test_the_medicines_that_find_no_room_are_the_last_and_are_named(record):
    drugs = [f"N05BA{i:02}" for i in range(20)]
    peaks = {"drug": drugs, **{column: [0.5] * 20 for column in ("log_ri", "lower", "upper")}}
    crowded = replace(record("fall"), peaks=peaks)
    metrics = run_metrics(crowded)
    assert len(metrics) == 4 + 3 * 15
    assert medicines_without_metric(crowded) == drugs[15:]
    assert medicines_without_metric(record("fall")) == []


def test_a_medicine_whose_name_mlflow_does_not_take_leaves_its_room_to_the_next(record):
    peaks = {"drug": ["A" * 250, "B"], **{column: [0.5] * 2 for column in ("log_ri", "lower", "upper")}}
    long = replace(record("fall"), peaks=peaks)
    assert "log_ri/B" in run_metrics(long) and medicines_without_metric(long) == ["A" * 250]


def test_a_name_says_what_is_made_up_and_what_differs():
    run = {"cohort": "fall", "name": "fall · 75 and over · data to 2018-06"}
    changes = {"age_minimum": {"file": 65, "run": 75}}
    assert run_name(run) == "fall · 75 and over · data to 2018-06"
    assert run_name({**run, "synthetic": True, "changes": changes}) == (
        "fall · 75 and over · data to 2018-06 · SYNTHETIC · what-if: youngest age 75, was 65"
    )


def test_a_data_set_is_named_by_its_products_and_last_month():
    data = {"MCO": {"2016": "c"}, "DCIR": {"2016-02": "b"}, "IR_BEN_R": {"all": "r"}}
    assert dataset_name(data) == "DCIR, MCO · data to 2016-02"
    assert dataset_name({}) == "no data"


def test_the_data_version_changes_with_any_period():
    before = data_version({"DCIR": {"2016-01": "aa", "2016-02": "bb"}})
    assert before != data_version({"DCIR": {"2016-01": "aa", "2016-02": "bc"}})
    assert before == data_version({"DCIR": {"2016-02": "bb", "2016-01": "aa"}})


def test_no_gate_is_not_a_passed_gate():
    assert [verdict_word(v) for v in (None, {"passed": False}, {"passed": True})] == ["none", "refused", "passed"]


def test_importing_the_package_imports_no_mlflow():
    program = "import sys, parcours.tracking.runs, parcours.tracking.server; print('mlflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
