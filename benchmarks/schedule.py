"""Expected hours of flattening a whole history on a cluster, simulated from the measured rates.

`python -m benchmarks.schedule` reads flatten.json and payloads.json and writes schedule.json in benchmarks/results;
docs/how-to/size-a-cluster.md says what goes in and what the numbers are worth. Nothing here is a measurement.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, commit, write_result
from benchmarks.schedule_events import Loss, Stages, run_driver
from benchmarks.schedule_work import (
    NO_STRAGGLERS,
    STAGE_SECONDS,
    History,
    Rates,
    Stragglers,
    claim_buckets,
    drawn,
    partitions_of,
    stage_bytes,
    stage_seconds,
)
from parcours.errors import InputError
from parcours.flatten.engine import TASK_BYTES
from parcours.stages.exit import exit_code_of

DRIVERS = (1, 2, 3, 4)
# What is left of the measured rate once network and disks carry the bytes: assumed, not measured.
RATE_FACTORS = (1.0, 0.5, 0.25)
NONE, SLOW, NODE, DRIVER = "none", "stragglers", "stragglers, a node lost", "stragglers, a driver lost"


@dataclass(frozen=True)
class Cluster:
    """Nodes and the cores of each that run tasks; seconds until a driver has its executors, and before a retry."""

    nodes: int = 20
    cores: int = 15
    start_seconds: float = 30.0
    retry_seconds: float = 30.0

    def shares(self, drivers: int) -> list[list[int]]:
        """The node of each core of each driver: all have as many cores, spread over the nodes."""
        each = self.nodes * self.cores // drivers
        return [[core % self.nodes for core in range(first * each, (first + 1) * each)] for first in range(drivers)]


@dataclass(frozen=True)
class Faults:
    """When, in seconds since the start of the history, node 0 is lost for good, and one driver; None for never."""

    node_at: float | None = None
    driver_at: float | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be done, on what, and how finely it is simulated (`bundle`: small tasks that count as one)."""

    cluster: Cluster
    history: History
    rates: Rates
    task_bytes: float = TASK_BYTES
    bundle: int = 2

    @property
    def ideal_seconds(self) -> float:
        """Bytes by cores and rate: no start, no end of a stage, no trouble."""
        return self.history.bytes / (self.cluster.nodes * self.cluster.cores * self.rates.shuffled)

    def jobs(self, periods: Iterable[float], cores: int, slow: Stragglers, random: np.random.Generator) -> list[Stages]:
        """The Spark jobs of one driver."""
        found = [stage_bytes(period, self.history, cores, self.task_bytes) for period in periods]
        return [drawn(stage_seconds(stages, self.rates), slow, self.bundle, random) for stages in found]


def history_seconds(plan: Plan, drivers: int, slow: Stragglers, faults: Faults, random: np.random.Generator) -> float:
    """Seconds until the last driver has ended, when `drivers` run side by side and the others wait in a queue."""
    shares = plan.cluster.shares(drivers)
    free = [(0.0, number) for number in range(drivers)]
    for periods in plan.history.drivers():
        began, number = heappop(free)
        jobs = plan.jobs(periods, len(shares[number]), slow, random)
        mine = faults if number == 0 else replace(faults, driver_at=None)
        heappush(free, (driver_end(plan.cluster, jobs, shares[number], began, mine), number))
    return max(end for end, _ in free)


def driver_end(cluster: Cluster, jobs: list[Stages], cores: list[int], began: float, faults: Faults) -> float:
    """When a driver that began then has ended; lost meanwhile, another one computes what was not committed."""
    start = began + cluster.start_seconds
    loss = None if faults.node_at is None else Loss(faults.node_at - start, 0)
    if loss is not None and loss.at < 0:
        cores, loss = [node for node in cores if node != loss.node], None
    ends = [start + end for end in run_driver(jobs, cores, loss).ends]
    if faults.driver_at is None or not began <= faults.driver_at < max(ends):
        return max(ends)
    left = [job for job, end in zip(jobs, ends, strict=True) if end > faults.driver_at]
    retried = faults.driver_at + cluster.retry_seconds
    return driver_end(cluster, left, cores, retried, replace(faults, driver_at=None))


