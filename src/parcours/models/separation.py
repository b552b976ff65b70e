"""Which terms of a case series have a finite estimate, which run away, and which the data cannot tell apart.

Of an event on piece e, and of a piece r of the same person, the contrast is x_e - x_r. The likelihood rises for ever in
a direction d exactly when no contrast has a negative product with d and some contrast has a positive one; it is flat
in d when all products are zero. Both are questions of linear programming about few distinct contrasts, and say nothing
of how large an estimate is. Source: Albert and Anderson, Biometrika 71, 1984; Geyer, Electronic J. Statistics 3, 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from parcours.errors import InputError
from parcours.models.conditional_likelihood import CasePieces

#: Contrasts and directions are small whole numbers or simple fractions: what is below is zero.
_ZERO = 1e-7
#: A contrast rises in a direction of entries up to one when it does so by more than linear programmes leave open.
_RISE = 1e-5


@dataclass(frozen=True)
class Limit:
    """What is left of a likelihood once its maximum has gone to infinity in every direction in which it rises."""

    rows: np.ndarray  # (pieces,) bool: the pieces that still have weight
    columns: np.ndarray  # terms that hold the limit's parameters: all finite ones, and what else it needs
    lowest: np.ndarray  # (terms,) -1 where the term can run to minus infinity, else 0
    highest: np.ndarray  # (terms,) 1 where the term can run to infinity, else 0

    @property
    def finite(self) -> np.ndarray:
        """Terms with a finite estimate, (terms,) bool."""
        return (self.lowest == 0) & (self.highest == 0)


def contrasts(pieces: CasePieces) -> np.ndarray:
    """The distinct contrasts x_e - x_r of events and pieces of their stratum, shape (contrasts, terms)."""
    chosen, pattern = _distinct_rows(pieces.design)
    patterns = pieces.design[chosen].astype(np.int8)
    at_event = np.unique((pieces.stratum * len(patterns) + pattern)[pieces.events > 0])
    stratum, event = at_event // len(patterns), at_event % len(patterns)
    first = np.searchsorted(pieces.stratum, stratum, side="left")
    number = np.searchsorted(pieces.stratum, stratum, side="right") - first
    other = pattern[np.repeat(first + number - np.cumsum(number), number) + np.arange(number.sum())]
    pairs = np.unique(np.repeat(event, number) * len(patterns) + other)
    difference = patterns[pairs // len(patterns)] - patterns[pairs % len(patterns)]
    difference = difference[difference.any(axis=1)]
    return difference[_distinct_rows(difference + 1)[0]].astype(np.float64)


def _distinct_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One row of each kind of a matrix of 0, 1 and 2, and the kind of each row: rows are read as numbers to base 3."""
    kind = np.zeros(len(values), dtype=np.int64)
    first = np.zeros(min(1, len(values)), dtype=np.int64)
    # Twenty digits and the kinds so far fit into 63 bits.
    for begin in range(0, values.shape[1], 20):
        digits = values[:, begin : begin + 20]
        code = digits @ 3 ** np.arange(digits.shape[1], dtype=np.int64)
        _, first, kind = np.unique(kind * 3**20 + code, return_index=True, return_inverse=True)
    return first, kind


def check_distinct(found: np.ndarray, terms: Sequence[str]) -> None:
    """Raise `InputError` that names the terms when the likelihood with these contrasts is flat in some of them."""
    chosen, dependent = _independent(found, range(len(terms)))
    if not dependent:
        return
    term = dependent[0]
    share = np.linalg.lstsq(found[:, chosen], found[:, term], rcond=None)[0] if len(found) else np.zeros(0)
    others = [terms[column] for column, part in zip(chosen, share, strict=True) if abs(part) > _ZERO]
    if not others:
        raise InputError(
            f"The term {terms[term]} is the same on every day of each case, so nothing is compared: "
            "widen the follow-up, or drop the term."
        )
    raise InputError(
        f"The terms {listed([*others, terms[term]])} go together on every day of each case, so their effects cannot "
        "be told apart: drop one of them, or change its windows or age cuts."
    )


