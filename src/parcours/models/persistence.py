"""A fitted ConvSCCS as JSON-able values and back. Missing numbers are null; no person is ever in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from parcours.errors import InputError
from parcours.models.buckets import Baseline
from parcours.models.cross_validation import GridResult
from parcours.models.screening import Screen

FORMAT = 1


def model_to_dict(model: Any) -> dict[str, Any]:
    """Settings, coefficients, intervals, tests and the grid of a fitted ConvSCCS."""
    return {
        "format": FORMAT,
        "lags": model.lags,
        "bucket": model.bucket,
        "tv": model.tv,
        "group": model.group,
        "baseline": {name: list(getattr(model.baseline, name)) for name in ("age", "calendar", "season")},
        "drugs": list(model.drugs_),
        "exposed_cases": _plain(model.exposed_cases_),
        "cases": model.n_cases_,
        "events": model.n_events_,
        "objective": model.objective_,
        "coef": _plain(model.coef_),
        "baseline_terms": list(model.baseline_terms_),
        "baseline_coef": _plain(model.baseline_),
        "refit_coef": None if model.refit_coef_ is None else _plain(model.refit_coef_),
        "refit_ridge": model.refit_ridge_,
        "intervals": None if model.intervals_ is None else {k: _plain(v) for k, v in model.intervals_.items()},
        "screen": None if model.screen_ is None else {k: _plain(v) for k, v in vars(model.screen_).items()},
        "held_out_likelihood": model.held_out_likelihood_,
        "grid": None if model.cv_ is None else {k: _plain(v) for k, v in vars(model.cv_).items()},
    }


def model_from_dict(cls: type, saved: dict[str, Any]) -> Any:
    """The model that `model_to_dict` saved. Raises `InputError` on another format."""
    if saved.get("format") != FORMAT:
        raise InputError(f"The saved model has format {saved.get('format')}: this version reads format {FORMAT} only.")
    model = cls(lags=saved["lags"], bucket=saved["bucket"], tv=saved["tv"], group=saved["group"])
    model.baseline = Baseline(**{name: tuple(cuts) for name, cuts in saved["baseline"].items()})
    width = saved["lags"] + 1
    model.drugs_ = tuple(saved["drugs"])
    model.exposed_cases_ = np.array(saved["exposed_cases"], dtype=np.int64)
    model.n_cases_, model.n_events_ = saved["cases"], saved["events"]
    model.objective_ = saved["objective"]
    model.coef_ = _floats(saved["coef"]).reshape(-1, width)
    model.baseline_terms_ = tuple(saved["baseline_terms"])
    model.baseline_ = _floats(saved["baseline_coef"])
    if saved["refit_coef"] is not None:
        model.refit_coef_ = _floats(saved["refit_coef"]).reshape(-1, width)
        model.refit_ridge_ = saved["refit_ridge"]
    if saved["intervals"] is not None:
        model.intervals_ = {name: _floats(values).reshape(-1, width) for name, values in saved["intervals"].items()}
    if saved["screen"] is not None:
        tests = {name: _floats(values) for name, values in saved["screen"].items()}
        lags = {name: tests[name].astype(np.int64) for name in ("first_lag", "last_lag")}
        model.screen_ = Screen(**(tests | lags))
    model.held_out_likelihood_ = saved["held_out_likelihood"]
    if saved["grid"] is not None:
        grid = {name: _floats(values) for name, values in saved["grid"].items() if name != "chosen"}
        model.cv_ = GridResult(**grid, chosen=saved["grid"]["chosen"])
    return model


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value.tolist()]
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _floats(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)
