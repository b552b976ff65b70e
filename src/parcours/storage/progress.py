"""Progress of running jobs, readable by anybody while they run: a file and a lock for each job."""

import json
import logging
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from parcours.storage.locks import is_held, locked
from parcours.storage.manifest import write_json
from parcours.storage.place import Place, found
from parcours.storage.root import Root

log = logging.getLogger(__name__)


class Tell(Protocol):
    """How a job tells how far it is."""

    def __call__(
        self, done: int, total: int, label: str, share: float | None = None, soon: float | None = None
    ) -> None:
        """Record that `done` of `total` steps are behind; `done` = 0 starts the clock.

        `share` of the work that is behind, from 0 to 1, where steps are of different sizes; None: done / total.
        `soon` is the share once the step under way is behind too; None: its size is that of the others that are left.
        """


@contextmanager
def told_progress(root: Root, job: str) -> Iterator[Tell]:
    """How a job tells how far it is, in a file of its own, which is gone when the job has ended.

    Jobs of the same name do not meet. A killed job leaves its file behind, but not the lock: `running_jobs` does not
    list it, and the next job removes it.
    """
    _sweep(root)
    key = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', job)}.{uuid.uuid4().hex[:12]}"
    path, started = root.progress(key), datetime.now(UTC)

    def tell(done: int, total: int, label: str, share: float | None = None, soon: float | None = None) -> None:
        nonlocal started
        now = datetime.now(UTC)
        started = now if done == 0 else started
        write_json(path, {"stage": job, **_state(done, total, label, share, soon, started, now)})

    try:
        with locked(root, _lock(path), f"{job} runs already"):
            try:
                yield tell
            finally:
                path.unlink(missing_ok=True)
    finally:
        root.lock(_lock(path)).unlink(missing_ok=True)


def running_jobs(root: Root) -> list[dict[str, Any]]:
    """What each running job last told, first started first; a job that has told nothing yet is not there.

    {stage, done, total, label, started, updated, share, soon, eta_seconds}: `eta_seconds` is what is left now.
    """
    told = [_read(path) for path in _files(root) if is_held(root, _lock(path))]
    now = datetime.now(UTC)
    return [{**job, "eta_seconds": seconds_left(job, now)} for job in in_order(told)]


def in_order(told: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Jobs that told something, first started first."""
    return sorted((job for job in told if job), key=lambda job: str(job["started"]))


def seconds_left(job: Mapping[str, Any], now: datetime) -> float | None:
    """What is left of a job that `running_jobs` found, in seconds; None as long as no step is behind.

    What is behind tells how fast it goes. The longer the step under way takes, the slower it must be: until it ends,
    no more than that step is behind now.
    """
    share, soon = float(job["share"]), float(job["soon"])
    started, updated = (datetime.fromisoformat(job[name]) for name in ("started", "updated"))
    elapsed = (now - started).total_seconds()
    if share <= 0 or elapsed <= 0:
        return None
    by_what_is_behind = (updated - started).total_seconds() / share - elapsed
    by_the_step = elapsed / soon * (1 - soon)
    return round(max(by_what_is_behind, by_the_step, 0.0), 1)


def _state(
    done: int, total: int, label: str, share: float | None, soon: float | None, started: datetime, now: datetime
) -> dict[str, Any]:
    behind = share if share is not None else done / max(total, 1)
    next_behind = soon if soon is not None else behind + (1 - behind) / max(1, total - done)
    return {
        "done": done,
        "total": total,
        "label": label,
        "started": started.isoformat(),
        "updated": now.isoformat(),
        "share": round(behind, 4),
        "soon": round(min(1.0, next_behind), 4),
    }


def _files(root: Root) -> list[Place]:
    return found(root.path, "_progress/*.json")


def _lock(path: Place) -> str:
    return f"progress.{path.stem}"


def _read(path: Place) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:  # its job has ended since the folder was listed
        return None
    return content


def _sweep(root: Root) -> None:
    """Remove what killed jobs left."""
    for path in _files(root):
        if not is_held(root, _lock(path)):
            path.unlink(missing_ok=True)
            root.lock(_lock(path)).unlink(missing_ok=True)
