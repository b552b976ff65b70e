"""Which run of a study was the last one, and when there is nothing new to compute."""

import pytest

from parcours.cohort.finished_runs import last_finished, nothing_new
from parcours.cohort.plan import read_run
from parcours.storage.manifest import write_json, write_manifest
from parcours.storage.root import open_root

WHAT_IF = {"age_minimum": {"file": 65, "run": 75}}


@pytest.fixture
def runs(tmp_path):
    """Runs of fall, {fingerprint: (when its report was written, or None, what it changed)}."""

    def write(**wanted):
        root = open_root(tmp_path)
        for mark, (ended, changes) in wanted.items():
            facts = {"cohort": "fall", "fingerprint": mark, "root": str(tmp_path), "study": {}, "data": {}}
            write_json(root.study("fall", mark) / "run.json", {**facts, "changes": changes})
            if ended:
                write_manifest(root.study("fall", mark) / "report", {"fingerprint": mark, "ended": ended})
        return root

    return write


def new(root, mark):
    return nothing_new(read_run(root.study("fall", mark) / "run.json"))


def test_the_last_run_is_the_study_itself_with_a_report(runs):
    root = runs(
        a=("2018-06-01T06:00:00", {}), b=("2018-07-01T06:00:00", {}), c=("2018-08-01T06:00:00", WHAT_IF), d=(None, {})
    )
    assert last_finished(root, "fall")["fingerprint"] == "b"
    assert last_finished(root, "fall", but="b")["fingerprint"] == "a"
    assert last_finished(root, "hips") is None


def test_nothing_is_new_when_the_last_run_is_this_one(runs):
    root = runs(a=("2018-06-01T06:00:00", {}), b=("2018-07-01T06:00:00", {}), d=(None, {}))
    assert new(root, "b") == (
        "Nothing new: the study fall, its data and its code are those of its last run, whose report was written on "
        "2018-07-01. Nothing was computed."
    )
    assert new(root, "d") is None, "planned, but never finished"
    assert new(root, "a") is None, "finished once, but another came after it"
