"""Measure on drawn case series how right the estimator is; writes benchmarks/results/calibration.json.

    python -m benchmarks.calibration --paper 20 --shapes 200 --screens 100 --demo 10

docs/explanation/calibration.md shows the numbers (`scripts/calibration_page.py` writes it from the file).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibration import demo, paper, screens, shapes
from benchmarks.results import RESULTS, commit, machine, write_result

CENSORED = 0.4


def main() -> int:
    """Run every design and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--paper", type=int, default=20, help="seeds of the paper's design")
    parser.add_argument("--shapes", type=int, default=200, help="series of each of the five shapes")
    parser.add_argument("--screens", type=int, default=100, help="screens without any effect")
    parser.add_argument("--demo", type=int, default=10, help="deliveries of the demo, each run through the whole chain")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        result = {
            "name": "calibration",
            "machine": machine(),
            "commit": commit(),
            "paper": _paper(pool.map(paper.measure, range(options.paper))),
            "paper_censored": _paper(pool.map(partial(paper.measure, censored=CENSORED), range(options.paper))),
            "shapes": {shape: _shape(pool.map, shape, options.shapes) for shape in shapes.SHAPES},
            "screens": _screens(pool.map(screens.measure, range(options.screens))),
        }
    # One after the other: each takes all cores.
    result["demo"] = _demo([demo.recovered(seed) for seed in range(1, options.demo + 1)])
    write_result(RESULTS / "calibration.json", result)
    return 0


def _paper(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found = list(rows)
    sys.stderr.write(f"paper: {len(found)} seeds\n")
    every = {key: np.concatenate([np.atleast_1d(row[key]) for row in found]) for key in found[0]}
    means = {key: round(float(np.mean(values)), 4) for key, values in every.items()}
    bias = np.array([row["bias"] for row in found])
    return {"seeds": len(found), **means, "bias_error": round(float(bias.std(ddof=1) / np.sqrt(len(bias))), 4)}


def _shape(run: Callable[..., Iterable[dict[str, str]]], shape: str, number: int) -> dict[str, Any]:
    found = list(run(partial(shapes.told, shape), range(number)))
    sys.stderr.write(f"{shape}: {number} series\n")
    flags = Counter(row["flag"] or "none" for row in found)
    before = Counter(row["before"] or "none" for row in found)
    expected = {"expected_events": round(shapes.expected_events(shape), 1)} if shape.startswith("causal") else {}
    return {"series": number, **expected, "flag": dict(flags), "before": dict(before)}


def _screens(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found = list(rows)
    sys.stderr.write(f"screens: {len(found)}\n")
    return {
        "screens": len(found),
        "drugs": screens.DRUGS,
        "with_a_flag": sum(row["flags"] > 0 for row in found),
        "flags": sum(row["flags"] for row in found),
        "share_of_p_below_5_percent": round(float(np.mean([row["below_5_percent"] for row in found])), 4),
        "raised_before": round(float(np.mean([row["before"] for row in found])) / screens.DRUGS, 4),
    }


def _demo(found: list[dict[str, Any]]) -> dict[str, Any]:
    sys.stderr.write(f"demo: {len(found)} deliveries\n")
    sums = {key: sum(row[key] for row in found) for key in found[0] if key != "missed"}
    return {"deliveries": len(found), **sums, "missed": [row["missed"] for row in found]}


if __name__ == "__main__":
    sys.exit(main())
