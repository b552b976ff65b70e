"""A real Spark standalone cluster and a real Airflow beside it, as plain processes of one test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from waiting import eventually

from parcours.embedded import http
from parcours.embedded.airflow_api import Airflow, TaskState
from parcours.embedded.environment import service_environment, write_spark_conf
from parcours.embedded.layout import USER, Layout, keep_secrets
from parcours.embedded.ports import choose_ports, is_free
from parcours.embedded.processes import Record, is_alive, log_tail, start, stop_all, stop_one
from parcours.embedded.services import airflow_services, migration
from parcours.home import project_home

HERE = Path(__file__).parent
LOCAL = "127.0.0.1"
TOKEN_SECONDS = 60
# A triggerer that is silent for so long loses its triggers to another one.
TRIGGERER_SECONDS = 15
DAG = TASK = "steps"


def free_ports(first: int, count: int) -> list[int]:
    """Ports that nobody holds."""
    return [port for port in range(first, first + 300) if is_free(port)][:count]


class Stack:
    """Master, worker and the four parts of Airflow; what each wrote is in `layout.logs`."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home, project_home())
        self.layout.make()
        self.ports = choose_ports({}, set())
        self.master_port, self.rest_port, *pages = free_ports(17077, 4)
        self.master, self.rest = f"spark://{LOCAL}:{self.master_port}", f"http://{LOCAL}:{self.rest_port}"
        self.pages = pages
        self.records: dict[str, Record] = {}
        write_spark_conf(self.layout)
        self.env = service_environment(self.layout, keep_secrets(self.layout), self.ports, os.environ) | {
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(self._connection()),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": str(TOKEN_SECONDS),
            "AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS": "False",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(TRIGGERER_SECONDS),
        }

    def _connection(self) -> dict[str, Any]:
        conf = {"spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.cores.max": "1"}
        extra = {"master": self.master, "jobs": str(HERE / "jobs"), "status": str(self.layout.state / "jobs")}
        # The first master of the list is not there: a cluster goes on with those that are.
        hosts = f"{LOCAL}:1,{LOCAL}:{self.rest_port}"
        return {"conn_type": "spark", "host": f"spark-rest://{hosts}", "extra": json.dumps({**extra, "conf": conf})}

    def start_cluster(self) -> None:
        """Start the master and one worker, and wait until the worker is there."""
        self.start_master()
        env = self.env | {"SPARK_SCALA_VERSION": "2.13", "SPARK_WORKER_DIR": str(self.layout.state / "work")}
        worker = ("org.apache.spark.deploy.worker.Worker", "--host", LOCAL, "--webui-port", str(self.pages[1]))
        self._spark("worker", (*worker, "--cores", "4", "--memory", "4g", self.master), env)
        page = f"http://{LOCAL}:{self.pages[0]}/json/"
        eventually(lambda: http.answers(page) and http.call(page)["aliveworkers"], "the worker is registered")

    def start_master(self) -> None:
        """Start the master, which remembers its drivers on disk."""
        options = {
            "spark.master.rest.enabled": "true",
            "spark.master.rest.port": str(self.rest_port),
            "spark.deploy.recoveryMode": "FILESYSTEM",
            "spark.deploy.recoveryDirectory": str(self.layout.state / "recovery"),
        }
        java = " ".join(f"-D{name}={value}" for name, value in options.items())
        master = ("org.apache.spark.deploy.master.Master", "--host", LOCAL, "--port", str(self.master_port))
        self._spark(
            "master", (*master, "--webui-port", str(self.pages[0])), self.env | {"SPARK_DAEMON_JAVA_OPTS": java}
        )

    def _spark(self, name: str, command: tuple[str, ...], env: dict[str, str]) -> None:
        binary = str(Path(sys.executable).parent / "spark-class")
        self._start(name, (binary, *command), env)

    def _start(self, name: str, command: tuple[str, ...], env: dict[str, str]) -> None:
        log = self.layout.logs / f"{name}.log"
        self.records[name] = start(command, env, log, self.layout.state, name)

    def start_airflow(self) -> Airflow:
        """Start Airflow's parts and log in, once all of them work."""
        if not (self.layout.airflow / "airflow.db").is_file():
            subprocess.run(migration(), env=self.env, check=True, capture_output=True)
        services = airflow_services(self.ports)
        for service in services:
            self._start(service.name, service.command, self.env)
        for service in services:
            record = self.records[service.name]
            eventually(lambda s=service, r=record: s.ready(r.created), f"{service.name} is ready")
            assert is_alive(record), log_tail(self.layout.logs / f"{service.name}.log")
        airflow = Airflow(f"http://{LOCAL}:{self.ports['airflow']}", USER, keep_secrets(self.layout).password)
        airflow.enable(DAG)
        return airflow

    def start_second_triggerer(self) -> None:
        """Start another triggerer beside the first."""
        triggerer = next(service for service in airflow_services(self.ports) if service.name == "triggerer")
        self._start("second-triggerer", triggerer.command, self.env)

    def trigger_logs(self) -> list[str]:
        """What the triggers said, one text a trigger and triggerer."""
        return [file.read_text("utf-8") for file in (self.layout.airflow / "logs").rglob("*.trigger.*.log")]

    def stop_airflow(self) -> None:
        """Stop Airflow's parts; the cluster goes on."""
        for name in [service.name for service in airflow_services(self.ports)] + ["second-triggerer"]:
            if name in self.records:
                stop_one(self.records.pop(name))

    def stop(self) -> None:
        """End every process of this test."""
        stop_all(self.records.values(), str(self.layout.state))

    def driver_state(self, driver: str) -> str:
        """What the master knows of a driver."""
        return str(http.call(f"{self.rest}/v1/submissions/status/{driver}")["driverState"])

    def drivers(self) -> list[str]:
        """Every driver that was ever submitted."""
        page = http.call(f"http://{LOCAL}:{self.pages[0]}/json/")
        return [driver["id"] for driver in (*page["activedrivers"], *page["completeddrivers"])]


