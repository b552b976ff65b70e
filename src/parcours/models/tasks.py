"""Numbered pieces of work (folds, draws, medicines) and where they run: here, in threads, or wherever a caller maps
them.

A piece depends on its name alone, so it may run anywhere, in any order, and again: the results are the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

#: What a piece of work gives: named arrays, which can be written and read.
Arrays = dict[str, np.ndarray]
Work = Callable[[str], Arrays]


class RunTasks(Protocol):
    """Applies `work` to each name and gives the results in the order of the names."""

    def __call__(self, work: Work, names: Sequence[str]) -> Iterator[Arrays]:
        """Results of `work` in the order of `names`."""
        ...


def in_threads(threads: int) -> RunTasks:
    """Run pieces of work in so many threads of this process; the kernels release the interpreter's lock."""

    def run(work: Work, names: Sequence[str]) -> Iterator[Arrays]:
        if threads <= 1 or len(names) <= 1:
            yield from map(work, names)
            return
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(work, names)

    return run
