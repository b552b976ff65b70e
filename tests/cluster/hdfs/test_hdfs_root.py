"""A root on a real HDFS: the same tables, verdict and estimates as in a folder; locks, commits and their faults."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hdfs_processes import Hdfs, hdfs_here, mlflow_here

from parcours.engine.duck import duck, reading
from parcours.errors import InputError, RetryableFault
from parcours.storage.commit import commit_directory, exclusive_writer, staging_attempt
from parcours.storage.hdfs import HdfsPath
from parcours.storage.locks import locked, locked_when_free
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, copy_folder, found, place, stamp, write_whole
from parcours.storage.root import Root, open_root

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
PARCOURS = Path(sys.executable).with_name("parcours")
STUDY = {"start_gap_months": 1, "washout_months": 0, "lags": 2, "min_exposed_cases": 11,
         "tv_grid": [0.001], "group_grid": [0.0003], "cv_folds": 2, "bootstrap": 4,
         "incomplete_data": "accept"}  # fmt: skip


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory):
    with hdfs_here(tmp_path_factory.mktemp("hdfs") / "hdfs") as running:
        yield running


@pytest.fixture
def root(hdfs: Hdfs, request) -> Root:
    return open_root(f"{hdfs.address}/{request.node.name}")


# --- paths -------------------------------------------------------------------------------------------------------


def test_a_path_on_hdfs_behaves_as_one_of_this_machine(hdfs, tmp_path, request):
    """The same steps on both, with the same answers."""
    answers = []
    for top in (tmp_path / "x y", place(f"{hdfs.address}/{request.node.name}/x y")):
        answers.append(list(_steps(top)))
    assert answers[0] == answers[1]


def _steps(top: Place):
    (top / "a" / "period=2016-01").mkdir(parents=True)
    (top / "a").mkdir(parents=True, exist_ok=True)
    for wrong in (lambda: (top / "a").mkdir(), lambda: (top / "no" / "such").mkdir()):
        try:
            wrong()
        except OSError as error:
            yield type(error).__name__
    write_whole(top / "a" / "é.json", b"1")
    write_whole(top / "a" / "é.json", b"22")
    yield (top / "a" / "é.json").read_text("utf-8"), stamp(top / "a" / "é.json")[0]
    (top / "a" / "period=2016-01" / "0.parquet").write_bytes(bytes(range(256)) * 5000)
    with (top / "a" / "period=2016-01" / "0.parquet").open("rb") as source:
        source.seek(1_000_003)
        yield source.read(7), source.readline(), source.seek(0, os.SEEK_END), source.read(1)
        source.seek(9_999_999)
        yield source.read(1)
    for pattern in ("*", "a/*", "**/*", "**/*.parquet", "a/period=*", "nothing/*", "a/*.json/*"):
        yield pattern, [path.relative_to(top).as_posix() for path in found(top, pattern)]
    yield (top / "a").is_dir(), (top / "a").is_file(), (top / "b").exists(), (top / "a" / "é.json").is_file()
    try:
        (top / "b").open("rb")
    except OSError as error:
        yield type(error).__name__
    (top / "a" / "é.json").unlink()
    (top / "a" / "é.json").unlink(missing_ok=True)
    yield sorted(path.name for path in (top / "a").iterdir())


def test_a_path_on_hdfs_is_never_taken_for_a_local_one(hdfs):
    with pytest.raises(TypeError, match="is on HDFS"):
        open(place(f"{hdfs.address}/a"))  # noqa: PTH123, SIM115 - the fault itself
    with pytest.raises(InputError, match="names no namenode"):
        place("hdfs:///a")
    with pytest.raises(InputError, match="cannot be used"):
        place("s3://bucket/a")


# --- locks and commits -------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from parcours.storage.locks import locked, locked_when_free
from parcours.storage.root import open_root
with locked(open_root(sys.argv[1]), "x", "busy"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_held_while_its_holder_lives_and_free_a_minute_after_its_death(root):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(root.path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    began = time.monotonic()
    while time.monotonic() - began < 70:  # beyond the limit of a lease: it is renewed
        with pytest.raises(RetryableFault, match="busy; wait"), locked(root, "x", "busy"):
            pass
        time.sleep(5)
    holder.kill()
    holder.wait()
    with locked_when_free(root, "x", "busy"), pytest.raises(RetryableFault), locked(root, "x", "busy"):
        pass


CUT_OFF = """
import os, signal, sys
from parcours.errors import RetryableFault
from parcours.storage.commit import commit_directory, staging_attempt
from parcours.storage.root import open_root
root = open_root(sys.argv[1])
with staging_attempt(root, "f") as staged:
    (staged / "flat").mkdir()
    (staged / "flat" / "0.parquet").write_bytes(b"1")
    os.kill(os.getpid(), signal.SIGSTOP)
    (staged / "flat").mkdir(parents=True, exist_ok=True)
    try:
        commit_directory(root, staged / "flat", root.period("DCIR", "2016-01"), {"fingerprint": "f"})
    except RetryableFault as fault:
        print(fault)
