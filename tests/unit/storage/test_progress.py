"""Progress of jobs: each its own, none of a job that has ended, however it ended."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parcours.front.addresses import Addresses
from parcours.front.airflow_facts import NOT_ASKED
from parcours.front.parts import duration
from parcours.front.running import running_part
from parcours.front.study_part import Around
from parcours.stages.status import root_status
from parcours.storage.progress import running_jobs, seconds_left, told_progress
from parcours.storage.root import Root, open_root

WORKING = """
import sys
from parcours.storage.progress import told_progress
from parcours.storage.root import open_root
with told_progress(open_root(sys.argv[1]), sys.argv[2]) as tell:
    tell(1, 4, "DCIR 2014-01")
    print("told", flush=True)
    sys.stdin.read()
"""


def start(root: Root, job: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WORKING, str(root.path), job]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "told\n"
    return process


def told(root: Root) -> list[tuple[str, int, int]]:
    return sorted((job["stage"], job["done"], job["total"]) for job in running_jobs(root))


def files(root: Root) -> list[str]:
    return [path.name for folder in ("_progress", "_locks") for path in (root.path / folder).glob("*")]


def test_progress_keeps_its_start_and_guesses_its_end(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    with told_progress(root, "train fall") as tell:
        tell(0, 4, "reading")
        (first,) = running_jobs(root)
        assert first["eta_seconds"] is None
        tell(1, 4, "joining")
        (second,) = running_jobs(root)
        assert (second["done"], second["total"], second["label"]) == (1, 4, "joining")
        assert second["started"] == first["started"] and second["eta_seconds"] >= 0
        tell(2, 4, "a large one is left", share=0.1)
        assert running_jobs(root)[0]["share"] == 0.1


def test_jobs_side_by_side_each_tell_their_own(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    with told_progress(root, "flatten DCIR 2014") as one, told_progress(root, "flatten DCIR 2014") as another:
        one(1, 12, "DCIR 2014-01")
        another(2, 12, "DCIR 2014-02")
        with told_progress(root, "train hips/è") as train:
            train(0, 4, "reading")
            assert told(root) == [("flatten DCIR 2014", 1, 12), ("flatten DCIR 2014", 2, 12), ("train hips/è", 0, 4)]
    assert running_jobs(root) == [] and files(root) == []


def test_a_job_that_failed_is_not_listed(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    with suppress(ValueError), told_progress(root, "report fall") as tell:
        tell(1, 3, "figures")
        raise ValueError
    assert running_jobs(root) == [] and files(root) == []


def test_a_killed_job_is_not_listed_and_the_next_one_sweeps_it(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    killed, runs = start(root, "flatten MCO 2015"), start(root, "flatten DCIR 2014")
    try:
        assert told(root) == [("flatten DCIR 2014", 1, 4), ("flatten MCO 2015", 1, 4)]
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert [job["stage"] for job in root_status(str(tmp_path))["running"]] == ["flatten DCIR 2014"]
        with told_progress(root, "train fall"):
            assert sum(name.endswith(".json") for name in files(root)) == 1
            assert told(root) == [("flatten DCIR 2014", 1, 4)]
    finally:
        runs.communicate()
        killed.communicate()
    assert running_jobs(root) == [] and files(root) == []


def test_what_an_older_version_left_is_no_running_job(tmp_path: Path) -> None:
    (tmp_path / "_progress").mkdir()
    left = {"done": 1, "total": 2, "label": "joining", "started": "2026-01-01T00:00:00+00:00"}
    (tmp_path / "_progress" / "flatten.json").write_text(json.dumps(left))
    assert root_status(str(tmp_path))["running"] == []


# What a job told last (second, share, share once the next step is behind), and what was left of it at a moment.
RECORDED = {
    "steps of equal size, at the end of one": ((40, 0.4, 0.5), 40, 60),
    "the same, while the next step runs": ((40, 0.4, 0.5), 45, 55),
    "a step that takes three times as long": ((40, 0.4, 0.5), 70, 70),
    "small files are behind, the large ones are left": ((10, 0.1, 0.2), 10, 90),
    "the last step, which is nearly all": ((10, 0.1, 1.0), 60, 40),
    "the last step, longer than it should be": ((10, 0.1, 1.0), 130, 0),
    "flattening on a busy machine": ((76.1, 0.5953, 0.6097), 76.1, 54),
    "the gate on a busy machine, half way, in its largest view": ((92, 0.242, 0.61), 173, 174),
}


@pytest.mark.parametrize("what", RECORDED)
def test_what_is_left_is_told_from_what_was_behind(what: str) -> None:
    (second, share, soon), now, left = RECORDED[what]
    began = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    updated = began + timedelta(seconds=second)
    job = {"share": share, "soon": soon, "started": began.isoformat(), "updated": updated.isoformat()}
    found = seconds_left(job, began + timedelta(seconds=now))
    assert found is not None and abs(found - left) <= max(3, 0.2 * left)


def test_nothing_is_promised_before_a_step_is_behind() -> None:
    began = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    job = {"share": 0.0, "soon": 0.25, "started": began.isoformat(), "updated": began.isoformat()}
    assert seconds_left(job, began + timedelta(seconds=30)) is None


def test_status_and_home_tell_the_same(tmp_path: Path) -> None:
    root = open_root(tmp_path)
    with told_progress(root, "train fall") as tell:
        tell(0, 4, "reading")
        tell(1, 4, "joining")
        (job,) = running_jobs(root)
        around = Around(Addresses(), NOT_ASKED, framed=False)
        now = datetime.fromisoformat(job["started"]) + timedelta(minutes=20)
        assert f"about {duration(seconds_left(job, now) or 0)}" in running_part([job], around, now)
        assert "1 of 4" in running_part([job], around, now)
