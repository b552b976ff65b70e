"""The likelihood of a case series: on which days of a person's follow-up the events lie, given how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from parcours.models.follow_up import FollowUpPieces


@dataclass(frozen=True)
class CasePieces:
    """Pieces of follow-up with the terms that hold on them; each stratum is one person's time with its events."""

    design: np.ndarray  # (pieces, terms) bool: which terms hold
    stratum: np.ndarray  # (pieces,) 0, 1, ... in order
    days: np.ndarray  # (pieces,) length
    events: np.ndarray  # (pieces,) number of events, or their sum of weights
    shift: np.ndarray  # (pieces,) log relative incidence that is held fixed

    @classmethod
    def of(cls, pieces: FollowUpPieces, design: np.ndarray) -> CasePieces:
        """Each person a stratum, nothing held fixed."""
        return cls(design, pieces.person, pieces.days, pieces.events, np.zeros(len(pieces.days)))

    def kept(self, rows: np.ndarray, columns: np.ndarray) -> CasePieces:
        """Only some of the pieces and terms."""
        design = self.design[rows][:, columns]
        return CasePieces(design, self.stratum[rows], self.days[rows], self.events[rows], self.shift[rows])

    def holding(self, term: int, value: float) -> CasePieces:
        """One term with its log relative incidence held at a value, and no column of its own any more."""
        design = np.delete(self.design, term, axis=1)
        shift = self.shift + value * self.design[:, term]
        return CasePieces(design, self.stratum, self.days, self.events, shift)


class ConditionalLikelihood:
    """Minus the conditional log-likelihood of pieces; called with coefficients, gives value, gradient and Hessian.

    A stratum with events at the pieces e and the pieces r, of d_r days each, counts minus the sum over e of
    eta_e - log(sum over r of d_r exp(eta_r)). Source: Farrington, Biometrics 51, 1995.
    """

    def __init__(self, pieces: CasePieces) -> None:
        _, self.stratum = np.unique(pieces.stratum, return_inverse=True)
        self.first = np.flatnonzero(np.append(True, np.diff(self.stratum) > 0))
        self.design: Any = sparse.csr_matrix(pieces.design.astype(np.float64))
        self.transposed = self.design.T.tocsr()
        self.events, self.shift = pieces.events, pieces.shift
        self.log_days = np.log(pieces.days)
        self.per_stratum = np.add.reduceat(self.events, self.first)
        members = (np.ones(len(self.stratum)), (self.stratum, np.arange(len(self.stratum))))
        self.sum_by_stratum: Any = sparse.csr_matrix(members)

    def __call__(self, coefficients: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian at `coefficients`, shape (terms,)."""
        eta = self.design @ coefficients + self.shift
        share, log_total = self._shares(eta)
        value = float(self.events @ (log_total[self.stratum] - eta))
        expected = self.per_stratum[self.stratum] * share
        gradient = self.transposed @ (expected - self.events)
        mean = self._means(share)
        squares = self.transposed @ sparse.diags(expected) @ self.design
        hessian = (squares - mean.T @ sparse.diags(self.per_stratum) @ mean).toarray()
        return value, gradient, hessian

    def expected_terms(self, coefficients: np.ndarray) -> np.ndarray:
        """The terms that an event of each stratum is expected to have, shape (strata, terms)."""
        share, _ = self._shares(self.design @ coefficients + self.shift)
        return self._means(share).toarray()

    def _means(self, share: np.ndarray) -> Any:
        return self.sum_by_stratum @ sparse.diags(share) @ self.design

    def _shares(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share of its stratum's incidence on each piece, and the log of the whole of each stratum."""
        scale = eta + self.log_days
        peak = np.maximum.reduceat(scale, self.first)
        mass = np.exp(scale - peak[self.stratum])
        total = np.add.reduceat(mass, self.first)
        return mass / total[self.stratum], np.log(total) + peak
