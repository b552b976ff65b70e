"""ConvSCCS against tick's on the same cases, and a national study with its scaling in cases.

`python -m benchmarks.inference` writes benchmarks/results/inference.json; docs/how-to/benchmarks.md says what is in it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.inference_report import report
from benchmarks.inference_runs import Task, compare, run_national
from benchmarks.results import HOME, RESULTS, write_result
from parcours.errors import InputError
from parcours.stages.exit import exit_code_of

LEAST_CASES = 50


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Make what is missing, run everything, and return the content of the result file.

    Raises ParcoursError when a run fails, or the two do not minimise the same objective.
    """
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    penalties = (given.tv, given.group)
    fit = compare(Task("fit", given.cases, given.bootstraps, *penalties), given.runs, work)
    intervals = compare(Task("intervals", given.interval_cases, given.bootstraps, *penalties), given.runs, work)
    national = {
        size: run_national(size, given.national_drugs, given.national_bootstraps, work) for size in _sizes(given)
    }
    made = report(fit, intervals, national, given.national_drugs)
    return made | _as_it_was(given.out) if given.skip_national else made


def _as_it_was(out: Path) -> dict[str, Any]:
    """The national part of a result file that is there, and the commit that it is of."""
    before = json.loads(out.read_text("utf-8")) if out.is_file() else {}
    if not before.get("national"):
        return {}
    national = {"commit": before["commit"], **before["national"]}
    return {"national": national, **{name: before[name] for name in ("scaling", "exponent")}}


def _sizes(given: argparse.Namespace) -> list[int]:
    """Numbers of cases of the national study, ascending."""
    if given.skip_national:
        return []
    return sorted({given.national_cases * factor // max(given.factors) for factor in given.factors})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description="Measure inference.")
    parser.add_argument("--cases", type=int, default=10_000, help="cases of the fit")
    parser.add_argument("--interval-cases", type=int, default=2000, help="cases of fit, refit and bootstrap")
    parser.add_argument("--bootstraps", type=int, default=20, help="replicates of both libraries")
    parser.add_argument("--tv", type=float, default=1e-4, help="penalty of the total variation of both")
    parser.add_argument("--group", type=float, default=5e-5, help="penalty of the group norm of both")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--national-cases", type=int, default=200_000, help="cases at the largest factor")
    parser.add_argument("--national-drugs", type=int, default=400, help="medicines of the national study")
    parser.add_argument("--national-bootstraps", type=int, default=100, help="replicates of the national study")
    parser.add_argument(
        "--factors", type=int, nargs="+", default=[1, 4, 16], help="sizes of the scaling; the largest is all cases"
    )
    parser.add_argument(
        "--skip-national",
        action="store_true",
        help="compare with the peer only; the national part of the result file stays as it is",
    )
    parser.add_argument("--work", type=Path, default=HOME / ".bench" / "inference", help="folder for cases and runs")
    parser.add_argument("--out", type=Path, default=RESULTS / "inference.json", help="the result file")
    return parser.parse_args()


def _check(given: argparse.Namespace) -> None:
    if min(given.runs, *given.factors) < 1:
        raise InputError("--runs and --factors must be 1 or more.")
    if min(given.bootstraps, given.national_bootstraps) < 2:
        raise InputError("--bootstraps and --national-bootstraps must be 2 or more.")
    if min(given.cases, given.interval_cases, *_sizes(given)) < LEAST_CASES:
        raise InputError(f"The benchmark needs {LEAST_CASES} cases or more, at the smallest factor too; give more.")


def main() -> None:
    """Entry point of `python -m benchmarks.inference`."""
    given = _arguments()
    try:
        _check(given)
        write_result(given.out, run(given))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None


if __name__ == "__main__":
    main()
