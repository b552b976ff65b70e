"""Ours on a national study: cross-validation, bootstrap and tests, peaks; tells how long each took."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.inference_data import LAGS, YEAR, NationalCases, draw_national, read_national
from benchmarks.peers.stopwatch import peak_mb, timed
from parcours.models import CaseSeries, ConvSCCS

SETTINGS: dict[str, Any] = {
    "lags": LAGS - 1,
    "bucket": 1,
    "folds": 3,
    "age_cuts": [round(age * YEAR) for age in range(70, 100, 5)],
    "season_cuts": [1, 91, 182, 274],
}
SEED = 1
WARM_CASES, WARM_DRUGS = 60, 3

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def native(cases: NationalCases) -> Tables:
    """Tables of persons, events and exposures."""
    person = np.arange(len(cases.start))
    names = np.array([name_of(drug) for drug in range(len(cases.truth))], dtype=object)
    return (
        pd.DataFrame({"person_id": person, "start": cases.start, "end": cases.end, "birth": cases.birth}),
        pd.DataFrame({"person_id": person, "day": cases.event_day}),
        pd.DataFrame(
            {"person_id": cases.exposure_case, "drug": names[cases.exposure_drug], "start": cases.exposure_day}
        ),
    )


def name_of(drug: int) -> str:
    """Name of the medicine of a rank; names sort as ranks do."""
    return f"drug {drug:04d}"


def study(tables: Tables, bootstraps: int, threads: int, steps: dict[str, dict[str, float]]) -> ConvSCCS:
    """What a study asks of the model; the seconds of each part go to `steps`."""
    with timed() as steps["series"]:
        series = CaseSeries(*tables)
    with timed() as steps["cross_validation"]:
        model = ConvSCCS.cross_validate(series, seed=SEED, threads=threads, **SETTINGS)
    with timed() as steps["bootstrap_and_tests"]:
        model.bootstrap(bootstraps, seed=SEED, threads=threads)
    with timed() as steps["peaks"]:
        model.peaks()
    return model


def flags(model: ConvSCCS, truth: np.ndarray) -> dict[str, int]:
    """How many medicines are flagged: in the planted direction, in the other one, and without any effect."""
    peaks = model.peaks()
    planted = {name_of(drug): np.sign(curve.sum()) for drug, curve in enumerate(truth)}
    effect = peaks["drug"].map(planted).to_numpy()
    flag = peaks["flag"].map({"raised": 1, "lowered": -1, "": 0}).to_numpy()
    return {
        "planted": int((np.abs(truth).max(axis=1) > 0).sum()),
        "planted_and_flagged": int(((flag == effect) & (effect != 0)).sum()),
        "flagged_in_the_other_direction": int((flag * effect < 0).sum()),
        "flagged_without_effect": int(((flag != 0) & (effect == 0)).sum()),
    }


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Warm up (numba compiles then), run the study, and return seconds, memory and what was found."""
    study(native(draw_national(WARM_CASES, WARM_DRUGS, SEED)), 2, given["threads"], {})
    cases, steps = read_national(Path(given["data"])), dict[str, dict[str, float]]()
    tables = native(cases)
    with timed() as clock:
        model = study(tables, given["bootstraps"], given["threads"], steps)
    return {
        **clock,
        "steps": steps,
        "peak_mb": peak_mb(),
        "points": len(model.cv_table_),
        "chosen": {"tv": model.tv, "group": model.group},
        "exposures": len(cases.exposure_day),
        "flags": flags(model, cases.truth),
    }


def main(settings: str, out: str) -> None:
    """Read the settings, write what was found, both as JSON."""
    Path(out).write_text(json.dumps(run(json.loads(Path(settings).read_text("utf-8")))), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
