"""The real `flatten`, with its commits, locks and staging, in seconds less: workers are processes, and there is no JVM.

Processes come from a fork server that has imported everything. A driver leads a process group, its workers join it.
"""

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from pyspark.errors import PySparkException

from parcours.flatten.run import flatten, scan_ahead
from parcours.flatten.selection import Selection
from parcours.snds.delivery import load_delivery
from parcours.stages.exit import exit_code_of
from parcours.stages.flatten import scan_here
from parcours.storage import commit, manifest
from parcours.storage.root import open_root

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["forked_from"])
# The server does not know where the tests are, and would leave out in silence what it cannot import.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
COMMIT_CODE = {commit.__file__, manifest.__file__, __import__("shutil").__file__}
Process = multiprocessing.context.ForkServerProcess


def start(delivery: Path, root: Path, said: Path, crash_at: int = 0) -> Process:
    """A driver that flattens; `crash_at`: it kills itself at that line of the commit code, counted from its start."""
    driver = PROCESSES.Process(target=_drive, args=(delivery, root, said, crash_at))
    driver.start()
    return driver


def _drive(delivery: Path, root: Path, said: Path, crash_at: int) -> None:
    os.setpgid(0, 0)
    sys.stderr = said.open("w")
    lines = _Lines(crash_at)
    try:
        loaded, opened = load_delivery(delivery), open_root(str(root))
        scan_ahead(opened, loaded, Selection(), scan_here)
        sys.settrace(lines.called)
        flatten(_Here(), loaded, opened, Selection(), lambda *_: None)  # type: ignore[arg-type]
        sys.settrace(None)
        said.write_text(str(lines.seen))
    except Exception as error:  # noqa: BLE001 - the edge of the process, as in the command
        code = exit_code_of(error)
        sys.stderr.flush()
        os._exit(code)


class _Lines:
    """Counts the lines of the commit code that the main thread runs, and dies at one of them."""

    def __init__(self, crash_at: int):
        self.crash_at, self.seen = crash_at, 0

    def called(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self.line if frame.f_code.co_filename in COMMIT_CODE else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.seen += 1
        if self.seen == self.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.line


class _Here:
    """As much of a Spark session as jobs of whole periods ask for."""

    def __init__(self) -> None:
        self.sparkContext = SimpleNamespace(defaultParallelism=2, applicationId="here", parallelize=self._parallelize)

    def _parallelize(self, numbers: list[int], partitions: int) -> Any:
        return SimpleNamespace(
            mapPartitions=lambda task: SimpleNamespace(collect=partial(_in_worker, task, numbers)),
        )


def _in_worker(task: Any, numbers: list[int]) -> list[Any]:
    """What a task gives, run in a process of its own; its death is told as Spark tells it."""
    here, there = PROCESSES.Pipe(duplex=False)
    worker = PROCESSES.Process(target=_work, args=(there, os.getpgrp(), task, numbers))
    try:
        worker.start()
        there.close()
        found, error = here.recv()
        worker.join()
    except EOFError:
        raise PySparkException("Python worker exited unexpectedly (crashed)") from None
    finally:
        here.close()
    if error:
        raise PySparkException(error)
    return found


def _work(there: Connection, group: int, task: Any, numbers: list[int]) -> None:
    try:
        os.setpgid(0, group)
    except OSError:
        return  # the driver is dead already
    try:
        answer: tuple[Any, str | None] = (list(task(iter(numbers))), None)
    except Exception as error:  # noqa: BLE001 - told to the driver, as Spark does
        answer = (None, f"{type(error).__module__}.{type(error).__name__}: {error}".replace("builtins.", ""))
    with suppress(BrokenPipeError):  # the driver was killed: nobody is there to tell
        there.send(answer)
