"""The schedule of one Spark driver as discrete events: tasks of stages of jobs on cores, and a node that is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count

Stages = list[list[float]]


@dataclass(frozen=True)
class Loss:
    """A node that is lost for good, `at` seconds after the start."""

    at: float
    node: int


@dataclass(frozen=True)
class Ran:
    """Seconds: the end of each job, what cores worked in all, and how much of that was lost or done again."""

    ends: list[float]
    busy: float
    redone: float


@dataclass
class _Job:
    """A job under way: by stage, seconds of the tasks not started, how many have not ended, and ended on the node."""

    pending: Stages
    left: list[int]
    ended_there: Stages
    stage: int = 0


@dataclass
class _State:
    jobs: list[_Job]
    idle: list[int]  # the node of each idle core
    now: float = 0.0
    running: list[tuple[float, int, int, int, int, float]] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    busy: float = 0.0
    redone: float = 0.0


def run_driver(jobs: Sequence[Stages], cores: Sequence[int], loss: Loss | None = None) -> Ran:
    """Run the jobs of one driver; `jobs` are seconds of tasks by stage, `cores` the node of each core.

    As Spark's FIFO scheduler: a free core takes a task of the first job that has one, a stage starts when the stage
    before it has ended, and no task is started twice (no speculation). When a node is lost, its running tasks are done
    again, and so are its ended tasks of the stages whose output is still needed; the last stage's output is kept.
    Raises ValueError when there is work and no core left.
    """
    state = _State([_job(stages) for stages in jobs], list(cores), ends=[0.0] * len(jobs))
    for number in range(len(jobs)):
        _advance(state, number)
    sequence = count()
    while state.ready or state.running:
        _start_tasks(state, sequence)
        if not state.running:
            raise ValueError("There is work and no core left.")
        if loss is not None and loss.at < state.running[0][0]:
            _lose(state, loss)
            loss = None
        else:
            _end_task(state, loss)
    return Ran(state.ends, state.busy, state.redone)


def _job(stages: Stages) -> _Job:
    pending = [list(reversed(tasks)) for tasks in stages]
    return _Job(pending, [len(tasks) for tasks in stages], [[] for _ in stages])


def _start_tasks(state: _State, sequence: "count[int]") -> None:
    while state.idle and state.ready:
        number = state.ready[0]
        job = state.jobs[number]
        pending = job.pending[job.stage]
        seconds, node = pending.pop(), state.idle.pop()
        heappush(state.running, (state.now + seconds, next(sequence), node, number, job.stage, seconds))
        if not pending:
            heappop(state.ready)


def _end_task(state: _State, loss: Loss | None) -> None:
    state.now, _, node, number, stage, seconds = heappop(state.running)
    state.idle.append(node)
    state.busy += seconds
    job = state.jobs[number]
    job.left[stage] -= 1
    if loss is not None and node == loss.node:
        job.ended_there[stage].append(seconds)
    if job.left[stage] == 0 and stage == job.stage:
        _advance(state, number)


def _advance(state: _State, number: int) -> None:
    """Go to the next stage of a job that has tasks left; the job ends when there is none."""
    job = state.jobs[number]
    while job.stage < len(job.left) and job.left[job.stage] == 0:
        job.stage += 1
    if job.stage == len(job.left):
        state.ends[number] = state.now
    elif job.pending[job.stage]:
        heappush(state.ready, number)


def _lose(state: _State, loss: Loss) -> None:
    state.now = loss.at
    state.idle = [node for node in state.idle if node != loss.node]
    gone = [task for task in state.running if task[2] == loss.node]
    state.running = [task for task in state.running if task[2] != loss.node]
    heapify(state.running)
    for end, _, _, number, stage, seconds in gone:
        state.jobs[number].pending[stage].append(seconds)
        worked = seconds - (end - loss.at)
        state.busy += worked
        state.redone += worked
    for job in state.jobs:
        state.redone += _recompute(job)
    state.ready = [number for number, job in enumerate(state.jobs) if _has_pending(job)]


def _recompute(job: _Job) -> float:
    """Give a job back the tasks whose shuffle output was lost, if a task is still to read it; their seconds."""
    if not _has_pending(job):
        return 0.0
    again = 0.0
    for stage in range(job.stage):
        lost = job.ended_there[stage]
        job.pending[stage] += lost
        job.left[stage] += len(lost)
        again += sum(lost)
    job.stage = next(stage for stage, left in enumerate(job.left) if left)
    return again


def _has_pending(job: _Job) -> bool:
    return job.stage < len(job.left) and bool(job.pending[job.stage])
