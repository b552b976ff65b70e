"""Which Spark properties the user gave, by spark-submit, PYSPARK_SUBMIT_ARGS or spark-defaults.conf: ours give way."""

import argparse
import os
import re
import shlex
from pathlib import Path

PROPERTY = re.compile(r"^\s*([^\s#!=:][^\s=:]*)", re.MULTILINE)
LOCAL = "local[*]"
MASTER = re.compile(r"(?:--master[= ]|spark\.master=)['\"]?([^\s'\"]+)")
IN_FILE = re.compile(r"^\s*spark\.master[\s=:]+(\S+)", re.MULTILINE)
# What spark-submit makes a property of, beside --conf, as far as this project has a value of its own for it.
OPTIONS = {"--driver-java-options": "spark.driver.extraJavaOptions"}


def given_properties() -> frozenset[str]:
    """Their names. Of a Java process that runs already, all that it was started with."""
    from pyspark import SparkConf, SparkContext

    if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        return _before_start(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    SparkContext._ensure_initialized()
    return frozenset(name for name, _ in SparkConf().getAll())


def given_master() -> str:
    """The master that the user gave, `local[*]` where nobody did."""
    from pyspark import SparkConf, SparkContext

    if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        found = MASTER.search(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
        file = _defaults_file()
        found = found or (IN_FILE.search(file.read_text("utf-8")) if file.is_file() else None)
        return found.group(1) if found else LOCAL
    SparkContext._ensure_initialized()
    return SparkConf().get("spark.master", LOCAL) or LOCAL


def _before_start(submitted: str) -> frozenset[str]:
    """What the Java process that starts next will be given: its options cannot be changed once it runs."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--conf", "-c", action="append", default=[])
    parser.add_argument("--properties-file")
    for option in OPTIONS:
        parser.add_argument(option)
    given, _ = parser.parse_known_args(shlex.split(submitted))
    as_options = [name for option, name in OPTIONS.items() if getattr(given, option.strip("-").replace("-", "_"))]
    named = Path(given.properties_file) if given.properties_file else _defaults_file()
    in_file = PROPERTY.findall(named.read_text("utf-8")) if named.is_file() else []
    return frozenset([*(setting.partition("=")[0] for setting in given.conf), *as_options, *in_file])


def _defaults_file() -> Path:
    from pyspark.find_spark_home import _find_spark_home

    folder = os.environ.get("SPARK_CONF_DIR") or Path(os.environ.get("SPARK_HOME") or _find_spark_home()) / "conf"
    return Path(folder) / "spark-defaults.conf"
