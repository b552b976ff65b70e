"""The pieces of a training (folds, draws, medicines): each finished one is kept, wherever it was computed.

A piece is named by the model (`fold-0-tv-1`, `draw-0007`, `medicines-0020`) and depends on its name alone, so a
training that was killed goes on with what is there, to the same bits. Pieces lie in the staging directory of the
model's step, by its fingerprint: another setting never reads them, and they are gone when the model is committed.
"""

import io
import logging
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.cohort.study import ModelSettings
from parcours.errors import ParcoursError
from parcours.storage.place import Place, found, write_whole
from parcours.storage.progress import Tell

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from parcours.models.tasks import Arrays, RunTasks, Work

log = logging.getLogger(__name__)
LABELS = {"fold": "cross-validation", "draw": "bootstrap", "medicines": "intervals and tests"}
QUIET_SECONDS = 1.0
# A path of penalties takes longer than a refit at one of them: five times with 1,000 cases, twice with 200,000
# (benchmarks/results/inference.json).
WORK_OF_A_PIECE = {"fold": 4.0}
# Where a piece is computed: the same work, which may go somewhere else and come back.
Ship = Callable[["Work"], "Work"]


def here(work: "Work") -> "Work":
    """Pieces are computed in the thread that asks for them."""
    return work


def on_spark(session: "SparkSession") -> Ship:
    """Pieces are computed as Spark tasks, one a piece; what they need is broadcast once."""

    def ship(work: "Work") -> "Work":
        from pyspark import cloudpickle

        from parcours.spark_faults import told_by_spark

        context = session.sparkContext
        packed = context.broadcast(cloudpickle.dumps(work))

        def compute(names: Any) -> "Iterator[Arrays | ParcoursError]":
            unpacked = cloudpickle.loads(packed.value)
            for name in list(names):
                try:
                    with one_thread_each():
                        piece = unpacked(name)
                    yield piece
                except ParcoursError as error:  # Spark would try three times more, and tell of it by text alone
                    yield error

        def ask(name: str) -> "Arrays":
            with told_by_spark():
                result = context.parallelize([name], 1).mapPartitions(compute).collect()[0]
            if isinstance(result, ParcoursError):
                raise result
            return result

        return ask

    return ship


def one_thread_each() -> AbstractContextManager[Any]:
    """Linear algebra in one thread: pieces run side by side, and their bits do not depend on the host."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


def committed(ship: Ship, at_once: int, folder: Place, told: Callable[[str], None]) -> "RunTasks":
    """Pieces in `folder` are read; the others are computed, `at_once` at a time, and each is there once it is finished.

    `told` hears the name of each piece that was computed.
    """
    from parcours.models.tasks import in_threads

    def run(work: "Work", names: Sequence[str]) -> "Iterator[Arrays]":
        shipped = ship(work)
        kept = {path.stem for path in found(folder, "*.npz")}

        def piece(name: str) -> "Arrays":
            before = read_piece(folder / f"{name}.npz") if name in kept else None
            if before is not None:
                return before
            result = shipped(name)
            write_whole(folder / f"{name}.npz", packed(result))
            told(name)
            return result

        return in_threads(at_once)(piece, names)

    return run


def packed(piece: "Arrays") -> bytes:
    """A piece as the bytes of an .npz file."""
    import numpy as np

    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **piece)
    return out.getvalue()


def read_piece(path: Place) -> "Arrays | None":
    """A piece that was finished before; None when the file is none."""
    import numpy as np

    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        log.warning("%s cannot be read; it is computed again", path.name)
        return None


@dataclass(frozen=True)
class Pieces:
    """Where the pieces of one training are computed and kept, and who hears how far it is."""

    folder: Place
    ship: Ship
    at_once: int
    tell: Tell

    @contextmanager
    def counted(self, settings: ModelSettings, medicines: int) -> "Iterator[RunTasks]":
        """Runs pieces and tells how many of those that are not there yet are behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = Counter(path.name.partition("-")[0] for path in found(self.folder, "*.npz"))
        if kept:
            log.info("%d pieces are kept from a training that was killed", kept.total())
        progress = Progress(Counter(pieces_by_kind(settings, medicines)) - kept, self.tell)
        yield committed(self.ship, self.at_once, self.folder, progress.behind)


def pieces_by_kind(settings: ModelSettings, medicines: int) -> dict[str, int]:
    """Pieces of a training with these settings, cut as the model cuts them."""
    from parcours.models.cross_validation import TV_STEPS
    from parcours.models.screening import DRUGS_A_TASK

    folds = settings.cv_folds * (len(settings.tv_grid) or len(TV_STEPS))
    return {"fold": folds, "draw": settings.bootstrap, "medicines": -(-medicines // DRUGS_A_TASK)}


class Progress:
    """Counts finished pieces: `17/96 bootstrap, 3 min left` in the log, the same for who asks the root.

    `left` are the pieces that are not there yet, by kind.
    """

    def __init__(self, left: Mapping[str, int], tell: Tell) -> None:
        self.total, self.tell = max(1, sum(left.values())), tell
        self.work = max(1.0, sum(WORK_OF_A_PIECE.get(kind, 1.0) * pieces for kind, pieces in left.items()))
        self.done, self.behind_work, self.told, self.started = 0, 0.0, 0.0, time.monotonic()
        tell(0, self.total, LABELS["fold"])

    def behind(self, name: str) -> None:
        """One more piece is behind."""
        kind = name.partition("-")[0]
        self.done = min(self.done + 1, self.total)
        self.behind_work = min(self.behind_work + WORK_OF_A_PIECE.get(kind, 1.0), self.work)
        now = time.monotonic()
        if self.done < self.total and now - self.told < QUIET_SECONDS:
            return  # a file on HDFS takes longer than a small piece
        self.told = now
        label, share = LABELS.get(kind, name), self.behind_work / self.work
        left = (now - self.started) / share * (1 - share)
        log.info("%d/%d %s, %s left", self.done, self.total, label, in_words(left))
        self.tell(self.done, self.total, label, share)


def in_words(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
