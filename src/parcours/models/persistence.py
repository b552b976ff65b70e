"""A fitted ConvSCCS as JSON-able values, and back: nan is written as null, an infinite bound as "inf" or "-inf"."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from parcours.errors import InputError
from parcours.models.baseline import KINDS, Baseline
from parcours.models.cross_validation import GridResult
from parcours.models.screening import Screen, WindowTests
from parcours.models.solver import Solution

FORMAT = 2
SETTINGS = ("lags", "bucket", "tv", "group", "pre_lags", "tolerance")


def model_to_dict(model: Any) -> dict[str, Any]:
    """Settings, coefficients, certificate, intervals, tests and the search of a fitted ConvSCCS."""
    return {
        "format": FORMAT,
        **{name: getattr(model, name) for name in SETTINGS},
        "baseline": {name: list(getattr(model.baseline, name)) for name in KINDS},
        "drugs": list(model.drugs_),
        "exposed_cases": _plain(model.exposed_cases_),
        "cases": model.n_cases_,
        "events": model.n_events_,
        "solution": _plain(model.solution_),
        "baseline_terms": list(model.baseline_terms_),
        "relaxed": _plain(model.relaxed_),
        "share": model.share_,
        "confidence": model.confidence_,
        "screen": _plain(model.screen_),
        "selected_share": _plain(model.selected_share_),
        "held_out_likelihood": model.held_out_likelihood_,
        "search": _plain(model.cv_),
    }


def model_from_dict(cls: type, saved: dict[str, Any]) -> Any:
    """The model that `model_to_dict` saved. Raises `InputError` on another format."""
    if saved.get("format") != FORMAT:
        raise InputError(f"The saved model has format {saved.get('format')}: this version reads format {FORMAT} only.")
    model = cls(**{name: saved[name] for name in SETTINGS})
    model.baseline = Baseline(**{name: tuple(cuts) for name, cuts in saved["baseline"].items()})
    model.drugs_ = tuple(saved["drugs"])
    model.exposed_cases_ = np.array(saved["exposed_cases"], dtype=np.int64)
    model.n_cases_, model.n_events_ = saved["cases"], saved["events"]
    model.solution_ = _solution(saved["solution"])
    model.objective_ = model.solution_.objective
    model.coef_, model.pre_coef_ = model._curves_of(model.solution_.coefficients)
    model.baseline_ = model.solution_.coefficients[len(model.drugs_) * model.axis.width :]
    model.baseline_terms_ = tuple(saved["baseline_terms"])
    model.relaxed_ = _optional(saved["relaxed"])
    model.share_, model.confidence_ = saved["share"], saved["confidence"]
    model.screen_ = None if saved["screen"] is None else _screen(saved["screen"])
    model.selected_share_ = _optional(saved["selected_share"])
    model.held_out_likelihood_ = saved["held_out_likelihood"]
    if saved["search"] is not None:
        arrays = {name: _floats(values) for name, values in saved["search"].items() if name != "chosen"}
        model.cv_ = GridResult(**arrays, chosen=saved["search"]["chosen"])
    return model


def _solution(saved: dict[str, Any]) -> Solution:
    arrays = {"coefficients": _floats(saved["coefficients"]), "objectives": tuple(saved["objectives"])}
    return Solution(**(saved | arrays))


def _screen(saved: dict[str, Any]) -> Screen:
    curves = {name: _floats(values) for name, values in saved.items() if name not in ("after", "before")}
    return Screen(**curves, after=_tests(saved["after"]), before=_tests(saved["before"]))


def _tests(saved: dict[str, Any]) -> WindowTests:
    columns = {name: _floats(values) for name, values in saved.items()}
    lags = {name: columns[name].astype(np.int64) for name in ("first_lag", "last_lag")}
    return WindowTests(**(columns | lags))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _optional(values: Any) -> np.ndarray | None:
    return None if values is None else _floats(values)


def _floats(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)
