"""Content of benchmarks/results/inference.json, from the runs of the benchmark."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np

from benchmarks.inference_data import DAYS as NATIONAL_DAYS
from benchmarks.inference_data import LAGS as NATIONAL_LAGS
from benchmarks.inference_runs import LAGS, NATIONAL_CORES, NEAR, PEER, Comparison, Run
from benchmarks.peers.parcours_national import SETTINGS
from benchmarks.results import commit, machine

LIBRARIES = ("numpy", "numba")
TIMED = (
    "Seconds from data in memory, as each library takes it (tables of persons, events and exposures; lists of sparse"
    " matrices), to the end of the fit. Start of the interpreter, imports, reading the data, and a first fit of 20"
    " cases, in which numba compiles, are not in it."
)


def report(fit: Comparison, intervals: Comparison, national: Mapping[int, Run], drugs: int) -> dict[str, Any]:
    """The result file, of medians; `national` holds one run by number of cases, none when it was left out."""
    smallest = min(national, default=1)
    return {
        "name": "inference",
        "machine": _machine(),
        "commit": commit(),
        "cores_used": 1,
        "timed": TIMED,
        **_comparison(fit),
        "intervals": {"bootstraps": intervals.task.bootstraps, **_comparison(intervals)},
        "national": _national(max(national), drugs, national[max(national)]) if national else None,
        "scaling": [_scale(cases, smallest, run) for cases, run in sorted(national.items())],
        "exponent": exponent({cases: run.told["seconds"] for cases, run in national.items()}),
    }


def exponent(seconds: Mapping[int, float]) -> float | None:
    """Slope of the log of seconds on the log of cases by least squares; none for fewer than two sizes."""
    if len(seconds) < 2:
        return None
    return round(float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0]), 3)


def _machine() -> dict[str, Any]:
    found = machine()
    return {**found, "versions": {**found["versions"], **{name: version(name) for name in LIBRARIES}}}


def _comparison(done: Comparison) -> dict[str, Any]:
    """Fields of one task; seconds, processor seconds and memory are medians by program."""
    seconds, processor = _each(done, lambda run: run.told["seconds"]), _each(done, lambda run: run.told["cpu_seconds"])
    return {
        "runs": len(done.runs["parcours"]),
        "input": _input(done),
        "seconds": seconds,
        "cpu_seconds": processor,
        "peak_mb": _each(done, lambda run: run.told["peak_mb"]),
        "start_mb": _each(done, lambda run: run.told["start_mb"]),
        "ratio": {PEER: round(seconds[PEER] / seconds["parcours"], 2)},
        "ratio_cpu": {PEER: round(processor[PEER] / processor["parcours"], 2)},
        "objective": done.objectives,
        "objective_tolerance": NEAR,
        "mean_absolute_error": _errors(done),
        "peer": {"versions": done.runs[PEER][-1].told["versions"], **done.search["stopping"]},
        "all_runs": {name: [_run(run) for run in runs] for name, runs in done.runs.items()},
    }


def _input(done: Comparison) -> dict[str, Any]:
    cases = done.cases
    return {
        "cases": cases.n_cases,
        "days": cases.days,
        "drugs": len(cases.truth),
        "lags": LAGS,
        "exposures": len(cases.exposure_day),
        "tv": done.task.tv,
        "group": done.task.group,
    }


def _errors(done: Comparison) -> dict[str, float]:
    """Mean distance of the penalised log relative incidences from those that the events were drawn from."""
    curves = {name: runs[-1].told["coefficients"] for name, runs in done.runs.items()}
    return {
        name: round(float(np.abs(np.array(found) - done.cases.truth).mean()), 5)
        for name, found in curves.items()
        if found
    }


def _each(done: Comparison, of: Callable[[Run], float]) -> dict[str, float]:
    return {name: round(median(of(run) for run in runs), 4) for name, runs in done.runs.items()}


def _national(cases: int, drugs: int, run: Run) -> dict[str, Any]:
    told = run.told
    return {
        "cases": cases,
        "drugs": drugs,
        "days": NATIONAL_DAYS,
        "lags": NATIONAL_LAGS,
        "exposures": told["exposures"],
        "cores_used": NATIONAL_CORES,
        "settings": SETTINGS,
        "points": told["points"],
        "chosen": told["chosen"],
        "seconds": round(told["seconds"], 2),
        "seconds_by_step": _steps(run),
        "cpu_seconds": round(told["cpu_seconds"], 2),
        "peak_mb": round(told["peak_mb"], 1),
        "flags": told["flags"],
        "run": _run(run),
    }


def _scale(cases: int, smallest: int, run: Run) -> dict[str, Any]:
    return {
        "factor": round(cases / smallest, 3),
        "cases": cases,
        "seconds": round(run.told["seconds"], 2),
        "seconds_by_step": _steps(run),
        "peak_mb": round(run.told["peak_mb"], 1),
    }


def _steps(run: Run) -> dict[str, float]:
    return {name: round(clock["seconds"], 3) for name, clock in run.told["steps"].items()}


def _run(run: Run) -> dict[str, Any]:
    """One run: what the program told, and the measures of its process from start to end."""
    told = {name: round(run.told[name], 4) for name in ("seconds", "cpu_seconds", "peak_mb")}
    steps = {"seconds_by_step": _steps(run)} if "steps" in run.told else {}
    return {**told, **steps, "process": asdict(run.measured), "load_before": round(run.load, 2)}
