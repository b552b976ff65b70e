"""Ours: the three stages from published flat tables to the design of a study, as jobs run them, without the gate."""

import json
import sys
import time
from pathlib import Path

from parcours.cohort.plan import write_run
from parcours.cohort.study import load_study
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events

STAGES = {"events": run_events, "cohort": run_cohort, "features": run_features}


def main(study: str, root: str) -> None:
    """Plan and run; print the summary and the seconds of each stage, as one line of JSON."""
    path = write_run(root, load_study(Path(study)), {})
    seconds, told = {}, {}
    for name, stage in STAGES.items():
        began = time.monotonic()
        told[name] = stage(path)
        seconds[name] = round(time.monotonic() - began, 2)
    summary = {"run": str(path), **told, "seconds": seconds}
    sys.stdout.write(json.dumps(summary) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
