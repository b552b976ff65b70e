"""The one place that makes a Spark session."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from parcours.spark_classes import sharing_options
from parcours.spark_faults import leave_telling_to_exceptions, told_by_spark
from parcours.spark_given import given_properties
from parcours.storage.job_status import own_status

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


# Jobs of minutes are over before the last compiler of the JVM has paid for itself.
SHORT_JOB_JVM = (
    "-XX:+UseSerialGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)


# Results depend on these, whatever was configured.
FIXED = {
    # A day is a day of UTC.
    "spark.sql.session.timeZone": "UTC",
    # Where one side of a join turned out empty, Spark would leave out the other one, and what is counted on its rows.
    "spark.sql.adaptive.optimizer.excludedRules": ("org.apache.spark.sql.execution.adaptive.AQEPropagateEmptyRelation"),
}
# What suits these jobs where the user has said nothing.
DEFAULTS = {
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.showConsoleProgress": "false",
    # A row may be a payload of megabytes: batches for Python are bounded by bytes, not by 10,000 rows.
    "spark.sql.execution.arrow.maxBytesPerBatch": "64m",
}


def spark_session(application: str, settings: Mapping[str, str] | None = None) -> "SparkSession":
    """The Spark session of a job: what spark-submit configured, else `local[*]` on this machine.

    `settings` are Spark properties of this kind of job alone; what the user gave goes before them, and before DEFAULTS.
    Workers run the interpreter of the driver, or they would start the system's python3. Raises RetryableFault when
    the Java process ends meanwhile.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Arrow's own pools keep what was freed; tasks of one machine would hold it beside each other.
    pool = os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from pyspark.sql import SparkSession

    own = {**DEFAULTS, "spark.executorEnv.ARROW_DEFAULT_MEMORY_POOL": pool}
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # no spark-submit has started the JVM and set its options
        own["spark.driver.extraJavaOptions"] = f"{SHORT_JOB_JVM} {sharing_options()}"
    builder = SparkSession.builder.appName(application)
    leave_telling_to_exceptions()
    with told_by_spark():
        given = given_properties()
        for name, value in {**own, **(settings or {})}.items():
            builder = builder if name in given else builder.config(name, value)
        session = builder.config(map=dict(FIXED)).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    own_status().note(application_id=session.sparkContext.applicationId, ui=session.sparkContext.uiWebUrl)
    return session
