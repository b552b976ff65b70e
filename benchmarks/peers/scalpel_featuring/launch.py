"""Compile the peer with the Scala compiler that comes with pyspark, and run it by pyspark's own spark-submit."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pyspark

from parcours.cohort.study import Study
from parcours.errors import ParcoursError
from parcours.storage.fingerprint import fingerprint

SOURCES = Path(__file__).parent
SPARK = Path(pyspark.__path__[0])
MEMORY, SHUFFLE_PARTITIONS = "4g", 8  # as the peer of flattening: three to four shuffle partitions a core
CONFIGURATION = {
    "spark.sql.shuffle.partitions": str(SHUFFLE_PARTITIONS),
    "spark.sql.session.timeZone": "UTC",
    # A text that is no day is null, as in the Spark of its time.
    "spark.sql.ansi.enabled": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.ui.enabled": "false",
    "spark.log.level": "WARN",
}


def compiled(folder: Path) -> Path:
    """The peer as a JAR in `folder`, compiled unless the same sources were compiled before.

    Raises ParcoursError with what the compiler says when it refuses them.
    """
    sources = sorted(SOURCES.glob("*.scala"))
    version = fingerprint([pyspark.__version__, *(source.read_text("utf-8") for source in sources)])
    jar = folder / f"scalpel_featuring-{version}.jar"
    if not jar.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = jar.with_suffix(".partial.jar")
        compiler = [_java(), "-cp", str(SPARK / "jars" / "*"), "scala.tools.nsc.Main", "-usejavacp", "-d", str(partial)]
        done = subprocess.run([*compiler, *map(str, sources)], capture_output=True, text=True)
        if done.returncode != 0:
            raise ParcoursError(f"The peer scalpel_featuring does not compile: {done.stdout}{done.stderr}")
        partial.rename(jar)
    return jar


def command(jar: Path, root: Path, out: Path, study: Study, cores: int, settings: Mapping[str, str]) -> list[str]:
    """What runs the peer on the flat tables of `root` and writes to `out`; `settings` are more properties of Spark."""
    properties = [text for key, value in {**CONFIGURATION, **settings}.items() for text in ("--conf", f"{key}={value}")]
    arguments = {"root": root, "codelists": study.codelists, "out": out, **parameters(study)}
    return [
        *(str(SPARK / "bin" / "spark-submit"), "--master", f"local[{cores}]", "--driver-memory", MEMORY),
        *("--driver-java-options", "-Duser.timezone=UTC", *properties, "--class", "scalpel.Featuring", str(jar)),
        *(f"{name}={value}" for name, value in arguments.items()),
    ]


def parameters(study: Study) -> dict[str, str]:
    """The parameters of a study that the peer knows."""
    population, exposures, outcomes = study.population, study.exposures, study.outcomes
    return {
        "study_start": population.first_day.isoformat(),
        "study_end": population.last_day.isoformat(),
        "age_minimum": str(population.age_minimum),
        "start_gap_months": str(population.start_gap_months),
        "washout_months": str(exposures.washout_months),
        "min_purchases": str(exposures.min_purchases),
        "purchases_window_days": str(exposures.purchases_window_days),
        "fall_frame_months": str(outcomes.frame_months),
    }


def seconds_after_start(log: Path) -> float:
    """Wall seconds between the peer's session being ready and its end, as it printed them."""
    lines = log.read_text("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith('{"seconds_after_start"')]
    return float(json.loads(said[-1])["seconds_after_start"])


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"
