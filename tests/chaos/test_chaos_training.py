"""kill -9 of the training at random moments: a rerun gives the same bytes, and no finished piece is computed again.

30 of KILLS=200 kills; KILL_SEED repeats what is drawn.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parcours.stages.inference import PIECES
from tests.unit.tracking.study_run import make_run

pytestmark = pytest.mark.chaos
KILLS = max(3, int(os.environ.get("KILLS", "200")) * 30 // 200)
SEED = int(os.environ.get("KILL_SEED", str(time.time_ns() % 1_000_000)))
# Says when it is about to work, and each piece that it computes.
TRAIN = """
import sys
import pandas, pyarrow.parquet
import parcours.models
from parcours.stages import replicates
from parcours.stages.inference import run_train
behind = replicates.Progress.behind
def told(self, name):
    sys.stdout.write(name + "\\n")
    sys.stdout.flush()
    behind(self, name)
replicates.Progress.behind = told
print("ready", flush=True)
run_train(sys.argv[1])
"""


@pytest.fixture(scope="module")
def run_json(tmp_path_factory):
    """A study of 3000 cases: 12 pieces of the search, 60 draws."""
    return make_run(tmp_path_factory.mktemp("root"), 3000, bootstrap=60, cv_folds=3, tv_grid=[], group_grid=[])


def started(run_json: Path) -> subprocess.Popen[str]:
    """A training in a process of its own, that is about to work."""
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(run_json)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def computed(process: subprocess.Popen[str]) -> list[str]:
    """The pieces that a training computed, once it has ended."""
    said = process.communicate(timeout=300)[0]
    return said.split()


def made(run_json: Path) -> dict[str, str]:
    """What the training has committed: {file: checksum}."""
    files = (path for path in (run_json.parent / "model").rglob("*") if not path.name.startswith("_"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kept(run_json: Path) -> dict[str, str]:
    """The finished pieces that no commit has removed: {name: checksum}."""
    root = run_json.parents[3]
    files = root.glob(f"_staging/*/kept-*/{PIECES}/[!.]*.npz")
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def killed(run_json: Path, pieces: int, after: float) -> bool:
    """Start a training and kill it some seconds after so many pieces; false when it had ended."""
    process = started(run_json)
    assert process.stdout is not None
    for _ in range(pieces):
        process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.timeout(3600)
def test_a_killed_training_goes_on_where_it_was(run_json):
    undisturbed, began = started(run_json), time.monotonic()
    names = computed(undisturbed)
    lasts = time.monotonic() - began
    expected, rng, hits, resumed = made(run_json), random.Random(SEED), 0, 0
    assert undisturbed.returncode == 0 and len(names) == len(set(names)) == 12 + 60 + 1
    moments = [(rng.randint(1, 40), 0.0)]  # of few kills at random moments, all may come before the first piece
    while hits < KILLS:
        shutil.rmtree(run_json.parent / "model", ignore_errors=True)
        before: dict[str, str] = {}
        for some, after in moments:
            hits += killed(run_json, some, after)
            pieces = kept(run_json)
            if not pieces:  # it was killed before its first piece or after its last, or had ended
                before = {}
            assert before.items() <= pieces.items()  # what was finished stays, to the byte
            before = pieces
        resumed += bool(before)
        last = started(run_json)
        again = computed(last)
        assert last.returncode == 0
        assert not before.keys() & set(again)
        assert made(run_json) == expected
        assert kept(run_json) == {}
        moments = [(0, rng.uniform(0, lasts)) for _ in range(rng.choice((1, 2, 3, 4)))]
    sys.stdout.write(f"training: {hits} kills, {resumed} reruns that found finished pieces, seed {SEED}\n")
    assert resumed
