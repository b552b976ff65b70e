"""Processes of the platform, with real processes: every one of ours ends, and none of anybody else's."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from parcours.embedded.processes import MARKER, Record, is_alive, log_tail, start, stop_all, stop_one

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# A service whose child left its process group and then its session, as task supervisors and daemons do.
FAMILY = [
    sys.executable,
    "-c",
    "import subprocess, sys, time;"
    "sleep = [sys.executable, '-c', 'import time; time.sleep(60)'];"
    "group, session = subprocess.Popen(sleep, process_group=0), subprocess.Popen(sleep, start_new_session=True);"
    "print(group.pid, session.pid, flush=True);"
    "time.sleep(60)",
]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
]


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return str(tmp_path / "platform")


@pytest.fixture
def launch(tmp_path: Path, mark: str) -> Iterator[Callable[..., Record]]:
    records: list[Record] = []

    def run(command: list[str]) -> Record:
        env = {**os.environ, MARKER: mark}
        records.append(start(command, env, tmp_path / "service.log", tmp_path, "fingerprint"))
        return records[-1]

    yield run
    stop_all(records, mark)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def printed(log: Path) -> list[int]:
    for _ in range(200):
        if log.is_file() and log.read_text("utf-8").endswith("\n"):
            return [int(word) for word in log.read_text("utf-8").split()]
        time.sleep(0.05)
    raise AssertionError("the service printed nothing")


def test_a_started_service_is_alive_until_stopped(launch: Callable[..., Record]) -> None:
    record = launch(SLEEP)
    assert is_alive(record)
    stop_one(record)
    assert not is_alive(record)


def test_a_killed_service_is_not_alive(launch: Callable[..., Record]) -> None:
    record = launch(SLEEP)
    os.kill(record.pid, 9)
    psutil.wait_procs([psutil.Process(record.pid)], timeout=5)
    assert not is_alive(record)


def test_another_process_with_our_old_id_is_left_alone(launch: Callable[..., Record], mark: str) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        ours = launch(SLEEP)
        recycled = replace(ours, pid=stranger.pid, created=ours.created - 3600)
        assert not is_alive(recycled)
        stop_one(recycled)
        stop_all([recycled], mark)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_children_that_left_their_group_or_session_end_too(
    launch: Callable[..., Record], mark: str, tmp_path: Path
) -> None:
    record = launch(FAMILY)
    children = printed(tmp_path / "service.log")
    assert len(children) == 2
    stop_all([record], mark)
    assert all(gone(pid) for pid in [record.pid, *children])


def test_orphans_of_a_killed_service_end_too(launch: Callable[..., Record], mark: str, tmp_path: Path) -> None:
    record = launch(FAMILY)
    children = printed(tmp_path / "service.log")
    os.kill(record.pid, 9)
    stop_all([record], mark)
    assert all(gone(pid) for pid in children)


def test_a_service_that_ignores_the_request_is_killed(
    launch: Callable[..., Record], mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcours.embedded.processes.TERMINATION_SECONDS", 0.5)
    record = launch(STUBBORN)
    printed(tmp_path / "service.log")
    stop_all([record], mark)
    assert gone(record.pid)


def test_the_services_of_another_platform_go_on(launch: Callable[..., Record], mark: str) -> None:
    record = launch(SLEEP)
    stop_all([], f"{mark}-of-somebody-else")
    assert is_alive(record)


def test_the_end_of_a_log_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert log_tail(log) == "(no log)"
    log.write_text("one\n\n two \nthree\n", "utf-8")
    assert log_tail(log, 2) == "two | three"
