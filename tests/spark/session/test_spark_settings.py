"""Spark as the user configured it: what a job sets by itself gives way to it, in every way in."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

pytestmark = pytest.mark.spark

ASK = """
import json, sys
from parcours.quality.tables import private_session
from parcours.session import spark_session
session = spark_session("settings", {"spark.python.daemon.module": "parcours.flatten.daemon"})
again = spark_session("a later stage of the same process")
gate = private_session(again)
names = ["spark.sql.shuffle.partitions", "spark.sql.session.timeZone", "spark.python.daemon.module",
         "spark.sql.execution.arrow.maxBytesPerBatch", "spark.driver.extraJavaOptions"]
print(json.dumps([[one.conf.get(name, None) for name in names] for one in (session, again, gate)]))
"""
OWN = ["8", "UTC", "parcours.flatten.daemon", "64m", "SerialGC"]
GIVEN = {
    "spark.sql.shuffle.partitions": "200",
    "spark.sql.session.timeZone": "Europe/Paris",
    "spark.python.daemon.module": "pyspark.daemon",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
}
# Days are days of UTC whatever is configured; 64m was not given.
KEPT = ["200", "UTC", "pyspark.daemon", "64m", "ParallelGC"]


def ask(tmp_path: Path, *before: str, **environment: str) -> list[list[str]]:
    """Settings of three sessions in a process of its own; `before` is how it is started, python when not given."""
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    variables = {name: text for name, text in os.environ.items() if not name.startswith(("SPARK_CONF", "PYSPARK_SU"))}
    command = [*(before or [sys.executable]), str(script)]
    ended = subprocess.run(command, env={**variables, **environment}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [[*some, *collectors(java)] for *some, java in json.loads(ended.stdout.splitlines()[-1])]


def collectors(options: str) -> list[str]:
    """Spark adds options of its own; two collectors would keep the Java process from starting."""
    return re.findall(r"\+Use(\w+GC)", options)


def write_defaults(folder: Path) -> Path:
    folder.mkdir()
    lines = ["# of this machine", "", *(f"{name} {value}" for name, value in GIVEN.items())]
    (folder / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    return folder


def test_what_nobody_gave_is_set_for_jobs_of_minutes(tmp_path: Path) -> None:
    for settings in ask(tmp_path, SPARK_CONF_DIR=str(tmp_path)):
        assert settings == OWN


def test_the_folder_of_sparks_configuration_goes_first(tmp_path: Path) -> None:
    for settings in ask(tmp_path, SPARK_CONF_DIR=str(write_defaults(tmp_path / "conf"))):
        assert settings == KEPT


@pytest.mark.parametrize("as_file", [False, True])
def test_arguments_for_the_java_process_go_first(tmp_path: Path, as_file: bool) -> None:
    named = f"--properties-file {write_defaults(tmp_path / 'conf')}/spark-defaults.conf"
    listed = " ".join(f"--conf {name}={value}" for name, value in GIVEN.items())
    for settings in ask(tmp_path, PYSPARK_SUBMIT_ARGS=f"{named if as_file else listed} pyspark-shell"):
        assert settings == KEPT


def test_what_spark_submit_was_given_goes_first(tmp_path: Path) -> None:
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    listed = [text for name, value in GIVEN.items() for text in ("--conf", f"{name}={value}")]
    for settings in ask(tmp_path, str(submit), *listed, PYSPARK_PYTHON=sys.executable):
        assert settings == KEPT