class Run:
    """One run of the DAG, its diary, and what Airflow keeps of its task."""

    def __init__(self, airflow: Airflow, folder: Path, **conf: Any) -> None:
        self.airflow = airflow
        self.diary_file = folder / "diary.txt"
        self.input = folder / "input"
        self.input.mkdir(parents=True)
        self.id = airflow.trigger(DAG, {"diary": str(self.diary_file), "input": str(self.input), **conf})

    @property
    def path(self) -> str:
        """The task in Airflow's API."""
        return f"/dags/{DAG}/dagRuns/{quote(self.id)}/taskInstances/{TASK}"

    def task(self) -> TaskState:
        """How the task stands."""
        return self.airflow.tasks(DAG, self.id)[0]

    def diary(self, word: str = "") -> list[str]:
        """The lines that the drivers wrote, those with a word."""
        lines = self.diary_file.read_text("utf-8").splitlines() if self.diary_file.is_file() else []
        return [line for line in lines if line.startswith(word)]

    def stored(self, key: str) -> Any:
        """What the task's state store holds."""
        try:
            return self.airflow.call(f"{self.path}/state-store/{key}")["value"]
        except http.Refused as refusal:
            if refusal.status != 404:
                raise
            return None

    def xcom(self, key: str) -> Any:
        """What the task handed over so far."""
        return self.airflow.xcom(DAG, self.id, self.task(), key)

    def until(self, *states: str, seconds: float = 150) -> TaskState:
        """The task, once it is in one of these states."""
        found = eventually(lambda: (t := self.task()).state in states and t, f"the task is {states}", seconds)
        assert isinstance(found, TaskState)
        return found

    def running_driver(self) -> str:
        """The id of the driver, once its job has begun and its task waits for it."""
        self.until("deferred")
        eventually(lambda: self.diary("START"), "the job has begun")
        return str(self.stored("driver")["id"])

    def mark(self, state: str) -> None:
        """Mark the task as a user does on its page."""
        self.airflow.call(self.path, "PATCH", {"new_state": state})

    def clear(self) -> None:
        """Clear the task as a user does on its page."""
        asked = {"dry_run": False, "task_ids": [TASK], "dag_run_id": self.id, "only_failed": False}
        self.airflow.call(f"/dags/{DAG}/clearTaskInstances", "POST", asked)
