"""Replicates of a fitted model: events drawn again, or persons drawn again, and the curves estimated anew."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from parcours.errors import InputError
from parcours.models.buckets import Buckets
from parcours.models.likelihood import probabilities
from parcours.models.refit import Refit, refit, tied_columns
from parcours.models.solver import solve

#: "structure": events drawn from the model, the tied structure kept. "selection": events drawn from the model, the
#: penalised fit and its refit repeated. "cases": persons drawn with replacement, penalised fit and refit repeated.
Scheme = Literal["structure", "selection", "cases"]


def draw_counts(buckets: Buckets, coefficients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts (cells,) with each person's number of events, placed by the model among the person's own cells."""
    cumulative = np.cumsum(probabilities(buckets, coefficients))
    events = np.add.reduceat(buckets.count, buckets.cell_ptr[:-1]).astype(np.int64)
    person = np.repeat(np.arange(buckets.n_persons), events)
    start = np.concatenate([[0.0], cumulative])[buckets.cell_ptr]
    point = start[person] + rng.random(len(person)) * (start[person + 1] - start[person])
    cell = np.clip(np.searchsorted(cumulative, point), buckets.cell_ptr[person], buckets.cell_ptr[person + 1] - 1)
    return np.bincount(cell, minlength=len(cumulative)).astype(np.float64)


def replicates(
    buckets: Buckets, model: Refit, penalties: tuple[float, float], scheme: Scheme, n: int, seed: int, threads: int
) -> np.ndarray:
    """Coefficients of `n` replicates, shape (n, coefficients); replicate r depends on (seed, r) only."""
    once = _SCHEMES[scheme]

    def one(number: int) -> np.ndarray:
        return once(buckets, model, penalties, np.random.default_rng([seed, number]))

    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(one, range(n))))


def percentile_intervals(
    buckets: Buckets,
    model: Refit,
    penalties: tuple[float, float],
    scheme: Scheme,
    n: int,
    seed: int,
    confidence: float,
    threads: int,
) -> dict[str, np.ndarray]:
    """lower and upper of each drug and lag, shape (drugs, lags + 1): quantiles over the replicates."""
    if scheme not in _SCHEMES:
        raise InputError(f"The scheme {scheme} is unknown: use working, structure, selection or cases.")
    width = buckets.lags + 1
    drawn = replicates(buckets, model, penalties, scheme, n, seed, threads)[:, : buckets.n_drugs * width]
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(drawn.reshape(n, -1, width), [tail, 1 - tail], axis=0)
    return {"lower": lower, "upper": upper}


def _structure(buckets: Buckets, model: Refit, penalties: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    drawn = buckets.with_counts(draw_counts(buckets, model.coefficients, rng))
    return refit(drawn, model.coefficients, model.column, model.n_columns).coefficients


def _selection(buckets: Buckets, model: Refit, penalties: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    drawn = buckets.with_counts(draw_counts(buckets, model.coefficients, rng))
    return _fit_anew(drawn, model, penalties)


def _cases(buckets: Buckets, model: Refit, penalties: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    persons = rng.integers(0, buckets.n_persons, buckets.n_persons)
    return _fit_anew(buckets.sample(persons), model, penalties)


def _fit_anew(buckets: Buckets, model: Refit, penalties: tuple[float, float]) -> np.ndarray:
    start = solve(buckets, *penalties, model.coefficients, tolerance=1e-3, max_iterations=300).coefficients
    column, n_columns = tied_columns(start, buckets.n_drugs, buckets.lags + 1)
    return refit(buckets, start, column, n_columns).coefficients


_SCHEMES: dict[str, Callable[..., np.ndarray]] = {"structure": _structure, "selection": _selection, "cases": _cases}
