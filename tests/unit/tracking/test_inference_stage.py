"""Train and report on a root made by hand: one medicine doubles to triples the risk for 8 weeks, one does nothing."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from parcours.cohort.plan import read_run, stage_key
from parcours.errors import GateRefused, InputError
from parcours.models import ConvSCCS, conv_sccs
from parcours.models.solver import NotConverged
from parcours.stages.exit import outcome_of
from parcours.stages.inference import run_report, run_train
from parcours.storage.manifest import read_manifest, write_manifest
from tests.unit.tracking.study_run import HOME, decide, make_run, write


@pytest.fixture(scope="module")
def run_json(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def trained(run_json):
    return run_train(run_json)


@pytest.fixture
def server(mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)


def rows(path):
    with path.open(encoding="utf-8") as lines:
        return {row["drug"]: row for row in csv.DictReader(lines)}


def test_training_finds_the_medicine_that_raises_the_risk(run_json, trained):
    model = run_json.parent / "model"
    peaks = pd.read_parquet(model / "peaks.parquet").set_index("drug")
    assert trained["status"] == "done"
    assert peaks.loc["RAISE01", "flag"] == "raised"
    assert (peaks.loc["RAISE01", "first_lag"], peaks.loc["RAISE01", "last_lag"]) == (0, 1)
    assert set(peaks["before"]) == {""}
    assert peaks.loc["NOTHIN1", "flag"] == ""
    assert "RARE001" not in peaks.index, "fewer exposed cases than min_exposed_cases"
    assert trained["medicines_raising"] == 1 and trained["cases"] == 400
    assert (trained["medicines_lowering"], trained["medicines_rising_before"]) == (0, 0)
    curves = pd.read_parquet(model / "curves.parquet")
    assert curves["lag"].tolist() == [*range(-4, 8)] * 2  # 90 days are looked at, though 56 have a curve


def test_the_certificate_of_the_fit_is_among_the_metrics(run_json, trained):
    metrics = json.loads((run_json.parent / "model" / "metrics.json").read_text("utf-8"))
    assert 0 < metrics["certificate_residual"] <= metrics["certificate_tolerance"]
    assert metrics["iterations"] >= 1
    assert metrics["share"] in (0, 0.25, 0.5, 0.75, 1)
    model = ConvSCCS.from_dict(json.loads((run_json.parent / "model" / "model.json").read_text("utf-8")))
    assert model.solution_.residual == metrics["certificate_residual"]
    assert (model.pre_lags, model.share_) == (2, metrics["share"])


def test_a_fit_that_does_not_converge_commits_no_model_and_may_be_tried_again(tmp_path, monkeypatch):
    run_json = make_run(tmp_path, persons=120)

    def stopped(*arguments, **settings):
        raise NotConverged("The fit did not converge in 5 steps (breach of optimality 1e-1, allowed 1e-4).")

    monkeypatch.setattr(conv_sccs, "solve", stopped)
    with pytest.raises(NotConverged, match="did not converge in 5 steps"):
        run_train(run_json)
    assert not (run_json.parent / "model").exists()
    assert outcome_of(NotConverged("One sentence.")) == (3, "One sentence.")


def test_the_saved_model_gives_the_saved_curves(run_json, trained):
    model = run_json.parent / "model"
    saved = ConvSCCS.from_dict(json.loads((model / "model.json").read_text("utf-8")))
    pd.testing.assert_frame_equal(saved.curves(), pd.read_parquet(model / "curves.parquet"))
    assert {file["path"] for file in read_manifest(model)["files"]} == {
        "model.json", "metrics.json", "curves.parquet", "peaks.parquet", "cv.parquet",
    }  # fmt: skip


def test_training_again_does_nothing(run_json, trained):
    before = read_manifest(run_json.parent / "model")
    again = run_train(run_json)
    assert again == trained | {"status": "reused"}
    assert read_manifest(run_json.parent / "model") == before


def test_the_report_tells_the_signal_and_finds_its_run_again(run_json, trained, server):
    done = run_report(run_json)
    folder = run_json.parent / "report"
    peaks = rows(folder / "peaks.csv")
    assert done["status"] == "done" and done["raising"] == ["RAISE01"] and done["lowering"] == []
    assert next(iter(peaks)) == "RAISE01" and peaks["RAISE01"]["flag"] == "raised"
    assert float(peaks["RAISE01"]["lower"]) > 1.5
    assert "1 flagged as raising the risk, 0 as lowering it." in Path(done["report"]).read_text("utf-8")
    again = run_report(run_json)
    assert again["status"] == "reused" and again["mlflow_run_id"] == done["mlflow_run_id"]


def test_a_report_in_another_language_is_written_again_from_the_same_model(run_json, trained, server):
    done = run_report(run_json)
    model = read_manifest(run_json.parent / "model")
    tables = {path.name: path.read_bytes() for path in (run_json.parent / "report").glob("*.csv")}
    run = json.loads(run_json.read_text("utf-8"))
    run_json.write_text(json.dumps({**run, "language": "fr"}), "utf-8")
    again = run_report(run_json)
    assert again["status"] == "done"
    assert "1 signalés comme augmentant le risque" in Path(again["report"]).read_text("utf-8")
    assert {path.name: path.read_bytes() for path in (run_json.parent / "report").glob("*.csv")} == tables
    assert again["mlflow_run_id"] == done["mlflow_run_id"] and read_manifest(run_json.parent / "model") == model
    assert run_report(run_json)["status"] == "reused"
    run_json.write_text(json.dumps(run), "utf-8")
    assert run_report(run_json)["status"] == "done"


def test_a_run_that_was_lost_is_logged_again_in_the_root_when_there_is_no_server(
    run_json, trained, server, monkeypatch
):
    run_report(run_json)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    page = (run_json.parent / "report" / "report.html").stat().st_mtime_ns
    done = run_report(run_json)
    assert done["status"] == "done" and (run_json.parents[3] / "mlflow.db").is_file()
    assert read_manifest(run_json.parent / "report")["summary"]["mlflow_run_id"] == done["mlflow_run_id"]
    assert (run_json.parent / "report" / "report.html").stat().st_mtime_ns == page


def test_nothing_of_a_person_is_in_what_leaves(run_json, trained, monkeypatch):
    report = run_json.parent / "report"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_report(run_json)
    text = "".join(path.read_text("utf-8") for path in report.rglob("*") if path.suffix in (".csv", ".html"))
    assert "person_id" not in text
    logged = list((run_json.parents[3] / "mlflow-artifacts").rglob("fitted.json"))
    assert logged, "the model's JSON is in the run"
    assert not {"cases", "events", "exposed_cases"} & json.loads(logged[0].read_text("utf-8")).keys()


def test_without_a_bootstrap_there_are_intervals_and_flags_but_no_share_of_draws(tmp_path):
    run_json = make_run(tmp_path, bootstrap=0)
    run_train(run_json)
    peaks = pd.read_parquet(run_json.parent / "model" / "peaks.parquet").set_index("drug")
    assert peaks.loc["RAISE01", "flag"] == "raised" and peaks.loc["RAISE01", "lower"] > 0.5
    assert peaks["selected_share"].isna().all()


def test_too_few_cases_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="fewer than 20 cases, too few to fit a model: widen"):
        run_train(make_run(tmp_path, persons=19))


def test_no_medicine_with_enough_exposed_cases_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="No medicine of study fall has 5000 exposed cases: lower min_exposed_cases"):
        run_train(make_run(tmp_path, persons=40, min_exposed_cases=5000))


def test_features_that_the_gate_refused_train_no_model_and_report_none(run_json, trained, tmp_path):
    refused = make_run(tmp_path, persons=40)
    decide(refused, "features_event_in_follow_up")
    with pytest.raises(GateRefused, match=r"1 critical rule.*\nWrong .rule features_event_in_follow_up, critical"):
        run_train(refused)
    assert not (refused.parent / "model").exists()
    shutil.copytree(run_json.parent / "model", refused.parent / "model")  # trained before the rules became stricter
    write_manifest(refused.parent / "model", {"fingerprint": stage_key(read_run(refused), "model")})
    with pytest.raises(GateRefused, match="features_event_in_follow_up"):
        run_train(refused)
    with pytest.raises(GateRefused, match="features_event_in_follow_up"):
        run_report(refused)
    assert not (refused.parent / "report").exists()


def test_features_that_the_gate_has_not_looked_at_train_no_model(tmp_path):
    run_json = make_run(tmp_path, persons=40)
    features = run_json.parent / "features"
    write_manifest(features, read_manifest(features) | {"ended": "later"})  # extracted again, with the same settings
    with pytest.raises(GateRefused, match="have changed since the gate looked at them; run it again"):
        run_train(run_json)
    verdict = decide(run_json)
    write(run_json.parent / "quality" / "verdict.json", verdict | {"catalogue": "older rules"})
    with pytest.raises(GateRefused, match="or the rules, have changed"):
        run_train(run_json)
    (run_json.parent / "quality" / "verdict.json").unlink()
    with pytest.raises(GateRefused, match="The gate has not looked at the features"):
        run_train(run_json)


def test_a_job_that_is_cleared_after_the_gate_refused_ends_with_the_gates_sentence(tmp_path):
    run_json = make_run(tmp_path, persons=40)
    decide(run_json, "features_person_once")
    command = [sys.executable, str(HOME / "spark_jobs" / "inference.py"), "--run", str(run_json), "--stage", "train"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "The quality gate refused: 1 critical rule(s) failed.\nWrong (rule features_person_once" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_job_ends_with_the_sentence_and_exit_code_2(tmp_path):
    run_json = make_run(tmp_path, persons=40)
    command = [sys.executable, str(HOME / "spark_jobs" / "inference.py"), "--run", str(run_json), "--stage", "report"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.strip().endswith("has no model yet; run that stage first.")
    assert "Traceback" not in ended.stderr
