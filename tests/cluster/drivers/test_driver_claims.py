"""A task's driver is found again whatever was lost, and never doubled: the plugin's functions on a real cluster."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from standalone_cluster import HERE, Stack
from waiting import eventually

from parcours.home import project_home
from parcours.storage.job_status import withdraw

pytestmark = [pytest.mark.cluster, pytest.mark.spark, pytest.mark.timeout(600)]


class Store(dict[str, Any]):
    """What a task keeps."""

    def set(self, key: str, value: Any, retention: Any = None) -> None:
        self[key] = value


class Task:
    """A task with its store, its diary and its input."""

    def __init__(self, stack: Stack, drivers: ModuleType, folder: Path) -> None:
        cluster, work = (importlib.import_module(f"parcours_airflow.{name}") for name in ("cluster", "work"))
        conf = {"spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.cores.max": "1"}
        extra = {"master": stack.master, "jobs": str(HERE / "jobs"), "conf": conf}
        self.cluster = cluster.read_cluster(stack.rest.removeprefix("http://"), None, extra)
        self.drivers, self.store = drivers, Store()
        self.status, self.diary_file, self.input = folder / "status.json", folder / "diary", folder / "input"
        self.input.mkdir()
        work.READS["steps"] = (("--input", "*"),)
        options = ("--steps", "200", "--diary", str(self.diary_file), "--input", str(self.input))
        self.work = work.Work("steps", "steps · 75 and over", options)

    def submit(self) -> Any:
        return self.drivers.start_driver(self.cluster, self.work, {}, self.store, str(self.status), lambda driver: None)

    def find(self) -> Any:
        return self.drivers.find_driver(self.cluster, self.work, self.store)

    def begun(self) -> list[str]:
        """Ids of the drivers whose job has begun."""
        lines = self.diary_file.read_text("utf-8").splitlines() if self.diary_file.is_file() else []
        return [line.split()[2] for line in lines]


@pytest.fixture
def task(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    # Airflow makes its home when it is imported.
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.syspath_prepend(project_home() / "plugins")
    made = Task(stack, importlib.import_module("parcours_airflow.drivers"), tmp_path)
    yield made
    for driver in stack.drivers():
        made.drivers.end_driver(made.cluster, driver)


def gone(stack: Stack, driver: str) -> Callable[[], bool]:
    return lambda: stack.driver_state(driver) not in ("SUBMITTED", "RUNNING")


def test_a_driver_whose_id_was_not_noted_is_found_by_its_status_file(task: Task) -> None:
    driver = task.submit().driver
    eventually(lambda: task.begun() == [driver], "the job has begun")
    task.store["driver"] = {**task.store["driver"], "id": ""}
    found = task.find()
    assert (found.driver, found.succeeded, task.store["driver"]["id"]) == (driver, False, driver)


def test_a_later_submission_ends_the_earlier_driver(stack: Stack, task: Task) -> None:
    first = task.submit().driver
    eventually(lambda: task.begun() == [first], "the first job has begun")
    second = task.submit().driver
    eventually(gone(stack, first), "the first driver has ended", seconds=30)
    eventually(lambda: task.begun() == [first, second], "the second job has begun")
    assert task.find().driver == second


def test_a_driver_of_other_inputs_is_ended(stack: Stack, task: Task) -> None:
    driver = task.submit().driver
    (task.input / "new.csv").write_text("1")
    assert task.find() is None
    assert stack.driver_state(driver) == "KILLED"


def test_a_driver_whose_submission_is_withdrawn_ends_without_a_master(stack: Stack, task: Task) -> None:
    found = task.submit()
    eventually(lambda: task.begun() == [found.driver], "the job has begun")
    withdraw(found.status, found.submission)
    eventually(gone(stack, found.driver), "the driver has ended by itself", seconds=30)
    assert stack.driver_state(found.driver) == "FAILED"
