"""Working curves: each drug on fixed windows of lags, the other drugs on the structure that was selected.

The windows do not depend on the data, so their estimates carry no selection: their intervals stay honest where those of
the selected structure do not (docs/adr/0003-intervals-of-curves.md). Drugs that were not selected get one as well.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from parcours.models.bootstrap import draw_counts
from parcours.models.buckets import Buckets
from parcours.models.likelihood import hessian, loss_and_gradient
from parcours.models.refit import Refit, refit

#: Information, in events, below which a window has no interval.
_LEAST_INFORMATION = 0.1


def working_windows(lags: int) -> np.ndarray:
    """Window of each lag, shape (lags + 1,): at most five, growing with the lag (1, 2, 3, 4, 4 lags for lags = 13)."""
    number = min(5, lags + 1)
    edges = np.round((lags + 1) * (np.arange(1, number) / number) ** 1.7).astype(np.int64)
    edges = np.unique(np.maximum(edges, np.arange(1, number)))
    return np.searchsorted(edges, np.arange(lags + 1), side="right")


def working_curves(
    buckets: Buckets, model: Refit, n: int, seed: int, confidence: float, threads: int
) -> dict[str, np.ndarray]:
    """estimate, lower, upper of each drug and lag, shape (drugs, lags + 1); nan where a window holds no information.

    The interval is estimate -+ q * se; q is the quantile of |t| over `n` draws of all events from the model, t being
    the first-order estimate of the window in units of its se, pooled over the windows of the drug (parametric
    bootstrap-t). Results depend on the seed, not on the threads.
    """
    window = working_windows(buckets.lags)
    width, size = buckets.lags + 1, int(window.max()) + 1
    reach = _bootstrap_reach(buckets, model, window, n, seed, confidence)

    def one(drug: int) -> tuple[np.ndarray, np.ndarray]:
        column, nuisance = _with_windows(model, drug, window)
        fitted = refit(buckets, model.coefficients, column, nuisance + size)
        information = buckets.n_persons * hessian(buckets, fitted.coefficients, column, nuisance + size)
        se = _standard_errors(information, nuisance)
        return fitted.coefficients[drug * width : (drug + 1) * width], se[window]

    with ThreadPoolExecutor(threads) as pool:
        fitted = list(pool.map(one, range(buckets.n_drugs)))
    estimate = np.array([curve for curve, _ in fitted]).reshape(-1, width)
    se = np.array([error for _, error in fitted]).reshape(-1, width)
    estimate = np.where(np.isnan(se), np.nan, estimate)
    return {"estimate": estimate, "lower": estimate - reach[:, None] * se, "upper": estimate + reach[:, None] * se}


def _with_windows(model: Refit, drug: int, window: np.ndarray) -> tuple[np.ndarray, int]:
    """Columns with the drug on its working windows, which come after the `nuisance` parameters of all the rest."""
    width = len(window)
    column = model.column.copy()
    column[drug * width : (drug + 1) * width] = -1
    kept = np.unique(column[column >= 0])
    column = np.where(column >= 0, np.searchsorted(kept, column), -1)
    column[drug * width : (drug + 1) * width] = len(kept) + window
    return column, len(kept)


def _standard_errors(information: np.ndarray, nuisance: int) -> np.ndarray:
    """Standard errors of the parameters after the nuisance ones; nan for those without information."""
    known = np.diag(information)[nuisance:] > _LEAST_INFORMATION
    keep = np.append(np.ones(nuisance, dtype=bool), known)
    inverse = np.linalg.pinv(information[np.ix_(keep, keep)], hermitian=True)
    se = np.full(len(known), np.nan)
    se[known] = np.sqrt(np.maximum(np.diag(inverse)[nuisance:], 0.0))
    return se


def _bootstrap_reach(
    buckets: Buckets, model: Refit, window: np.ndarray, n: int, seed: int, confidence: float
) -> np.ndarray:
    """Quantile of |t| for each drug, shape (drugs,), from first-order estimates on drawn events."""
    weights = _first_order(buckets, model, window)
    largest = np.zeros((n, buckets.n_drugs, int(window.max()) + 1))
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        drawn = buckets.with_counts(draw_counts(buckets, model.coefficients, rng))
        score = -buckets.n_persons * loss_and_gradient(drawn, model.coefficients)[1]
        for drug, (columns, matrix) in enumerate(weights):
            tied = np.bincount(columns[columns >= 0], score[columns >= 0], minlength=matrix.shape[1])
            largest[number, drug] = np.abs(matrix @ tied)
    return np.array([_quantile(largest[:, drug], confidence) for drug in range(buckets.n_drugs)])


def _quantile(values: np.ndarray, confidence: float) -> float:
    informed = values[values > 0]
    return float(np.quantile(informed, confidence)) if len(informed) else np.nan


def _first_order(buckets: Buckets, model: Refit, window: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each drug its columns and the matrix from tied scores to standardised window estimates."""
    width, size = len(window), int(window.max()) + 1
    everything = model.column.copy()
    wide = model.n_columns + buckets.n_drugs * size
    # Information of all selected parameters and all working windows of unselected drugs, computed once; a selected
    # drug's windows need its own columns, since its lags are tied another way there.
    lag_column = model.column[: buckets.n_drugs * width].reshape(-1, width)
    selected = np.asarray((lag_column >= 0).any(axis=1))
    for place in np.flatnonzero(~selected):
        drug = int(place)
        everything[drug * width : (drug + 1) * width] = model.n_columns + drug * size + window
    common = buckets.n_persons * hessian(buckets, model.coefficients, everything, wide)
    weights = []
    for row in range(buckets.n_drugs):
        column, nuisance = _with_windows(model, row, window)
        if selected[row]:
            information = buckets.n_persons * hessian(buckets, model.coefficients, column, nuisance + size)
        else:
            own = model.n_columns + row * size + np.arange(size)
            keep = np.append(np.arange(model.n_columns), own)
            information = common[np.ix_(keep, keep)]
        weights.append((column, _standardised_step(information, nuisance)))
    return weights


def _standardised_step(information: np.ndarray, nuisance: int) -> np.ndarray:
    se = _standard_errors(information, nuisance)
    inverse = np.linalg.pinv(information, hermitian=True)[nuisance:]
    return np.where(np.isnan(se)[:, None], 0.0, inverse / np.where(np.isnan(se), 1.0, se)[:, None])
