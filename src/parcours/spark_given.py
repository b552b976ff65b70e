"""Which Spark properties the user gave, by spark-submit, PYSPARK_SUBMIT_ARGS or spark-defaults.conf: ours give way."""

import argparse
import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark import SparkConf

PROPERTY = re.compile(r"^\s*([^\s#!=:][^\s=:]*)", re.MULTILINE)
LOCAL = "local[*]"
MASTER = re.compile(r"(?:--master[= ]|spark\.master=)['\"]?([^\s'\"]+)")
IN_FILE = re.compile(r"^\s*spark\.master[\s=:]+(\S+)", re.MULTILINE)
# What spark-submit makes a property of, beside --conf, as far as this project has a value of its own for it.
OPTIONS = {"--driver-java-options": "spark.driver.extraJavaOptions"}


def given_properties() -> frozenset[str]:
    """Their names. Of a Java process that runs already, all that it was started with."""
    if not _is_started():
        return _before_start(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    return frozenset(name for name, _ in _conf_of_java().getAll())


def given_master() -> str:
    """The master that the user gave, `local[*]` where nobody did."""
    if _is_started():
        return _conf_of_java().get("spark.master", LOCAL) or LOCAL
    found = MASTER.search(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    file = _defaults_file()
    found = found or (IN_FILE.search(file.read_text("utf-8")) if file.is_file() else None)
    return found.group(1) if found else LOCAL


def _is_started() -> bool:
    """Whether there is a Java process; who asks before pyspark is imported need not wait for that."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return True
    if "pyspark" not in sys.modules:
        return False
    from pyspark import SparkContext

    return SparkContext._gateway is not None


def _conf_of_java() -> "SparkConf":
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()
    return SparkConf()


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
    folder = os.environ.get("SPARK_CONF_DIR") or Path(os.environ.get("SPARK_HOME") or _home_of_pyspark()) / "conf"
    return Path(folder) / "spark-defaults.conf"


def _home_of_pyspark() -> str:
    """Where pyspark says that Spark is, without an import of all of pyspark."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pyspark")
    home: str = run_path(str(Path(found.origin).with_name("find_spark_home.py")))["_find_spark_home"]()
    return home
