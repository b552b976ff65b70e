"""A test of each drug: does any window of lags hold more or fewer events than the other drugs explain?

For each window of lags, one relative incidence is added to the model without the drug; the signed root of its deviance,
widened for the parameters estimated beside it, is close to a standard normal also for few events. The largest over the
windows is compared with its law under no effect, drawn from the joint normal of the lag scores. Flags then control the
false discovery rate (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import norm

from parcours.models.buckets import Buckets
from parcours.models.likelihood import hessian, probabilities
from parcours.models.refit import Refit, refit

#: A window is tested when its expected number of events reaches this: below, no count is surprising enough.
_LEAST_EXPECTED = 3.0


@dataclass(frozen=True)
class Screen:
    """Per drug: p value, and the window of lags that stands out most, with its log relative incidence."""

    p_value: np.ndarray  # (drugs,), nan when no window has enough expected events
    statistic: np.ndarray  # (drugs,) signed: above 0 the drug raises the risk
    first_lag: np.ndarray
    last_lag: np.ndarray


def lag_windows(lags: int) -> list[tuple[int, int]]:
    """Windows of lags that are tested: lengths 2, 4, 8, ... and all lags, with starts half a length apart.

    Few windows, so that looking at many costs little; any effect fills at least half of one of them.
    """
    lengths = sorted({min(lags + 1, 2**k) for k in range(1, 2 + int(np.log2(lags + 1)))} | {lags + 1})
    windows = []
    for length in lengths:
        starts = sorted({*range(0, lags + 2 - length, length // 2 or 1), lags + 1 - length})
        windows += [(first, first + length - 1) for first in starts]
    return windows


def screen(buckets: Buckets, model: Refit, draws: int, seed: int, threads: int = 1) -> Screen:
    """Test every drug against the refitted model without it. `draws` set the resolution of the p values."""
    width = buckets.lags + 1
    lag_column = model.column[: buckets.n_drugs * width].reshape(-1, width)
    selected = np.asarray((lag_column >= 0).any(axis=1))

    def test(drugs: np.ndarray) -> list[tuple[float, float, float, float]]:
        null = _without(buckets, model, int(drugs[0])) if selected[drugs[0]] else model
        chance = probabilities(buckets, null.coefficients)
        blocks = _efficient_information(buckets, null, drugs)
        return [
            _test_drug(buckets, chance, int(drug), block, np.random.default_rng([seed, int(drug)]), draws)
            for drug, block in zip(drugs, blocks, strict=True)
        ]

    # The drugs that were not selected share one null model; each of the others has its own.
    others = np.flatnonzero(~selected)
    groups = ([others] if len(others) else []) + [np.array([drug]) for drug in np.flatnonzero(selected)]
    results = np.zeros((buckets.n_drugs, 4))
    with ThreadPoolExecutor(threads) as pool:
        for drugs, tested in zip(groups, pool.map(test, groups), strict=True):
            results[drugs] = tested
    lags = results[:, 2:].astype(np.int64)
    return Screen(results[:, 0], results[:, 1], lags[:, 0], lags[:, 1])


def false_discovery_flags(p_value: np.ndarray, level: float) -> np.ndarray:
    """Benjamini-Hochberg: True for the drugs declared at the given false discovery rate; nan is never declared."""
    tested = np.flatnonzero(~np.isnan(p_value))
    flags = np.zeros(len(p_value), dtype=bool)
    order = tested[np.argsort(p_value[tested], kind="stable")]
    passed = np.flatnonzero(p_value[order] <= level * np.arange(1, len(order) + 1) / max(len(order), 1))
    if len(passed):
        flags[order[: passed[-1] + 1]] = True
    return flags


def _without(buckets: Buckets, model: Refit, drug: int) -> Refit:
    width = buckets.lags + 1
    column = model.column.copy()
    column[drug * width : (drug + 1) * width] = -1
    kept = np.unique(column[column >= 0])
    column = np.where(column >= 0, np.searchsorted(kept, column), -1)
    return refit(buckets, model.coefficients, column, len(kept))


def _efficient_information(buckets: Buckets, null: Refit, drugs: np.ndarray) -> list[np.ndarray]:
    """Information of each drug's lags given the nuisance parameters of the null model, shapes (lags+1, lags+1)."""
    width = buckets.lags + 1
    column = null.column.copy()
    for place, drug in enumerate(drugs):
        column[drug * width : (drug + 1) * width] = null.n_columns + place * width + np.arange(width)
    full = buckets.n_persons * hessian(buckets, null.coefficients, column, null.n_columns + len(drugs) * width)
    nuisance = full[: null.n_columns, : null.n_columns] + 1e-9 * np.eye(null.n_columns)
    factor = cho_factor(nuisance) if null.n_columns else None
    blocks = []
    for place in range(len(drugs)):
        own = slice(null.n_columns + place * width, null.n_columns + (place + 1) * width)
        cross = full[: null.n_columns, own]
        blocks.append(full[own, own] - (cross.T @ cho_solve(factor, cross) if factor else 0.0))
    return blocks


