"""The self-controlled case series with piecewise constant risk windows and age groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.stats import norm

from parcours.errors import InputError
from parcours.models.case_series import CaseSeries
from parcours.models.columns import result_table
from parcours.models.intervals import Intervals, Window, check_windows, cut_follow_up
from parcours.models.newton import NewtonResult, minimise

if TYPE_CHECKING:
    import pandas as pd


class SCCS:
    """Conditional Poisson regression of events on risk windows and age, within persons.

    windows: for each drug its windows `(first, last)` in days from each start of exposure, both inclusive;
    `"end"` as last is the exposure's last day. A later window overrides an earlier one, and a later start an earlier.
    washouts: for each drug windows counted from each exposure's end, painted after its windows.
    age_cuts: first age, in days, of the second and later age groups.
    The reference age group is the first with an event. After `fit`: `summary()`, `log_likelihood_`, `coef_`.
    Method: Farrington, Whitaker, Ghebremichael-Weldeselassie, Self-Controlled Case Series Studies, 2018.
    """

    def __init__(
        self,
        windows: Mapping[str, Sequence[Window]],
        age_cuts: Sequence[int] = (),
        washouts: Mapping[str, Sequence[Window]] | None = None,
        confidence: float = 0.95,
    ) -> None:
        cuts = [int(cut) for cut in (age_cuts if age_cuts is not None else ())]
        if cuts != sorted(set(cuts)):
            raise InputError("The age cuts are not increasing: give each first day of an age group once, in order.")
        if not 0 < confidence < 1:
            raise InputError(f"The confidence is {confidence}: give a share between 0 and 1, such as 0.95.")
        self.windows = check_windows(windows, washouts or {})
        self.age_cuts = cuts
        self.confidence = confidence

    def fit(self, series: CaseSeries) -> SCCS:
        """Estimate all terms by maximum conditional likelihood; returns the fitted model.

        Raises `InputError` when the likelihood has no maximum, naming the term that runs away.
        """
        intervals = cut_follow_up(series, self.windows, self.age_cuts)
        design, terms = _design(intervals, [w.terms() for w in self.windows], self.age_cuts)
        fate = _term_fates(design, intervals)
        keep = fate == "estimated"
        # A term without events has its maximum at minus infinity: its intervals then weigh nothing.
        void = np.asarray(design[:, fate == "no event"].sum(axis=1)).ravel() > 0
        likelihood = _Likelihood(design[~void][:, keep], intervals, ~void)
        result = minimise(likelihood, np.zeros(int(keep.sum())))
        _check_maximum(result, [term for term, kept in zip(terms, keep, strict=True) if kept])
        self.terms_ = terms
        self.coef_ = np.where(fate == "no event", -np.inf, np.nan)
        self.coef_[keep] = result.x
        self.covariance_ = np.linalg.inv(result.hessian) if keep.any() else np.zeros((0, 0))
        self._estimated = keep
        self.log_likelihood_ = -result.value
        return self

    def summary(self) -> pd.DataFrame:
        """One row a term: term, estimate (log relative incidence), se, lower, upper.

        A term with follow-up but no event has estimate -inf and no interval; one without follow-up has none at all.
        """
        se = np.full(len(self.terms_), np.nan)
        se[self._estimated] = np.sqrt(np.diag(self.covariance_))
        reach = norm.ppf(0.5 + self.confidence / 2) * se
        return result_table(
            {
                "term": self.terms_,
                "estimate": self.coef_,
                "se": se,
                "lower": self.coef_ - reach,
                "upper": self.coef_ + reach,
            }
        )


def _design(
    intervals: Intervals, window_terms: list[list[str]], age_cuts: Sequence[int]
) -> tuple[sparse.csr_matrix, list[str]]:
    """Indicator columns of windows, then of age groups but the reference: shape (intervals, terms)."""
    columns, terms = [], []
    for level, names in zip(intervals.level, window_terms, strict=True):
        columns += [level == code for code in range(1, len(names) + 1)]
        terms += names
    per_group = np.bincount(intervals.age_group, intervals.events, minlength=len(age_cuts) + 1)
    reference = int(np.argmax(per_group > 0))
    bounds = [None, *age_cuts, None]
    for group in range(len(age_cuts) + 1):
        if group != reference:
            columns.append(intervals.age_group == group)
            terms.append(_age_term(bounds[group], bounds[group + 1]))
    return sparse.csr_matrix(np.stack(columns, axis=1).astype(np.float64)), terms


def _age_term(first: int | None, after: int | None) -> str:
    if first is None:
        return f"age under {after}"
    return f"age {first}+" if after is None else f"age {first}-{after - 1}"


def _term_fates(design: sparse.csr_matrix, intervals: Intervals) -> np.ndarray:
    """For each term: 'estimated', 'no event', or 'no follow-up'."""
    days = design.T @ intervals.days
    events = design.T @ intervals.events
    return np.where(days == 0, "no follow-up", np.where(events == 0, "no event", "estimated"))


def _check_maximum(result: NewtonResult, terms: list[str]) -> None:
    if not terms:
        return
    worst = int(np.argmax(np.abs(result.x)))
    singular = np.linalg.cond(result.hessian) > 1e12
    if not result.converged or singular or abs(result.x[worst]) > 15:
        raise InputError(
            f"The likelihood has no single maximum, the term {terms[worst]} runs away: use fewer windows or age groups."
        )


@dataclass
class _Likelihood:
    """Minus the conditional log-likelihood; called with coefficients, gives value, gradient and Hessian."""

    design: sparse.csr_matrix
    intervals: Intervals
    rows: np.ndarray

    def __post_init__(self) -> None:
        person = self.intervals.person[self.rows]
        self.log_days = np.log(self.intervals.days[self.rows])
        self.event_count = self.intervals.events[self.rows]
        _, self.person = np.unique(person, return_inverse=True)
        self.first = np.flatnonzero(np.append(True, np.diff(self.person) > 0))
        self.per_person = np.add.reduceat(self.event_count, self.first)
        self.transposed = self.design.T.tocsr()
        members = (np.ones(len(self.person)), (self.person, np.arange(len(self.person))))
        self.sum_by_person: Any = sparse.csr_matrix(members)

    def __call__(self, coefficients: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        eta = self.design @ coefficients
        scale = eta + self.log_days
        peak = np.maximum.reduceat(scale, self.first)
        mass = np.exp(scale - peak[self.person])
        total = np.add.reduceat(mass, self.first)
        log_total = np.log(total) + peak
        probability = mass / total[self.person]
        value = float(self.per_person @ log_total - self.event_count @ eta)
        expected = self.per_person[self.person] * probability
        gradient = self.transposed @ (expected - self.event_count)
        mean = self.sum_by_person @ sparse.diags(probability) @ self.design
        hessian = self.transposed @ sparse.diags(expected) @ self.design
        hessian = (hessian - mean.T @ sparse.diags(self.per_person) @ mean).toarray()
        return value, gradient, hessian
