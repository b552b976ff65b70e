"""Bootstrap draws of cases: each a set of weights of persons, on which the penalised curves are fitted again."""

from __future__ import annotations

import numpy as np

from parcours.models.baseline import Baseline
from parcours.models.cross_validation import SEARCH_TOLERANCE, relaxed
from parcours.models.likelihood import likelihood_of
from parcours.models.observed_days import ObservedDays
from parcours.models.refit import refit
from parcours.models.solver import Penalty, solve
from parcours.models.tasks import Arrays, RunTasks


def drawn_curves(
    days: ObservedDays,
    baseline: Baseline,
    penalised: Penalty,
    share: float,
    start: np.ndarray,
    number: int,
    seed: int,
    run: RunTasks,
) -> np.ndarray:
    """Curves of `number` draws of the cases with replacement, (draws, drugs, width); draw r depends on (seed, r) only.

    start: (drugs * width,) curves of the fit of all cases, from which each draw sets out. A draw goes through the whole
    estimation: the penalties select again, and the selected curves are refitted by the same share.
    """
    names = {f"draw-{place:04d}": place for place in range(number)}

    def work(name: str) -> Arrays:
        drawn = np.random.default_rng([seed, names[name]]).integers(0, days.n_persons, days.n_persons)
        weights = np.bincount(drawn, minlength=days.n_persons).astype(np.float64)
        likelihood = likelihood_of(days, baseline, weights)
        first = np.append(start, np.zeros(likelihood.design.n_parameters))
        found = solve(likelihood, penalised, first, SEARCH_TOLERANCE).coefficients
        if share:
            free = refit(likelihood, found, penalised.before, SEARCH_TOLERANCE).coefficients
            found = relaxed(found, free, share)
        return {"curves": found[: likelihood.n_curves].reshape(-1, days.axis.width)}

    return np.stack([part["curves"] for part in run(work, list(names))])
