"""A curve of ConvSCCS beside a regression spline of its lags, fitted by itself on every day of every case."""

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import BSpline
from scipy.optimize import minimize

from parcours.models import CaseSeries, ConvSCCS

CASES, DAYS, LAGS = 2_000, 200, 30
TRUTH = np.log(1 + 1.5 * np.exp(-0.5 * ((np.arange(LAGS) - 10) / 5.0) ** 2))  # a bell that rises to 2.5


@pytest.fixture(scope="module")
def drawn():
    """Start of exposure and day of the event of each case."""
    rng = np.random.default_rng(3)
    start = rng.integers(-10, DAYS - 10, CASES)
    lag = np.arange(DAYS) - start[:, None]
    weight = np.exp(np.where((lag >= 0) & (lag < LAGS), TRUTH[np.clip(lag, 0, LAGS - 1)], 0.0))
    running = np.cumsum(weight, axis=1)
    return start, (running < rng.random((CASES, 1)) * running[:, -1:]).sum(axis=1)


@pytest.fixture(scope="module")
def model(drawn):
    start, event = drawn
    number = np.arange(CASES)
    series = CaseSeries(
        pd.DataFrame({"person_id": number, "start": 0, "end": DAYS - 1}),
        pd.DataFrame({"person_id": number, "day": event}),
        pd.DataFrame({"person_id": number, "drug": "bell", "start": start}),
    )
    return ConvSCCS.cross_validate(series, lags=LAGS - 1, folds=3, seed=1).bootstrap(0)


def spline_curve(start, event):
    """Log relative incidence by lag of a cubic spline with seven pieces, by maximum likelihood on all days."""
    knots = np.concatenate([[-0.5] * 3, np.linspace(-0.5, LAGS - 0.5, 8), [LAGS - 0.5] * 3])
    basis = BSpline.design_matrix(np.arange(LAGS, dtype=float), knots, 3).toarray()
    lag = np.arange(DAYS) - start[:, None]
    exposed = (lag >= 0) & (lag < LAGS)
    design = np.where(exposed[:, :, None], basis[np.clip(lag, 0, LAGS - 1)], 0.0)
    at_event = design[np.arange(len(event)), event].sum(axis=0)

    def loss(b):
        weight = np.exp(design @ b)
        total = weight.sum(axis=1)
        expected = np.einsum("ij,ijk->k", weight / total[:, None], design)
        return np.log(total).sum() - at_event @ b, expected - at_event

    return basis @ minimize(loss, np.zeros(basis.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-3}).x


@pytest.fixture(scope="module")
def spline(drawn):
    return spline_curve(*drawn)


def test_the_curve_and_a_spline_of_the_lags_agree_and_both_are_near_the_truth(spline, model):
    curve = model.latest_coef()[0]
    assert np.abs(spline - TRUTH).mean() < 0.15
    assert np.abs(curve - TRUTH).mean() < 0.15
    assert np.abs(curve - spline).mean() < 0.15
    assert np.abs(TRUTH).mean() > 0.3  # a curve of zeros would be that far away
    assert abs(int(curve.argmax()) - 10) <= 5


def test_the_spline_lies_in_the_band_of_the_windows(spline, model):
    shown = model.curves().query("lag >= 0")
    inside = (shown.band_lower.to_numpy() <= spline) & (spline <= shown.band_upper.to_numpy())
    assert inside.mean() > 0.9
