"""What a job that runs elsewhere tells of itself: one small file, written by the job, read by whoever waits for it.

Its address and the name of the submission come in two environment variables; without them nothing is written. The file
belongs to the submission that it names: a driver that finds another name in it has been replaced, and ends.

    {submission, fingerprint, driver_id, application_id, ui, progress, exit_code, sentence, summary, updated}
"""

import json
import logging
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from parcours.errors import InputError, RetryableFault
from parcours.storage.addresses import read_text, write_text

ADDRESS, SUBMISSION = "PARCOURS_JOB_STATUS", "PARCOURS_JOB_SUBMISSION"
PROGRESS = re.compile(r"^(\d+)/(\d+) (.*)$")
QUIET_SECONDS = 1.0

log = logging.getLogger(__name__)


def read_status(address: str) -> dict[str, Any]:
    """What is known of the job, {} when nothing is. Raises OSError when it cannot be told."""
    text = read_text(address)
    content = json.loads(text) if text else {}
    return content if isinstance(content, dict) else {}


def open_status(address: str, submission: str, fingerprint: str) -> None:
    """Make the file the one of a new submission; a driver of an older one ends when it notices."""
    _write(address, {"submission": submission, "fingerprint": fingerprint})


def withdraw(address: str, submission: str) -> None:
    """Make the driver of a submission end soon, by itself; nothing when the file is another's. Raises OSError."""
    if read_status(address).get("submission") == submission:
        _write(address, {"submission": f"{submission} is withdrawn"})


def progress_of(message: str, elapsed: float) -> dict[str, Any] | None:
    """{done, total, label, eta_seconds} of a message such as `3/12 DCIR 2015-03`, None of any other one."""
    found = PROGRESS.match(message)
    if not found:
        return None
    done, total = int(found.group(1)), int(found.group(2))
    left = round(elapsed / done * (total - done)) if done else None
    return {"done": done, "total": total, "label": found.group(3), "eta_seconds": left}


class JobStatus:
    """The file of this process; without an address every call does nothing."""

    def __init__(self, address: str | None, submission: str) -> None:
        self.address = address
        self.submission = submission
        self._facts: dict[str, Any] = {}
        self._written = 0.0

    @property
    def replaced(self) -> bool:
        """Whether the file belongs to another submission; one that cannot be read does not say so."""
        if not self.address:
            return False
        try:
            return read_status(self.address).get("submission", self.submission) != self.submission
        except (OSError, ValueError):
            return False

    def begin(self) -> None:
        """Say that the driver runs.

        Raises InputError when whoever submitted it wrote nothing at the address, RetryableFault when another
        submission took its place.
        """
        if not self.address:
            return
        self._facts = read_status(self.address)
        if not self._facts:
            raise InputError(f"Nothing is at {self.address}: the folder must be the same for Airflow and the workers.")
        if self._facts["submission"] != self.submission:
            raise RetryableFault(f"Another driver took over this work ({self.address}); this one ends.")
        # A standalone worker starts each driver in a folder of its id.
        folder = Path.cwd().name
        self.note(driver_id=folder if folder.startswith("driver-") else None)

    def note(self, **facts: Any) -> None:
        """Add facts. Raises OSError when the file cannot be written."""
        self._facts |= facts
        if self.address and not self.replaced:
            self._written = time.monotonic()
            _write(self.address, self._facts)

    def progress(self, progress: Mapping[str, Any]) -> None:
        """Note the progress, at most once a second; a file that cannot be written now stops no job."""
        self._facts["progress"] = dict(progress)
        if time.monotonic() - self._written < QUIET_SECONDS:
            return
        try:
            self.note()
        except OSError as error:
            self._written = time.monotonic()
            log.warning("The progress could not be noted at %s: %s", self.address, error)

    def end(self, exit_code: int, sentence: str, summary: Mapping[str, Any]) -> None:
        """Note how the job ended. Raises OSError when the file cannot be written."""
        self.note(exit_code=exit_code, sentence=sentence, summary=dict(summary))


class ProgressHandler(logging.Handler):
    """Takes the progress of a job from its own log lines, as they come."""

    def __init__(self, status: JobStatus) -> None:
        super().__init__(logging.INFO)
        self._status = status
        self._started = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Note the line when it tells progress."""
        if progress := progress_of(record.getMessage(), time.monotonic() - self._started):
            self._status.progress(progress)


@cache
def own_status() -> JobStatus:
    """The status of this process."""
    return JobStatus(os.environ.get(ADDRESS), os.environ.get(SUBMISSION, ""))


def _write(address: str, facts: Mapping[str, Any]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(address, json.dumps({**facts, "updated": now}, default=str))
