"""Programs of the inference benchmark as processes of their own: ours and the peer in turn, and the national study."""

import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inference_data import national_file
from benchmarks.inference_objective import Cases, objective, read_cases
from benchmarks.measure import Measured, measure, usable_cores
from benchmarks.peers.tick_sccs.environment import interpreter
from benchmarks.results import HOME
from parcours.errors import ParcoursError

PEER = "tick"
DAYS, LAGS = 750, 50  # of the cases that the peer draws; LAGS is the number of coefficients of a medicine
NEAR = 1e-6  # most by which one's objective may exceed the other's
ROUNDING = 1e-12
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6)  # of ours, from the default on
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
NATIONAL_CORES = 2


@dataclass(frozen=True)
class Run:
    """One run: measures of the process, what the program told (seconds of its work among it), load before it."""

    measured: Measured
    told: dict[str, Any]
    load: float


@dataclass(frozen=True)
class Task:
    """What both programs do: "fit", or "intervals" for fit, refit and bootstrap; penalties as Parcours takes them."""

    name: str
    cases: int
    bootstraps: int
    tv: float
    group: float


@dataclass(frozen=True)
class Comparison:
    """Runs of one task by program; `search` tells where the peer may stop, and how low it gets in the end."""

    task: Task
    cases: Cases
    runs: Mapping[str, list[Run]]
    search: dict[str, Any]
    objectives: dict[str, float]


def compare(task: Task, runs: int, work: Path) -> Comparison:
    """Ours and the peer in turn, `runs` times, on the same cases; each round begins with the other one.

    Before it, untimed, the peer's stopping rule is searched that makes it as good as ours, and no better. Raises
    ParcoursError when one objective exceeds the other by more than `NEAR`.
    """
    data = _drawn(task.cases, work)
    given = {**asdict(task), "data": str(data), "lags": LAGS}
    held, search = read_cases(data), _search(data, given, work)
    given |= {"stopping": search["stopping"], "tolerance": search["tolerance"]}
    done: dict[str, list[Run]] = defaultdict(list)
    names = ["parcours", PEER]
    for turn in range(runs):
        for name in names[:: 1 if turn % 2 == 0 else -1]:
            done[name].append(_run_one(name, given, work))
            _tell(f"{task.name}, {task.cases} cases, {name}", done[name][-1])
    return Comparison(task, held, done, search, _agreed(task, held, done, search))


def run_national(cases: int, drugs: int, bootstraps: int, work: Path) -> Run:
    """The study of that many cases, once.

    Raises ParcoursError when it fails.
    """
    given = {"data": str(national_file(work, cases, drugs)), "bootstraps": bootstraps, "threads": NATIONAL_CORES}
    command = [sys.executable, "-m", "benchmarks.peers.parcours_national"]
    done = _run(command, given, _ours(), NATIONAL_CORES, work)
    _tell(f"national, {cases} cases", done)
    return done


def _search(data: Path, given: dict[str, Any], work: Path) -> dict[str, Any]:
    """Where the two may stop, each with the loosest rule that makes it as good as the other; both are run untimed.

    Raises ParcoursError when the peer never gets as low as ours, or ours as low as the peer, by more than `NEAR`.
    """
    for tolerance in TOLERANCES:
        found = _search_at(data, {**given, "name": "fit", "tolerance": tolerance}, work)
        if found["ours"] <= found["objective_converged"] + NEAR + ROUNDING:
            sys.stderr.write(f"{PEER} is as good as parcours after {found['stopping']['max_iter']} epochs\n")
            return {**found, "tolerance": tolerance}
    raise ParcoursError(f"Parcours gets to {found['ours']:.9f} and {PEER} to {found['objective_converged']:.9f}.")


def _search_at(data: Path, fit: dict[str, Any], work: Path) -> dict[str, Any]:
    """The peer's stopping rule that gets within `NEAR` of ours with this tolerance, and how low the peer gets."""
    curves = _run_one("parcours", fit, work).told["coefficients"]
    ours = objective(read_cases(data), np.array(curves), fit["tv"], fit["group"])
    command = [str(interpreter(work / PEER)), "-m", "benchmarks.peers.tick_sccs.search"]
    found = _run(command, {**fit, "target": ours + NEAR}, _peers(), 1, work).told
    if "stopping" not in found:
        raise ParcoursError(f"{PEER} gets to {found['objective_converged']:.9f} and never to {ours:.9f} of Parcours.")
    return {**found, "ours": ours}


def _run_one(name: str, given: dict[str, Any], work: Path) -> Run:
    if name == PEER:
        return _run([str(interpreter(work / PEER)), "-m", "benchmarks.peers.tick_sccs.fit"], given, _peers(), 1, work)
    command = [sys.executable, "-m", "benchmarks.peers.parcours_inference"]
    return _run(command, given, {**_ours(), **ONE_THREAD}, 1, work)


def _run(command: list[str], given: dict[str, Any], variables: dict[str, str], cores: int, work: Path) -> Run:
    """Run a program that reads its settings from a file and writes what it found to another."""
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings, out, log = folder / "settings.json", folder / "found.json", work / f"{command[2].split('.')[-1]}.log"
    settings.write_text(json.dumps(given), "utf-8")
    load = os.getloadavg()[0]
    measured = measure([*command, str(settings), str(out)], variables, log, usable_cores(cores))
    told = json.loads(out.read_text("utf-8"))
    shutil.rmtree(folder)
    return Run(measured, told, load)


def _drawn(cases: int, work: Path) -> Path:
    """Cases of the peer's simulator, drawn once and kept."""
    path = work / f"simulated-{cases}-{DAYS}-{LAGS}.npz"
    if not path.is_file():
        sys.stderr.write(f"{PEER} draws {cases} cases\n")
        command = [str(interpreter(work / PEER)), "-m", "benchmarks.peers.tick_sccs.simulate"]
        sizes = [str(cases), str(DAYS), str(LAGS), str(path)]
        measure([*command, *sizes], _peers(), work / "simulate.log", usable_cores(1))
    return path


def _agreed(task: Task, cases: Cases, done: Mapping[str, list[Run]], search: dict[str, Any]) -> dict[str, float]:
    """Objective of each by the function of this benchmark, from the curves of the last run.

    The peer tells no penalised curves after a bootstrap: its fit is then that of the search, which took the same way.
    """
    ours, last = _objective(task, cases, done["parcours"][-1]), done[PEER][-1]
    peer = _objective(task, cases, last) if last.told["coefficients"] else search["objective"]
    if abs(ours - peer) > NEAR + ROUNDING:
        raise ParcoursError(f"The objectives differ by more than {NEAR}: {ours:.9f} of Parcours, {peer:.9f} of {PEER}.")
    return {"parcours": ours, PEER: peer, f"{PEER}_converged": search["objective_converged"]}


def _objective(task: Task, cases: Cases, run: Run) -> float:
    return objective(cases, np.array(run.told["coefficients"]), task.tv, task.group)


def _peers() -> dict[str, str]:
    """The peer's environment holds no part of this project but the checkout's benchmarks."""
    return {"PYTHONPATH": str(HOME), **ONE_THREAD}


def _ours() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(HOME), str(HOME / "src")])}


def _tell(what: str, done: Run) -> None:
    sys.stderr.write(f"{what}: {done.told['seconds']:.2f} s, {done.told['peak_mb']:.0f} MB\n")
