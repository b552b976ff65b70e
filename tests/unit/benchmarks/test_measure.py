import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Measured, measure, usable_cores
from parcours.errors import InputError, ParcoursError


def measured(code: str, log: Path) -> Measured:
    return measure([sys.executable, "-c", code], {}, log, usable_cores(1))


def test_memory_is_that_of_the_command_and_its_children(tmp_path: Path) -> None:
    child = "import time; held = b'1' * 200_000_000; time.sleep(1.5)"
    parent = f"import subprocess, sys; held = b'1' * 100_000_000; subprocess.run([sys.executable, '-c', {child!r}])"
    found = measured(parent, tmp_path / "log")
    assert 300 < found.peak_mb < 400
    assert 200 < found.peak_process_mb < 300
    assert found.peak_resident_mb >= found.peak_mb
    assert found.seconds > 1.5


def test_pages_that_processes_share_count_once(tmp_path: Path) -> None:
    code = "import os, time; held = b'1' * 200_000_000; os.fork(); time.sleep(1.5)"
    found = measured(code, tmp_path / "log")
    assert found.peak_mb < 300
    assert found.peak_resident_mb > 400


def test_processor_time_is_not_waiting_time(tmp_path: Path) -> None:
    busy = measured("import time\nwhile time.process_time() < 1: pass", tmp_path / "busy")
    idle = measured("import time; time.sleep(1.5)", tmp_path / "idle")
    assert busy.cpu_seconds > 0.8
    assert idle.cpu_seconds < 0.5


def test_a_command_gets_the_cores_it_was_given(tmp_path: Path) -> None:
    measured("import os; print(len(os.sched_getaffinity(0)))", tmp_path / "log")
    assert (tmp_path / "log").read_text().strip() == "1"


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    sleeper = "import subprocess, sys; print(subprocess.Popen(['sleep', '300']).pid)"
    measured(sleeper, tmp_path / "log")
    left = int((tmp_path / "log").read_text())
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(left)], capture_output=True, text=True).stdout.strip()
    assert state[:1] in ("", "Z")


def test_a_failure_is_an_error_with_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ParcoursError, match=r"exit code 1: .*no such thing"):
        measured("raise SystemExit('no such thing')", tmp_path / "log")


def test_more_cores_than_there_are_is_a_wrong_input() -> None:
    with pytest.raises(InputError, match="run them on a larger machine"):
        usable_cores(len(os.sched_getaffinity(0)) + 1)
