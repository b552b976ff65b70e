"""Runs in a real MLflow server: SQL backend, artifacts through the server."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from parcours.errors import InputError, RetryableFault
from parcours.tracking.record import data_version, run_metrics, run_note
from parcours.tracking.runs import find_run, track
from parcours.tracking.server import connect


@pytest.fixture
def root(mlflow_server, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return tmp_path


def test_a_run_holds_parameters_data_version_verdict_metrics_tables_and_artifacts(root, record):
    tracked = track(root, record("holds"))
    client = connect(root)
    run = client.get_run(tracked.run_id)
    assert run.info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == "study/holds"
    assert run.info.run_name == "holds · 65 and over · data to 2016-02"
    assert run.data.params["min_age"] == "65"
    assert run.data.params["data.version"] == run.data.tags["data.version"] == data_version(record("holds").run["data"])
    assert len(run.data.params["model.drugs"]) == 6000 and run.data.params["model.drugs"].endswith("whole in run.json)")
    assert run.data.metrics == run_metrics(record("holds"))
    assert (run.data.tags["gx.verdict"], run.data.tags["source"]) == ("passed", "SNDS")
    assert run.data.tags["airflow.run_id"] == "manual__1"
    assert {"run.json", "data.json", "verdict.json", "report", "tables"} <= {
        item.path for item in client.list_artifacts(run.info.run_id)
    }
    assert client.load_table(run.info.experiment_id, "tables/curves.json", [tracked.run_id])["drug"].tolist() == [
        "N05BA12"
    ]
    assert tracked.url.endswith(
        f"/#/experiments/{run.info.experiment_id}/runs/{tracked.run_id}?workflowType=machine_learning"
    )


def test_a_run_its_model_and_its_data_know_of_each_other(root, record):
    tracked = track(root, record("linked"))
    client = connect(root)
    run = client.get_run(tracked.run_id)
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("DCIR, MCO · data to 2016-02", run.data.params["data.version"])
    (made,) = run.outputs.model_outputs
    model = client.get_logged_model(made.model_id)
    assert model.source_run_id == tracked.run_id
    peak = next(metric for metric in model.metrics if metric.key == "log_ri/N05BA12")
    assert (peak.value, peak.dataset_digest) == (0.6931, data.dataset.digest)


def test_the_same_fingerprint_finds_its_run_and_another_makes_another(root, record):
    first, again = track(root, record("twice")), track(root, record("twice"))
    assert (again.run_id, again.reused) == (first.run_id, True)
    other = track(root, record("twice", "fedcba9876543210"))
    assert other.run_id != first.run_id
    assert find_run(root, "twice", "fedcba9876543210").run_id == other.run_id
    assert find_run(root, "twice", "0" * 16) is None


def test_a_what_if_run_says_what_it_changed_and_never_moves_the_alias_current(root, record):
    itself = record("what_if", "1" * 16)
    track(root, itself)
    changes = {"age_minimum": {"file": 65, "run": 75}}
    title = {"title": "Falls: 75 and over", "subtitle": "All medicines"}
    asked = replace(itself, run={**itself.run, **title, "fingerprint": "2" * 16, "changes": changes})
    client = connect(root)
    run = client.get_run(track(root, asked).run_id)
    assert run.data.tags["what_if"] == "youngest age 75, was 65"
    assert run.info.run_name == "what_if · 65 and over · data to 2016-02 · what-if: youngest age 75, was 65"
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("**what_if · 65 and over · data to 2016-02**\n\nFalls: 75 and over\n\nAll medicines")
    assert "* youngest age 75, was 65" in note
    versions = {version.run_id: version.version for version in client.search_model_versions("name='study-what_if'")}
    current = client.get_model_version_by_alias("study-what_if", "current")
    assert len(versions) == 2 and current.run_id != run.info.run_id
    track(root, replace(itself, run={**itself.run, "fingerprint": "3" * 16}))
    assert client.get_model_version_by_alias("study-what_if", "current").version not in versions.values()


def test_the_description_of_a_run_leads_to_the_report_where_a_server_shows_it(root, record, monkeypatch):
    run = record("led").run | {"root": "/data/root"}
    assert "Report" not in run_note(run)
    monkeypatch.setenv("PARCOURS_ROOT", "/data/root")
    monkeypatch.setenv("PARCOURS_DATA_DOCS_URL", "http://127.0.0.1:8090")
    page = "http://127.0.0.1:8090/studies/led/0123456789abcdef/report/report.html"
    assert run_note(run) == f"**led · 65 and over · data to 2016-02** · [Report]({page})"


def test_a_run_on_made_up_persons_says_so(root, record):
    real = record("made_up")
    run = connect(root).get_run(track(root, replace(real, run={**real.run, "synthetic": True})).run_id)
    assert run.info.run_name == "made_up · 65 and over · data to 2016-02 · SYNTHETIC"
    assert run.data.tags["source"] == "SYNTHETIC" and "what_if" not in run.data.tags
    assert run.data.tags["mlflow.note.content"].startswith("**SYNTHETIC DATA**")


def test_a_crashed_run_is_not_reused_and_points_to_the_run_that_replaced_it(root, record):
    client = connect(root)
    experiment = client.create_experiment("study/crashed")
    killed = client.create_run(experiment, tags={"fingerprint": "0123456789abcdef"})
    assert find_run(root, "crashed", "0123456789abcdef") is None
    tracked = track(root, record("crashed"))
    old = client.get_run(killed.info.run_id)
    assert tracked.run_id != killed.info.run_id
    assert (old.info.status, old.data.tags["superseded_by"]) == ("FAILED", tracked.run_id)


def test_a_run_whose_logging_breaks_is_marked_failed(root, record):
    too_many = replace(record("broken"), metrics={f"m{i}": 0.0 for i in range(51)})
    with pytest.raises(ValueError, match="51 metrics; a run takes 50"):
        track(root, too_many)
    client = connect(root)
    experiment = client.get_experiment_by_name("study/broken")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]


def test_the_registered_model_loads_in_a_plain_process_and_gives_relative_incidences(root, record, mlflow_server):
    track(root, record("served"))
    script = f"""
