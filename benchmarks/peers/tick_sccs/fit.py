"""Fit tick's ConvSCCS once and tell how long it took; runs in the environment of tick."""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from tick.survival import ConvSCCS

from benchmarks.inference_objective import Cases, read_cases
from benchmarks.peers.stopwatch import peak_mb, timed

LIBRARIES = ("tick", "numpy", "scipy", "scikit-learn")
SEED = 42
WARM_CASES, WARM_EPOCHS = 20, 2

Data = tuple[list[csr_matrix], list[np.ndarray], np.ndarray]


def native(cases: Cases, number: int) -> Data:
    """The first `number` cases as tick takes them: exposures and event as (days, drugs) and (days,), end of each."""
    shape = (cases.days, len(cases.truth))
    ptr = np.searchsorted(cases.exposure_case, np.arange(number + 1))
    features = [
        csr_matrix((np.ones(len(days)), (days, drugs)), shape=shape)
        for days, drugs in (
            (cases.exposure_day[first:last], cases.exposure_drug[first:last]) for first, last in pairwise(ptr)
        )
    ]
    labels = [np.zeros(cases.days, dtype="int32") for _ in range(number)]
    for label, day in zip(labels, cases.event_day, strict=False):
        label[day] = 1
    return features, labels, np.full(number, cases.days, dtype="uint64")


def learner(cases: Cases, given: dict[str, Any], **settings: Any) -> ConvSCCS:
    """An estimator with the penalties of `given`: tick takes their inverses, as floats."""
    drugs, lags = cases.truth.shape
    return ConvSCCS(
        n_lags=np.repeat(lags - 1, drugs).astype("uint64"),
        penalized_features=np.arange(drugs),
        C_tv=1 / given["tv"],
        C_group_l1=1 / given["group"],
        random_state=SEED,
        **settings,
    )


def fit(model: ConvSCCS, data: Data, given: dict[str, Any]) -> None:
    """The penalised fit."""
    model.fit(*data)


def fit_with_intervals(model: ConvSCCS, data: Data, given: dict[str, Any]) -> None:
    """The penalised fit, the refit on its structure, and the bootstrap."""
    model.fit(*data, confidence_intervals=True, n_samples_bootstrap=given["bootstraps"])


TASKS: dict[str, Callable[[ConvSCCS, Data, dict[str, Any]], None]] = {"fit": fit, "intervals": fit_with_intervals}


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Warm up, fit, and return seconds, memory and curves.

    After the bootstrap tick's `coeffs` are the last replicate, so that no curves are told then.
    """
    cases, task = read_cases(Path(given["data"])), TASKS[given["name"]]
    warm = learner(cases, given, max_iter=WARM_EPOCHS)
    task(warm, native(cases, min(WARM_CASES, cases.n_cases)), {**given, "bootstraps": 2})
    start_mb = peak_mb()
    data, stopping = native(cases, cases.n_cases), {name: given["stopping"][name] for name in ("tol", "max_iter")}
    with timed() as clock:
        model = learner(cases, given, **stopping)
        task(model, data, given)
    curves = np.stack(model.coeffs).tolist() if given["name"] == "fit" else None
    versions = {name: version(name) for name in LIBRARIES}
    return {**clock, "start_mb": start_mb, "peak_mb": peak_mb(), "coefficients": curves, "versions": versions}


def main(settings: str, out: str) -> None:
    """Read the settings, write what was found, both as JSON."""
    Path(out).write_text(json.dumps(run(json.loads(Path(settings).read_text("utf-8")))), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