"""


def test_a_writer_that_was_cut_off_for_a_minute_commits_nothing(root):
    """It cannot renew its lease and seems dead: another one sweeps its files. Then it goes on."""
    writer = subprocess.Popen([sys.executable, "-c", CUT_OFF, str(root.path)], stdout=subprocess.PIPE, text=True)
    os.waitpid(writer.pid, os.WUNTRACED)  # until it has stopped itself
    until = time.monotonic() + 120
    while found(root.path / "_staging", "f/*") and time.monotonic() < until:
        time.sleep(5)
        with staging_attempt(root, "g"):
            pass
    assert found(root.path / "_staging", "f/*") == []
    writer.send_signal(signal.SIGCONT)
    said, _ = writer.communicate(timeout=60)
    assert "was given up while its machine could not be reached; nothing was committed, run again." in said
    assert writer.returncode == 0  # it lets go of what it lost without another fault
    assert not root.period("DCIR", "2016-01").exists()


def test_a_commit_shows_all_or_nothing_and_a_reader_sees_one_state(root):
    final, seen, stop = root.period("DCIR", "2016-01"), set(), threading.Event()

    def look():
        while not stop.is_set():
            try:
                before, files, after = read_manifest(final), found(final, "*.parquet"), read_manifest(final)
                if before is not None and before == after:
                    seen.add((before["fingerprint"], len(files)))
            except FileNotFoundError:
                continue  # between two names: absent, never mixed

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(6):
        with staging_attempt(root, f"f{number}") as staged:
            for file in range(number + 1):
                (staged / "x").mkdir(parents=True, exist_ok=True)
                (staged / "x" / f"{file}.parquet").write_bytes(b"1")
            commit_directory(root, staged / "x", final, {"fingerprint": f"f{number}"})
    stop.set()
    reader.join()
    assert (read_manifest(final) or {})["fingerprint"] == "f5"
    assert seen <= {(f"f{number}", number + 1) for number in range(6)}
    assert len(seen) > 1
    assert found(root.path / "_staging", "*/*") == []


def test_two_writers_of_one_period(root):
    final = root.period("DCIR", "2016-01")
    began = time.monotonic()
    refused = pytest.raises(RetryableFault, match="Another writer is working")
    with exclusive_writer(root, final), refused, exclusive_writer(root, final):
        pass
    assert time.monotonic() - began > 60  # until it is sure that the other one lives
    with exclusive_writer(root, final):
        pass


# --- the chain ---------------------------------------------------------------------------------------------------


def contents(root: Root) -> dict[str, object]:
    tables = {}
    for path in found(root.path, "**/*.parquet"):
        name = path.relative_to(root.path).as_posix()
        if path.is_file() and name.startswith(("flat/", "rejects/", "orphans/", "studies/")):
            with path.open("rb") as source:
                tables[re.sub(r"part-.*", "part", name)] = pq.read_table(source)
    return tables


def test_the_chain_on_hdfs_equals_the_chain_in_a_folder(hdfs, tmp_path):
    local = tmp_path / "delivery"
    arguments = ["--persons", "2500", "--years", "2016", "--seed", "3", "--out", str(local)]
    subprocess.run([str(PARCOURS), "synth", *arguments], check=True, capture_output=True)
    remote = place(f"{hdfs.address}/chain/delivery")
    remote.parent.mkdir(parents=True)
    copy_folder(local, remote)
    settings = [text for name, value in STUDY.items() for text in ("--set", f"{name}={json.dumps(value)}")]
    roots = [open_root(str(tmp_path / "root")), open_root(f"{hdfs.address}/chain/root")]
    with mlflow_here(tmp_path / "mlflow") as server:
        for delivery, root in zip((str(local), str(remote)), roots, strict=True):
            command = [str(PARCOURS), "run", "fall", "--delivery", delivery, "--root", str(root.path), *settings]
            known = {**os.environ, "MLFLOW_TRACKING_URI": server}
            done = subprocess.run([*command, "--json"], capture_output=True, text=True, env=known)
            assert done.returncode == 0, done.stderr[-3000:]
    here, there = (contents(root) for root in roots)
    assert here.keys() == there.keys()
    assert [name for name in here if not here[name].equals(there[name])] == []
    verdicts = [json.loads((root.quality("chain") / "verdict.json").read_text("utf-8")) for root in roots]
    assert verdicts[0]["passed"] == verdicts[1]["passed"] is True
    assert isinstance(roots[1].path, HdfsPath)


# --- faults ------------------------------------------------------------------------------------------------------


def test_a_namenode_that_starts_again_is_waited_for(hdfs, root):
    hdfs.kill("namenode")
    threading.Timer(3, hdfs.start, ["namenode"]).start()
    write_whole(root.path / "x", b"1")  # it refuses every change for half a minute
    assert (root.path / "x").read_bytes() == b"1"


def test_a_block_that_no_datanode_has_is_a_fault_that_a_retry_may_cure(hdfs, root):
    write_whole(root.path / "x", b"1")
    hdfs.kill("datanode")
    with pytest.raises(OSError, match="HDFS could not read"):
        (root.path / "x").read_bytes()
    hdfs.start("datanode")


def test_duckdb_reads_a_file_of_hdfs_in_several_threads(hdfs, root, tmp_path):
    """It seeks and reads one file at once from each: with one position for all it met the middle of other columns."""
    generator = np.random.default_rng(3)
    columns = {name: generator.integers(0, 1 << 60, 300_000) for name in "abcdef"}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=50_000)
    there = root.path / "t.parquet"
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes((tmp_path / "t.parquet").read_bytes())
    sums = []
    for file in (tmp_path / "t.parquet", there):
        with duck() as connection:
            source = f"read_parquet({reading(connection, [file])})"
            sums.append(connection.sql(f"SELECT sum(hash({', '.join(columns)})) FROM {source}").fetchall())
    assert sums[0] == sums[1]
