"""Measures, on drawn case series, how often planted effects are flagged, null drugs flagged, and truths covered.

    python -m tests.models.calibration.measure_flags --seeds 0 20 --cases 1500 --exposed 0.25 0.45

One JSON line a seed, then the totals. The numbers of docs/adr/0003-intervals-of-curves.md come from here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from parcours.models import ConvSCCS
from tests.models.simulation import demo_truth, draw_series, mean_over_days

BUCKET, LAGS = 14, 13


def measure(seed: int, cases: int, exposed: tuple[float, float]) -> dict:
    """Counts of one drawn series: flags by kind of drug, coverage of the windows that stand out, seconds."""
    truth = demo_truth(exposed=exposed)
    series = draw_series(truth, cases, seed)
    began = time.perf_counter(), time.process_time()
    cuts = list(range(180, truth.days, 180))
    model = ConvSCCS.cross_validate(series, lags=LAGS, bucket=BUCKET, calendar_cuts=cuts, seed=seed)
    model.bootstrap(0)
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    peaks = model.peaks().set_index("drug")
    raising = [drug for drug, curve in truth.curves.items() if curve.max() >= 2]
    lowering = [drug for drug, curve in truth.curves.items() if curve.min() <= 0.5]
    null = [drug for drug in truth.exposed if drug not in truth.curves]
    flag = peaks.flag

    def covered(drug: str) -> bool:
        row = peaks.loc[drug]
        shown = mean_over_days(truth.curves[drug], BUCKET * row.first_lag, BUCKET * row.last_lag + BUCKET - 1)
        return bool(row.lower <= shown <= row.upper)

    return {
        "seed": seed,
        "raising": len(raising),
        "raised": int((flag[raising] == "raised").sum()),
        "missed": [
            [drug, round(float(truth.curves[drug].max()), 1), int(peaks.exposed_cases[drug])]
            for drug in raising
            if flag[drug] != "raised"
        ],
        "lowering": len(lowering),
        "lowered": int((flag[lowering] == "lowered").sum()),
        "null": len(null),
        "false": int((flag[null] != "").sum()),
        "planted": len(truth.curves),
        "covered": sum(covered(drug) for drug in truth.curves),
        "selected": int(peaks.selected.sum()),
        "wall": round(wall, 1),
        "cpu": round(cpu, 1),
    }


def main() -> int:
    """Measure all seeds and sum up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 20))
    parser.add_argument("--cases", type=int, default=1500)
    parser.add_argument("--exposed", type=float, nargs=2, default=(0.25, 0.45))
    options = parser.parse_args()
    rows = []
    for seed in range(*options.seeds):
        rows.append(measure(seed, options.cases, tuple(options.exposed)))
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
    totals = {key: float(np.sum([row[key] for row in rows])) for key in rows[0] if key not in ("seed", "missed")}
    summary = {
        "power": totals["raised"] / totals["raising"],
        "power_lowering": totals["lowered"] / totals["lowering"],
        "null_flagged": totals["false"] / totals["null"],
        "covered": totals["covered"] / totals["planted"],
        "seconds": totals["wall"] / len(rows),
        "cpu_seconds": totals["cpu"] / len(rows),
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
