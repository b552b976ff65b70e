"""The self-controlled case series with piecewise constant risk windows and age groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from parcours.models.case_series import CaseSeries
from parcours.models.columns import result_table
from parcours.models.conditional_likelihood import CasePieces
from parcours.models.follow_up import Window, check_windows, cut_follow_up
from parcours.models.newton import NewtonResult
from parcours.models.profile_likelihood import bounds_of_term, fit_limit
from parcours.models.sccs_terms import check_age_cuts, check_confidence, reference_age_group, term_design, term_names
from parcours.models.separation import check_distinct, contrasts, infinite_estimates, limit_of

if TYPE_CHECKING:
    import pandas as pd


class SCCS:
    """Conditional Poisson regression of events on risk windows and age, within persons.

    windows: for each drug its windows `(first, last)` in days from each start of exposure, both inclusive;
    `"end"` as last is the exposure's last day. A later window overrides an earlier one, and a later start an earlier.
    washouts: for each drug windows counted from each exposure's end, painted after its windows.
    age_cuts: first age, in days, of the second and later age groups.
    The reference age group is the first with an event. After `fit`: `summary()`, `profile_intervals()`,
    `log_likelihood_`, `coef_`, `terms_` and `residual_`, the largest difference of a term between the events observed
    and expected, as a share of all events: zero but for rounding.
    Method: Farrington, Whitaker, Ghebremichael-Weldeselassie, Self-Controlled Case Series Studies, 2018.
    """

    def __init__(
        self,
        windows: Mapping[str, Sequence[Window]],
        age_cuts: Sequence[int] = (),
        washouts: Mapping[str, Sequence[Window]] | None = None,
        confidence: float = 0.95,
    ) -> None:
        self.age_cuts = check_age_cuts(age_cuts)
        self.confidence = check_confidence(confidence)
        self.windows = check_windows(windows, washouts or {})

    def fit(self, series: CaseSeries) -> SCCS:
        """Estimate all terms by maximum conditional likelihood; returns the fitted model.

        A term to which the events give no finite estimate is -inf or inf, and changes no other. Raises `InputError`
        that names the terms when some cannot be told apart, or run away together in no direction of their own.
        """
        pieces = cut_follow_up(series, self.windows, self.age_cuts)
        reference = reference_age_group(pieces, self.age_cuts)
        design = term_design(pieces, self.windows, self.age_cuts, reference)
        self.terms_ = term_names(self.windows, self.age_cuts, reference)
        self._followed = np.flatnonzero(design.any(axis=0))
        self._pieces = CasePieces.of(pieces, design[:, self._followed])
        self._estimate()
        return self

    def _estimate(self) -> None:
        names = [self.terms_[term] for term in self._followed]
        found = contrasts(self._pieces)
        check_distinct(found, names)
        self._limit = limit_of(self._pieces, found)
        without_event = self._pieces.design.T @ self._pieces.events == 0
        estimate = infinite_estimates(self._limit, names, without_event)
        columns, finite = self._limit.columns, self._limit.finite
        result = fit_limit(self._pieces.kept(self._limit.rows, columns), np.zeros(len(columns)))
        estimate[columns] = np.where(finite[columns], result.x, estimate[columns])
        self.coef_ = np.full(len(self.terms_), np.nan)
        self.coef_[self._followed] = estimate
        inside = finite[columns]
        covariance = np.linalg.inv(result.hessian) if len(columns) else np.zeros((0, 0))
        self.covariance_ = covariance[inside][:, inside]
        self.log_likelihood_ = -result.value
        self.residual_ = _residual(result, self._pieces)

    def summary(self) -> pd.DataFrame:
        """One row a term: term, estimate (log relative incidence), se, lower, upper.

        The interval of a finite estimate is that of Wald, estimate -+ quantile * se; far from zero and with few events
        it is a poor one, see `profile_intervals`. A term to which the events give no finite estimate (none of them in
        it, or all) is -inf or inf, without se; one of its bounds is infinite too, the other the one by profile
        likelihood. Both are infinite where a term has no event and another one runs away on all its days: then the
        events say nothing of it. A term without follow-up has neither estimate nor interval.
        """
        se = np.full(len(self.terms_), np.nan)
        se[np.isfinite(self.coef_)] = np.sqrt(np.diag(self.covariance_))
        reach = ndtri(0.5 + self.confidence / 2) * se
        lower, upper = self.coef_ - reach, self.coef_ + reach
        for term in np.flatnonzero(np.isinf(self.coef_)):
            lower[term], upper[term] = self._profile_bounds(int(term), np.nan)
        return result_table(
            {"term": self.terms_, "estimate": self.coef_, "se": se, "lower": lower, "upper": upper},
        )

    def profile_intervals(self) -> pd.DataFrame:
        """One row a term: term, lower, upper by profile likelihood.

        The bounds are where the deviance, twice the loss of log-likelihood at the best of all other terms, reaches the
        quantile of chi-squared with one degree of freedom at the model's confidence. Where effects are strong or events
        few they can be trusted when Wald's cannot. A bound is infinite where the term can run there; a term without
        follow-up has none.
        """
        se = np.full(len(self.terms_), np.nan)
        se[np.isfinite(self.coef_)] = np.sqrt(np.diag(self.covariance_))
        bounds = np.full((len(self.terms_), 2), np.nan)
        for term in np.flatnonzero(~np.isnan(self.coef_)):
            bounds[term] = self._profile_bounds(int(term), se[term])
        return result_table({"term": self.terms_, "lower": bounds[:, 0], "upper": bounds[:, 1]})

    def _profile_bounds(self, term: int, se: float) -> tuple[float, float]:
        column = int(np.searchsorted(self._followed, term))
        reach = ndtri(0.5 + self.confidence / 2) ** 2 / 2
        estimate = self.coef_[term]
        return bounds_of_term(self._pieces, self._limit, column, -self.log_likelihood_, reach, estimate, se)


def _residual(result: NewtonResult, pieces: CasePieces) -> float:
    return float(np.abs(result.gradient).max(initial=0.0) / pieces.events.sum())
