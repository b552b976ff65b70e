"""A job as the cluster runs it: writes and reads HDFS on the workers, logs a run in MLflow, tells what it saw."""

import json
import socket
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from parcours.tracking.server import connect

folder = sys.argv[1]
spark = SparkSession.builder.appName("cluster test").getOrCreate()
spark.range(1000).repartition(4).write.parquet(f"{folder}/numbers")
hosts = spark.sparkContext.range(8, numSlices=4).map(lambda _: socket.gethostname()).distinct().collect()
client = connect(Path())
experiment = client.create_experiment(f"cluster test {spark.sparkContext.applicationId}")
run = client.create_run(experiment).info.run_id
client.log_text(run, "text of the artifact", "note.txt")
seen = {
    "sum": spark.read.parquet(f"{folder}/numbers").agg({"id": "sum"}).first()[0],
    "hosts": sorted(hosts),
    "driver": socket.gethostname(),
    "application": spark.sparkContext.applicationId,
    "run": run,
}
spark.createDataFrame([(json.dumps(seen),)], "value string").coalesce(1).write.text(f"{folder}/seen")
spark.stop()
