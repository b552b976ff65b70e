"""The self-controlled case series when the event changes whether and when a person is exposed afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from parcours.errors import InputError
from parcours.models.case_series import CaseSeries
from parcours.models.columns import result_table
from parcours.models.conditional_likelihood import CasePieces, ConditionalLikelihood
from parcours.models.counterfactual_histories import CounterfactualHistories, counterfactual_histories
from parcours.models.follow_up import Window, Windows, check_windows, cut_follow_up
from parcours.models.profile_likelihood import fit_limit
from parcours.models.sccs_terms import check_age_cuts, check_confidence, reference_age_group, term_design, term_names
from parcours.models.separation import check_distinct, contrasts, limit_of, listed

if TYPE_CHECKING:
    import pandas as pd

#: The largest change of a coefficient in the last round, and the most rounds.
_TOLERANCE, _ROUNDS = 1e-9, 500


class EventDependentSCCS:
    """Case series for exposures, such as doses of a vaccine, that an event may put off, prevent or hide.

    windows: for each drug, or each dose named as a drug, its windows `(first, last)` in days from the exposure, both
    inclusive, `first` 0 or more; age_cuts: as of `SCCS`. No exposure after an event is used. An event on the day of
    an exposure counts as after it.

    Each person counts once for every number r of exposures had before the event, followed from the r-th one as if no
    other came. An event under a later exposure is weighted by exp(eta_r - eta), its relative incidence without that
    exposure over the one with it; the weighted case series is fitted, and the weights are computed again until
    nothing changes. After `fit`: `summary()`, `coef_`, `terms_`, `covariance_`, `residual_` (as of `SCCS`).
    Needs follow-up that does not end by the event, and rare or independent events.
    Method: Farrington, Whitaker, Hocine, Biostatistics 10, 2009.
    """

    def __init__(
        self, windows: Mapping[str, Sequence[Window]], age_cuts: Sequence[int] = (), confidence: float = 0.95
    ) -> None:
        self.age_cuts = check_age_cuts(age_cuts)
        self.confidence = check_confidence(confidence)
        self.windows = check_windows(windows, {})
        for drug in self.windows:
            _check_known_on_the_day(drug)

    def fit(self, series: CaseSeries) -> EventDependentSCCS:
        """Solve the estimating equations; returns the fitted model.

        Raises `InputError` when persons have gaps in the observation, or when terms, which it names, cannot be told
        apart or have no finite estimate; a term without any event is -inf.
        """
        if len(series.gap_first):
            raise InputError(
                "The follow-up of some persons has gaps, in which doses may be missed: EventDependentSCCS needs one "
                "span a person; use SCCS, or leave these persons out."
            )
        actual = cut_follow_up(series, self.windows, self.age_cuts)
        reference = reference_age_group(actual, self.age_cuts)
        design = term_design(actual, self.windows, self.age_cuts, reference)
        self.terms_ = term_names(self.windows, self.age_cuts, reference)
        followed = np.flatnonzero(design.any(axis=0))
        histories = counterfactual_histories(series, [drug.drug for drug in self.windows])
        at_event = design[actual.event_piece][:, followed]
        weighted = _joined([self._pieces(one, at_event, followed, reference) for one in histories])
        estimated, weighted = _without_void_terms(weighted, [self.terms_[term] for term in followed])
        self.coef_ = np.full(len(self.terms_), np.nan)
        self.coef_[followed] = np.where(estimated, 0.0, -np.inf)
        found = _solve(weighted)
        self.coef_[followed[estimated]] = found
        self.covariance_, self.residual_ = _sandwich(weighted, found)
        return self

    def summary(self) -> pd.DataFrame:
        """One row a term: term, estimate (log relative incidence), se, lower, upper.

        The standard errors are a sandwich over persons, whose histories are not independent of each other; the
        interval is estimate -+ quantile * se. A term without event is -inf, without interval.
        """
        se = np.full(len(self.terms_), np.nan)
        se[np.isfinite(self.coef_)] = np.sqrt(np.diag(self.covariance_))
        reach = ndtri(0.5 + self.confidence / 2) * se
        return result_table(
            {
                "term": self.terms_,
                "estimate": self.coef_,
                "se": se,
                "lower": self.coef_ - reach,
                "upper": self.coef_ + reach,
            }
        )

    def _pieces(
        self, histories: CounterfactualHistories, at_event: np.ndarray, followed: np.ndarray, reference: int
    ) -> _WeightedPieces:
        cut = cut_follow_up(histories, self.windows, self.age_cuts)
        design = term_design(cut, self.windows, self.age_cuts, reference)[:, followed]
        return _WeightedPieces(
            CasePieces.of(cut, design), cut.event_piece, at_event[histories.event], histories.person[cut.person]
        )


def _check_known_on_the_day(windows: Windows) -> None:
    for first, last in windows.from_start:
        if first < 0:
            raise InputError(
                f"The window ({first}, {last}) of {windows.drug} begins before the exposure, whose day an event may "
                "change: give windows from day 0 on, or use SCCS."
            )
        if last == "end":
            raise InputError(
                f"The window ({first}, end) of {windows.drug} lasts to the end of the exposure, which an event may "
                "change: give its last day as a number, or use SCCS."
            )


@dataclass(frozen=True)
class _WeightedPieces:
    """Pieces of counterfactual histories, and their events with the terms that really held then."""

    pieces: CasePieces
    event_piece: np.ndarray  # (events,) piece of each event
    at_event: np.ndarray  # (events, terms) bool: the terms that really held
    person: np.ndarray  # (pieces,) row of the person

    def changed_terms(self) -> np.ndarray:
        """Terms of the counterfactual less those that really held, (events, terms)."""
        return self.pieces.design[self.event_piece].astype(np.float64) - self.at_event

    def weights(self, coefficients: np.ndarray) -> np.ndarray:
        """Relative incidence of the counterfactual over the real one at each event, (events,)."""
        return np.exp(self.changed_terms() @ coefficients)

    def likelihood_pieces(self, coefficients: np.ndarray) -> CasePieces:
        """The pieces with their events weighted."""
        events = np.bincount(self.event_piece, self.weights(coefficients), minlength=len(self.pieces.days))
        return replace(self.pieces, events=events)

    def kept(self, rows: np.ndarray, columns: np.ndarray) -> _WeightedPieces:
        """Only some of the pieces, all events among them, and some of the terms."""
        event_piece = (np.cumsum(rows) - 1)[self.event_piece]
        pieces = self.pieces.kept(rows, columns)
        return _WeightedPieces(pieces, event_piece, self.at_event[:, columns], self.person[rows])


def _joined(parts: Sequence[_WeightedPieces]) -> _WeightedPieces:
    """All parts one after the other, each history a stratum of its own."""
    pieces_before = np.cumsum([0, *(len(part.person) for part in parts)])
    strata_before = np.cumsum([0, *(int(part.pieces.stratum.max(initial=-1)) + 1 for part in parts)])
    return _WeightedPieces(
        CasePieces(
            design=np.concatenate([part.pieces.design for part in parts]),
            stratum=np.concatenate([part.pieces.stratum + k for part, k in zip(parts, strata_before, strict=False)]),
            days=np.concatenate([part.pieces.days for part in parts]),
            events=np.concatenate([part.pieces.events for part in parts]),
            shift=np.concatenate([part.pieces.shift for part in parts]),
        ),
        np.concatenate([part.event_piece + k for part, k in zip(parts, pieces_before, strict=False)]),
        np.concatenate([part.at_event for part in parts]),
        np.concatenate([part.person for part in parts]),
    )


def _without_void_terms(weighted: _WeightedPieces, terms: Sequence[str]) -> tuple[np.ndarray, _WeightedPieces]:
    """The terms that have events, (terms,) bool, and the pieces on which none of the others holds."""
    found = contrasts(weighted.pieces)
    check_distinct(found, terms)
    limit = limit_of(weighted.pieces, found)
    has_event = weighted.pieces.design[weighted.event_piece].any(axis=0) | weighted.at_event.any(axis=0)
    running = [term for term, runs in zip(terms, ~limit.finite & has_event, strict=True) if runs]
    if running:
        raise InputError(
            f"The estimating equations have no finite solution, the events are separated by {listed(running)}: "
            "use fewer windows or age groups."
        )
    return limit.finite, weighted.kept(limit.rows, np.flatnonzero(limit.finite))


def _solve(weighted: _WeightedPieces) -> np.ndarray:
    """Coefficients that maximise the case series weighted by them. Raises `InputError` if none are found."""
    coefficients = np.zeros(weighted.pieces.design.shape[1])
    for _ in range(_ROUNDS):
        before = coefficients
        coefficients = fit_limit(weighted.likelihood_pieces(before), before).x
        if np.abs(coefficients - before).max(initial=0.0) <= _TOLERANCE:
            return coefficients
    raise InputError(
        f"The estimating equations did not converge in {_ROUNDS} rounds, so nothing is estimated: "
        "use fewer windows or age groups."
    )


def _sandwich(weighted: _WeightedPieces, coefficients: np.ndarray) -> tuple[np.ndarray, float]:
    """Covariance of the coefficients, and the largest estimating equation at them as a share of all events.

    The slope of the equations counts that weights depend on the coefficients too; their spread is that between
    persons. Source: Huber's sandwich, as in Farrington, Whitaker, Hocine, 2009.
    """
    likelihood = ConditionalLikelihood(weighted.likelihood_pieces(coefficients))
    expected = likelihood.expected_terms(coefficients)[likelihood.stratum[weighted.event_piece]]
    surplus = weighted.pieces.design[weighted.event_piece] - expected
    score = surplus * weighted.weights(coefficients)[:, None]
    by_person = np.zeros((int(weighted.person.max()) + 1, len(coefficients)))
    np.add.at(by_person, weighted.person[weighted.event_piece], score)
    slope = likelihood(coefficients)[2] - score.T @ weighted.changed_terms()
    bread = np.linalg.inv(slope)
    residual = np.abs(by_person.sum(axis=0)).max(initial=0.0) / likelihood.events.sum()
    return bread @ (by_person.T @ by_person) @ bread.T, float(residual)
