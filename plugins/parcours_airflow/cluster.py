"""Where Spark jobs run: a standalone cluster's REST API when the connection says so, else spark-submit on this machine.

The connection `spark_default` decides. `spark-rest://master-1,master-2:6066` is a cluster; its extra may hold

* `master`: the address that executors are asked from (`spark://master-1:7077,master-2:7077` unless given),
* `jobs`: the folder of spark_jobs as the workers see it (this checkout's unless given),
* `status`: where drivers write their status files, an address that Airflow and the workers share,
* `conf`: Spark properties of every job, `env`: environment variables of every driver.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from parcours.storage.job_status import ADDRESS, SUBMISSION
from parcours_airflow.defaults import SPARK_JOBS, default_root

SCHEME = "spark-rest"
REST_PORT, MASTER_PORT = 6066, 7077
# The class that `spark-submit` starts: see docs/adr/0004-submit-and-defer.md for the other way.
DRIVER_CLASS = "org.apache.spark.deploy.SparkSubmit"


@dataclass(frozen=True)
class Cluster:
    """One standalone cluster: `rest` are its masters' REST addresses."""

    rest: tuple[str, ...]
    master: str
    jobs: str
    status: str
    conf: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def cluster_of(connection_id: str) -> Cluster | None:
    """The cluster that the connection names, None when it names no REST API or is not there."""
    try:
        found = Connection.get(connection_id)
    except AirflowNotFoundException:
        return None
    named_by_type = str(found.conn_type).replace("_", "-") == SCHEME
    if not named_by_type and not str(found.host).startswith(f"{SCHEME}://"):
        return None
    return read_cluster(str(found.host), found.port, found.extra_dejson)


def read_cluster(hosts: str, port: int | None, extra: Mapping[str, Any]) -> Cluster:
    """The cluster of `host[:port],host[:port]`; `port` is that of hosts without one."""
    names = [name.strip().strip("/") for name in hosts.removeprefix(f"{SCHEME}://").split(",")]
    rest = tuple(f"http://{name if ':' in name else f'{name}:{port or REST_PORT}'}" for name in names)
    masters = ",".join(f"{name.split(':')[0]}:{MASTER_PORT}" for name in names)
    return Cluster(
        rest=rest,
        master=extra.get("master") or f"spark://{masters}",
        jobs=extra.get("jobs") or str(SPARK_JOBS),
        status=extra.get("status") or f"{default_root().rstrip('/')}/_jobs",
        conf=extra.get("conf") or {},
        env=extra.get("env") or {},
    )


def submission_request(
    cluster: Cluster, job: str, name: str, arguments: Sequence[str], conf: Mapping[str, str], status: Mapping[str, str]
) -> dict[str, Any]:
    """The body of a CreateSubmissionRequest: a driver that runs spark-submit in client mode where the master puts it.

    Without `--master` among its arguments the driver would run everything by itself, in local[*].
    """
    settings = {**cluster.conf, **conf}
    chosen = [text for key, value in sorted(settings.items()) for text in ("--conf", f"{key}={value}")]
    submit = ["--master", cluster.master, "--deploy-mode", "client", "--name", name, *chosen]
    return {
        "clientSparkVersion": "any",
        "mainClass": DRIVER_CLASS,
        "appResource": "",
        "appArgs": [*submit, f"{cluster.jobs.rstrip('/')}/{job}.py", *arguments],
        # The master reads the driver's memory and cores here. It must not start a driver again: Airflow does.
        "sparkProperties": {
            "spark.app.name": name,
            "spark.master": cluster.master,
            "spark.driver.supervise": "false",
            **{key: str(value) for key, value in settings.items() if key.startswith("spark.driver.")},
        },
        "environmentVariables": {**{name: str(value) for name, value in cluster.env.items()}, **status},
    }


def status_variables(address: str, submission: str) -> dict[str, str]:
    """Environment variables by which a job finds its status file."""
    return {ADDRESS: address, SUBMISSION: submission}
