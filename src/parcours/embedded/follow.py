"""A run followed from start to end: live on a terminal, plain lines elsewhere; always on stderr."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from parcours.embedded.airflow_api import Airflow, TaskState
from parcours.errors import GateRefused, InputError, ParcoursError, RetryableFault

POLL_SECONDS = 1.0
ERRORS: Mapping[int, type[ParcoursError]] = {1: GateRefused, 2: InputError}


class Follower:
    """Shows phases one after the other; `weights` are their usual seconds, from which the ETA is made."""

    def __init__(self, weights: Mapping[str, float], bar: Progress, live: bool) -> None:
        self.weights = weights
        self.bar = bar
        self.live = live
        self.started = time.monotonic()
        self.fractions = dict.fromkeys(weights, 0.0)
        self.task: TaskID = bar.add_task("", total=1.0, eta="")

    def say(self, text: str) -> None:
        """One line that stays, with the time since the start."""
        elapsed = time.monotonic() - self.started
        self.bar.console.print(f"{elapsed:5.0f} s  {text}", highlight=False, markup=False, soft_wrap=True)

    def update(self, phase: str, fraction: float, label: str) -> None:
        """Where the phase is, 0 to 1."""
        self.fractions[phase] = fraction
        done = sum(self.weights[name] * part for name, part in self.fractions.items()) / sum(self.weights.values())
        elapsed = time.monotonic() - self.started
        eta = f"about {elapsed / done * (1 - done):.0f} s left" if done > 0.02 else ""
        self.bar.update(self.task, completed=done, description=f"{phase}: {label}", eta=eta)

    def phase(self, name: str, outcome: str) -> None:
        """The phase is over."""
        self.update(name, 1.0, outcome)
        self.say(f"{name}: {outcome}")

    def run(self, airflow: Airflow, dag: str, run: str) -> list[TaskState]:
        """Follow a run to its end; its tasks.

        Raises the error of the task that failed: GateRefused, InputError, else RetryableFault.
        """
        settled: set[tuple[str, int]] = set()
        while True:
            state, tasks = airflow.run_state(dag, run), airflow.tasks(dag, run)
            for task in tasks:
                if task.ended and (task.task, task.map_index) not in settled:
                    settled.add((task.task, task.map_index))
                    self._settled(dag, task, sum(other.ended for other in tasks), len(tasks))
            self.update(dag, sum(task.ended for task in tasks) / max(1, len(tasks)), _running(tasks))
            if state in ("success", "failed"):
                break
            time.sleep(POLL_SECONDS)
        if state == "failed":
            raise failure(airflow, dag, run, tasks)
        return tasks

    def _settled(self, dag: str, task: TaskState, done: int, total: int) -> None:
        if task.state != "removed":
            self.say(f"{dag}  {_name(task)}: {task.state} ({done}/{total})")


@contextmanager
def follower(weights: Mapping[str, float]) -> Iterator[Follower]:
    """A follower on stderr; its bar is drawn on a terminal only."""
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[eta]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        yield Follower(weights, bar, console.is_terminal)


def failure(airflow: Airflow, dag: str, run: str, tasks: list[TaskState]) -> ParcoursError:
    """The error of the first task that failed, with its own sentence."""
    failed = next((task for task in tasks if task.state == "failed"), None)
    if failed is None:
        return RetryableFault(f"The run {run} of {dag} failed without a failed task; look at {airflow.url}.")
    noted = airflow.xcom(dag, run, failed, "failure")
    if noted and noted["code"] in ERRORS:
        return ERRORS[noted["code"]](noted["sentence"])
    tail = "\n".join(f"    {line}" for line in airflow.log_tail(dag, run, failed))
    return RetryableFault(f"{dag}: the task {_name(failed)} failed; its log ends:\n{tail}")


def _name(task: TaskState) -> str:
    return f"{task.task} {task.label}".strip()


def _running(tasks: list[TaskState]) -> str:
    names = [_name(task) for task in tasks if task.state == "running"]
    return ", ".join(names) or "waiting"
