"""How a job ends: its summary as JSON on stdout, or one sentence on stderr and the exit code of its error."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from parcours.errors import ParcoursError


def job_main(run: Callable[[], dict[str, Any]]) -> None:
    """Run a job and leave with its exit code.

    A ParcoursError ends with its sentence and code; anything else is a bug and keeps its traceback.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        summary = run()
    except ParcoursError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    sys.stdout.write(json.dumps(summary, default=str) + "\n")
