"""The environment variables of a measured program: where Python finds the code, and how Spark runs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.results import HOME


def environment(folder: Path, cores: int, settings: Mapping[str, str]) -> dict[str, str]:
    """Spark on `cores` cores with these properties, its temporary files under `folder`/spark.

    The code is that of the checkout, whatever else is installed.
    """
    options = " ".join(f"--conf {key}={value}" for key, value in settings.items())
    return {
        "PYTHONPATH": os.pathsep.join([str(HOME), str(HOME / "src")]),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--master local[{cores}] {options} pyspark-shell",
        "SPARK_LOCAL_DIRS": str(folder / "spark"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def parcours_command(*arguments: str) -> list[str]:
    """The command line of this project, with the interpreter that runs the benchmark."""
    return [str(Path(sys.executable).with_name("parcours")), *arguments]
