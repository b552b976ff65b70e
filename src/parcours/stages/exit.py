"""How a command or a job ends: its exit code, and one sentence on stderr when it failed."""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

from parcours.errors import ParcoursError, RetryableFault

BUG = 70  # EX_SOFTWARE: neither the data, nor the user, nor the machine; the traceback goes to the developers.


def exit_code_of(error: BaseException) -> int:
    """The exit code of an error, its sentence (or, for a bug, its traceback) written to stderr."""
    if isinstance(error, ParcoursError):
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if isinstance(error, OSError):
        sys.stderr.write(f"The machine refused: {error}. Mend it and start again; nothing half-written is kept.\n")
        return RetryableFault.exit_code
    traceback.print_exception(error)
    sys.stderr.write("This is a fault in Parcours itself; please report it with the lines above.\n")
    return BUG


def job_main(run: Callable[[], dict[str, Any]]) -> None:
    """Run a Spark job: its summary as one JSON line on stdout, last; leave with its exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        summary = run()
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None
    sys.stdout.write(json.dumps(summary, default=str) + "\n")
