"""Draw cases with tick's own simulator and write them for both libraries; runs in the environment of tick."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import vstack
from tick.survival.simu_sccs import CustomEffects, SimuSCCS

SEED = 42


def relative_incidences(lags: int) -> list[np.ndarray]:
    """Fourteen curves of the simulations of Morel et al. (doi 10.1093/biostatistics/kxz003); seven have no effect."""
    effects = CustomEffects(lags)
    return [
        *[effects.constant_effect(1)] * 7,
        effects.constant_effect(1.5),
        effects.bell_shaped_effect(2, 20),
        effects.bell_shaped_effect(2, 30, 15, 15),
        effects.increasing_effect(2, curvature_type=1)[::-1],
        effects.increasing_effect(2, curvature_type=1),
        effects.increasing_effect(2, curvature_type=2),
        effects.increasing_effect(2, curvature_type=4),
    ]


def simulate(cases: int, days: int, lags: int) -> dict[str, Any]:
    """Arrays of `benchmarks.inference_objective.Cases`: nobody is censored, and no day is riskier by itself."""
    curves = [np.log(curve) for curve in relative_incidences(lags)]
    last_lag = np.repeat(lags - 1, len(curves)).astype("uint64")
    simulation = SimuSCCS(
        cases, days, len(curves), last_lag, coeffs=curves, n_correlations=len(curves), seed=SEED, verbose=False
    )
    features, _, labels, _, _ = simulation.simulate()
    stacked = vstack(features).tocoo()
    order = np.lexsort((stacked.col, stacked.row // days))
    return {
        "days": np.int64(days),
        "event_day": np.argmax(np.stack(labels), axis=1).astype(np.int64),
        "exposure_case": (stacked.row // days)[order].astype(np.int64),
        "exposure_drug": stacked.col[order].astype(np.int64),
        "exposure_day": (stacked.row % days)[order].astype(np.int64),
        "truth": np.stack(curves),
    }


def main(cases: str, days: str, lags: str, out: str) -> None:
    """Write the file whole or not at all."""
    partial = Path(out).with_suffix(".partial.npz")
    np.savez_compressed(partial, **simulate(int(cases), int(days), int(lags)))
    partial.rename(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
