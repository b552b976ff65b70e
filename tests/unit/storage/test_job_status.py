"""The status file of a job that runs elsewhere, written by a real process."""

import subprocess
import sys
from pathlib import Path

import pytest

from parcours.errors import InputError, RetryableFault
from parcours.storage.job_status import ADDRESS, SUBMISSION, JobStatus, open_status, progress_of, read_status, withdraw

JOB = """
import logging
from parcours.errors import GateRefused, InputError, RetryableFault
from parcours.stages.exit import job_main

def run():
    logging.getLogger("parcours.stages.flatten").info("%d/%d %s", 3, 12, "DCIR 2015-03")
    {ending}

job_main(run)
"""


def run_job(folder: Path, ending: str, submission: str = "s1") -> subprocess.CompletedProcess[str]:
    variables = {ADDRESS: str(folder / "status.json"), SUBMISSION: submission}
    command = [sys.executable, "-c", JOB.format(ending=ending)]
    return subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("ending", "code", "sentence"),
    [
        ("return {'rows': 30}", 0, ""),
        ("raise GateRefused('Refused: 3 rows.')", 1, "Refused: 3 rows."),
        ("raise InputError('No such file.')", 2, "No such file."),
        ("raise RetryableFault('The disk is full.')", 3, "The disk is full."),
        ("raise OSError(28, 'No space left')", 3, "The machine refused: [Errno 28] No space left."),
        ("raise KeyError('x')", 70, "KeyError: 'x'\nThis is a fault in Parcours itself"),
    ],
)
def test_the_file_tells_the_outcome_that_the_process_had(tmp_path: Path, ending: str, code: int, sentence: str) -> None:
    folder = tmp_path / "driver-20260101-0001"
    folder.mkdir()
    address = str(folder / "status.json")
    open_status(address, "s1", "f1")
    ended = run_job(folder, ending)
    told = read_status(address)
    assert (ended.returncode, told["exit_code"]) == (code, code), ended.stderr
    assert told["sentence"].startswith(sentence)
    assert told["summary"] == ({"rows": 30} if code == 0 else {})
    assert (told["progress"]["done"], told["progress"]["label"]) == (3, "DCIR 2015-03")
    assert (told["driver_id"], told["fingerprint"]) == ("driver-20260101-0001", "f1")


def test_a_driver_whose_place_was_taken_ends_and_writes_nothing(tmp_path: Path) -> None:
    address = str(tmp_path / "status.json")
    open_status(address, "s2", "f1")
    before = Path(address).read_text("utf-8")
    ended = run_job(tmp_path, "return {}", submission="s1")
    assert ended.returncode == 3
    assert "Another driver took over" in ended.stderr
    assert Path(address).read_text("utf-8") == before


def test_a_driver_that_is_replaced_later_notices_and_leaves_the_file_alone(tmp_path: Path) -> None:
    address = str(tmp_path / "status.json")
    open_status(address, "s1", "f1")
    status = JobStatus(address, "s1")
    status.begin()
    assert not status.replaced
    open_status(address, "s2", "f1")
    assert status.replaced
    status.end(0, "", {})
    assert "exit_code" not in read_status(address)
    with pytest.raises(RetryableFault, match="took over"):
        status.begin()


def test_only_its_own_submission_is_withdrawn(tmp_path: Path) -> None:
    address = str(tmp_path / "status.json")
    open_status(address, "s2", "f1")
    status = JobStatus(address, "s2")
    withdraw(address, "s1")
    assert not status.replaced
    withdraw(address, "s2")
    assert status.replaced


def test_a_folder_that_is_not_shared_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be the same for Airflow and the workers"):
        JobStatus(str(tmp_path / "status.json"), "s1").begin()


def test_a_job_that_nobody_follows_writes_nothing(tmp_path: Path) -> None:
    status = JobStatus(None, "")
    status.begin()
    status.note(application_id="app-1")
    status.end(0, "", {})
    assert not status.replaced and list(tmp_path.iterdir()) == []


def test_progress_that_cannot_be_written_stops_no_job(tmp_path: Path) -> None:
    address = tmp_path / "status.json"
    open_status(str(address), "s1", "f1")
    status = JobStatus(str(address), "s1")
    address.unlink()
    tmp_path.joinpath("status.json").mkdir()
    status.progress({"done": 1})
    with pytest.raises(OSError, match="Is a directory"):
        status.end(0, "", {})


def test_progress_has_an_estimate_once_something_is_done() -> None:
    assert progress_of("3/12 DCIR", 30.0) == {"done": 3, "total": 12, "label": "DCIR", "eta_seconds": 90}
    assert progress_of("0/12 DCIR", 30.0) == {"done": 0, "total": 12, "label": "DCIR", "eta_seconds": None}
    assert progress_of("DCIR is done", 30.0) is None
