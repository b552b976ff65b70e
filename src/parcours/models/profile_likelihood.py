"""Bounds by profile likelihood: the values of a term where the best that all other terms can do is too little."""

from __future__ import annotations

import numpy as np

from parcours.errors import InputError
from parcours.models.conditional_likelihood import CasePieces, ConditionalLikelihood
from parcours.models.newton import NewtonResult, minimise
from parcours.models.separation import Limit, contrasts, limit_of

#: A log relative incidence beyond which no bound is looked for.
_FARTHEST = 1e4


class ProfileLikelihood:
    """Minus the log-likelihood of `pieces` when one term is held at a value, at its best over all other terms."""

    def __init__(self, pieces: CasePieces, term: int) -> None:
        self.pieces, self.term = pieces, term
        # Where the other terms run does not depend on the value at which this one is held.
        others = pieces.holding(term, 0.0)
        self.limit = limit_of(others, contrasts(others))
        self.others = np.zeros(len(self.limit.columns))

    def __call__(self, value: float) -> float:
        """The profile at `value`; each call starts where the last one ended."""
        held = self.pieces.holding(self.term, value).kept(self.limit.rows, self.limit.columns)
        best = fit_limit(held, self.others)
        self.others = best.x
        return best.value

    def bound(self, least: float, reach: float, start: float, step: float) -> float:
        """The value from `start` in the direction of `step` at which the profile is `reach` above `least`."""

        # Loaded where it is needed: it takes as much memory as a small study.
        from scipy.optimize import brentq

        def excess(value: float) -> float:
            return self(value) - least - reach

        inner, outer = start, start + step
        while excess(outer) < 0:
            inner, outer = outer, outer + 2 * (outer - inner)
            if abs(outer) > _FARTHEST:
                return float(np.sign(step) * np.inf)
        return float(brentq(excess, inner, outer, xtol=1e-9))


def fit_limit(pieces: CasePieces, start: np.ndarray) -> NewtonResult:
    """Maximum likelihood of pieces whose terms all have a finite estimate. Raises `InputError` if it is not reached."""
    result = minimise(ConditionalLikelihood(pieces), start)
    if not result.converged:
        raise InputError(
            f"The fit did not converge in {result.iterations} steps, so nothing is estimated: "
            "use fewer windows or age groups."
        )
    return result


def bounds_of_term(
    pieces: CasePieces, limit: Limit, term: int, least: float, reach: float, estimate: float, se: float
) -> tuple[float, float]:
    """Lower and upper bound of one term; infinite on a side to which the term can run.

    least: minus the log-likelihood at its limit; reach: half the quantile of the deviance.
    """
    profile = ProfileLikelihood(pieces, term)
    if np.isfinite(estimate):
        lower = profile.bound(least, reach, estimate, -se)
        profile.others[:] = 0.0
        return lower, profile.bound(least, reach, estimate, se)
    # Inside, the profile may be anything: first somewhere that is likely enough.
    inside, step = 0.0, float(np.sign(estimate))
    while profile(inside) > least + reach and abs(inside) < _FARTHEST:
        inside, step = inside + step, 2 * step
    lower = -np.inf if limit.lowest[term] < 0 else profile.bound(least, reach, inside, -1.0)
    upper = np.inf if limit.highest[term] > 0 else profile.bound(least, reach, inside, 1.0)
    return lower, upper
