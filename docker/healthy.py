"""Whether a service does its work, not only whether it runs: healthy.py ROLE. Exit code 1 and the reason when not."""

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STARTED = Path("/tmp/started")
SECONDS_TO_ANSWER = 5


def page(address: str) -> bytes:
    """What the address answers. Raises OSError when it is an error, or nobody answers."""
    with urllib.request.urlopen(address, timeout=SECONDS_TO_ANSWER) as answer:
        return bytes(answer.read())


def bean(address: str, name: str) -> dict[str, Any]:
    """One group of a Hadoop daemon's measurements."""
    beans = json.loads(page(f"http://{address}/jmx?qry=Hadoop:service={name}"))["beans"]
    if not beans:
        raise ValueError(f"{name} is not there yet")
    return dict(beans[0])


def namenode() -> str:
    """Out of safe mode, with every datanode."""
    if bean("127.0.0.1:9870", "NameNode,name=NameNodeInfo")["Safemode"]:
        return "it is in safe mode"
    live = bean("127.0.0.1:9870", "NameNode,name=FSNamesystem")["NumLiveDataNodes"]
    expected = int(os.environ["PARCOURS_DATANODES"])
    return "" if live >= expected else f"{live} of {expected} datanodes live"


def datanode() -> str:
    """Known to the namenode as live."""
    live = json.loads(bean("namenode:9870", "NameNode,name=NameNodeInfo")["LiveNodes"])
    return "" if socket.gethostname() in {name.split(":")[0] for name in live} else "the namenode does not know it"


def spark_master() -> str:
    """Has its workers, and takes jobs."""
    page("http://spark-master:6066/v1/submissions/status/none")
    alive = json.loads(page("http://127.0.0.1:8080/json/"))["aliveworkers"]
    expected = int(os.environ["PARCOURS_SPARK_WORKERS"])
    return "" if alive >= expected else f"{alive} of {expected} workers registered"


def spark_worker() -> str:
    """Known to the master as alive."""
    workers = json.loads(page("http://spark-master:8080/json/"))["workers"]
    alive = {worker["host"] for worker in workers if worker["state"] == "ALIVE"}
    return "" if socket.gethostname() in alive else "the master does not know it"


def answers(address: str) -> Callable[[], str]:
    """Ready when the address answers."""

    def check() -> str:
        page(address)
        return ""

    return check


def beats(component: str) -> Callable[[], str]:
    """Ready once this part of Airflow has written a heartbeat since it was started."""

    def check() -> str:
        health = json.loads(page("http://airflow-api-server:8080/api/v2/monitor/health")).get(component) or {}
        beat = health.get(f"latest_{component}_heartbeat")
        if health.get("status") != "healthy" or beat is None:
            return f"Airflow says {health.get('status')}"
        moment = datetime.fromisoformat(beat)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return "" if seconds >= STARTED.stat().st_mtime else "no heartbeat since its start"

    return check


CHECKS: dict[str, Callable[[], str]] = {
    "namenode": namenode,
    "datanode": datanode,
    "spark-master": spark_master,
    "spark-worker": spark_worker,
    "history": answers("http://127.0.0.1:18080/api/v1/version"),
    "mlflow": answers("http://127.0.0.1:5000/health"),
    "docs": answers("http://127.0.0.1:8090/health"),
    "airflow-api-server": answers("http://127.0.0.1:8080/api/v2/version"),
    "airflow-scheduler": beats("scheduler"),
    "airflow-dag-processor": beats("dag_processor"),
    "airflow-triggerer": beats("triggerer"),
}


def main() -> int:
    """Check the role named on the command line."""
    try:
        reason = CHECKS[sys.argv[1]]()
    except (OSError, ValueError) as error:
        reason = f"it does not answer: {error}"
    if reason:
        sys.stdout.write(f"{reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
