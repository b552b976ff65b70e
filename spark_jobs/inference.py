"""Job: fit the model of a study run (piece by piece as Spark tasks), report it, or tell MLflow who signed it."""

import argparse

from parcours.stages.approval import run_approve
from parcours.stages.exit import job_main
from parcours.stages.inference import run_report, run_train
from parcours.stages.releases import summary_to_leave

STAGES = {"train": run_train, "report": run_report, "approve": run_approve}


def main() -> None:
    """Parse the arguments and run the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="run.json of the study run")
    parser.add_argument("--stage", choices=STAGES, required=True)
    arguments = parser.parse_args()
    job_main(lambda: summary_to_leave(arguments.run, STAGES[arguments.stage](arguments.run)))


if __name__ == "__main__":
    main()
