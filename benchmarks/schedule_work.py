"""A whole history as the tasks that flattening makes of it: drivers, periods, stages, seconds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.schedule_events import Stages
from parcours.flatten import engine
from parcours.flatten.engine import TASK_BYTES, WHOLE_BYTES
from parcours.snds.contracts import load_product
from parcours.storage.root import buckets_for

# Processor seconds of scan and read, join, and write of 566 MB through both shuffles: docs/adr/0001.
STAGE_SECONDS = np.array([4.0 + 9.6, 8.1, 9.0])
MONTHLY = ("DCIR",)


@dataclass(frozen=True)
class Rates:
    """Raw bytes a second and core: of a period that one task holds, and of one that is shuffled."""

    whole: float
    shuffled: float

    def times(self, factor: float) -> "Rates":
        """Both rates, multiplied."""
        return Rates(self.whole * factor, self.shuffled * factor)


@dataclass(frozen=True)
class History:
    """Raw bytes of all years together, the share of each product, and that of rows without a person."""

    bytes: float = 32e12
    years: int = 10
    shares: tuple[tuple[str, float], ...] = (("DCIR", 0.85), ("HAD", 0.01), ("MCO", 0.09), ("RIP", 0.02), ("SSR", 0.03))
    unidentified: float = 0.01

    def drivers(self) -> Iterator[list[float]]:
        """Bytes of the periods of each driver, in the order in which Airflow queues them: product, then year."""
        for product, share in self.shares:
            for _ in range(self.years):
                periods = 12 if product in MONTHLY else 1
                yield [self.bytes * share / self.years / periods] * periods

    @property
    def person_buckets(self) -> int:
        """Person buckets of a new root for this history."""
        return buckets_for(int(self.bytes))


@dataclass(frozen=True)
class Stragglers:
    """Seconds of a task are multiplied by a lognormal number of mean 1; a few tasks take `slow_factor` times longer."""

    sigma: float = 0.4
    slow_share: float = 0.01
    slow_factor: float = 5.0

    def factors(self, tasks: int, random: np.random.Generator) -> np.ndarray:
        """One factor for each task."""
        spread = random.lognormal(-(self.sigma**2) / 2, self.sigma, tasks)
        return spread * np.where(random.random(tasks) < self.slow_share, self.slow_factor, 1.0)


NO_STRAGGLERS = Stragglers(0.0, 0.0, 1.0)


def partitions_of(period: float, cores: int, person_buckets: int, task_bytes: float = TASK_BYTES) -> int:
    """Partitions of both shuffles of a period, as `parcours.flatten.engine.make_job` counts them."""
    buckets = claim_buckets(period)
    return max(1, min(max(buckets, person_buckets), max(2 * cores, int(period // task_bytes))))


def claim_buckets(period: float) -> int:
    """Claim buckets of a period of a monthly product."""
    return engine.claim_buckets(load_product(MONTHLY[0]), int(period))


def stage_bytes(period: float, history: History, cores: int, task_bytes: float = TASK_BYTES) -> list[np.ndarray]:
    """Raw bytes that each task of each stage stands for: [whole] or [read, join, write]; buckets are of equal size."""
    if period <= WHOLE_BYTES:
        return [np.array([period])]
    partitions = partitions_of(period, cores, history.person_buckets, task_bytes)
    reads, claims = max(1, round(period / min(task_bytes, period / (3 * cores)))), claim_buckets(period)
    known = np.full(history.person_buckets, (1 - history.unidentified) / history.person_buckets)
    persons = np.append(known, history.unidentified)
    return [
        np.full(reads, period / reads),
        _dealt(np.full(claims, period / claims), partitions),
        _dealt(period * persons, partitions),
    ]


def _dealt(groups: np.ndarray, partitions: int) -> np.ndarray:
    """Bytes of each partition when groups are dealt out in turn, without the empty ones."""
    return np.bincount(np.arange(len(groups)) % partitions, weights=groups)


def stage_seconds(stages: list[np.ndarray], rates: Rates) -> list[np.ndarray]:
    """Seconds of each task."""
    if len(stages) == 1:
        return [stages[0] / rates.whole]
    parts = STAGE_SECONDS / STAGE_SECONDS.sum()
    return [tasks * part / rates.shuffled for tasks, part in zip(stages, parts, strict=True)]


def drawn(stages: list[np.ndarray], stragglers: Stragglers, bundle: int, random: np.random.Generator) -> Stages:
    """Seconds of tasks with stragglers; `bundle` small tasks (read, join) count as one that does them in turn."""
    found = [tasks * stragglers.factors(len(tasks), random) for tasks in stages]
    bundled = [np.add.reduceat(tasks, np.arange(0, len(tasks), bundle)) for tasks in found[:-1]]
    return [tasks.tolist() for tasks in [*bundled, found[-1]]]
