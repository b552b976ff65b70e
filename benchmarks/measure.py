"""A command as a process of its own: wall seconds, processor seconds, and peak memory of it and all its children."""

import os
import resource
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from parcours.errors import InputError, ParcoursError

SAMPLE_SECONDS = 0.1
SAMPLES_PER_SHARE = 5  # the share of a process in shared pages costs the kernel a walk of its page table
LAST_LINES = 5
MEGABYTE = 1e6
# Fields of /proc/<pid>/stat after the name (proc(5)), from 0.
USER_TICKS, SYSTEM_TICKS, RESIDENT_PAGES = 11, 12, 21


@dataclass(frozen=True)
class Measured:
    """One run; memory in 10^6 bytes.

    `peak_mb` adds up the proportional set sizes of all processes (a page that n processes share counts 1/n in each),
    `peak_resident_mb` their resident sizes (shared pages count n times), `peak_process_mb` is the largest process.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    peak_resident_mb: float
    peak_process_mb: float


@dataclass
class _Peaks:
    """What was seen so far; times and sizes by process id."""

    cpu: dict[int, float] = field(default_factory=dict)
    highest: dict[int, int] = field(default_factory=dict)
    resident: int = 0
    proportional: int = 0
    samples: int = 0


def usable_cores(wanted: int) -> list[int]:
    """The first `wanted` cores that this process may use.

    Raises InputError when there are fewer, or when the system is not Linux, whose /proc is read.
    """
    if not hasattr(os, "sched_getaffinity"):
        raise InputError("The benchmarks read /proc, which this system does not have; run them on Linux.")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < wanted:
        raise InputError(
            f"The benchmarks use {wanted} cores and may use {len(cores)} here; run them on a larger machine."
        )
    return cores[:wanted]


def measure(command: list[str], environment: dict[str, str], log: Path, cores: list[int]) -> Measured:
    """Run a command on these cores, its output in `log`; processes that it leaves behind are ended.

    Raises ParcoursError, with the last lines of its output, when it ends with another exit code than 0.
    """
    os.sync()  # what the run before wrote must not be written at the cost of this one
    peaks = _Peaks()
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            code = _watched(process, peaks)
            seconds = time.perf_counter() - began
        finally:
            _end_session(process.pid)
    if code != 0:
        last = " | ".join(log.read_text("utf-8", "replace").strip().splitlines()[-LAST_LINES:])
        raise ParcoursError(f"{' '.join(command[:4])} ended with exit code {code}: {last} (all of it in {log}).")
    return Measured(
        seconds=round(seconds, 3),
        cpu_seconds=round(sum(peaks.cpu.values()), 2),
        peak_mb=round(peaks.proportional / MEGABYTE, 1),
        peak_resident_mb=round(peaks.resident / MEGABYTE, 1),
        peak_process_mb=round(max(peaks.highest.values(), default=0) / MEGABYTE, 1),
    )


def _watched(process: subprocess.Popen[bytes], peaks: _Peaks) -> int:
    while True:
        _sample(process.pid, peaks)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(SAMPLE_SECONDS)


def _sample(session: int, peaks: _Peaks) -> None:
    alive = {pid: fields for pid in _session(session) if (fields := _stat(pid))}
    resident = {pid: int(fields[RESIDENT_PAGES]) * resource.getpagesize() for pid, fields in alive.items()}
    peaks.resident = max(peaks.resident, sum(resident.values()))
    for pid, fields in alive.items():
        ticks = int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])
        peaks.cpu[pid] = ticks / os.sysconf("SC_CLK_TCK")
        peaks.highest[pid] = max(peaks.highest.get(pid, 0), resident[pid])
    if peaks.samples % SAMPLES_PER_SHARE == 0:
        peaks.proportional = max(peaks.proportional, sum(_proportional(pid) for pid in alive))
    peaks.samples += 1


def _session(session: int) -> list[int]:
    """Processes of a session: children keep it, whoever their parent is now."""
    found = []
    for entry in os.scandir("/proc"):
        with suppress(ProcessLookupError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """Fields of a process's stat after its name; none when it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _proportional(pid: int) -> int:
    """Proportional set size in bytes; 0 for a process that is gone."""
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _end_session(session: int) -> None:
    """End what the command left behind: the processes of its session, which is its own."""
    for pid in _session(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
