"""Commit by rename: old or new, never between; one of two writers wins."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from parcours.errors import RetryableFault
from parcours.storage import commit
from parcours.storage.commit import commit_directory, exclusive_writer, staging_attempt, waiting_writer
from parcours.storage.manifest import read_manifest
from parcours.storage.root import open_root


def commit_state(root, final, content, fingerprint=None):
    with staging_attempt(root, content) as directory:
        (directory / "0.parquet").write_text(content)
        commit_directory(root, directory, final, {"fingerprint": fingerprint or content})


def left(folder):
    return sorted({path.relative_to(folder / "_staging").parent for path in (folder / "_staging").glob("*/*")})


def state(final):
    return (final / "0.parquet").read_text(), read_manifest(final)["fingerprint"]


def test_a_first_commit_shows_files_and_manifest(tmp_path):
    root, final = open_root(str(tmp_path)), tmp_path / "flat" / "DCIR" / "period=2016-01"
    commit_state(root, final, "one")
    assert state(final) == ("one", "one")
    assert left(tmp_path) == []


@pytest.mark.parametrize("exchange", [True, False])
def test_another_fingerprint_replaces_files_and_manifest_together(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(commit, "_exchange", _not_supported)
    root, final = open_root(str(tmp_path)), tmp_path / "final"
    commit_state(root, final, "one")
    commit_state(root, final, "two")
    assert state(final) == ("two", "two")
    assert left(tmp_path) == []


def _not_supported(first, second):
    raise OSError(38, "not there")


def test_the_second_writer_of_the_same_state_is_told_to_run_again(tmp_path):
    root, final = open_root(str(tmp_path)), tmp_path / "final"
    commit_state(root, final, "one", "same")
    with pytest.raises(RetryableFault, match="meanwhile"):
        commit_state(root, final, "two", "same")
    assert state(final) == ("one", "same")


@pytest.mark.parametrize("folder", [".", "period/flat"])
def test_an_attempt_that_seemed_dead_commits_nothing(tmp_path, folder):
    """Cut off from HDFS for a minute a writer loses its lease: here its lock is taken away."""
    root, final = open_root(str(tmp_path)), tmp_path / "final"
    with staging_attempt(root, "one") as directory:
        staged = directory / folder
        staged.mkdir(parents=True, exist_ok=True)
        (staged / "0.parquet").write_text("one")
        (lock,) = (tmp_path / "_locks").glob("attempt.*")
        lock.unlink()
        with staging_attempt(root, "two"):
            assert not staged.exists()  # swept
        staged.mkdir(parents=True)  # as its tasks do, and HDFS by itself
        with pytest.raises(RetryableFault, match="was given up while its machine could not be reached"):
            commit_directory(root, staged, final, {"fingerprint": "one"})
    assert not final.exists()
    assert left(tmp_path) == []


def test_a_sweep_that_was_killed_is_ended_by_the_next(tmp_path):
    root = open_root(str(tmp_path))
    (tmp_path / "_staging" / "f" / "attempt.swept" / "files").mkdir(parents=True)
    (tmp_path / "_staging" / "f" / "attempt" / "files").mkdir(parents=True)  # a task was late
    with staging_attempt(root, "g"):
        assert left(tmp_path) == [Path("g")]


def test_a_state_that_could_not_be_replaced_stays(tmp_path, monkeypatch):
    """On HDFS the old one leaves first; the new one may then not be able to come."""
    root, final = open_root(str(tmp_path)), tmp_path / "final"
    commit_state(root, final, "one")
    monkeypatch.setattr(commit, "_exchange", _not_supported)
    moves, move = [], commit.move

    def move_but_the_second(before, after):
        moves.append(after)
        if len(moves) == 2:
            raise OSError(5, "cut off")
        move(before, after)

    monkeypatch.setattr(commit, "move", move_but_the_second)
    with pytest.raises(OSError, match="cut off"):
        commit_state(root, final, "two")
    assert state(final) == ("one", "one")


def test_one_of_two_writers_of_a_period_is_turned_away(tmp_path):
    root = open_root(str(tmp_path))
    january, february = root.period("DCIR", "2016-01"), root.period("DCIR", "2016-02")
    with (
        exclusive_writer(root, january),
        pytest.raises(RetryableFault, match="period=2016-01"),
        exclusive_writer(root, february, january),
    ):
        pytest.fail("two writers hold one period")
    with exclusive_writer(root, february):
        pass  # what the refused writer had taken is free
    with exclusive_writer(root, january):
        pass  # free again


def test_a_writer_that_waits_gets_its_turn_and_not_before(tmp_path):
    root, turns = open_root(str(tmp_path)), []

    def second():
        with waiting_writer(root, root.identity):
            turns.append("second")

    waiting = threading.Thread(target=second)
    with exclusive_writer(root, root.identity):
        waiting.start()
        time.sleep(0.2)
        turns.append("first")
    waiting.join(10)
    assert turns == ["first", "second"]
    with exclusive_writer(root, root.identity):
        pass  # free again


def test_a_writer_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(commit, "WAIT_SECONDS", 1)
    root = open_root(str(tmp_path))
    with (
        exclusive_writer(root, root.identity),
        pytest.raises(RetryableFault, match="writing identity for 1 seconds"),
        waiting_writer(root, root.identity),
    ):
        pytest.fail("two writers hold the identity")


HOLDER = """
import sys, time
from pathlib import Path
from parcours.storage.commit import exclusive_writer, staging_attempt
from parcours.storage.root import open_root
root = open_root(sys.argv[1])
with exclusive_writer(root, root.period("DCIR", "2016-01")), staging_attempt(root, "f") as directory:
    (directory / "half").write_text("half a file")
    Path(sys.argv[1], "ready").write_text("")
    time.sleep(60)
"""


def test_a_killed_writer_frees_its_period_and_its_leftovers_are_swept(tmp_path):
    root = open_root(str(tmp_path))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)])
    _wait_for(tmp_path / "ready")
    with pytest.raises(RetryableFault), exclusive_writer(root, root.period("DCIR", "2016-01")):
        pytest.fail("two writers hold one period")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with exclusive_writer(root, root.period("DCIR", "2016-01")), staging_attempt(root, "g") as mine:
        assert not list((tmp_path / "_staging" / "f").iterdir())
        assert mine.is_dir()
    assert not mine.exists()


COMMITTER = """
import sys
from pathlib import Path
from parcours.storage.commit import commit_directory, staging_attempt
from parcours.storage.root import open_root
root = open_root(sys.argv[1])
turn = 0
while True:
    turn += 1
    content = f"state-{turn}"
    with staging_attempt(root, content) as directory:
        for part in range(5):
            (directory / f"{part}.parquet").write_text(content)
        commit_directory(root, directory, root.path / "final", {"fingerprint": content})
    Path(sys.argv[1], "ready").write_text(content)
"""


def test_kill_9_in_a_row_of_replacements_leaves_one_whole_state(tmp_path):
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        writer = subprocess.Popen([sys.executable, "-c", COMMITTER, str(folder)])
        _wait_for(folder / "ready")
        time.sleep(0.013 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        final = folder / "final"
        contents = {(final / f"{part}.parquet").read_text() for part in range(5)}
        assert contents == {read_manifest(final)["fingerprint"]}


def _wait_for(path: Path) -> None:
    for _ in range(1000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path.name} never came")
