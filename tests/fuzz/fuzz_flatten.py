"""Many mutants of raw files: none crashes flattening, hangs it, takes its memory, or makes it lose a row.

MUTANTS and SEED (environment) say how many and which. A small mutant that fails is kept in tests/fuzz/corpus.
"""

import os
import resource
import shutil
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 120
MEMORY = 8 << 30
KEPT_BYTES = 64 << 10
WORKERS = 2


def test_mutants_never_crash_hang_or_lose_a_row():
    number, seed = int(os.environ.get("MUTANTS", "1000")), os.environ.get("SEED", "1")
    found = _run([(seed, at) for at in range(number)])
    counted = Counter(result for result, _ in found.values())
    print(f"\n{number} mutants of seed {seed}: {dict(counted)}")
    failed = {at: detail for at, (result, detail) in found.items() if result not in ("flat", "refused")}
    for at, detail in failed.items():
        print(f"--- {at}: {detail}")
        _keep(*at)
    assert sum(counted.values()) == number
    assert not failed, f"{len(failed)} of {number} mutants failed; tests/fuzz/corpus has them"


def _run(todo):
    """Outcome of each mutant; a worker that takes too long or dies is replaced."""
    todo, found = list(reversed(todo)), {}
    workers = [_Worker() for _ in range(WORKERS)]
    while todo or any(worker.task for worker in workers):
        for at, worker in enumerate(workers):
            if worker.task is None and todo:
                worker.give(todo.pop())
            elif worker.task and (result := worker.result()):
                found[worker.task] = result
                workers[at] = worker if worker.idle() else _Worker()
        wait([worker.pipe for worker in workers if worker.task], timeout=1)
    for worker in workers:
        worker.end()
    return found


class _Worker:
    """One process that flattens mutants, one after the other."""

    def __init__(self):
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.task, self.since = None, 0.0

    def give(self, task):
        self.task, self.since = task, time.monotonic()
        self.pipe.send(task)

    def result(self):
        """What came of the task; None while it runs."""
        if self.pipe.poll():
            try:
                return self.pipe.recv()
            except EOFError:
                self.process.join()
                return "died", f"the process ended with {self.process.exitcode}"
        return ("hung", f"more than {SECONDS} s") if time.monotonic() - self.since > SECONDS else None

    def idle(self):
        """Ready for the next task; a process that hangs or died is ended, and is not."""
        alive = self.process.is_alive() and time.monotonic() - self.since <= SECONDS
        self.task = None
        if not alive:
            self.end()
        return alive

    def end(self):
        self.process.kill()
        self.process.join()


def _serve(pipe):
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while True:
        pipe.send(_tried(*pipe.recv()))


def _tried(seed, number):
    from mutants import mutant
    from replay import outcome

    made = mutant(seed, number)
    with tempfile.TemporaryDirectory() as name:
        folder = made.write(Path(name) / "d")
        try:
            return outcome(folder, made.product, made.block, made.secrets), ""
        except BaseException:  # noqa: BLE001 -- whatever it is, it is the finding
            return "failed", f"{made.name}\n{traceback.format_exc()}"


def _keep(seed, number):
    from mutants import mutant

    made = mutant(seed, number)
    if sum(len(content) for _, content in made.files.values()) <= KEPT_BYTES:
        folder = CORPUS / f"{made.product}-{seed}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        made.write(folder)
