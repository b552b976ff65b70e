"""Spark job: flatten a delivery into a root."""

import argparse

from parcours.stages.exit import job_main
from parcours.stages.flatten import run_flatten


def main() -> None:
    """Parse the arguments and run; ends with the exit code of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delivery", required=True, help="folder that holds delivery.yaml, or that file")
    parser.add_argument("--root", required=True, help="path, file:/// or hdfs:// address of the root")
    parser.add_argument("--product", action="append", help="flatten this product only; may be repeated")
    parser.add_argument("--year", type=int, action="append", help="flatten the periods of this year only")
    parser.add_argument("--period", action="append", help="flatten this period only, such as 2016-01")
    given = parser.parse_args()
    job_main(lambda: run_flatten(given.delivery, given.root, given.product, given.period, given.year))


if __name__ == "__main__":
    main()
