"""Choice of the two penalties, and of how far to undo their shrinkage, by the likelihood of persons held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from parcours.models.baseline import Baseline
from parcours.models.likelihood import Likelihood, likelihood_of
from parcours.models.observed_days import ObservedDays
from parcours.models.refit import refit, tied_columns
from parcours.models.solver import Penalty, Solution, solve
from parcours.models.tasks import Arrays, RunTasks

#: "best": highest mean held-out log-likelihood an event. "one_standard_error": the fewest free parameters among the
#: candidates whose mean lies within one standard error of the best, the error being that of the paired difference.
#: "chance_level": the candidate nearest to the penalties that chance alone asks for, among those within two standard
#: errors of the best: the held-out persons of one study tell penalties apart only roughly, and where they do not, the
#: choice should not follow their noise.
Rule = Literal["best", "one_standard_error", "chance_level"]
RULES = get_args(Rule)
#: Shares of the way from the penalised curves to the refitted ones (the relaxed lasso: Meinshausen 2007; Hastie,
#: Tibshirani and Tibshirani 2020). 0 keeps the shrinkage, 1 undoes it.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Breach of optimality allowed while the penalties are searched; the final fit is held to more.
SEARCH_TOLERANCE = 1e-2
#: The candidate that the rule "chance_level" leans to: tv and group in these units, and the share of the refit.
LEANING = (1.5, 2.0, 0.5)
#: Penalties to try, in units of what chance alone asks for (`chance_penalties`): where curves drawn from known truths
#: are closest to them lies inside (docs/explanation/calibration.md); weaker ones follow noise, whatever the held-out
#: persons of one study say.
TV_STEPS = (3.0, 2.0, 1.5, 1.0)
GROUP_STEPS = (8.0, 4.0, 2.8, 2.0, 1.5)
#: Events a free lag parameter that a refit needs to be tried: with fewer it follows the noise and predicts worse.
EVENTS_A_PARAMETER = 20.0


@dataclass(frozen=True)
class GridResult:
    """Held-out results over the grid, one row a (tv, group, share), tv by tv from strong to weak group."""

    tv: np.ndarray
    group: np.ndarray
    share: np.ndarray
    mean: np.ndarray  # mean held-out log-likelihood an event
    error: np.ndarray  # standard error of the difference to the best row
    parameters: np.ndarray  # mean number of free lag parameters over the folds
    chosen: int


def chance_penalties(likelihood: Likelihood, before: int) -> tuple[float, float]:
    """The (tv, group) that chance alone asks for.

    Without any effect, the gradient of a curve on which E events are expected a lag is noise of standard deviation
    root(E) a lag. Its mean over a curve of W lags is of the order of root(E / W), the largest sum of its differences
    from
    the mean of the order of root(E W) / 2: penalties of this size (divided by the number of cases) hold noise down.
    """
    resting = baseline_only(likelihood, before).coefficients
    width = likelihood.days.axis.width
    expected = likelihood.expected(resting)[1].reshape(-1, width)[:, before:]
    events, lags = float(expected.mean(axis=1).max(initial=1e-12)), expected.shape[1]
    return 0.5 * np.sqrt(events * lags) / likelihood.total, np.sqrt(events / lags) / likelihood.total


def baseline_only(likelihood: Likelihood, before: int) -> Solution:
    """Every curve at zero and the baseline at its estimate."""
    empty = likelihood.only(np.arange(0))
    found = solve(empty, Penalty(0.0, 0.0, before), tolerance=1e-4)
    coefficients = np.append(np.zeros(likelihood.n_curves), found.coefficients)
    return replace(found, coefficients=coefficients)


def search_grid(
    days: ObservedDays,
    baseline: Baseline,
    tv: np.ndarray,
    group: np.ndarray,
    chance: tuple[float, float],
    folds: int,
    seed: int,
    rule: Rule,
    run: RunTasks,
) -> GridResult:
    """Fit every pair on each training part, from strong to weak group with warm starts, and score the persons left out.

    A fold is a set of weights of persons: nothing of the series is copied. Each (fold, tv) is a piece of work of its
    own.
    """
    fold = np.random.default_rng(seed).permutation(days.n_persons) % folds
    group = np.sort(group)[::-1]
    names = {f"fold-{number}-tv-{place}": (number, place) for number in range(folds) for place in range(len(tv))}

    def work(name: str) -> Arrays:
        number, place = names[name]
        train = likelihood_of(days, baseline, (fold != number).astype(np.float64))
        held_out = replace(train, weights=(fold == number).astype(np.float64))
        return _score_path(train, held_out, float(tv[place]), group)

    results = dict(zip(names, run(work, list(names)), strict=True))
    rows = [(t, g, s) for t in tv for g in group for s in SHARES]
    by_fold = [
        np.concatenate([results[f"fold-{number}-tv-{place}"]["scores"] for place in range(len(tv))]).reshape(
            len(rows), -1
        )
        for number in range(folds)
    ]
    events = np.concatenate(by_fold, axis=1)
    parameters = [
        np.repeat(np.mean([results[f"fold-{n}-tv-{place}"]["parameters"] for n in range(folds)], axis=0), len(SHARES))
        for place in range(len(tv))
    ]
    return _grid(np.array(rows), events, np.concatenate(parameters), chance, rule)


def _grid(
    rows: np.ndarray, events: np.ndarray, parameters: np.ndarray, chance: tuple[float, float], rule: Rule
) -> GridResult:
    mean = events.mean(axis=1)
    best = events[int(np.argmax(mean))]
    error = np.array([(row - best).std() for row in events]) / np.sqrt(events.shape[1])
    units = np.maximum(rows / (*chance, 1.0), (1e-9, 1e-9, 0.0))
    away = np.abs(np.log(units[:, :2] / LEANING[:2])).sum(axis=1) + 2 * np.abs(units[:, 2] - LEANING[2])
    tv, group, share = rows.T
    return GridResult(tv, group, share, mean, error, parameters, choose(mean, error, parameters, away, rule))


def choose(mean: np.ndarray, error: np.ndarray, parameters: np.ndarray, away: np.ndarray, rule: Rule) -> int:
    """Row of the grid that the rule picks; `away` is the distance of each from the penalties of chance."""
    best = int(np.argmax(mean))
    if rule == "best":
        return best
    errors, cost = (1.0, parameters) if rule == "one_standard_error" else (2.0, away)
    near = np.flatnonzero(mean >= mean[best] - errors * error)
    return int(near[np.lexsort((-mean[near], cost[near]))[0]])


def relaxed(penalised: np.ndarray, refitted: np.ndarray, share: float) -> np.ndarray:
    """Coefficients a share of the way from the penalised to the refitted ones."""
    return penalised + share * (refitted - penalised)


def _score_path(train: Likelihood, held_out: Likelihood, tv: float, group: np.ndarray) -> Arrays:
    """scores (groups, shares, events held out) and parameters (groups,) of one path."""
    before, width = train.days.axis.before, train.days.axis.width
    start = baseline_only(train, before).coefficients
    scores, parameters = [], []
    scored = held_out.weights[train.days.event_person] > 0
    for strength in group:
        start = solve(train, Penalty(tv, float(strength), before), start, SEARCH_TOLERANCE).coefficients
        curves = start[: train.n_curves].reshape(-1, width)
        parameters.append(tied_columns(curves, before)[1])
        kept = np.flatnonzero(curves.any(axis=1))
        place = np.append((kept[:, None] * width + np.arange(width)).ravel(), np.arange(train.n_curves, len(start)))
        smaller = held_out.only(kept)
        free = start
        if parameters[-1] * EVENTS_A_PARAMETER <= float(train.weights @ train.days.events):
            free = refit(train, start, before, SEARCH_TOLERANCE).coefficients
        blends = [relaxed(start[place], free[place], share) for share in SHARES]
        scores.append([smaller.event_log_probabilities(blend)[scored] for blend in blends])
    return {"scores": np.array(scores), "parameters": np.array(parameters, dtype=np.float64)}
