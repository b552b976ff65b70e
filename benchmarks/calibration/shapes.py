"""Five ways in which events gather around a first purchase; only two of them are effects of the medicine."""

from __future__ import annotations

import numpy as np

from benchmarks.calibration.designs import day_of, draw, series_of
from parcours.models import CaseSeries, ConvSCCS

CASES, DAYS, DRUGS = 1_000, 1_096, 4
BUCKET, LAGS = 14, 13
EXPOSED = 0.6  # of the cases, to each medicine
SHAPES = ("causal early", "causal late", "protopathic", "indication", "event-dependent exposure")


def draw_shape(shape: str, seed: int) -> CaseSeries:
    """Cases of one event; the first of four medicines has the shape, the others are bought at random."""
    rng = np.random.default_rng([2, SHAPES.index(shape), seed])
    start = np.where(rng.random((CASES, DRUGS)) < EXPOSED, rng.integers(0, DAYS, (CASES, DRUGS)), -1)
    end = np.full(CASES, DAYS - 1)
    if shape.startswith("causal"):
        return draw(rng, start, _curves(shape), end)
    return _not_causal(rng, shape, start, end)


def _curves(shape: str) -> np.ndarray:
    """Relative incidence 3 in the first four weeks, or 2.5 from week 14 to week 25, as logs, (drugs, days)."""
    truth = np.zeros((DRUGS, BUCKET * (LAGS + 1)))
    days = np.arange(truth.shape[1])
    truth[0] = np.log(3.0) * (days < 28) if shape == "causal early" else np.log(2.5) * ((days >= 98) & (days < 182))
    return truth


def _not_causal(rng: np.random.Generator, shape: str, start: np.ndarray, end: np.ndarray) -> CaseSeries:
    exposed = start[:, 0] >= 0
    event = rng.integers(0, DAYS, CASES)
    if shape == "protopathic":
        # First symptoms bring the purchase and, apart from it, the diagnosis, each within a month.
        led = exposed & (rng.random(CASES) < 0.3)
        onset = rng.integers(0, DAYS - 30, CASES)
        event = np.where(led, onset + rng.integers(0, 31, CASES), event)
        start[:, 0] = np.where(led, onset + rng.integers(0, 31, CASES), start[:, 0])
    elif shape == "indication":
        # The illness that the medicine is for raises the risk from 60 days before its purchase to 120 days after it.
        away = np.arange(DAYS) - start[:, :1]
        ill = exposed[:, None] & (away >= -60) & (away < 120)
        event = day_of(rng, np.where(ill, 2.5, 1.0))
    else:
        # Who had the event is not given the medicine for half a year: a purchase planned then does not happen.
        since = start[:, 0] - event
        start[:, 0] = np.where((since >= 0) & (since < 182), -1, start[:, 0])
    return series_of(start, event, end)


def expected_events(shape: str) -> float:
    """Events expected without effect in the window of a causal shape, (exposed cases times its share of the days)."""
    days = int((_curves(shape)[0] > 0).sum())
    return CASES * EXPOSED * days / DAYS


def told(shape: str, seed: int) -> dict[str, str]:
    """What the model says of the medicine: `flag` and `before`."""
    model = ConvSCCS.cross_validate(draw_shape(shape, seed), lags=LAGS, bucket=BUCKET, folds=3, seed=seed, threads=1)
    row = model.bootstrap(0, threads=1).peaks().iloc[0]
    return {"flag": str(row.flag), "before": str(row.before)}
