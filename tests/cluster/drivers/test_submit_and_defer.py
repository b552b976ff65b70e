"""Submit and defer on a real standalone cluster: a driver outlives Airflow, ends with its task, is never doubled."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from standalone_cluster import TOKEN_SECONDS, Run, Stack
from waiting import eventually

from parcours.embedded.airflow_api import Airflow

pytestmark = [pytest.mark.cluster, pytest.mark.spark, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Airflow:
    return stack.start_airflow()


@pytest.fixture
def pool_of_one(airflow: Airflow) -> Iterator[None]:
    """The default pool with one place, deferred tasks counted."""
    path = "/pools/default_pool?update_mask=slots&update_mask=include_deferred"
    airflow.call(path, "PATCH", {"pool": "default_pool", "slots": 1, "include_deferred": True})
    yield
    airflow.call(path, "PATCH", {"pool": "default_pool", "slots": 128, "include_deferred": False})


def processes_of(run: Run) -> list[psutil.Process]:
    """The driver's Python and the Java process that started it."""
    python = psutil.Process(int(run.diary("START")[-1].split()[1]))
    java = python.parent()
    assert java is not None and "java" in java.name()
    return [python, java]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def ended(stack: Stack, driver: str, processes: list[psutil.Process]) -> bool:
    return stack.driver_state(driver) == "KILLED" and not alive(processes)


def test_a_task_waits_without_a_worker_tells_its_progress_and_ends_with_the_summary(
    stack: Stack, airflow: Airflow, tmp_path: Path
) -> None:
    run = Run(airflow, tmp_path, steps=12)
    driver = run.running_driver()
    told = eventually(lambda: (p := run.xcom("progress")) and p.get("total") and p, "progress is told while it runs")
    assert (told["total"], told["driver"], told["state"]) == (12, driver, "RUNNING")
    assert told["eta_seconds"] >= 0
    run.until("success")
    start, end = run.diary()
    assert (start.split()[2], end.split()[1]) == (driver, start.split()[1])
    assert run.xcom("return_value") == {"status": "done", "steps": 12}
    assert run.stored("progress") == {"done": 12, "total": 12, "label": "step 12", "eta_seconds": 0}
    application = airflow.links("steps", run.id, run.task())["Spark"].split("/history/")[1].split("/")[0]
    assert application.startswith("app-")
    assert (stack.layout.spark_events / f"eventlog_v2_{application}").exists()


def test_clear_of_a_succeeded_task_runs_only_what_changed(stack: Stack, airflow: Airflow, tmp_path: Path) -> None:
    run = Run(airflow, tmp_path, steps=1)
    run.until("success")
    before = stack.drivers()
    run.clear()
    eventually(lambda: run.task().attempt == 2 and run.task().state == "success", "the cleared task is done")
    assert stack.drivers() == before
    assert run.stored("progress")["label"].startswith("Nothing to do")
    assert run.xcom("return_value") == {"status": "done", "steps": 1}
    (run.input / "new.csv").write_text("1")
    run.clear()
    eventually(lambda: run.task().attempt == 3 and run.task().state == "success", "the changed task is done")
    assert len(stack.drivers()) == len(before) + 1
    assert len(run.diary("END")) == 2


def test_a_refusal_fails_at_once_with_the_sentence_of_the_job(stack: Stack, airflow: Airflow, tmp_path: Path) -> None:
    run = Run(airflow, tmp_path, steps=1, ending="refused")
    task = run.until("failed", "up_for_retry")
    assert (task.state, task.attempt) == ("failed", 1)
    assert run.xcom("failure") == {"code": 1, "sentence": "The quality gate refused: 3 rows are doubled."}


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_waiting_task_ends_its_driver(stack: Stack, airflow: Airflow, tmp_path: Path, state: str) -> None:
    run = Run(airflow, tmp_path, steps=300)
    driver = run.running_driver()
    processes = processes_of(run)
    run.mark(state)
    eventually(lambda: ended(stack, driver, processes), "the driver has ended", seconds=30)
    assert run.task().state == state


