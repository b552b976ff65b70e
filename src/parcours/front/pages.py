"""What the front page needs of a root, wherever it is: which files there are, when they changed, what they hold."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Pages(Protocol):
    """Files of a root; paths are relative to it, with `/` between their parts."""

    def find(self, pattern: str) -> dict[str, str]:
        """Files and folders that match `quality/*/index.html`, where `*` stands for one name or a part of it.

        Each with a stamp, which is another one once it was replaced or, for a folder, something in it was.
        """

    def read(self, path: str) -> bytes | None:
        """Content of a file, None when there is no such file. Raises OSError when the root cannot be read."""

    def running(self) -> list[dict[str, Any]]:
        """What each running job last told, as `parcours.storage.progress.running_jobs` gives it."""


@dataclass
class Remembered:
    """What was made of files before; it is made anew when their stamp is another one."""

    pages: Pages
    _kept: dict[tuple[str, str], tuple[str, Any]] = field(default_factory=dict)

    def of(self, what: str, path: str, stamp: str, make: Callable[[Pages, str], Any]) -> Any:
        """`make` of a path, or what it gave for this stamp of it; `what` tells one kind of result from another."""
        before = self._kept.get((what, path))
        if before is None or before[0] != stamp:
            before = self._kept[what, path] = (stamp, make(self.pages, path))
        return before[1]


def read_json(pages: Pages, path: str) -> dict[str, Any] | None:
    """The object in a file, None when there is no such file."""
    content = pages.read(path)
    found: dict[str, Any] | None = None if content is None else json.loads(content)
    return found
