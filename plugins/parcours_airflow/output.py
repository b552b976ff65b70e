"""Reads what a Spark job prints: its application's id, its progress, its summary, or why it failed."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

from parcours.storage.job_status import progress_of

EVENT_LOG = re.compile(r"Logging events to \S*?((?:local|app|application)[-_][\w-]*?)(?:\.|/|$|\s)")
OWN_LINE = re.compile(r"^INFO parcours\S*: (.*)$")
REPORT = re.compile(r"^Report: (\S+)$", re.MULTILINE)
# Lines of log4j, of Python's logging and of the JVM's own warnings: none of them says why the job failed.
LOG_LINE = re.compile(r"^(\d\d/\d\d/\d\d \d\d:\d\d:\d\d |(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL)\b)")
LONGEST = 20


class JobOutput:
    """What is known of a job from its lines so far."""

    def __init__(self) -> None:
        self.application_id: str | None = None
        self.progress: dict[str, Any] | None = None
        self.summary: dict[str, Any] = {}
        self.report: str | None = None
        self._block: list[str] = []
        self._ended = False
        self._started = time.monotonic()

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass the lines on, each after note was taken of it."""
        for line in lines:
            self.read(line.strip())
            yield line

    def read(self, line: str) -> None:
        """Take note of one line."""
        if LOG_LINE.match(line):
            self._ended = True
            self._read_log(line)
        elif line.startswith("{"):
            self._read_summary(line)
        elif line:
            self._say(line)

    @property
    def sentence(self) -> str:
        """The job's last words that are neither log nor summary; of a traceback, its last line only."""
        if not self._block:
            return "The job ended without saying why; its log has the rest."
        traceback = any(line.startswith("Traceback") for line in self._block)
        return self._block[-1] if traceback else "\n".join(self._block[-LONGEST:])

    def _read_log(self, line: str) -> None:
        if found := EVENT_LOG.search(line):
            self.application_id = found.group(1)
        if found := OWN_LINE.match(line):
            self.progress = progress_of(found.group(1), time.monotonic() - self._started) or self.progress

    def _read_summary(self, line: str) -> None:
        try:
            summary = json.loads(line)
        except ValueError:
            self._say(line)
            return
        self.summary = summary if isinstance(summary, dict) else {}

    def _say(self, line: str) -> None:
        """Words that follow a log line begin anew: the last ones are why the job failed."""
        if self._ended:
            self._block, self._ended = [], False
        self._block.append(line)
        self.report = report_of(line) or self.report


def report_of(text: str) -> str | None:
    """The address of the verdict that the words of a refusal name."""
    found = REPORT.search(text)
    return found.group(1) if found else None
