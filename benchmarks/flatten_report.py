"""Runs of the flattening benchmark -> what its result file says."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.flatten_data import Input
from benchmarks.measure import Measured
from benchmarks.results import commit, machine

COMPARED = 4  # the factor at which the peers run too
# 32 TB of raw files in 2 to 3 days on 20 nodes, which have 16 cores each: 0.4 to 0.6 MB/s.
TALK_MB_PER_S_PER_CORE = 0.5


@dataclass(frozen=True)
class Run:
    """One run of one peer: the measures, the machine's load before it, a digest of its rows, Spark's stages."""

    measured: Measured
    load: float
    digest: dict[str, int]
    stages: list[dict[str, Any]]


def report(
    inputs: dict[int, Input],
    compared: dict[str, list[Run]],
    starts: list[Run],
    scaled: dict[int, list[Run]],
    cores: int,
) -> dict[str, Any]:
    """The result file, of medians; `inputs` and `scaled` are by factor, `compared` is by peer."""
    given = inputs[COMPARED]
    seconds = {name: _median(runs, lambda m: m.seconds) for name, runs in compared.items()}
    startup = _median(starts, lambda m: m.seconds)
    scaling = [_scale(factor, inputs[factor], runs, startup, cores) for factor, runs in scaled.items()]
    return {
        "name": "flatten",
        "machine": machine(),
        "commit": commit(),
        "runs": len(compared["parcours"]),
        "cores_used": cores,
        "input": _input(given) | {"flat_rows": compared["parcours"][0].digest["rows"]},
        "seconds": seconds,
        "peak_mb": {name: _median(runs, lambda m: m.peak_mb) for name, runs in compared.items()},
        "ratio": {name: round(value / seconds["parcours"], 3) for name, value in seconds.items() if name != "parcours"},
        "raw_mb_per_s_per_core": {
            **{name: _per_core(given.raw_bytes / 1e6, value, cores) for name, value in seconds.items()},
            "talk": TALK_MB_PER_S_PER_CORE,
        },
        "rows_per_s_per_core": {name: _per_core(given.total_rows, value, cores) for name, value in seconds.items()},
        "startup_seconds": startup,
        "scaling": scaling,
        "growth": _growth(scaling),
        "all_runs": {name: [_run(run) for run in runs] for name, runs in {**compared, "spark_start": starts}.items()},
        "parcours_stages": compared["parcours"][-1].stages,
    }


def _input(given: Input) -> dict[str, Any]:
    return {
        "rows": given.total_rows,
        "raw_mb": round(given.raw_bytes / 1e6, 1),
        "persons": given.persons,
        "flux_months": given.periods,
        "rows_by_table": given.rows,
        "columns": given.columns,
    }


def _scale(factor: int, given: Input, runs: list[Run], startup: float, cores: int) -> dict[str, Any]:
    seconds, millions = _median(runs, lambda m: m.seconds), given.total_rows / 1e6
    return {
        "factor": factor,
        "seconds": seconds,
        "peak_mb": _median(runs, lambda m: m.peak_mb),
        "peak_process_mb": _median(runs, lambda m: m.peak_process_mb),
        "raw_rows": given.total_rows,
        "raw_mb": round(given.raw_bytes / 1e6, 1),
        "seconds_per_million_rows": round(seconds / millions, 3),
        "seconds_per_million_rows_after_startup": round((seconds - startup) / millions, 3),
        "raw_mb_per_s_per_core": _per_core(given.raw_bytes / 1e6, seconds, cores),
        "runs": len(runs),
        "all_runs": [_run(run) for run in runs],
    }


def _growth(scaling: list[dict[str, Any]]) -> dict[str, float | None]:
    """Seconds per row: the largest of all sizes, relative to the smallest size (0.1 = 10 % more).

    None when the smallest took no longer than the start of Spark: it is too small to compare with.
    """
    names = ("seconds_per_million_rows", "seconds_per_million_rows_after_startup")
    return {
        name: round(max(entry[name] for entry in scaling) / scaling[0][name] - 1, 3) if scaling[0][name] > 0 else None
        for name in names
    }


def _median(runs: list[Run], of: Callable[[Measured], float]) -> float:
    return round(median(of(run.measured) for run in runs), 3)


def _per_core(amount: float, seconds: float, cores: int) -> float:
    return round(amount / seconds / cores, 2)


def _run(run: Run) -> dict[str, float]:
    return {**asdict(run.measured), "load_before": round(run.load, 2)}
