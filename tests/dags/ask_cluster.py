"""Asks the plugin, inside Airflow, what connections mean and how a trigger travels; run in a process of its own."""

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[2]


def clusters(connections: dict[str, str]) -> dict[str, Any]:
    """The cluster that each connection names."""
    from parcours_airflow.cluster import cluster_of

    found = {name: cluster_of(name) for name in (*connections, "not_there")}
    return {name: asdict(cluster) if cluster else None for name, cluster in found.items()}


def request() -> dict[str, Any]:
    """What is submitted for a job."""
    from parcours_airflow.cluster import read_cluster, status_variables, submission_request

    extra = {
        "jobs": "/opt/jobs/",
        "conf": {"spark.driver.memory": "2g", "spark.cores.max": 4},
        "env": {"MLFLOW_TRACKING_URI": "http://mlflow"},
    }
    cluster = read_cluster("m1,m2:7000", None, extra)
    variables = status_variables("/shared/status.json", "s1")
    return submission_request(
        cluster, "flatten", "DCIR 2016", ["--root", "R"], {"spark.driver.memory": "3g"}, variables
    )


def travelled(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A trigger as it comes out of Airflow's database."""
    from airflow.models.trigger import Trigger
    from airflow.sdk.module_loading import import_string
    from parcours_airflow.triggers import DriverTrigger

    classpath, sent = DriverTrigger(**kwargs).serialize()
    received = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(sent))
    trigger = import_string(classpath)(**received)
    return {"classpath": classpath, "same": trigger.serialize() == (classpath, sent), "kwargs": received}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as airflow_home:
        os.environ.update(AIRFLOW_HOME=airflow_home, AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR")
        os.environ.update({f"AIRFLOW_CONN_{name.upper()}": text for name, text in asked["connections"].items()})
        sys.path.insert(0, str(HOME / "plugins"))
        answer = {
            "clusters": clusters(asked["connections"]),
            "request": request(),
            "trigger": travelled(asked["trigger"]),
        }
        sys.stdout.write("\n" + json.dumps(answer))
