"""Job: the quality gate, on the flat tables of a root or on the features of a study run."""

import argparse
from typing import Any

from parcours.stages.exit import job_main
from parcours.stages.quality import run_check, run_study_gate


def main() -> dict[str, Any]:
    """Read the arguments and run the gate."""
    parser = argparse.ArgumentParser(description=__doc__)
    about = parser.add_mutually_exclusive_group(required=True)
    about.add_argument("--root", help="check the flat tables of this root")
    about.add_argument("--run", help="check the features of this run.json")
    parser.add_argument("--run-name", default="manual", help="folder of the verdict under <root>/quality")
    parser.add_argument("--product", action="append", help="only this product (may be repeated)")
    arguments = parser.parse_args()
    if arguments.run:
        return run_study_gate(arguments.run)
    return run_check(arguments.root, arguments.product, arguments.run_name)


if __name__ == "__main__":
    job_main(main)
