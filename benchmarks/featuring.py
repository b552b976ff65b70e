"""Featuring of the fall study against SCALPEL's plan on the same flat tables, and at 1, 4 and 16 times the persons.

`python -m benchmarks.featuring` writes benchmarks/results/featuring.json; docs/how-to/benchmarks.md says what is in it.
"""

import argparse
import json
import os
import shutil
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.environment import environment, parcours_command
from benchmarks.featuring_agreement import Counts, check_agreement, our_counts, peer_counts
from benchmarks.featuring_data import FlatInput, check_room, make_input
from benchmarks.featuring_report import ALL, PEER, STUDY, Run, report
from benchmarks.measure import measure, usable_cores
from benchmarks.peers.scalpel_featuring import launch
from benchmarks.results import HOME, RESULTS, write_result
from benchmarks.stages import CONFIGURATION, shuffle_bytes
from parcours.cohort.study import load_study
from parcours.errors import InputError, ParcoursError
from parcours.stages.exit import exit_code_of

CORES = 2
STUDY_FILE = HOME / "cohorts" / f"{STUDY}.yaml"
COMPUTED = ("events", "studies")  # what featuring leaves in a root, and a later run would take for done


def run_once(name: str, given: FlatInput, work: Path) -> Run:
    """Run ours, the peer or the start of Spark so that nothing of an earlier run is used, and clear up after it.

    Raises ParcoursError when it fails.
    """
    folder, log = work / "run", work / f"{name}.log"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("events", "spark"):
        (folder / part).mkdir(parents=True)
    _forget(given.root)
    settings = {**CONFIGURATION, "spark.eventLog.dir": (folder / "events").as_uri()}
    command, load = _command(name, given, folder, work, settings), os.getloadavg()[0]
    done = measure(command, environment(folder, CORES, settings), log, usable_cores(CORES))
    applications, shuffled = shuffle_bytes(folder / "events")
    after_start = launch.seconds_after_start(log) if name == PEER else None
    found = Run(done, load, applications, shuffled, _counts(name, log, folder), after_start)
    shutil.rmtree(folder)
    _forget(given.root)
    sys.stderr.write(f"{name}, {given.persons} persons: {done.seconds:.1f} s, {done.peak_mb:.0f} MB\n")
    return found


def _command(name: str, given: FlatInput, folder: Path, work: Path, settings: dict[str, str]) -> list[str]:
    if name == "spark_start":
        return [sys.executable, "-m", "benchmarks.peers.spark_start"]
    if name == PEER:
        jar, study = launch.compiled(work / "peer"), load_study(STUDY_FILE)
        return launch.command(jar, given.root, folder / "out", study, CORES, settings)
    if name == ALL:
        return parcours_command("events", "--root", str(given.root), "--json")
    return [sys.executable, "-m", "benchmarks.peers.parcours_featuring", str(STUDY_FILE), str(given.root)]


def _counts(name: str, log: Path, folder: Path) -> Counts:
    if name in ("spark_start", ALL):
        return {}
    return peer_counts(folder / "out") if name == PEER else our_counts(told(log))


def told(log: Path) -> dict[str, Any]:
    """The JSON object that a command of ours printed at its end, among its logs.

    Raises ParcoursError when there is none.
    """
    for line in reversed(log.read_text("utf-8", "replace").splitlines()):
        with suppress(json.JSONDecodeError):
            summary = json.loads(line)
            if isinstance(summary, dict) and {"events", "features"} <= set(summary):
                return summary
    raise ParcoursError(f"The stages of featuring printed no summary (all that it printed is in {log}).")


def _forget(root: Path) -> None:
    for name in COMPUTED:
        shutil.rmtree(root / name, ignore_errors=True)


def compare(given: FlatInput, runs: int, work: Path) -> dict[str, list[Run]]:
    """Ours and the peer in turn, `runs` times; each round begins with the other one.

    Raises ParcoursError when they do not compute about the same study.
    """
    done: dict[str, list[Run]] = defaultdict(list)
    names = ["parcours", PEER]
    for turn in range(runs):
        for name in names[:: 1 if turn % 2 == 0 else -1]:
            done[name].append(run_once(name, given, work))
        check_agreement(done["parcours"][-1].counts, done[PEER][-1].counts, PEER)
    return done


def run(persons: int, runs: int, factors: list[int], work: Path) -> dict[str, Any]:
    """Make what is missing, run everything, and return the content of the result file.

    `persons` is the number at the largest of `factors`, where the peer runs too. Raises InputError when the machine has
    no room for it, ParcoursError when a run fails or the peer does not agree.
    """
    roots = work / "roots"
    roots.mkdir(parents=True, exist_ok=True)
    sizes = {factor: persons * factor // max(factors) for factor in sorted(set(factors))}
    check_room(roots, list(sizes.values()))
    inputs = {factor: make_input(roots, size, CORES) for factor, size in sizes.items()}
    compared = compare(inputs[max(factors)], runs, work)
    uses_spark = any(one.applications for one in compared["parcours"])
    starts = [run_once("spark_start", inputs[max(factors)], work) for _ in range(runs if uses_spark else 0)]
    every = [run_once(ALL, inputs[max(factors)], work) for _ in range(runs)]
    scaled = {
        factor: compared["parcours"]
        if factor == max(factors)
        else [run_once("parcours", inputs[factor], work) for _ in range(runs)]
        for factor in sizes
    }
    return report(inputs, compared, every, starts, scaled, CORES)


def main() -> None:
    """Entry point of `python -m benchmarks.featuring`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.featuring", description="Measure featuring.")
    parser.add_argument("--persons", type=int, default=200_000, help="persons at the largest factor")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument(
        "--factors", type=int, nargs="+", default=[1, 4, 16], help="sizes of the scaling; the largest is --persons"
    )
    parser.add_argument("--work", type=Path, default=HOME / ".bench" / "featuring", help="folder for tables and runs")
    parser.add_argument("--out", type=Path, default=RESULTS / "featuring.json", help="the result file")
    given = parser.parse_args()
    try:
        if given.runs < 1 or min(given.factors) < 1:
            raise InputError("--runs and --factors must be 1 or more.")
        if given.persons * min(given.factors) < max(given.factors):
            raise InputError("--persons is less than one person at the smallest factor; give more.")
        write_result(given.out, run(given.persons, given.runs, given.factors, given.work.resolve()))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None


if __name__ == "__main__":
    main()