def limit_of(pieces: CasePieces, found: np.ndarray) -> Limit:
    """The limit of the likelihood of `pieces` with these contrasts, whose terms have been found to be distinct."""
    direction = _rising_direction(found)
    score = pieces.design @ direction
    best = np.full(int(pieces.stratum.max()) + 1, -np.inf)
    np.maximum.at(best, pieces.stratum, score)
    rising = found @ direction > 0.5
    level = found[~rising]
    running = _running(level, np.asarray(found[rising]))
    width = found.shape[1]
    first = np.flatnonzero(~running)
    chosen, _ = _independent(level, [*first, *np.flatnonzero(running)])
    lowest, highest = np.zeros(width), np.zeros(width)
    for term in np.flatnonzero(running):
        lowest[term] = np.sign(np.round(_extreme(found, level, int(term), 1.0), 6))
        highest[term] = np.sign(np.round(-_extreme(found, level, int(term), -1.0), 6))
    return Limit(score > best[pieces.stratum] - 0.5, np.array(sorted(chosen), dtype=np.int64), lowest, highest)


def infinite_estimates(limit: Limit, terms: Sequence[str], without_event: np.ndarray) -> np.ndarray:
    """-inf or inf for each term that runs away, nan for the others; a term without event runs to minus infinity.

    Raises `InputError` when terms run away together and nothing tells the direction of each.
    """
    down = (limit.lowest < 0) & (limit.highest == 0) | without_event
    up = (limit.highest > 0) & (limit.lowest == 0)
    unclear = ~(limit.finite | down | up)
    if unclear.any():
        together = [term for term, runs in zip(terms, ~limit.finite & ~without_event, strict=True) if runs]
        names = [term for term, is_unclear in zip(terms, unclear, strict=True) if is_unclear]
        raise InputError(
            f"The events are separated by a combination of the terms {listed(together)}, and do not tell in which "
            f"direction {listed(names)} would go: use fewer windows or age groups, or join these."
        )
    return np.where(down, -np.inf, np.where(up, np.inf, np.nan))


def listed(names: Sequence[str]) -> str:
    """Names as they stand in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _independent(rows: np.ndarray, order: Sequence[int] | range) -> tuple[list[int], list[int]]:
    """Columns in this order that are no combination of columns chosen before, and those that are."""
    # Columns depend on each other as those of this square do.
    rows = np.asarray(np.linalg.qr(rows, mode="r"))
    basis = np.zeros((len(rows), 0))
    chosen: list[int] = []
    dependent: list[int] = []
    for column in order:
        rest = rows[:, column].astype(np.float64)
        length = float(np.linalg.norm(rest))
        # Twice, as the first pass leaves rounding of its own.
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        if np.linalg.norm(rest) <= _ZERO * max(length, 1.0):
            dependent.append(int(column))
            continue
        chosen.append(int(column))
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return chosen, dependent


def _running(level: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """Terms that some direction moves which keeps every level contrast level, (terms,) bool."""
    if not len(rising):
        return np.zeros(level.shape[1], dtype=bool)
    squared_length, axes = np.linalg.eigh(level.T @ level)
    free = axes[:, squared_length <= _ZERO * max(1.0, float(squared_length[-1]))]
    return np.asarray(np.abs(free).max(axis=1, initial=0.0) > _ZERO)


def _rising_direction(found: np.ndarray) -> np.ndarray:
    """A direction in which every contrast that can rise does so by one or more, and none falls; zeros without any."""
    direction = np.zeros(found.shape[1])
    level = np.ones(len(found), dtype=bool)
    # Directions add up: each one found lets further contrasts rise, and none that rose before falls.
    while level.any():
        further = _steepest(-found[level].sum(axis=0), found, found[:0])
        rises = found @ further > _RISE
        if not (rises & level).any():
            break
        direction += further
        level &= ~rises
    rise = found @ direction
    return direction / rise[~level].min() if (~level).any() else direction


def _extreme(found: np.ndarray, level: np.ndarray, term: int, sign: float) -> float:
    """The least of sign * d_term over the directions, of entries up to one, in which no contrast falls."""
    cost = np.zeros(found.shape[1])
    cost[term] = sign
    return float(cost @ _steepest(cost, found, level))


def _steepest(cost: np.ndarray, found: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The direction of least cost, of entries up to one, in which no contrast falls and level ones stay level."""
    # Loaded where it is needed: it takes as much memory as a small study.
    from scipy.optimize import linprog

    answer = linprog(
        cost,
        A_ub=sparse.csr_matrix(-found),
        b_ub=np.zeros(len(found)),
        A_eq=sparse.csr_matrix(level) if len(level) else None,
        b_eq=np.zeros(len(level)) if len(level) else None,
        bounds=(-1, 1),
        method="highs",
    )
    return np.asarray(answer.x)
