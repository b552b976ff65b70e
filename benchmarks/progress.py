"""How honest the estimates of running jobs are: chains on a synthetic delivery, watched twice a second while they run.

`python -m benchmarks.progress` writes benchmarks/results/eta.json; docs/how-to/benchmarks.md says what is in it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environment import parcours_command
from benchmarks.results import HOME, RESULTS, commit, machine, write_result
from parcours.errors import ParcoursError
from parcours.storage.progress import running_jobs, seconds_left
from parcours.storage.root import open_root

SAMPLES_A_SECOND = 2
# The demo's own size.
PERSONS, LINES_A_YEAR = 20_000, 8.0
LONG_SECONDS = 10.0
Sample = dict[str, Any]


def watched_chain(delivery: Path, root: Path, log: Path) -> list[Sample]:
    """What the root told while `parcours run fall` worked on it: {at, stage, done, total, share, left}, by time.

    `at` and `left` are in seconds. Raises ParcoursError when the chain fails.
    """
    command = [*parcours_command(), "run", "fall", "--root", str(root), "--delivery", str(delivery)]
    samples: list[Sample] = []
    with log.open("wb") as output:
        chain = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=_environment())
        while chain.poll() is None:
            samples += _sample(root)
            time.sleep(1 / SAMPLES_A_SECOND)
    if chain.returncode:
        raise ParcoursError(f"The chain ended with exit code {chain.returncode}; its log is {log}.")
    return samples


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}


def _sample(root: Path) -> list[Sample]:
    now = datetime.now(UTC)
    told = running_jobs(open_root(root)) if root.exists() else []
    names = ("stage", "done", "total", "share")
    return [
        {"at": now.timestamp(), **{name: job[name] for name in names}, "left": seconds_left(job, now)} for job in told
    ]


def judged(samples: list[Sample]) -> list[dict[str, Any]]:
    """Each stage of a chain: {stage, seconds, estimate, left, off}, at half of its time.

    `off` is how far the estimate lies from what was left, as a part of it; None where nothing was estimated.
    """
    # Of `gate fall 1f2e...` the fingerprint is left out; a chain has two gates, of the tables and of the study.
    jobs = groupby(samples, lambda sample: " ".join(sample["stage"].split()[:2]))
    return [_judged(stage, list(told)) for stage, told in jobs]


def _judged(stage: str, told: list[Sample]) -> dict[str, Any]:
    began, ended = told[0]["at"], told[-1]["at"] + 1 / SAMPLES_A_SECOND
    half = (began + ended) / 2
    at_half = max((sample for sample in told if sample["at"] <= half), key=lambda sample: sample["at"])
    left, estimate = ended - at_half["at"], at_half["left"]
    off = None if estimate is None else round(abs(estimate - left) / left, 3)
    return {
        "stage": stage,
        "seconds": round(ended - began, 1),
        "estimate": estimate,
        "left": round(left, 1),
        "off": off,
    }


def stages(runs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """By stage: median seconds, whether that is long enough to be judged, and the median of `off` over the runs."""
    by_stage: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        for stage in run:
            by_stage[stage["stage"]].append(stage)
    return {name: _stage(told) for name, told in by_stage.items()}


def _stage(told: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = median(one["seconds"] for one in told)
    offs = [float("inf") if one["off"] is None else one["off"] for one in told]
    found = median(offs)
    return {
        "seconds": seconds,
        "judged": seconds > LONG_SECONDS,
        "off": None if found == float("inf") else found,
        "offs": [one["off"] for one in told],
    }


def main() -> None:
    """Watch the chains, judge their estimates, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--persons", type=int, default=PERSONS)
    parser.add_argument("--delivery", type=Path, help="a delivery that is there, instead of a new one")
    parser.add_argument("--out", type=Path, default=RESULTS / "eta.json")
    parser.add_argument("--samples", type=Path, help="keep what was told, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parcours-eta-") as folder:
        delivery = given.delivery or _new_delivery(Path(folder) / "delivery", given.persons)
        watched, load = [], []
        for number in range(given.runs):
            load.append(round(os.getloadavg()[0], 1))
            samples = watched_chain(delivery, Path(folder) / f"root-{number}", Path(folder) / "chain.log")
            watched.append(samples)
            sys.stderr.write(f"run {number + 1}: {json.dumps(judged(samples))}\n")
            if given.samples:
                given.samples.write_text(json.dumps(watched), "utf-8")
            write_result(given.out, _result(given.persons, [judged(each) for each in watched], load))


def _new_delivery(folder: Path, persons: int) -> Path:
    command = [*parcours_command(), "synth", "--out", str(folder), "--persons", str(persons)]
    subprocess.run([*command, "--lines-per-person-year", str(LINES_A_YEAR)], check=True, cwd=HOME)
    return folder


def _result(persons: int, chains: list[list[dict[str, Any]]], load: list[float]) -> dict[str, Any]:
    return {
        "name": "eta",
        "machine": machine(),
        "commit": commit(),
        "runs": len(chains),
        "input": {"persons": persons, "lines_per_person_year": LINES_A_YEAR},
        "load": load,
        "stages": stages(chains),
        "chains": chains,
    }


if __name__ == "__main__":
    main()
