"""Screens of many medicines of which none has an effect: what is flagged is false."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.calibration.designs import series_of
from parcours.models import ConvSCCS

CASES, DAYS, DRUGS = 1_500, 1_096, 200
BUCKET, LAGS = 14, 13


def measure(seed: int) -> dict[str, Any]:
    """Number of flags, and smallest p value, of one screen; medicines are bought by 5 to 30 % of the cases."""
    rng = np.random.default_rng([3, seed])
    share = np.linspace(0.05, 0.3, DRUGS)
    start = np.where(rng.random((CASES, DRUGS)) < share, rng.integers(0, DAYS, (CASES, DRUGS)), -1)
    series = series_of(start, rng.integers(0, DAYS, CASES), np.full(CASES, DAYS - 1))
    model = ConvSCCS.cross_validate(series, lags=LAGS, bucket=BUCKET, folds=3, seed=seed, threads=1)
    peaks = model.bootstrap(0, threads=1).peaks()
    return {
        "flags": int((peaks.flag != "").sum()),
        "before": int((peaks.before == "raised").sum()),
        "below_5_percent": float((peaks.p_value < 0.05).mean()),
        "selected": int(peaks.selected.sum()),
    }