def _test_drug(
    buckets: Buckets, chance: np.ndarray, drug: int, information: np.ndarray, rng: np.random.Generator, draws: int
) -> tuple[float, float, float, float]:
    exposed = _LaggedExposure.of(buckets, drug)
    windows, roots, contrasts = [], [], []
    for first, last in lag_windows(buckets.lags):
        contrast = np.zeros(buckets.lags + 1)
        contrast[first : last + 1] = 1.0
        efficient = float(contrast @ information @ contrast)
        root, expected, raw = exposed.signed_root(buckets, chance, first, last)
        if expected >= _LEAST_EXPECTED and efficient > 0.05 * raw:
            windows.append((first, last))
            roots.append(root * np.sqrt(max(1.0, raw / efficient)))
            contrasts.append(contrast / np.sqrt(efficient))
    if not windows:
        return np.nan, 0.0, 0.0, 0.0
    best = int(np.argmax(np.abs(roots)))
    values, vectors = np.linalg.eigh(information)
    normal = rng.standard_normal((draws, len(values))) * np.sqrt(np.maximum(values, 0.0))
    largest = np.abs(normal @ vectors.T @ np.array(contrasts).T).max(axis=1)
    drawn = (1 + int((largest >= abs(roots[best])).sum())) / (draws + 1)
    # Where no draw reaches the statistic, the union bound over the windows is sharper than 1 / draws.
    union = 2.0 * len(windows) * float(norm.sf(abs(roots[best])))
    return min(drawn, union), float(roots[best]), float(windows[best][0]), float(windows[best][1])


@dataclass(frozen=True)
class _LaggedExposure:
    """Cells of the persons exposed to one drug, with the lag each cell stands at."""

    person: np.ndarray
    cell: np.ndarray
    lag: np.ndarray
    events: np.ndarray  # (persons,) events of each person

    @classmethod
    def of(cls, buckets: Buckets, drug: int) -> _LaggedExposure:
        rows = np.flatnonzero(buckets.exposure_drug == drug)
        owner = np.searchsorted(buckets.exposure_ptr, rows, side="right") - 1
        lag = np.tile(np.arange(buckets.lags + 1), len(rows))
        person = np.repeat(owner, buckets.lags + 1)
        cell = buckets.cell_ptr[person] + np.repeat(buckets.exposure_at[rows], buckets.lags + 1) + lag
        lasts = lag <= np.repeat(buckets.exposure_reach[rows], buckets.lags + 1)
        inside = lasts & (cell >= buckets.cell_ptr[person]) & (cell < buckets.cell_ptr[person + 1])
        events = np.add.reduceat(buckets.count, buckets.cell_ptr[:-1])
        return cls(person[inside], cell[inside], lag[inside], events)

    def signed_root(self, buckets: Buckets, chance: np.ndarray, first: int, last: int) -> tuple[float, float, float]:
        """Signed root of the deviance of one relative incidence on the window, expected events, raw information."""
        cells, where = np.unique(self.cell[(self.lag >= first) & (self.lag <= last)], return_index=True)
        owner = self.person[(self.lag >= first) & (self.lag <= last)][where]
        share = np.bincount(owner, chance[cells], minlength=len(self.events))
        held = share > 0
        share, events = np.minimum(share[held], 1 - 1e-12), self.events[held]
        observed, expected = float(buckets.count[cells].sum()), float(events @ share)
        raw = float(events @ (share * (1 - share)))
        theta = _window_estimate(observed, share, events)
        deviance = 2 * ((observed * theta if observed else 0.0) - events @ np.log1p(share * np.expm1(theta)))
        return float(np.sign(observed - expected) * np.sqrt(max(deviance, 0.0))), expected, raw


def _window_estimate(observed: float, share: np.ndarray, events: np.ndarray) -> float:
    """Log relative incidence whose expected events equal the observed, within [-20, 20], by bisection."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        tilted = share * np.exp(middle)
        if events @ (tilted / (1 - share + tilted)) < observed:
            low = middle
        else:
            high = middle
    return (low + high) / 2
