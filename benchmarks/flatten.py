"""Flattening against SCALPEL's plan and against DuckDB, and at 1, 4 and 16 times the data.

`python -m benchmarks.flatten` writes benchmarks/results/flatten.json; docs/how-to/benchmarks.md says what is in it.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.agreement import check_agreement, digest
from benchmarks.environment import environment, parcours_command
from benchmarks.flatten_data import PRODUCT, Input, input_folder, make_input, peer_task, persons_for
from benchmarks.flatten_report import COMPARED, Run, report
from benchmarks.measure import measure, usable_cores
from benchmarks.results import HOME, RESULTS, write_result
from benchmarks.stages import CONFIGURATION, spark_stages
from parcours.errors import InputError
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery
from parcours.stages.exit import exit_code_of

CORES = 2
RUNS_ABOVE = 1  # runs of a size above the compared one, which takes many minutes
ROOM = 2.0  # most that a run needs on the disk beside the raw files, as a share of them; measured
PROGRAMS = {"scalpel_plan": "scalpel_plan", "duckdb": "duckdb_join", "spark_start": "spark_start"}
# The flat files of each peer, under the folder of its run.
FLAT = {
    "parcours": f"out/flat/{PRODUCT}/*/*.parquet",
    "parcours_shuffled": f"out/flat/{PRODUCT}/*/*.parquet",
    "scalpel_plan": "out/flat_table/*/*/*.parquet",
    "duckdb": "out/*.parquet",
}


def run_once(name: str, given: Input, work: Path) -> Run:
    """Run one peer from an empty folder, and clear up after it.

    Raises ParcoursError when it fails.
    """
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("events", "spark"):
        (folder / part).mkdir(parents=True)
    (folder / "task.json").write_text(json.dumps(peer_task(load_delivery(given.folder))), "utf-8")
    began, load = time.time(), os.getloadavg()[0]
    done = measure(_command(name, given, folder), _environment(name, folder), work / f"{name}.log", usable_cores(CORES))
    found = digest(str(folder / FLAT[name]), list(load_product(PRODUCT).key)) if name in FLAT else {}
    stages = spark_stages(folder / "events", began) if name == "parcours" else []
    shutil.rmtree(folder)
    sys.stderr.write(f"{name}, {given.raw_bytes / 1e9:.2f} GB: {done.seconds:.1f} s, {done.peak_mb:.0f} MB\n")
    return Run(done, load, found, stages)


def _command(name: str, given: Input, folder: Path) -> list[str]:
    if name in PROGRAMS:
        module = f"benchmarks.peers.{PROGRAMS[name]}"
        return [sys.executable, "-m", module, str(folder / "task.json"), str(folder / "out")]
    shuffled = [sys.executable, "-m", "benchmarks.peers.parcours_shuffled"]
    program = shuffled if name == "parcours_shuffled" else parcours_command()
    root = (folder / "out").as_uri()
    return [*program, "flatten", "--delivery", str(given.folder), "--root", root, "--product", PRODUCT, "--json"]


def _environment(name: str, folder: Path) -> dict[str, str]:
    logged = {**CONFIGURATION, "spark.eventLog.dir": (folder / "events").as_uri()}
    return environment(folder, CORES, logged if name.startswith("parcours") else {})


def compare(given: Input, runs: int, work: Path, names: list[str]) -> dict[str, list[Run]]:
    """All programs in turn, `runs` times; each round begins with another one.

    Raises ParcoursError when two outputs of a round do not hold the same rows.
    """
    done: dict[str, list[Run]] = defaultdict(list)
    for turn in range(runs):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            done[name].append(run_once(name, given, work))
        check_agreement({name: done[name][-1].digest for name in names})
    return done


def check_room(work: Path, raw_gb: dict[int, float]) -> None:
    """Raise InputError when the disk cannot hold the deliveries still to be made and the largest run.

    `raw_gb`: size of each factor.
    """
    missing = [size for size in raw_gb.values() if not input_folder(work / "deliveries", persons_for(size)).is_dir()]
    need = sum(missing) + ROOM * max(raw_gb.values())
    free = shutil.disk_usage(work).free / 1e9
    if free < need:
        raise InputError(
            f"{work} has {free:.1f} GB free and the benchmark needs {need:.1f} GB; free some, choose another folder"
            " with --work, or a smaller size with --raw-gb or --factors."
        )


def run(raw_gb: float, runs: int, factors: list[int], work: Path, peers: list[str]) -> dict[str, Any]:
    """Make what is missing, run everything, and return the content of the result file; `raw_gb` is the size at 4x.

    Raises InputError when the machine has no room for it, ParcoursError when a run fails or the peers do not agree.
    """
    work.mkdir(parents=True, exist_ok=True)
    sizes = {factor: raw_gb * factor / COMPARED for factor in sorted({*factors, COMPARED})}
    check_room(work, sizes)
    inputs = {factor: make_input(work / "deliveries", persons_for(size)) for factor, size in sizes.items()}
    compared = compare(inputs[COMPARED], runs, work, ["parcours", *peers])
    starts = [run_once("spark_start", inputs[COMPARED], work) for _ in range(runs)]
    scaled = {COMPARED: compared["parcours"]}
    for factor in sizes:
        if factor != COMPARED:
            times = RUNS_ABOVE if factor > COMPARED else runs
            scaled[factor] = [run_once("parcours", inputs[factor], work) for _ in range(times)]
    return report(inputs, compared, starts, dict(sorted(scaled.items())), CORES)


def main() -> None:
    """Entry point of `python -m benchmarks.flatten`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flatten", description="Measure flattening.")
    parser.add_argument("--raw-gb", type=float, default=2.1, help="size at which all are compared (4x), in 10^9 bytes")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument(
        "--factors", type=int, nargs="+", default=[1, 4, 16], help="sizes of the scaling; 4 is --raw-gb"
    )
    peers = [name for name in FLAT if name != "parcours"]
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers, help="what Parcours is compared with")
    parser.add_argument("--work", type=Path, default=HOME / ".bench" / "flatten", help="folder for deliveries and runs")
    parser.add_argument("--out", type=Path, default=RESULTS / "flatten.json", help="the result file")
    given = parser.parse_args()
    try:
        if given.runs < 1 or min(given.factors) < 1:
            raise InputError("--runs and --factors must be 1 or more.")
        write_result(given.out, run(given.raw_gb, given.runs, given.factors, given.work.resolve(), given.peers))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None


if __name__ == "__main__":
    main()
