"""Choice of the two penalties by the likelihood of persons held out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from parcours.models.buckets import Buckets
from parcours.models.likelihood import loss_and_gradient, probabilities
from parcours.models.refit import tied_columns
from parcours.models.solver import solve

#: "best": highest mean held-out log-likelihood an event. "one_standard_error": the fewest free parameters among the
#: pairs whose mean lies within one standard error of the best, the error being that of the paired difference.
Rule = Literal["best", "one_standard_error"]


@dataclass(frozen=True)
class GridResult:
    """Held-out results over the grid, one row a (tv, group) pair, tv by tv from strong to weak group."""

    tv: np.ndarray
    group: np.ndarray
    mean: np.ndarray  # mean held-out log-likelihood an event
    error: np.ndarray  # standard error of the difference to the best pair
    parameters: np.ndarray  # mean number of free lag parameters over the folds
    chosen: int


def penalty_ranges(buckets: Buckets) -> tuple[np.ndarray, np.ndarray]:
    """Default (tv, group) values: from those that leave no effect down to a twentieth, log-spaced.

    The largest group is the smallest that zeroes every curve without TV; the largest tv the smallest that makes every
    curve constant without the group norm (both at zero effect with the baseline at rest).
    """
    width = buckets.lags + 1
    gradient = loss_and_gradient(buckets, _baseline_only(buckets))[1]
    curves = gradient[: buckets.n_drugs * width].reshape(-1, width)
    largest_group = np.sqrt((curves**2).sum(axis=1) / width).max(initial=1e-8)
    centred = curves - curves.mean(axis=1, keepdims=True)
    largest_tv = np.abs(np.cumsum(centred, axis=1)).max(initial=1e-8)
    return largest_tv * np.geomspace(1.0, 0.05, 4), largest_group * np.geomspace(0.8, 0.04, 8)


def search_grid(
    buckets: Buckets, tv: np.ndarray, group: np.ndarray, folds: int, seed: int, rule: Rule, threads: int
) -> GridResult:
    """Fit every pair on each training part, from strong to weak group with warm starts, and score the rest."""
    fold = np.random.default_rng(seed).permutation(buckets.n_persons) % folds
    group = np.sort(group)[::-1]
    pairs = [(t, g) for t in tv for g in group]
    tasks = [(number, t) for number in range(folds) for t in tv]

    def score(task: tuple[int, float]) -> list[tuple[np.ndarray, int]]:
        number, strength = task
        held_out = buckets.sample(np.flatnonzero(fold == number))
        return _score_path(buckets.sample(np.flatnonzero(fold != number)), held_out, strength, group)

    with ThreadPoolExecutor(threads) as pool:
        scored = list(pool.map(score, tasks))
    by_fold = [list(chain.from_iterable(scored[n * len(tv) : (n + 1) * len(tv)])) for n in range(folds)]
    events = np.stack([np.concatenate([by_fold[n][p][0] for n in range(folds)]) for p in range(len(pairs))])
    parameters = np.array([np.mean([by_fold[n][p][1] for n in range(folds)]) for p in range(len(pairs))])
    mean = events.mean(axis=1)
    best = int(np.argmax(mean))
    error = (events - events[best]).std(axis=1) / np.sqrt(events.shape[1])
    grid = np.array(pairs)
    return GridResult(grid[:, 0], grid[:, 1], mean, error, parameters, choose(mean, error, parameters, rule))


def choose(mean: np.ndarray, error: np.ndarray, parameters: np.ndarray, rule: Rule) -> int:
    """Row of the grid that the rule picks."""
    best = int(np.argmax(mean))
    if rule == "best":
        return best
    near = np.flatnonzero(mean >= mean[best] - error)
    return int(near[np.lexsort((-mean[near], parameters[near]))[0]])


def _score_path(train: Buckets, held_out: Buckets, tv: float, group: np.ndarray) -> list[tuple[np.ndarray, int]]:
    start = _baseline_only(train)
    scores = []
    for strength in group:
        start = solve(train, tv, float(strength), start, tolerance=1e-4, max_iterations=300).coefficients
        free = tied_columns(start, train.n_drugs, train.lags + 1)[1] - train.n_baseline
        scores.append((np.log(probabilities(held_out, start)[held_out.event_cell]), free))
    return scores


def _baseline_only(buckets: Buckets) -> np.ndarray:
    """Coefficients with every curve at zero and the baseline at its estimate."""
    strong = 1e6
    return solve(buckets, strong, strong, max_iterations=200).coefficients
