"""The paper's design: how far curves are from the truth, and how often intervals hold it."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.calibration.designs import draw_paper
from parcours.models import ConvSCCS

LAGS = 49
FALSE_DISCOVERY = 0.05


def measure(seed: int, censored: float = 0.0) -> dict[str, Any]:
    """Errors over all coefficients, and for each medicine with an effect whether intervals hold the truth.

    held_at_true_peak, held_at_curve_peak: the interval of one lag, at the peak of the truth and at that of the model's
    curve (of the medicines that have one); held_at_seen_peak: the band of all lags, where the windows' estimate is
    highest, a place chosen by looking at the very estimates.

    bias: mean of estimate minus truth of the windows' estimates, over medicines with an effect.
    """
    drawn = draw_paper(seed, censored=censored)
    model = ConvSCCS.cross_validate(drawn.series, lags=LAGS, seed=seed, threads=1).bootstrap(0, threads=1)
    truth, tests = drawn.truth, model.screen_
    assert tests is not None
    inside = {
        name: getattr(tests, name)[:, -truth.shape[1] :] for name in ("lower", "upper", "band_lower", "band_upper")
    }
    estimate = tests.estimate[:, -truth.shape[1] :]
    drugs = np.flatnonzero(truth.any(axis=1))
    curves = model.latest_coef()
    true_peak, seen_peak, curve_peak = truth.argmax(axis=1), estimate.argmax(axis=1), curves.argmax(axis=1)
    curved = drugs[curves[drugs].max(axis=1) > 0]
    flags = model.peaks(FALSE_DISCOVERY).flag
    shown = np.isfinite(estimate) & (estimate > -10)
    return {
        "zero": float(np.abs(truth).mean()),
        "penalised": float(np.abs(model.coef_ - truth).mean()),
        "refitted": float(np.abs(model.latest_coef() - truth).mean()),
        "bias": float(
            (np.log(np.exp(estimate[drugs]).mean(axis=1)) - np.log(np.exp(truth[drugs]).mean(axis=1))).mean()
        ),
        "shown": float(shown.mean()),
        "held_at_true_peak": _held(inside["lower"], inside["upper"], truth, drugs, true_peak),
        "held_at_curve_peak": _held(inside["lower"], inside["upper"], truth, curved, curve_peak),
        "held_at_seen_peak": _held(inside["band_lower"], inside["band_upper"], truth, drugs, seen_peak),
        "held_everywhere": float(((inside["lower"] <= truth) & (truth <= inside["upper"])).mean()),
        "raised": [bool(flags[drug] == "raised") for drug in drugs],
        "false": [bool(flags[drug]) for drug in np.flatnonzero(~truth.any(axis=1))],
    }


def _held(lower: np.ndarray, upper: np.ndarray, truth: np.ndarray, drugs: np.ndarray, lag: np.ndarray) -> list[bool]:
    """Whether the interval at the lag of each drug holds the truth there."""
    return [bool(lower[drug, lag[drug]] <= truth[drug, lag[drug]] <= upper[drug, lag[drug]]) for drug in drugs]
