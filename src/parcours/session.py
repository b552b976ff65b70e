"""The one place that makes a Spark session."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from parcours.spark_classes import sharing_options
from parcours.spark_faults import leave_telling_to_exceptions, told_by_spark
from parcours.storage.job_status import own_status

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


# Jobs of minutes are over before the last compiler of the JVM has paid for itself.
SHORT_JOB_JVM = (
    "-XX:+UseSerialGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)


def spark_session(application: str, settings: Mapping[str, str] | None = None) -> "SparkSession":
    """The Spark session of a job: what spark-submit configured, else `local[*]` on this machine.

    `settings` are Spark properties of this kind of job alone.
    Workers run the interpreter of the driver, or they would start the system's python3. Raises RetryableFault when
    the Java process ends meanwhile.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Arrow's own pools keep what was freed; tasks of one machine would hold it beside each other.
    pool = os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.appName(application)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.ui.showConsoleProgress", "false")
        # A row may be a payload of megabytes: batches for Python are bounded by bytes, not by 10,000 rows.
        .config("spark.sql.execution.arrow.maxBytesPerBatch", "64m")
        .config("spark.executorEnv.ARROW_DEFAULT_MEMORY_POOL", pool)
    )
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # no spark-submit has started the JVM and set its options
        builder = builder.config("spark.driver.extraJavaOptions", f"{SHORT_JOB_JVM} {sharing_options()}")
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    leave_telling_to_exceptions()
    with told_by_spark():
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    own_status().note(application_id=session.sparkContext.applicationId, ui=session.sparkContext.uiWebUrl)
    return session
