"""Seconds of a part of a program, and the most memory it held; needs the standard library only."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Seconds on the clock and of the processor inside the block, by name; they are there when it ends."""
    clock: dict[str, float] = {}
    wall, processor = time.perf_counter(), time.process_time()
    yield clock
    clock["seconds"] = time.perf_counter() - wall
    clock["cpu_seconds"] = time.process_time() - processor


def peak_mb() -> float:
    """The largest resident size of this process so far in 10^6 bytes, as the kernel keeps it: no sample misses it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
