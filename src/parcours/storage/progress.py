"""Progress of a running job, readable by anybody while it runs."""

import json
from datetime import UTC, datetime
from typing import Any

from parcours.storage.manifest import write_json
from parcours.storage.root import Root


def write_progress(root: Root, name: str, done: int, total: int, label: str, share: float | None = None) -> None:
    """Record that `done` of `total` steps are behind; `done` = 0 starts the clock.

    `share` of the work that is behind, from 0 to 1, where steps are of different sizes; None: done / total.
    """
    now = datetime.now(UTC)
    before = read_progress(root, name)
    started = datetime.fromisoformat(before["started"]) if before and done > 0 else now
    elapsed = (now - started).total_seconds()
    behind = share if share is not None else done / max(total, 1)
    content = {
        "done": done,
        "total": total,
        "label": label,
        "started": started.isoformat(),
        "updated": now.isoformat(),
        "share": round(behind, 4),
        "eta_seconds": round(elapsed / behind * (1 - behind), 1) if behind else None,
    }
    write_json(root.progress(name), content)


def read_progress(root: Root, name: str) -> dict[str, Any] | None:
    """What the job last recorded, or None when it never did."""
    path = root.progress(name)
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content
