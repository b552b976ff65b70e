"""Spark's Python daemon with everything that tasks import: workers are forked from it, and need not import it again."""

from pyspark.daemon import manager

import parcours.flatten.tasks  # noqa: F401 - imported for the workers

if __name__ == "__main__":
    manager()
