"""Who is killed and when."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sparkless import Process, start

# As in /proc/PID/cmdline: the JVM's names the module of its workers too, after an equals sign.
PYTHON_WORKER = "-m\0parcours.flatten.daemon\0"
JVM = "org.apache.spark.deploy.SparkSubmit"
PARCOURS = Path(sys.executable).with_name("parcours")


def processes() -> Iterator[tuple[int, int, int, int]]:
    """(pid, parent, process group, session) of every process that lives."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue  # it has just ended
        state, parent, group, session = rest.rpartition(") ")[2].split()[:4]
        if state != "Z":
            yield int(pid), int(parent), int(group), int(session)


def kill(pid: int) -> bool:
    """Whether there was something to kill."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def soon(found: Callable[[], list[int]], alive: Callable[[], bool], seconds: float = 60) -> list[int]:
    """What `found` finds, once it does; nothing when the driver ends first."""
    until = time.monotonic() + seconds
    while alive() and time.monotonic() < until:
        if pids := found():
            return pids
        time.sleep(0.002)
    return []


# --- without a JVM -----------------------------------------------------------------------------------------------


def killed_sparkless(rng: random.Random, who: str, delivery: Path, root: Path, lasts: tuple[float, int]) -> bool:
    """Start a driver, kill `who` at a random moment of its `lasts` (seconds, lines of commit code); whether it hit."""
    seconds, lines = lasts
    said = root.parent / "said"
    driver = start(delivery, root, said, rng.randint(1, lines) if who == "commit" else 0)
    assert driver.pid is not None
    hit = who == "commit" or _strike(rng, who, driver, seconds)
    driver.join(300)
    if who == "worker":
        assert driver.exitcode in (0, 3), said.read_text()
        return hit
    assert driver.exitcode in (0, -signal.SIGKILL), said.read_text()
    return driver.exitcode != 0


def _strike(rng: random.Random, who: str, driver: Process, seconds: float) -> bool:
    pid = driver.pid or 0
    if who == "worker":
        workers = soon(lambda: [p for p, _, group, _ in processes() if group == pid != p], driver.is_alive)
        time.sleep(rng.uniform(0, 0.1))
        return bool(workers) and kill(rng.choice(workers))
    time.sleep(rng.uniform(0, seconds))
    if who == "group":
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return kill(pid)  # it leads no group yet
        return True
    return kill(pid)


# --- the real command --------------------------------------------------------------------------------------------


def command(delivery: Path, root: Path) -> subprocess.Popen[str]:
    """`parcours flatten` in a session of its own."""
    return subprocess.Popen(
        [str(PARCOURS), "flatten", "--delivery", str(delivery), "--root", str(root), "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(job: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what was said on stderr."""
    said = job.communicate(timeout=300)[1]
    return job.returncode, said


def killed_spark(rng: random.Random, who: str, delivery: Path, root: Path, seconds: float) -> bool:
    """As `killed_sparkless`, with Spark: half of the kills at any moment, half once files are being written."""
    job = command(delivery, root)
    alive = lambda: job.poll() is None  # noqa: E731
    if who == "worker":
        soon(lambda: processes_of(job.pid, PYTHON_WORKER), alive)
        time.sleep(rng.uniform(0, seconds / 4))
    elif rng.random() < 0.5:
        time.sleep(rng.uniform(0, seconds))
    else:
        soon(lambda: [1] if any((root / "_staging").glob("*/*")) else [], alive)
        time.sleep(rng.uniform(0, seconds / 4))
    hit = alive() and _struck(rng, who, job.pid)
    code, said = ended(job)
    expected = (0, 3) if who in ("worker", "jvm") else (0, -signal.SIGKILL)
    assert code in expected, f"{who} killed: exit {code}: {said}"
    return hit


def _struck(rng: random.Random, who: str, leader: int) -> bool:
    if who == "driver":
        return kill(leader)
    if who == "group":
        return sum(kill(pid) for pid, _, _, session in processes() if session == leader) > 0
    pids = processes_of(leader, PYTHON_WORKER if who == "worker" else JVM)
    return bool(pids) and kill(rng.choice(pids))


def processes_of(leader: int, word: str) -> list[int]:
    """Processes of a session whose command line has a word."""
    found = []
    for pid, _, _, session in processes():
        try:
            if session == leader and word in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
        except OSError:
            continue  # it has just ended
    return found
