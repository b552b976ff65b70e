"""Spark job: one featuring stage of a study run (`--stage preview|events|cohort|features`)."""

import argparse

from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events
from parcours.stages.exit import job_main
from parcours.stages.preview import run_preview
from parcours.stages.releases import summary_to_leave

STAGES = {"preview": run_preview, "events": run_events, "cohort": run_cohort, "features": run_features}


def main() -> None:
    """Parse the arguments and run the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="run.json of the study run")
    parser.add_argument("--stage", choices=STAGES, required=True)
    arguments = parser.parse_args()
    job_main(lambda: summary_to_leave(arguments.run, STAGES[arguments.stage](arguments.run)))


if __name__ == "__main__":
    main()
