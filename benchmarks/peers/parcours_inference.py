"""Ours: fit ConvSCCS once to the cases that the peer's simulator drew, and tell how long it took."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inference_objective import Cases, read_cases
from benchmarks.peers.stopwatch import peak_mb, timed
from parcours.models import CaseSeries, ConvSCCS

SEED = 42
WARM_CASES = 20
FIRST_DRUG = 10  # names of two digits each, whose order is that of the numbers

Columns = dict[str, np.ndarray]
Tables = tuple[Columns, Columns, Columns]
Steps = dict[str, dict[str, float]]


def native(cases: Cases, number: int) -> Tables:
    """The first `number` cases as columns of persons, events and exposures."""
    person, held = np.arange(number), slice(np.searchsorted(cases.exposure_case, number))
    observed = {"person_id": person, "start": np.zeros_like(person), "end": np.full_like(person, cases.days - 1)}
    exposures = {
        "person_id": cases.exposure_case[held],
        "drug": cases.exposure_drug[held] + FIRST_DRUG,
        "start": cases.exposure_day[held],
    }
    return observed, {"person_id": person, "day": cases.event_day[:number]}, exposures


def fit(tables: Tables, given: dict[str, Any], steps: Steps) -> ConvSCCS:
    """From tables to the penalised fit."""
    settings = {name: given[name] for name in ("tv", "group", "tolerance")}
    with timed() as steps["fit"]:
        return ConvSCCS(lags=given["lags"] - 1, bucket=1, **settings).fit(CaseSeries(*tables))


def fit_with_intervals(tables: Tables, given: dict[str, Any], steps: Steps) -> ConvSCCS:
    """The penalised fit, the refit on its structure, and the bootstrap with its tests."""
    model = fit(tables, given, steps)
    with timed() as steps["refit"]:
        model.refit()
    with timed() as steps["bootstrap"]:
        return model.bootstrap(given["bootstraps"], seed=SEED, threads=1)


TASKS: dict[str, Callable[[Tables, dict[str, Any], Steps], ConvSCCS]] = {"fit": fit, "intervals": fit_with_intervals}


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Warm up (numba compiles then), fit, and return seconds, memory and the penalised curves."""
    cases, task, steps = read_cases(Path(given["data"])), TASKS[given["name"]], Steps()
    task(native(cases, min(WARM_CASES, cases.n_cases)), {**given, "bootstraps": 2}, Steps())
    start_mb = peak_mb()
    tables = native(cases, cases.n_cases)
    with timed() as clock:
        model = task(tables, given, steps)
    if model.coef_.shape != cases.truth.shape:  # a drug that nobody takes is in no table
        raise SystemExit("Not all drugs are taken by somebody; draw more cases.")
    return {**clock, "start_mb": start_mb, "peak_mb": peak_mb(), "coefficients": model.coef_.tolist(), "steps": steps}


def main(settings: str, out: str) -> None:
    """Read the settings, write what was found, both as JSON."""
    Path(out).write_text(json.dumps(run(json.loads(Path(settings).read_text("utf-8")))), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
