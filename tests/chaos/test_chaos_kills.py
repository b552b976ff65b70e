"""kill -9 at random moments; after each story of kills a plain rerun ends as if nothing had happened.

KILLS kills in all (200 unless told). A fifth of them, four at least, hit the real `parcours flatten`: its driver, a
Python worker, the JVM, the whole session. The others hit the same `flatten` fed by processes without a JVM, so that it
takes a second: its driver, a worker, its process group, or itself at a random line of the code that commits. A story
has one to three kills over one root that holds the other delivery (every eighth: a new root), then the plain rerun.
KILL_SEED repeats what is drawn; how processes are scheduled is not drawn.
"""

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from deliveries import deliver
from killing import command, ended, killed_spark, killed_sparkless
from roots import content, differences, left_in_staging, read_on
from sparkless import PROCESSES, start

pytestmark = pytest.mark.chaos
KILLS = int(os.environ.get("KILLS", "200"))
SPARK_KILLS = max(4, KILLS // 5)
SEED = int(os.environ.get("KILL_SEED", str(time.time_ns() % 1_000_000)))
MONTHS = (("01",), ("02",), ("03",))
WITH_SHUFFLE = (("01",), ("02", "03"))


@pytest.fixture
def reader(tmp_path):
    """Somebody reads all the time; at the end, what was seen must be whole."""
    here, there = PROCESSES.Pipe(duplex=False)
    stop = PROCESSES.Event()
    process = PROCESSES.Process(target=read_on, args=(tmp_path, stop, there))
    process.start()
    yield
    stop.set()
    seen, wrong = here.recv()
    process.join()
    sys.stdout.write(f"reader: {dict(seen)}\n")
    assert wrong == []
    assert seen["looks"] > KILLS


def rerun_sparkless(delivery: Path, root: Path) -> int:
    """A plain run; lines of commit code it ran."""
    said = root.parent / "said"
    driver = start(delivery, root, said)
    driver.join(300)
    assert driver.exitcode == 0, said.read_text()
    return int(said.read_text())


def rerun_spark(delivery: Path, root: Path) -> None:
    code, said = ended(command(delivery, root))
    assert code == 0, said


def stories(tmp_path, kills, targets, rerun, attempt, deliveries):
    """Draw stories until so many kills have hit; compares the root after each with that of an undisturbed run."""
    rng = random.Random(SEED)
    expected = [content(tmp_path / f"undisturbed-{number}") for number in range(len(deliveries))]
    hits: Counter[str] = Counter()
    story = 0
    while hits.total() < kills:
        number, root = story % 2, tmp_path / f"root-{story // 8:04d}"
        for _ in range(rng.choice((1, 1, 2, 3))):
            who = targets[hits.total() % len(targets)]
            hits[who] += attempt(rng, who, deliveries[number], root)
        rerun(deliveries[number], root)
        assert differences(content(root), expected[number]) == [], f"story {story} of KILL_SEED={SEED}: {dict(hits)}"
        if left_in_staging(root):  # tasks of a killed driver may have written a moment longer
            rerun(deliveries[number], root)
        assert left_in_staging(root) == []
        story += 1
        assert story < 20 * kills, f"the kills do not hit: {dict(hits)}"
    sys.stdout.write(f"KILL_SEED={SEED}: {story} stories, kills {dict(hits)}\n")


@pytest.mark.timeout(7200)
def test_kills_without_a_jvm(tmp_path, reader):
    deliveries = [deliver(tmp_path / f"delivery-{amount}", amount, MONTHS) for amount in (2, 3)]
    for number, delivery in enumerate(deliveries):
        lines = rerun_sparkless(delivery, tmp_path / f"undisturbed-{number}")
    began = time.monotonic()
    rerun_sparkless(deliveries[1], tmp_path / "undisturbed-0")
    seconds = time.monotonic() - began
    rerun_sparkless(deliveries[0], tmp_path / "undisturbed-0")

    def attempt(rng, who, delivery, root):
        return killed_sparkless(rng, who, delivery, root, (seconds, lines))

    stories(
        tmp_path, KILLS - SPARK_KILLS, ("commit", "driver", "worker", "group"), rerun_sparkless, attempt, deliveries
    )


@pytest.mark.timeout(7200)
def test_kills_of_the_real_command(tmp_path, reader):
    deliveries = [deliver(tmp_path / f"delivery-{amount}", amount, WITH_SHUFFLE) for amount in (2, 3)]
    for number, delivery in enumerate(deliveries):
        began = time.monotonic()
        rerun_spark(delivery, tmp_path / f"undisturbed-{number}")
        seconds = time.monotonic() - began

    def attempt(rng, who, delivery, root):
        return killed_spark(rng, who, delivery, root, seconds)

    stories(tmp_path, SPARK_KILLS, ("worker", "driver", "group", "jvm"), rerun_spark, attempt, deliveries)
