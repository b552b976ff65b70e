"""An archive of the JVM's classes, from which Spark starts in half the time: `python -m parcours.spark_classes`.

Made once for an environment (class-data sharing, JEP 350). A JVM of another build, or with another class path, ignores
it and starts as usual.
"""

import sys
import tempfile
from pathlib import Path

ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"


def sharing_options() -> str:
    """JVM options that use the archive, "" where there is none."""
    return f"-XX:SharedArchiveFile={ARCHIVE} -Xshare:auto -Xlog:disable -Xlog:all=off" if ARCHIVE.is_file() else ""


def make_archive() -> None:
    """Run a small session that loads the usual classes, and keep them."""
    from parcours.session import spark_session

    ARCHIVE.unlink(missing_ok=True)
    options = f"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit={ARCHIVE} -Xlog:disable"
    session = spark_session("class archive", {"spark.driver.extraJavaOptions": options, "spark.master": "local[2]"})
    with tempfile.TemporaryDirectory() as folder:
        session.range(100).selectExpr("id", "id % 7 AS k").groupBy("k").count().write.parquet(f"{folder}/x")
        session.read.parquet(f"{folder}/x").collect()
        session.sparkContext.parallelize([1], 1).map(lambda number: number).collect()
        session.range(2).mapInArrow(lambda batches: batches, "id long").collect()
    session.stop()


if __name__ == "__main__":
    make_archive()
