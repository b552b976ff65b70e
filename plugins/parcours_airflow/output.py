"""Reads what a Spark job prints: its application's id, its summary, or the sentence it failed with."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

EVENT_LOG = re.compile(r"Logging events to \S*?((?:local|app|application)[-_][\w-]*?)(?:\.|/|$|\s)")
LOG_LINE = re.compile(r"^(\d\d/\d\d/\d\d \d\d:\d\d:\d\d |(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL) )")
KEPT_LINES = 40


class JobOutput:
    """What is known of a job from its lines so far."""

    def __init__(self) -> None:
        self.application_id: str | None = None
        self.summary: dict[str, Any] = {}
        self._said: deque[str] = deque(maxlen=KEPT_LINES)

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass the lines on and take note of them."""
        for line in lines:
            self.read(line.strip())
            yield line

    def read(self, line: str) -> None:
        """Take note of one line."""
        found = EVENT_LOG.search(line)
        if found:
            self.application_id = found.group(1)
        if line.startswith("{"):
            self._read_summary(line)
        elif line and not LOG_LINE.match(line):
            self._said.append(line)

    @property
    def sentence(self) -> str:
        """The last thing the job said that is neither a log line nor its summary: why it failed."""
        return self._said[-1] if self._said else "The job ended without saying why; its log has the rest."

    def _read_summary(self, line: str) -> None:
        try:
            summary = json.loads(line)
        except ValueError:
            self._said.append(line)
            return
        if isinstance(summary, dict):
            self.summary = summary
