"""Spark job for the tests: so many steps of a second each, told as they are done, then the ending asked for."""

import argparse
import logging
import os
import time
from pathlib import Path
from typing import Any

from parcours.errors import GateRefused
from parcours.session import spark_session
from parcours.stages.exit import job_main

log = logging.getLogger("parcours.steps")


def run(steps: int, diary: Path, refused: bool) -> dict[str, Any]:
    """Write START, each step and END to the diary."""
    session = spark_session("steps")
    with diary.open("a", buffering=1) as out:
        out.write(f"START {os.getpid()} {Path.cwd().name}\n")
        for step in range(1, steps + 1):
            assert session.range(100).count() == 100
            time.sleep(1)
            log.info("%d/%d step %d", step, steps, step)
        if refused:
            raise GateRefused("The quality gate refused: 3 rows are doubled.")
        out.write(f"END {os.getpid()}\n")
    return {"status": "done", "steps": steps}


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--diary", type=Path, required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--ending", choices=("done", "refused"), default="done")
    given = parser.parse_args()
    job_main(lambda: run(given.steps, given.diary, given.ending == "refused"))


if __name__ == "__main__":
    main()
