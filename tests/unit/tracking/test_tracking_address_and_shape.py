"""Where runs go without a server, and the limits of MLflow, without MLflow."""

import subprocess
import sys

import pytest

from parcours.errors import InputError
from parcours.tracking.record import batches, data_version, run_params, verdict_word
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


def test_parameters_are_flat_texts():
    study = {"end": None, "model": {"lags": 13, "grid": [1.0, 2.0]}, "sites": {}}
    assert run_params({"study": study}) == {"end": "", "model.lags": "13", "model.grid": "1.0, 2.0", "sites": ""}


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
