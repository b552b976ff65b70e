"""Spark job: read a delivery for the first time, so that the plan of flattening does not."""

import argparse

from parcours.stages.exit import job_main
from parcours.stages.flatten import run_scan


def main() -> None:
    """Parse the arguments and run; ends with the exit code of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delivery", required=True, help="folder that holds delivery.yaml, or that file")
    parser.add_argument("--root", required=True, help="path, file:/// or hdfs:// address of the root")
    parser.add_argument("--products", default="", help="these products only, with commas between them")
    given = parser.parse_args()
    products = [name for name in given.products.split(",") if name]
    job_main(lambda: run_scan(given.delivery, given.root, products or None))


if __name__ == "__main__":
    main()