def test_clearing_a_waiting_task_ends_its_driver_and_starts_another(
    stack: Stack, airflow: Airflow, tmp_path: Path
) -> None:
    run = Run(airflow, tmp_path, steps=300)
    driver = run.running_driver()
    processes = processes_of(run)
    run.clear()
    eventually(lambda: ended(stack, driver, processes), "the driver has ended", seconds=30)
    eventually(lambda: len(run.diary("START")) == 2, "the next driver runs")
    assert (run.task().state, run.task().attempt) == ("deferred", 2)
    run.mark("failed")


def test_a_driver_that_is_killed_is_submitted_once_more(stack: Stack, airflow: Airflow, tmp_path: Path) -> None:
    before = len(stack.drivers())
    run = Run(airflow, tmp_path, steps=10)
    run.running_driver()
    python, java = processes_of(run)
    os.kill(java.pid, signal.SIGKILL)
    eventually(lambda: not alive([python]), "the driver's Python ends with its Java process", seconds=15)
    run.until("success")
    assert (len(run.diary("START")), len(run.diary("END"))) == (2, 1)
    assert (len(stack.drivers()) - before, run.task().attempt) == (2, 2)


@pytest.mark.usefixtures("pool_of_one")
def test_a_pool_that_counts_deferred_tasks_bounds_the_drivers(stack: Stack, airflow: Airflow, tmp_path: Path) -> None:
    before = len(stack.drivers())
    first, second = (Run(airflow, tmp_path / name, steps=5) for name in ("first", "second"))
    first.until("deferred")
    second.until("scheduled")
    assert len(stack.drivers()) == before + 1
    first.until("success")
    second.until("success")
    assert len(stack.drivers()) == before + 2


def test_a_master_that_was_away_is_waited_for(stack: Stack, airflow: Airflow, tmp_path: Path) -> None:
    run = Run(airflow, tmp_path, steps=25)
    driver = run.running_driver()
    os.kill(stack.records["master"].pid, signal.SIGKILL)
    eventually(lambda: (p := run.xcom("progress")) and p["state"] is None, "nobody tells the state of the driver")
    stack.start_master()
    eventually(lambda: run.xcom("progress")["state"] == "RUNNING", "the master knows its driver again")
    run.until("success")
    assert (run.diary("START"), run.task().attempt) == ([run.diary()[0]], 1)
    assert stack.driver_state(driver) == "FINISHED"


def test_a_triggerer_that_lost_its_trigger_to_another_kills_no_driver(
    stack: Stack, airflow: Airflow, tmp_path: Path
) -> None:
    run = Run(airflow, tmp_path, steps=300)
    driver = run.running_driver()
    stack.start_second_triggerer()
    first = psutil.Process(stack.records["triggerer"].pid)
    logs = len(stack.trigger_logs())
    processes = [first, *first.children(recursive=True)]
    for process in processes:
        process.suspend()
    eventually(lambda: len(stack.trigger_logs()) > logs, "the second triggerer has taken over")
    for process in processes:
        process.resume()
    eventually(lambda: any("still waits for" in text and driver in text for text in stack.trigger_logs()), "it is told")
    assert (run.task().state, stack.driver_state(driver)) == ("deferred", "RUNNING")
    told = run.xcom("progress")
    eventually(lambda: run.xcom("progress") != told, "the second triggerer tells the progress")
    run.mark("failed")
    eventually(lambda: stack.driver_state(driver) == "KILLED", "the driver has ended", seconds=30)


def test_a_restart_of_airflow_finds_the_driver_again(stack: Stack, airflow: Airflow, tmp_path: Path) -> None:
    before = len(stack.drivers())
    # Longer than the life of a token, most of it while Airflow is away or anew.
    run = Run(airflow, tmp_path, steps=TOKEN_SECONDS + 40)
    driver = run.running_driver()
    stack.stop_airflow()
    time.sleep(5)
    run.airflow = stack.start_airflow()
    assert run.stored("driver")["id"] == driver
    run.until("success")
    assert (len(run.diary("START")), len(run.diary("END"))) == (1, 1)
    assert (len(stack.drivers()) - before, run.task().attempt) == (1, 1)