def hours(plan: Plan, drivers: int, trouble: str, slow: Stragglers, seeds: int, at_hour: float | None) -> list[float]:
    """Hours of each seed; faults come at `at_hour`, or when None at any moment of the ideal time."""
    found = []
    for seed in range(1 if trouble == NONE else seeds):
        random = np.random.default_rng([seed, drivers])
        moment = random.uniform(0, plan.ideal_seconds) if at_hour is None else at_hour * 3600
        faults = Faults(moment if trouble == NODE else None, moment if trouble == DRIVER else None)
        stragglers = NO_STRAGGLERS if trouble == NONE else slow
        found.append(history_seconds(plan, drivers, stragglers, faults, random) / 3600)
    return found


def payload_factor(plan: Plan, payloads: dict[str, Any]) -> float:
    """What is left of the measured rate, of months with one claim bucket, when a month has as many as it will have.

    `payloads` is the content of payloads.json; between two measured numbers of buckets the cost is interpolated.
    """
    numbers = [entry["buckets"] for entry in payloads["payloads"]]
    seconds = [entry["pack_seconds"] + entry["unpack_seconds"] for entry in payloads["payloads"]]
    more = np.interp(claim_buckets(next(plan.history.drivers())[0]), numbers, seconds) - seconds[0]
    measured = payloads["input"]["task_bytes"] / plan.rates.shuffled
    return round(float(measured / (measured + max(more, 0.0))), 3)


def run(
    plan: Plan, slow: Stragglers, seeds: int, at_hour: float | None, measured: dict[str, Any], payloads: dict[str, Any]
) -> dict[str, Any]:
    """The content of the result file; `measured` is that of flatten.json, whose rates the plan has."""
    small = payload_factor(plan, payloads)
    rows = [
        _row(plan, factor, drivers, trouble, hours(_slower(plan, factor), drivers, trouble, slow, seeds, at_hour))
        for factor in (*RATE_FACTORS, small, small / 2)
        for drivers in DRIVERS
        for trouble in (NONE, SLOW, NODE, DRIVER)
        if (drivers == 2 and trouble in (NODE, DRIVER)) or (factor == 1.0 and trouble != DRIVER)
    ]
    return {
        "name": "schedule",
        "simulated": True,
        "commit": commit(),
        "runs": seeds,
        "measured": {name: measured[name] for name in ("commit", "machine", "cores_used", "raw_mb_per_s_per_core")},
        "input": {
            "cluster": asdict(plan.cluster),
            "history": asdict(plan.history) | {"shares": dict(plan.history.shares)},
            "stragglers": asdict(slow),
            "fault_hour": at_hour,
            "stage_seconds": STAGE_SECONDS.tolist(),
            "task_bytes": plan.task_bytes,
            "bundle": plan.bundle,
        },
        "payload_factor": small,
        "month": month_of_main_product(plan),
        "hours": rows,
    }


def _slower(plan: Plan, factor: float) -> Plan:
    return replace(plan, rates=plan.rates.times(factor))


def _row(plan: Plan, factor: float, drivers: int, trouble: str, found: list[float]) -> dict[str, Any]:
    ideal = _slower(plan, factor).ideal_seconds / 3600
    median, most = (round(float(np.quantile(found, part)), 2) for part in (0.5, 0.95))
    return {
        "rate_factor": round(factor, 4),
        "drivers": drivers,
        "trouble": trouble,
        "ideal": round(ideal, 2),
        "median": median,
        "p95": most,
        "over_ideal": round(median / ideal, 2),
    }


def month_of_main_product(plan: Plan) -> dict[str, float]:
    """How one month of the first product is cut when one driver has the whole cluster."""
    period = next(plan.history.drivers())[0]
    cores = plan.cluster.nodes * plan.cluster.cores
    stages = stage_bytes(period, plan.history, cores, plan.task_bytes)
    return {
        "bytes": round(period),
        "read_tasks": len(stages[0]),
        "claim_buckets": claim_buckets(period),
        "partitions": partitions_of(period, cores, plan.history.person_buckets, plan.task_bytes),
        "join_tasks": len(stages[1]) if len(stages) > 1 else 0,
        "write_tasks": len(stages[-1]),
        "person_buckets": plan.history.person_buckets,
    }


