"""kill -9 of each stage of featuring at random moments: a rerun gives the same bytes, and no slice is computed twice.

A quarter of KILLS kills of each stage (50 unless told), and one as soon as it has finished a slice; KILL_SEED repeats
what is drawn. Slices are made so small that a stage has some dozens of them.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import PARCOURS

from parcours.cohort.plan import write_run
from parcours.cohort.study import load_study

pytestmark = pytest.mark.chaos
HOME = Path(__file__).parents[2]
KILLS = max(3, int(os.environ.get("KILLS", "200")) // 4)
SEED = int(os.environ.get("KILL_SEED", str(time.time_ns() % 1_000_000)))
STAGES = ("events", "cohort", "features")
PERSONS = 4000
MARKED = "_staging/*/*/**/_slices/*.json"  # the marks of finished slices
STAGE = """
import sys
import parcours.engine.slices as slices
slices.FLAT_BYTES, slices.EVENT_BYTES = 500_000, 20_000  # before anything takes them over
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events
print("ready", flush=True)
{"events": run_events, "cohort": run_cohort, "features": run_features}[sys.argv[1]](sys.argv[2])
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A root that the gate let through, and the run.json of a study of it."""
    folder = tmp_path_factory.mktemp("published")
    delivery, root = folder / "delivery", folder / "root"
    for arguments in (
        ("synth", "--out", delivery, "--persons", PERSONS, "--years", "2014-2016"),
        ("flatten", "--delivery", delivery / "delivery.yaml", "--root", root),
        ("check", "--root", root),
    ):
        subprocess.run([PARCOURS, *map(str, arguments)], check=True, capture_output=True)
    changes = {"study_end": "2016-12-31", "incomplete_data": "accept"}
    run = write_run(str(root), load_study(HOME / "cohorts" / "fall.yaml"), changes)
    return root, Path(str(run))


def started(stage: str, run: Path) -> subprocess.Popen[str]:
    """A stage in a process of its own, that is about to work."""
    process = subprocess.Popen([sys.executable, "-c", STAGE, stage, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def made(root: Path, stage: str) -> dict[str, str]:
    """What a stage has committed: {file: checksum}, without times."""
    where = root / "events" if stage == "events" else next(root.glob(f"studies/fall/*/{stage}"))
    files = (path for path in where.rglob("*") if path.is_file() and not path.name.startswith("_"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ended_slices(root: Path) -> set[tuple[str, str]]:
    """(slice, when it ended) of each finished slice that no commit has yet."""
    marks = [json.loads(path.read_text()) for path in root.glob(MARKED)]
    return {(mark["slice"], mark["ended"]) for mark in marks}


def committed_slices(root: Path) -> set[tuple[str, str]]:
    """The same, as manifests tell them."""
    told = set()
    for path in [*root.glob("events/*/*/_MANIFEST.json"), *root.glob("studies/fall/*/*/_MANIFEST.json")]:
        manifest = json.loads(path.read_text())
        lists = [manifest.get("slices", []), *(step.get("slices", []) for step in manifest.get("steps", {}).values())]
        told |= {(piece["slice"], piece["ended"]) for some in lists for piece in some}
    return told


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_goes_on_where_it_was(published, tmp_path, stage):
    root, run = published
    before = [name for name in STAGES[: STAGES.index(stage)] if not list(root.glob(f"studies/fall/*/{name}"))]
    for earlier in before:
        assert started(earlier, run).wait() == 0
    undisturbed, began = started(stage, run), time.monotonic()
    assert undisturbed.wait() == 0
    lasts = time.monotonic() - began
    expected, rng, hits, resumed = made(root, stage), random.Random(f"{SEED} {stage}"), 0, 0
    while hits < KILLS:
        forget(root, stage)
        for _ in range(rng.choice((1, 1, 2, 3))):
            hits += killed(started(stage, run), after=rng.uniform(0, lasts))
        kept = ended_slices(root)
        resumed += bool(kept)
        goes_on(root, run, stage, kept, expected)
    kept = killed_after_a_slice(root, run, stage)
    assert kept
    goes_on(root, run, stage, kept, expected)
    check_swept_after_a_week(root, run, stage)
    sys.stdout.write(f"{stage}: {hits} kills, {resumed} reruns that found finished slices, seed {SEED}\n")


def killed(process: subprocess.Popen[str], after: float) -> bool:
    """Kill a stage after some seconds; false when it had ended."""
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def killed_after_a_slice(root: Path, run: Path, stage: str) -> set[tuple[str, str]]:
    """Kill a stage when it has finished a slice, at the third try if it was faster twice; what it had finished."""
    for _ in range(3):
        forget(root, stage)
        process = started(stage, run)
        while not any(linked_apart({(path.stem, "") for path in root.glob(MARKED)})) and process.poll() is None:
            time.sleep(0.002)
        if killed(process, after=0):
            break
    return linked_apart(ended_slices(root))


def goes_on(root: Path, run: Path, stage: str, kept: set[tuple[str, str]], expected: dict[str, str]) -> None:
    """A rerun gives the bytes of the undisturbed one, and computes none of the kept slices again."""
    assert started(stage, run).wait() == 0
    assert made(root, stage) == expected
    assert linked_apart(kept) <= committed_slices(root)


def check_swept_after_a_week(root: Path, run: Path, stage: str) -> None:
    """What a kill left behind between a commit and the end, the next writer removes when nobody came back for it."""
    for used in root.glob("_staging/*/kept-*/held/last-used"):
        os.utime(used, (0, 0))
    forget(root, stage)
    assert started(stage, run).wait() == 0
    assert list(root.glob("_staging/*/kept-*")) == []


def linked_apart(slices: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without the tasks that link references, which no manifest lists: their names begin with a table."""
    return {(name, ended) for name, ended in slices if name[0].isdigit() or name.startswith("unidentified")}


def forget(root: Path, stage: str) -> None:
    """Remove what a stage has committed."""
    for folder in [root / "events"] if stage == "events" else list(root.glob(f"studies/fall/*/{stage}")):
        shutil.rmtree(folder, ignore_errors=True)
