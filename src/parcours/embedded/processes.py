"""Processes of the platform: started in groups of their own, recognised for sure, stopped to the last one."""

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARKER = "PARCOURS_PLATFORM"
TERMINATION_SECONDS = 6.0


@dataclass(frozen=True)
class Record:
    """A started process: its id and its start time, so that a recycled id is never taken for ours."""

    pid: int
    created: float
    fingerprint: str


def start(command: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path, fingerprint: str) -> Record:
    """Start a command in its own session, its output in `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Record(process.pid, psutil.Process(process.pid).create_time(), fingerprint)


def is_alive(record: Record) -> bool:
    """Whether the very process of the record still runs (a zombie does not)."""
    try:
        process = psutil.Process(record.pid)
        return abs(process.create_time() - record.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop_one(record: Record) -> None:
    """End one service and every process of its session; nothing when its process is gone."""
    if is_alive(record):
        _end(list(_session(record.pid)))


def stop_all(records: Iterable[Record], marker: str) -> None:
    """End the services and every other process of the platform `marker`, also those whose parent is gone."""
    leaders = [record.pid for record in records if is_alive(record)]
    _end([process for leader in leaders for process in _session(leader)] + list(_marked(marker)))
    _end(list(_marked(marker)), patience=0)


def _session(leader: int) -> Iterator[psutil.Process]:
    """Every process of the session that the service opened: tasks change their group, never their session."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                yield process
        except OSError:
            continue


def _marked(marker: str) -> Iterator[psutil.Process]:
    """Processes that inherited the platform's mark through their environment: ours, and nobody else's."""
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARKER) == marker
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def _end(processes: list[psutil.Process], patience: float = TERMINATION_SECONDS) -> None:
    """SIGTERM, then SIGKILL for those that stay."""
    if patience:
        for process in processes:
            _signal(process.terminate)
    _, left = psutil.wait_procs(processes, timeout=patience)
    for process in left:
        _signal(process.kill)
    psutil.wait_procs(left, timeout=5)


def _signal(send: Callable[[], None]) -> None:
    """Send a signal; a process that ended in between is what we wanted."""
    try:
        send()
    except psutil.NoSuchProcess:
        return


def log_tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, on one line."""
    if not log.is_file():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        kept = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(kept[-lines:]) or "(empty log)"