import json, sys, mlflow, pandas
mlflow.set_tracking_uri({mlflow_server!r})
model = mlflow.pyfunc.load_model("models:/study-served@current")
asked = pandas.DataFrame({{"drug": ["N05BA12"] * 4, "lag": [0, 1, 40, -1]}})
answer = model.predict(asked)
try:
    model.predict(pandas.DataFrame({{"drug": ["Z99"], "lag": [0]}}))
except ValueError as error:
    refusal = str(error)
print(json.dumps([answer.round(3).fillna(-1).values.tolist(), refusal, "parcours" in sys.modules]))
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    rows, refusal, knows_the_project = json.loads(answer.stdout.splitlines()[-1])
    assert rows == [[2.0, 1.649, 2.46], [1.0, 0.819, 1.221], [1.0, -1, -1], [0.607, 0.0, 1.105]]
    assert "not fitted on Z99" in refusal
    assert not knows_the_project


def test_no_answer_is_one_sentence_that_a_retry_may_cure(monkeypatch, tmp_path, unused_address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", unused_address)
    with pytest.raises(RetryableFault, match=r"tracking server at http://127.* start it"):
        find_run(tmp_path, "fall", "0" * 16)


@pytest.mark.parametrize(
    ("status", "fault", "sentence"),
    [
        (503, RetryableFault, r"cannot be used \(it no longer answers\).*run again: the model is kept"),
        (401, InputError, r"does not let this job in; set MLFLOW_TRACKING_USERNAME"),
    ],
    ids=["busy", "locked"],
)
def test_a_server_that_does_not_serve_is_one_sentence(monkeypatch, tmp_path, faulty_server, status, fault, sentence):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", faulty_server(status))
    with pytest.raises(fault, match=sentence):
        find_run(tmp_path, "fall", "0" * 16)
