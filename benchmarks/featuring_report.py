"""Runs of the featuring benchmark -> what its result file says."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.featuring_agreement import Counts, agreement
from benchmarks.featuring_data import YEARS, FlatInput
from benchmarks.measure import Measured
from benchmarks.results import commit, machine
from parcours.events.extractors import extractors

PEER = "scalpel_featuring"
ALL = "all_extractors"
STUDY = "fall"
PUBLISHED = {
    "scalpel3_mb_per_second_per_core": 21,
    "source": (
        "arXiv 1910.07045v1, abstract: roughly 15 TB of data of 14.5 million patients in less than 49 minutes on 15"
        " nodes; 240 cores by the slides of S. Gaïffas (Rennes). Whether the 15 TB are raw or flat is not said."
    ),
}


@dataclass(frozen=True)
class Run:
    """One run: the measures, the load of the machine before it, Spark programs and shuffled bytes, what it counted.

    `after_start` are the seconds after the start of Spark, where the program tells them itself.
    """

    measured: Measured
    load: float
    applications: int
    shuffled: int
    counts: Counts
    after_start: float | None = None


def report(
    inputs: Mapping[int, FlatInput],
    compared: Mapping[str, list[Run]],
    every: list[Run],
    starts: list[Run],
    scaled: Mapping[int, list[Run]],
    cores: int,
) -> dict[str, Any]:
    """The result file, of medians.

    `inputs` and `scaled` are by factor, and the largest factor is the compared size; `every` are runs of all extractors
    and `starts` of a Spark program that does nothing, none where ours starts no Spark.
    """
    given, ours, peer = inputs[max(inputs)], compared["parcours"], compared[PEER]
    runs_of = {**compared, ALL: every, "spark_start": starts}
    startup = _median(starts, lambda run: run.measured.seconds) if starts else None
    seconds = {name: _median(runs, lambda run: run.measured.seconds) for name, runs in compared.items()}
    without = {name: _median(runs, lambda run: _after_start(run, startup)) for name, runs in compared.items()}
    return {
        "name": "featuring",
        "machine": machine(),
        "commit": commit(),
        "runs": len(ours),
        "cores_used": cores,
        "input": _input(given),
        "seconds": seconds,
        "seconds_without_start": without,
        "startup_seconds": startup,
        "peak_mb": _each(compared, lambda run: run.measured.peak_mb),
        "peak_process_mb": _each(compared, lambda run: run.measured.peak_process_mb),
        "ratio": {PEER: round(seconds[PEER] / seconds["parcours"], 3)},
        "ratio_without_start": {PEER: round(without[PEER] / without["parcours"], 3)},
        "flat_mb_per_s_per_core": _rates(given.flat_bytes / 1e6, seconds, cores),
        "raw_mb_per_s_per_core": _rates(given.raw_bytes / 1e6, seconds, cores),
        "persons_per_s_per_core": _rates(given.persons, seconds, cores),
        "published": PUBLISHED,
        "shuffle_bytes": _each(compared, lambda run: run.shuffled),
        "shuffle_note": None if ours[-1].applications else "parcours ran no Spark application: it shuffles nothing",
        "all_extractors": _all_extractors(given, every),
        "agreement": agreement(ours[-1].counts, peer[-1].counts, PEER),
        "scaling": [_scale(factor, inputs[factor], runs, startup, cores) for factor, runs in sorted(scaled.items())],
        "all_runs": {name: [_run(run) for run in runs] for name, runs in runs_of.items()},
    }


def _all_extractors(given: FlatInput, runs: list[Run]) -> dict[str, Any]:
    """Those of the products that the input holds."""
    there = sorted(name for name, one in extractors().items() if one.product in {*given.rows, "IR_IMB_R"})
    seconds = _median(runs, lambda run: run.measured.seconds)
    return {"seconds": seconds, "extractors": len(there), "of": len(extractors()), "categories": there}


def _input(given: FlatInput) -> dict[str, Any]:
    return {
        "study": STUDY,
        "persons": given.persons,
        "years": list(YEARS),
        "rows": given.total_rows,
        "rows_by_product": given.rows,
        "flat_mb": round(given.flat_bytes / 1e6, 1),
        "raw_mb": round(given.raw_bytes / 1e6, 1),
    }


def _scale(factor: int, given: FlatInput, runs: list[Run], startup: float | None, cores: int) -> dict[str, Any]:
    seconds = _median(runs, lambda run: run.measured.seconds)
    without = _median(runs, lambda run: _after_start(run, startup))
    return {
        "factor": factor,
        "persons": given.persons,
        "flat_mb": round(given.flat_bytes / 1e6, 1),
        "seconds": seconds,
        "seconds_without_start": without,
        "seconds_per_person": round(seconds / given.persons, 6),
        "seconds_per_person_without_start": round(without / given.persons, 6),
        "peak_mb": _median(runs, lambda run: run.measured.peak_mb),
        "peak_process_mb": _median(runs, lambda run: run.measured.peak_process_mb),
        "flat_mb_per_s_per_core": round(given.flat_bytes / 1e6 / seconds / cores, 2),
        "runs": len(runs),
        "all_runs": [_run(run) for run in runs],
    }


def _after_start(run: Run, startup: float | None) -> float:
    """Seconds without the start of Spark: as the program tells, else less what every Spark program pays."""
    if run.after_start is not None:
        return run.after_start
    return run.measured.seconds - (startup or 0) if run.applications else run.measured.seconds


def _median(runs: list[Run], of: Callable[[Run], float]) -> float:
    return round(median(of(run) for run in runs), 3)


def _each(compared: Mapping[str, list[Run]], of: Callable[[Run], float]) -> dict[str, float]:
    return {name: _median(runs, of) for name, runs in compared.items()}


def _rates(amount: float, seconds: Mapping[str, float], cores: int) -> dict[str, float]:
    return {name: round(amount / value / cores, 2) for name, value in seconds.items()}


def _run(run: Run) -> dict[str, Any]:
    told = {} if run.after_start is None else {"seconds_after_start": round(run.after_start, 3)}
    return {**asdict(run.measured), **told, "shuffle_bytes": run.shuffled, "load_before": round(run.load, 2)}
