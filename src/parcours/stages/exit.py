"""How a command or a job ends: its exit code, and one sentence on stderr when it failed."""

import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from parcours.errors import ParcoursError, RetryableFault
from parcours.leaving import fit_to_leave, without_identifiers
from parcours.storage.job_status import JobStatus, ProgressHandler, own_status

BUG = 70  # EX_SOFTWARE: neither the data, nor the user, nor the machine; the traceback goes to the developers.
FENCE_SECONDS = 5


def outcome_of(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and its sentence."""
    if isinstance(error, ParcoursError):
        return error.exit_code, str(error)
    if isinstance(error, OSError):
        sentence = f"The machine refused: {error}. Mend it and start again; nothing half-written is kept."
        return RetryableFault.exit_code, sentence
    return BUG, "This is a fault in Parcours itself; please report it with the lines above."


def exit_code_of(error: BaseException) -> int:
    """The exit code of an error, its sentence (for a bug, its traceback too) written to stderr."""
    code, sentence = outcome_of(error)
    if code == BUG:
        sys.stderr.write(_told(error))
    sys.stderr.write(f"{sentence}\n")
    return code


def _told(error: BaseException) -> str:
    """The traceback of an error; its words may quote a row, so they go without what may identify a person."""
    return "".join(
        line if line.startswith("  File ") else without_identifiers(line) for line in traceback.format_exception(error)
    )


def job_main(run: Callable[[], dict[str, Any]]) -> None:
    """Run a Spark job: its summary, fit to leave, as one JSON line on stdout, last; leave with its exit code.

    Where the job was submitted to a cluster, its status file tells the same (see storage/job_status.py).
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    status = own_status()
    try:
        _follow(status)
        summary = fit_to_leave(run())
        status.end(0, "", summary)
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(_fail(status, error)) from None
    sys.stdout.write(json.dumps(summary, default=str) + "\n")


def _fail(status: JobStatus, error: Exception) -> int:
    code = exit_code_of(error)
    sentence = outcome_of(error)[1]
    if code == BUG:
        sentence = without_identifiers(f"{type(error).__name__}: {error}\n{sentence}")
    try:
        status.end(code, sentence, {})
    except OSError as refusal:
        sys.stderr.write(f"The outcome could not be noted at {status.address}: {refusal}\n")
    return code


def _follow(status: JobStatus) -> None:
    """Keep the status file while the job runs."""
    if status.address is None:
        return
    status.begin()
    logging.getLogger("parcours").addHandler(ProgressHandler(status))
    threading.Thread(target=_fence, args=(status, os.getppid()), daemon=True, name="fence").start()


def _fence(status: JobStatus, parent: int) -> None:
    """End with the Java process that started us, and when the submission is no longer ours: nobody waits for us."""
    while True:
        for _ in range(FENCE_SECONDS):
            time.sleep(1)
            if os.getppid() != parent:
                os._exit(RetryableFault.exit_code)
        if status.replaced:
            sys.stderr.write("The task was ended, or another driver took over its work; this one ends.\n")
            os._exit(RetryableFault.exit_code)
