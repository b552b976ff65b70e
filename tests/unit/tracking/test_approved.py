"""The alias `approved` in a real MLflow server follows the last decision on a study's reports."""

import pytest
from mlflow.exceptions import MlflowException

from parcours.errors import InputError
from parcours.tracking.approved import tell_decision
from parcours.tracking.runs import track
from parcours.tracking.server import connect

YES = {"decision": "approved", "by": "eve", "reason": "it holds", "at": "2026-01-31T08:00:00+00:00"}
NO = {**YES, "decision": "rejected", "by": "adam", "reason": "the wash-out is too short"}
OLD, NEW = "1" * 16, "2" * 16


@pytest.fixture
def root(mlflow_server, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return tmp_path


def approved(client, cohort):
    try:
        return client.get_model_version_by_alias(f"study-{cohort}", "approved").run_id
    except MlflowException:
        return None


def test_the_alias_moves_to_what_was_approved_and_leaves_what_was_rejected(root, record):
    old, new = (track(root, record("signed", mark)) for mark in (OLD, NEW))
    client = connect(root)
    assert approved(client, "signed") is None
    tell_decision(root, "signed", OLD, YES, "approved by eve")
    assert approved(client, "signed") == old.run_id
    assert client.get_run(old.run_id).data.tags["sign_off"] == "approved by eve"
    tell_decision(root, "signed", NEW, NO, "rejected by adam")  # of another run: the approved one stays
    assert approved(client, "signed") == old.run_id
    tell_decision(root, "signed", NEW, YES, "approved by eve")
    assert approved(client, "signed") == new.run_id
    tell_decision(root, "signed", NEW, NO, "rejected by adam")
    assert approved(client, "signed") is None
    version = client.search_model_versions(f"run_id = '{new.run_id}'")[0]
    assert version.tags["sign_off"] == "rejected by adam"


def test_a_run_that_mlflow_does_not_know_cannot_be_approved(root):
    with pytest.raises(InputError, match=f"knows no finished run {OLD} of unknown; run its report again"):
        tell_decision(root, "unknown", OLD, YES, "approved by eve")
