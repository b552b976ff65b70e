"""The conditional likelihood of lagged effects on a person's own buckets: value, gradient and Hessian, in numba.

Loss = (1/n) * sum over persons i of [ n_i * log sum_b w_ib exp(eta_ib) - sum over events eta_i,b(e) - log w terms ]
over the cells of the person only. Coefficients are flat: drug 0 lags 0..L, drug 1 lags 0..L, ..., baseline terms.
All kernels release the interpreter lock, so that folds and replicates can run in threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from parcours.models.buckets import Buckets

#: Compiled once and kept on disk (NUMBA_CACHE_DIR, else beside the module); typed Any, as numba has no stubs.
_kernel: Any = njit(cache=True, nogil=True)


def loss(buckets: Buckets, coefficients: np.ndarray) -> float:
    """Minus the mean conditional log-likelihood a person (w_ib of the event's own bucket not counted)."""
    return _value(*_arrays(buckets), coefficients) / buckets.n_persons


def loss_and_gradient(buckets: Buckets, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss and its gradient, shape (coefficients,)."""
    gradient = np.zeros(buckets.n_coefficients)
    value = _value_and_gradient(*_arrays(buckets), coefficients, gradient)
    return value / buckets.n_persons, gradient / buckets.n_persons


def log_likelihood(buckets: Buckets, coefficients: np.ndarray) -> float:
    """Sum over events of the log probability of the event's bucket, given one event in the person's follow-up."""
    return -_value(*_arrays(buckets), coefficients) + float(buckets.log_days[buckets.event_cell].sum())


def probabilities(buckets: Buckets, coefficients: np.ndarray) -> np.ndarray:
    """Probability of each cell, given one event of the person, shape (cells,)."""
    return _probabilities(*_arrays(buckets)[:-1], coefficients)


def hessian(buckets: Buckets, coefficients: np.ndarray, column: np.ndarray, n_columns: int) -> np.ndarray:
    """Hessian of the loss in tied coefficients, shape (n_columns, n_columns).

    `column` (coefficients,) gives the parameter that each coefficient is tied to, -1 for one that is held fixed.
    """
    out = np.zeros((n_columns, n_columns))
    _hessian(*_arrays(buckets), coefficients, column, out)
    return out / buckets.n_persons


def _arrays(buckets: Buckets) -> Any:
    return (
        buckets.lags,
        buckets.n_drugs,
        buckets.cell_ptr,
        buckets.log_days,
        buckets.baseline,
        buckets.exposure_ptr,
        buckets.exposure_drug,
        buckets.exposure_at,
        buckets.exposure_reach,
        buckets.count,
    )


@_kernel
def _fill_eta(person, lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, coefficients, eta):
    """Put log w + eta of the person's cells into eta[0:cells]; return their number."""
    first = cell_ptr[person]
    cells = cell_ptr[person + 1] - first
    offset = n_drugs * (lags + 1)
    for b in range(cells):
        total = log_days[first + b]
        for kind in range(baseline.shape[1]):
            column = baseline[first + b, kind]
            if column >= 0:
                total += coefficients[offset + column]
        eta[b] = total
    for row in range(ptr[person], ptr[person + 1]):
        base = drug[row] * (lags + 1)
        start = at[row]
        for k in range(max(0, -start), min(reach[row], cells - 1 - start) + 1):
            eta[start + k] += coefficients[base + k]
    return cells


@_kernel
def _softmax(eta, cells):
    """Turn eta[0:cells] into probabilities in place; return the log of the total."""
    peak = eta[0]
    for b in range(1, cells):
        peak = max(peak, eta[b])
    total = 0.0
    for b in range(cells):
        eta[b] = np.exp(eta[b] - peak)
        total += eta[b]
    for b in range(cells):
        eta[b] /= total
    return np.log(total) + peak


@_kernel
def _longest(cell_ptr):
    longest = 0
    for person in range(len(cell_ptr) - 1):
        longest = max(longest, cell_ptr[person + 1] - cell_ptr[person])
    return longest


@_kernel
def _value(lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, count, coefficients):
    eta = np.empty(_longest(cell_ptr))
    value = 0.0
    for person in range(len(cell_ptr) - 1):
        cells = _fill_eta(person, lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, coefficients, eta)
        first = cell_ptr[person]
        events = 0.0
        peak = eta[0]
        for b in range(cells):
            events += count[first + b]
            value -= count[first + b] * (eta[b] - log_days[first + b])
            peak = max(peak, eta[b])
        total = 0.0
        for b in range(cells):
            total += np.exp(eta[b] - peak)
        value += events * (np.log(total) + peak)
    return value


@_kernel
def _value_and_gradient(
    lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, count, coefficients, gradient
):
    eta = np.empty(_longest(cell_ptr))
    offset = n_drugs * (lags + 1)
    value = 0.0
    for person in range(len(cell_ptr) - 1):
        cells = _fill_eta(person, lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, coefficients, eta)
        first = cell_ptr[person]
        events = 0.0
        for b in range(cells):
            events += count[first + b]
            value -= count[first + b] * (eta[b] - log_days[first + b])
        value += events * _softmax(eta, cells)
        for b in range(cells):
            # From here on eta holds the residual: expected minus observed events.
            eta[b] = events * eta[b] - count[first + b]
            for kind in range(baseline.shape[1]):
                column = baseline[first + b, kind]
                if column >= 0:
                    gradient[offset + column] += eta[b]
        for row in range(ptr[person], ptr[person + 1]):
            base = drug[row] * (lags + 1)
            start = at[row]
            for k in range(max(0, -start), min(reach[row], cells - 1 - start) + 1):
                gradient[base + k] += eta[start + k]
    return value


@_kernel
def _probabilities(lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, coefficients):
    out = np.empty(len(log_days))
    for person in range(len(cell_ptr) - 1):
        view = out[cell_ptr[person] : cell_ptr[person + 1]]
        cells = _fill_eta(person, lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, coefficients, view)
        _softmax(view, cells)
    return out


@_kernel
def _design_rows(person, lags, n_drugs, cell_ptr, baseline, ptr, drug, at, reach, column, members, size):
    """List the tied columns of each cell of the person: members[b, 0:size[b]], repeats standing for multiples."""
    first = cell_ptr[person]
    cells = cell_ptr[person + 1] - first
    offset = n_drugs * (lags + 1)
    for b in range(cells):
        size[b] = 0
        for kind in range(baseline.shape[1]):
            if baseline[first + b, kind] >= 0:
                target = column[offset + baseline[first + b, kind]]
                if target >= 0:
                    members[b, size[b]] = target
                    size[b] += 1
    for row in range(ptr[person], ptr[person + 1]):
        base = drug[row] * (lags + 1)
        start = at[row]
        for k in range(max(0, -start), min(reach[row], cells - 1 - start) + 1):
            target = column[base + k]
            if target >= 0:
                members[start + k, size[start + k]] = target
                size[start + k] += 1
    return cells


@_kernel
def _hessian(lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, count, coefficients, column, out):
    longest = _longest(cell_ptr)
    eta = np.empty(longest)
    widest = _longest(ptr) + baseline.shape[1]
    members = np.empty((longest, widest), dtype=np.int64)
    size = np.zeros(longest, dtype=np.int64)
    mean = np.zeros(out.shape[0])
    seen = np.empty(out.shape[0], dtype=np.int64)
    for person in range(len(cell_ptr) - 1):
        cells = _fill_eta(person, lags, n_drugs, cell_ptr, log_days, baseline, ptr, drug, at, reach, coefficients, eta)
        _softmax(eta, cells)
        _design_rows(person, lags, n_drugs, cell_ptr, baseline, ptr, drug, at, reach, column, members, size)
        events = 0.0
        touched = 0
        for b in range(cells):
            events += count[cell_ptr[person] + b]
        for b in range(cells):
            for m in range(size[b]):
                target = members[b, m]
                if mean[target] == 0.0:
                    seen[touched] = target
                    touched += 1
                mean[target] += eta[b]
                for other in range(size[b]):
                    out[target, members[b, other]] += events * eta[b]
        for m in range(touched):
            for other in range(touched):
                out[seen[m], seen[other]] -= events * mean[seen[m]] * mean[seen[other]]
        for m in range(touched):
            mean[seen[m]] = 0.0
