"""What breaks while the cluster flattens: the run ends well by itself, with the tables of one machine."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chain_runs import different, follow, parcours
from running_cluster import Cluster, tables
from waiting import eventually

from parcours.embedded.airflow_api import Airflow, TaskState
from parcours.embedded.demo import FLATTEN

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

AIRFLOW = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
DELIVERY = "hdfs://namenode:8020/faults/delivery"
FLAT = ("flat", "rejects", "orphans")


@pytest.fixture(scope="module")
def delivery(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three years of care of 5,000 persons, here and on HDFS: minutes of work for the cluster."""
    folder: Path = tmp_path_factory.mktemp("faults") / "delivery"
    asked = ("--persons", "5000", "--years", "2014-2016", "--product", "DCIR", "--seed", "5", "--out", str(folder))
    parcours("synth", *asked)
    cluster.hdfs(folder, "ro", "-mkdir", "-p", "/faults")
    cluster.put(folder, "/faults/delivery")
    return folder


@pytest.fixture(scope="module")
def embedded(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the same delivery, flattened on this machine alone."""
    root: Path = tmp_path_factory.mktemp("embedded") / "root"
    parcours("flatten", "--delivery", str(delivery), "--root", str(root), "--product", "DCIR")
    return root


@dataclass(frozen=True)
class Flattening:
    """A run of the flatten DAG into a root of its own."""

    cluster: Cluster
    airflow: Airflow
    name: str
    conf: dict[str, Any]
    run: str

    def slices(self) -> list[TaskState]:
        """The tasks that flatten a year each."""
        return [task for task in self.airflow.tasks(FLATTEN, self.run) if task.task == "flatten"]

    def waiting(self) -> dict[int, dict[str, Any]]:
        """Of each slice whose driver works on its periods: what it told last."""
        told = {task.map_index: self.progress(task) for task in self.slices() if task.state == "deferred"}
        return {index: progress for index, progress in told.items() if progress.get("state") == "RUNNING"}

    def until_waiting(self) -> dict[int, str]:
        """The driver of each slice that waits for one, once there are some."""
        waiting = eventually(self.waiting, f"{self.name}: a slice waits for its driver", seconds=240)
        return {index: told["driver"] for index, told in waiting.items()}

    def followed(self) -> dict[int, str]:
        """The driver that each slice followed last."""
        told = {task.map_index: self.progress(task) for task in self.slices()}
        return {index: progress["driver"] for index, progress in told.items() if "driver" in progress}

    def progress(self, task: TaskState) -> dict[str, Any]:
        """The progress that a task shows."""
        return self.airflow.xcom(FLATTEN, self.run, task, "progress") or {}

    def until_at_work(self) -> dict[str, Any]:
        """The progress of a slice that has committed a period and has others to do."""
        found = eventually(
            lambda: [told for told in self.waiting().values() if 0 < told.get("done", 0) < told["total"] - 1],
            f"{self.name}: a slice is at work",
            seconds=240,
        )
        return found[0]

    def commits(self) -> dict[str, int]:
        """When each month was committed."""
        return dict(self.cluster.inside("namenode", "commits", f"/faults/{self.name}/flat/DCIR")["periods"])

    def drivers(self) -> dict[str, dict[str, str]]:
        """State and host of every driver that the master knows."""
        return self.cluster.inside("airflow-scheduler", "drivers")


@pytest.fixture
def flattening(cluster: Cluster, delivery: Path, request: pytest.FixtureRequest) -> Flattening:
    name = request.node.name.split("_")[1]
    airflow = cluster.airflow()
    airflow.enable(FLATTEN)
    conf = {"delivery": DELIVERY, "root": f"hdfs://namenode:8020/faults/{name}", "products": ["DCIR"]}
    return Flattening(cluster, airflow, name, conf, airflow.trigger(FLATTEN, conf))


def healthy(cluster: Cluster, *services: str) -> None:
    """Until these services are ready again, by themselves."""
    eventually(lambda: {cluster.states()[name] for name in services} == {"healthy"}, f"{services} are back", 240)


def ends_well(flattening: Flattening, embedded: Path, folder: Path) -> None:
    """The run succeeds, and its tables are those of one machine."""
    follow(flattening.airflow, FLATTEN, flattening.run, [])
    copied = flattening.cluster.get(f"/faults/{flattening.name}", folder / "root")
    assert different(tables(embedded, *FLAT), tables(copied, *FLAT)) == []


def test_spark_loses_a_worker_a_network_and_a_driver(
    cluster: Cluster, flattening: Flattening, embedded: Path, tmp_path: Path
) -> None:
    killed = flattening.until_at_work()["driver"]
    home = flattening.drivers()[killed]["host"]
    before = flattening.commits()
    assert cluster.inside(home, "kill", "DriverWrapper", killed)["killed"]
    other = next(host for host in ("spark-worker-1", "spark-worker-2") if host != home)
    eventually(lambda: flattening.drivers()[killed]["state"] != "RUNNING", "the master knows that the driver is lost")
    flattening.until_at_work()
    assert cluster.inside(other, "kill", "deploy.worker.Worker")["killed"]
    healthy(cluster, other)
    flattening.until_at_work()
    cluster.cut_network(home, 60)
    healthy(cluster, home, other)
    ends_well(flattening, embedded, tmp_path)
    after = flattening.commits()
    assert before
    assert {month: after[month] for month in before} == before  # what was committed was not written again


def test_hdfs_loses_a_datanode_and_its_namenode_restarts(
    cluster: Cluster, flattening: Flattening, embedded: Path, tmp_path: Path
) -> None:
    flattening.until_at_work()
    assert cluster.inside("datanode-2", "kill", "DataNode")["killed"]
    flattening.until_at_work()
    cluster.compose("restart", "namenode")
    healthy(cluster, "namenode", "datanode-2")
    ends_well(flattening, embedded, tmp_path)


def test_airflow_stops_and_its_drivers_go_on(
    cluster: Cluster, flattening: Flattening, embedded: Path, tmp_path: Path
) -> None:
    known = set(flattening.drivers())
    flattening.until_at_work()
    cluster.compose("stop", "airflow-scheduler")
    time.sleep(10)
    cluster.compose("start", "airflow-scheduler")
    assert cluster.inside("airflow-triggerer", "kill", "airflow", "triggerer")["killed"]
    healthy(cluster, "airflow-scheduler", "airflow-triggerer")
    running = flattening.until_at_work()["driver"]
    waited = flattening.until_waiting()
    cluster.compose("restart", *AIRFLOW)
    healthy(cluster, *AIRFLOW)
    ends_well(flattening, embedded, tmp_path)
    assert waited.items() <= flattening.followed().items()  # the same drivers as before Airflow started again
    drivers = {driver: known_as for driver, known_as in flattening.drivers().items() if driver not in known}
    assert drivers[running]["state"] == "FINISHED"
    assert {task.attempt for task in flattening.slices()} == {1}
    assert len(drivers) == len(flattening.slices()) + 2  # and scan and gate: none was submitted twice


def test_a_killed_task_ends_its_driver_and_a_second_run_waits(cluster: Cluster, flattening: Flattening) -> None:
    airflow, runs = flattening.airflow, f"/dags/{FLATTEN}/dagRuns"
    second = airflow.trigger(FLATTEN, flattening.conf)
    flattening.until_at_work()
    assert airflow.run_state(FLATTEN, second) == "queued"
    index, told = next(iter(flattening.waiting().items()))
    task = f"{runs}/{quote(flattening.run)}/taskInstances/flatten/{index}"
    airflow.call(task, "PATCH", {"new_state": "failed"})  # as the button on its page
    eventually(lambda: flattening.drivers()[told["driver"]]["state"] == "KILLED", "its driver is killed", seconds=30)
    for run in (second, flattening.run):
        airflow.call(f"{runs}/{quote(run)}", "PATCH", {"state": "failed"})
    eventually(lambda: "RUNNING" not in {known["state"] for known in flattening.drivers().values()}, "all are ended")
