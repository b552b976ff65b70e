"""Copies a running job's progress to Airflow's task state, where the page of the task shows it."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EVERY_SECONDS = 3.0

log = logging.getLogger(__name__)


@contextmanager
def copied_progress(file: Path | None, keep: Callable[[dict[str, Any]], None] | None) -> Iterator[None]:
    """While the block runs, hand each new content of `file` to `keep`."""
    if file is None or keep is None:
        yield
        return
    ended = threading.Event()
    copier = threading.Thread(target=_copy, args=(file, keep, ended), daemon=True)
    copier.start()
    try:
        yield
    finally:
        ended.set()
        copier.join()


def _copy(file: Path, keep: Callable[[dict[str, Any]], None], ended: threading.Event) -> None:
    before = file.read_bytes() if file.is_file() else b""
    while not ended.wait(EVERY_SECONDS):
        content = file.read_bytes() if file.is_file() else b""
        if content and content != before:
            before = content
            try:
                keep(json.loads(content))
            except Exception:
                log.warning("The progress of the job could not be shown.", exc_info=True)
                return