def table(result: dict[str, Any]) -> str:
    """The hours as a Markdown table."""
    lines = [
        "| rate | drivers | trouble | ideal h | median h | 95 % h | median / ideal |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| x {row['rate_factor']:.3g} | {row['drivers']} | {row['trouble']} | {row['ideal']:.2f} | {row['median']:.2f}"
        f" | {row['p95']:.2f} | {row['over_ideal']:.2f} |"
        for row in result["hours"]
    ]
    return "\n".join(lines) + "\n"


def read_result(path: Path, target: str) -> dict[str, Any]:
    """A result file. Raises InputError when there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); make it with make {target}.") from None
    return found


def rates_of(measured: dict[str, Any]) -> Rates:
    """The two rates of a result of the flattening benchmark. Raises InputError when it has none."""
    rates = measured.get("raw_mb_per_s_per_core", {})
    if not {"parcours", "parcours_shuffled"} <= set(rates):
        raise InputError("The result of the flattening benchmark has no rates; make it with make bench-flatten.")
    return Rates(rates["parcours"] * 1e6, rates["parcours_shuffled"] * 1e6)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.schedule", description="Simulate a whole flattening.")
    cluster, history, slow = Cluster(), History(), Stragglers()
    parser.add_argument("--nodes", type=int, default=cluster.nodes)
    parser.add_argument("--cores", type=int, default=cluster.cores, help="cores of a node that run tasks")
    parser.add_argument("--tb", type=float, default=history.bytes / 1e12, help="raw files, in 10^12 bytes")
    parser.add_argument("--years", type=int, default=history.years, help="years they are of")
    parser.add_argument("--task-mib", type=float, default=TASK_BYTES / (1 << 20), help="raw MiB of one read task")
    parser.add_argument("--sigma", type=float, default=slow.sigma, help="of the lognormal factor of a task's time")
    parser.add_argument("--slow-share", type=float, default=slow.slow_share, help="share of tasks that are slow")
    parser.add_argument("--slow-factor", type=float, default=slow.slow_factor, help="how many times as long they take")
    parser.add_argument("--fault-hour", type=float, help="when node or driver is lost; any moment unless given")
    parser.add_argument("--seeds", type=int, default=20, help="runs with trouble; the median and 95 %% are of these")
    parser.add_argument("--measured", type=Path, default=RESULTS / "flatten.json", help="where the rates are")
    parser.add_argument("--payloads", type=Path, default=RESULTS / "payloads.json", help="what payloads cost")
    parser.add_argument("--out", type=Path, default=RESULTS / "schedule.json", help="the result file")
    return parser


def check(given: argparse.Namespace) -> None:
    """Raise InputError for a cluster or history that cannot be simulated."""
    if given.nodes < 2 or given.nodes * given.cores < max(DRIVERS) * given.nodes:
        raise InputError(f"--nodes must be 2 or more, and --cores {max(DRIVERS)} or more: each driver gets a part.")
    if min(given.tb, given.years, given.task_mib, given.seeds) <= 0:
        raise InputError("--tb, --years, --task-mib and --seeds must be above 0.")
    if given.sigma < 0 or not 0 <= given.slow_share <= 1 or given.slow_factor < 1:
        raise InputError("--sigma must be 0 or more, --slow-share between 0 and 1, --slow-factor 1 or more.")


def main() -> None:
    """Entry point of `python -m benchmarks.schedule`."""
    given = _parser().parse_args()
    try:
        check(given)
        measured = read_result(given.measured, "bench-flatten")
        payloads = read_result(given.payloads, "bench-payloads")
        history = History(bytes=given.tb * 1e12, years=given.years)
        plan = Plan(Cluster(given.nodes, given.cores), history, rates_of(measured), given.task_mib * (1 << 20))
        slow = Stragglers(given.sigma, given.slow_share, given.slow_factor)
        result = run(plan, slow, given.seeds, given.fault_hour, measured, payloads)
        write_result(given.out, result)
        sys.stdout.write(table(result))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None


if __name__ == "__main__":
    main()
