"""Spark's Python daemon with everything that tasks import: workers are forked from it, and need not import it again."""

import sys

# Spark puts its own pyspark.zip first, which Python compiles anew at each start; the same, compiled, is installed.
ZIPPED = [path for path in sys.path if path.endswith(("pyspark.zip", "-src.zip"))]
sys.path = [path for path in sys.path if path not in ZIPPED] + ZIPPED

from pyspark.daemon import manager  # noqa: E402

import parcours.flatten.tasks  # noqa: E402,F401 - imported for the workers

if __name__ == "__main__":
    manager()
