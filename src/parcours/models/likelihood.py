"""The conditional likelihood to the day: value and gradient in numba, person by person, from exposures alone.

Loss = (1/n) * sum over persons i of v_i * [ n_i * log sum_b exp(eta_ib) - sum over events eta_i,b(e) ], b over the
person's observed days, v_i the weight of the person (1, a fold's 0 or 1, or a bootstrap draw's count), n the sum of v.
A day's exp(eta) is its baseline times one factor an exposure that covers it, so exponentials are taken once a
coefficient and never once a day; days without exposure are known from the pieces of the baseline.
Coefficients are flat: drug 0 lags -before..lags, drug 1 ..., then the free parameters of the baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from parcours.models.baseline import Baseline, BaselineDesign, cells_of_kinds, design_for
from parcours.models.observed_days import ObservedDays

#: Compiled once and kept on disk (NUMBA_CACHE_DIR, else beside the module); typed Any, as numba has no stubs. Sums may
#: be vectorised, which changes their last digits between kinds of processors, never between threads or runs. A kernel
#: calls parts and never another kernel: of a kernel that is called there are two copies, its own and the one that was
#: optimised with its caller, and which one runs depends on whether it was just compiled or read from the disk.
kernel: Any = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
#: What kernels are made of: written into each of them before it is compiled.
part: Any = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}, inline="always")
#: Applies a function to the numbers of blocks, in any order, and gives the results in theirs.
Map = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]


@dataclass(frozen=True)
class Likelihood:
    """The loss of weighted persons; `design` is the baseline that these persons can estimate.

    weights: (persons,). `observed` are the sums of the events' own terms: (drugs * width,) and (parameters,).
    """

    days: ObservedDays
    weights: np.ndarray
    design: BaselineDesign
    total: float
    observed_lags: np.ndarray
    observed_baseline: np.ndarray
    map: Map = map

    @property
    def n_curves(self) -> int:
        """Number of lagged coefficients: drugs * width."""
        return self.days.drugs * self.days.axis.width

    @property
    def n_coefficients(self) -> int:
        """Lagged coefficients, then baseline parameters."""
        return self.n_curves + self.design.n_parameters

    def loss_and_gradient(self, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient, shape (coefficients,)."""
        value, lags, cells = self.expected(coefficients)
        baseline = self.design.design.T @ cells
        curves, parameters = np.split(coefficients, [self.n_curves])
        value -= float(self.observed_lags @ curves) + float(self.observed_baseline @ parameters)
        gradient = np.concatenate([lags - self.observed_lags, baseline - self.observed_baseline])
        return value / self.total, gradient / self.total

    def expected(self, coefficients: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Sum of n_i log sum_b exp(eta_ib); expected events by drug and lag, and by combination of the baseline."""
        given, fitted, blocks = given_of(self.days), fitted_of(self, coefficients), self.days.blocks

        def block(number: int) -> tuple[float, np.ndarray, np.ndarray]:
            return _expected(blocks[number], blocks[number + 1], given, self.weights, fitted)

        value, days, cells = 0.0, np.zeros(len(fitted.effect)), np.zeros(len(fitted.base))
        for part in self.map(block, range(len(blocks) - 1)):
            value += part[0]
            days += part[1]
            cells += part[2]
        return value, days.reshape(-1, self.days.axis.bucket).sum(axis=1), cells

    def only(self, drugs: np.ndarray) -> Likelihood:
        """The same persons and baseline with the given drugs alone."""
        width = self.days.axis.width
        kept = self.observed_lags.reshape(-1, width)[drugs].ravel()
        return Likelihood(
            self.days.only(drugs), self.weights, self.design, self.total, kept, self.observed_baseline, self.map
        )

    def in_threads(self, threads: int) -> Likelihood:
        """The same likelihood, whose blocks of persons are summed in so many threads: the same bits."""
        if threads <= 1 or len(self.days.blocks) <= 2:
            return self

        def run(work: Callable[[int], Any], numbers: Iterable[int]) -> Iterable[Any]:
            with ThreadPoolExecutor(threads) as pool:
                return list(pool.map(work, numbers))

        return replace(self, map=run)

    def event_log_probabilities(self, coefficients: np.ndarray) -> np.ndarray:
        """Log probability of the day of each event, given one event in the person's follow-up, shape (events,)."""
        totals = self.log_totals(coefficients)
        curves, parameters = np.split(coefficients, [self.n_curves])
        given, bucket = self.days, self.days.axis.bucket
        eta = (self.design.design @ parameters)[given.event_cell]
        place = given.effect_drug * given.axis.width + given.effect_day // bucket
        met = np.bincount(given.effect_event, curves[place] * given.effect_dose, minlength=len(eta))
        return eta + met - totals[given.event_person]

    def log_totals(self, coefficients: np.ndarray) -> np.ndarray:
        """Log of the sum of exp(eta) over each person's days, shape (persons,); 0 for persons of weight 0."""
        return _log_totals(given_of(self.days), self.weights, fitted_of(self, coefficients))


def likelihood_of(days: ObservedDays, baseline: Baseline, weights: np.ndarray | None = None) -> Likelihood:
    """The likelihood of a laid out series with the persons' weights (1 by default), with the baseline they can bear."""
    weights = np.ones(days.n_persons) if weights is None else np.asarray(weights, dtype=np.float64)
    design = design_for(baseline, *_informative_events(days, baseline, weights))
    held = weights[days.event_person]
    place = days.effect_drug * days.axis.width + days.effect_day // days.axis.bucket
    lags = np.bincount(place, held[days.effect_event] * days.effect_dose, minlength=days.drugs * days.axis.width)
    cells = np.bincount(days.event_cell, held, minlength=len(design.cells))
    total = float(weights.sum())
    return Likelihood(days, weights, design, total, lags, design.design.T @ cells)


def _informative_events(days: ObservedDays, baseline: Baseline, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted events inside and outside each baseline level, of persons observed in it and out of it, (levels,)."""
    cells = cells_of_kinds(baseline)
    levels = int(cells.max()) + 1
    counted = weights * days.events
    return _inside_and_outside(
        days.piece_ptr, days.piece_cell, cells, levels, days.event_person, days.event_cell, weights, counted
    )


@kernel
def _inside_and_outside(piece_ptr, piece_cell, cells, levels, event_person, event_cell, weights, counted):
    inside, outside = np.zeros(levels), np.zeros(levels)
    seen = np.zeros(levels, dtype=np.int64)
    mixed = np.zeros(levels, dtype=np.bool_)
    event = 0
    for person in range(len(piece_ptr) - 1):
        pieces = 0
        seen[:] = 0
        for row in range(piece_ptr[person], piece_ptr[person + 1]):
            if piece_cell[row] >= 0:
                pieces += 1
                for kind in range(cells.shape[1]):
                    seen[cells[piece_cell[row], kind]] += 1
        for level in range(levels):
            mixed[level] = 0 < seen[level] < pieces
            if mixed[level]:
                outside[level] += counted[person]
        while event < len(event_person) and event_person[event] == person:
            for kind in range(cells.shape[1]):
                level = cells[event_cell[event], kind]
                if mixed[level]:
                    inside[level] += weights[person]
                    outside[level] -= weights[person]
            event += 1
    return inside, outside


class Given(NamedTuple):
    """What the kernels read of `ObservedDays`; see there."""

    curve_days: int
    length: np.ndarray
    events: np.ndarray
    piece_ptr: np.ndarray
    piece_at: np.ndarray
    piece_cell: np.ndarray
    ptr: np.ndarray
    drug: np.ndarray
    at: np.ndarray
    first: np.ndarray
    days: np.ndarray
    dose: np.ndarray


class Fitted(NamedTuple):
    """exp(eta) of each combination of the baseline, (combinations,); log and plain factor of each day of a curve."""

    base: np.ndarray
    effect: np.ndarray
    factor: np.ndarray


def given_of(days: ObservedDays) -> Given:
    """The arrays of a series that is laid out."""
    exposures = (days.exposure_ptr, days.exposure_drug, days.exposure_at, days.exposure_from, days.exposure_days)
    pieces = (days.piece_ptr, days.piece_at, days.piece_cell)
    return Given(days.axis.days, days.length, days.events, *pieces, *exposures, days.exposure_dose)


def fitted_of(likelihood: Likelihood, coefficients: np.ndarray) -> Fitted:
    """Coefficients as the kernels read them."""
    curves, parameters = np.split(coefficients, [likelihood.n_curves])
    effect = np.repeat(curves, likelihood.days.axis.bucket)
    with np.errstate(over="ignore"):  # of a step that is too long, and is not taken
        return Fitted(np.exp(likelihood.design.design @ parameters), effect, np.exp(effect))


@part
def piece_end(given, person, piece):
    """Day after the last of a piece of the person's baseline, pieces counted from the person's first."""
    row = given.piece_ptr[person] + piece + 1
    return given.piece_at[row] if row < given.piece_ptr[person + 1] else given.length[person]


@part
def _piece_masses(given, fitted, person, mass):
    """Put the baseline's sum over each piece of the person into `mass`; return the number of pieces."""
    first = given.piece_ptr[person]
    pieces = given.piece_ptr[person + 1] - first
    for piece in range(pieces):
        cell = given.piece_cell[first + piece]
        days = piece_end(given, person, piece) - given.piece_at[first + piece]
        mass[piece] = days * fitted.base[cell] if cell >= 0 else 0.0
    return pieces


@part
def _level(given, fitted, person, piece, low, high, day):
    """Put the baseline of the days low..high-1 into `day`, from the piece that holds the first of them."""
    while low < high:
        cell = given.piece_cell[given.piece_ptr[person] + piece]
        until = min(high, piece_end(given, person, piece))
        level = fitted.base[cell] if cell >= 0 else 0.0
        stretch = day[low:until]
        for b in range(until - low):
            stretch[b] = level
        low, piece = until, piece + 1


@part
def _multiply(given, fitted, row, day):
    """Multiply the days that an exposure covers by its curve."""
    place, days = given.drug[row] * given.curve_days + given.first[row], given.days[row]
    covered = day[given.at[row] : given.at[row] + days]
    if len(given.dose) and given.dose[row] != 1.0:
        for b in range(days):
            covered[b] *= np.exp(given.dose[row] * fitted.effect[place + b])
    else:
        curve = fitted.factor[place : place + days]
        for b in range(days):
            covered[b] *= curve[b]


@part
def _add_stretch(given, fitted, person, piece, low, high, day, mass):
    """Add to the masses of the pieces what the days low..high-1 hold more than the baseline."""
    while low < high:
        cell = given.piece_cell[given.piece_ptr[person] + piece]
        until = min(high, piece_end(given, person, piece))
        total = 0.0
        stretch = day[low:until]
        for b in range(until - low):
            total += stretch[b]
        if cell >= 0:
            mass[piece] += total - (until - low) * fitted.base[cell]
        low, piece = until, piece + 1


@part
def fill_days(given, fitted, person, day, mass):
    """Put exp(eta) of the days that an exposure covers into `day`, the sum over each piece into `mass`; return its
    total.

    Exposures come in the order of their first day; those that touch form one stretch, which is filled once.
    """
    pieces = _piece_masses(given, fitted, person, mass)
    piece, row, end = 0, given.ptr[person], given.ptr[person + 1]
    while row < end:
        low, high, after = given.at[row], given.at[row] + given.days[row], row + 1
        while after < end and given.at[after] <= high:
            high = max(high, given.at[after] + given.days[after])
            after += 1
        while piece + 1 < pieces and piece_end(given, person, piece) <= low:
            piece += 1
        _level(given, fitted, person, piece, low, high, day)
        for exposure in range(row, after):
            _multiply(given, fitted, exposure, day)
        _add_stretch(given, fitted, person, piece, low, high, day, mass)
        row = after
    total = 0.0
    for piece in range(pieces):
        total += mass[piece]
    return total


@part
def largest(ptr):
    """Most rows of one owner."""
    most = 0
    for owner in range(len(ptr) - 1):
        most = max(most, ptr[owner + 1] - ptr[owner])
    return most


@part
def _add_expected(given, person, share, day, mass, by_day, by_cell):
    """Add the person's expected events by day of curve and by combination; share: weighted events over their sum."""
    first = given.piece_ptr[person]
    for row in range(first, given.piece_ptr[person + 1]):
        if given.piece_cell[row] >= 0:
            by_cell[given.piece_cell[row]] += share * mass[row - first]
    for row in range(given.ptr[person], given.ptr[person + 1]):
        place, days = given.drug[row] * given.curve_days + given.first[row], given.days[row]
        scale = share * given.dose[row] if len(given.dose) else share
        covered, sums = day[given.at[row] : given.at[row] + days], by_day[place : place + days]
        for b in range(days):
            sums[b] += scale * covered[b]


@kernel
def _expected(low, high, given, weights, fitted):
    """Persons low..high-1: sum of weighted n_i log total; expected events by day of curve, and by combination."""
    by_day, by_cell = np.zeros(len(fitted.effect)), np.zeros(len(fitted.base))
    day = np.empty(given.length[low:high].max() if high > low else 0)
    mass = np.empty(largest(given.piece_ptr[low : high + 1]))
    value = 0.0
    for person in range(low, high):
        held = weights[person] * given.events[person]
        if held != 0.0:
            total = fill_days(given, fitted, person, day, mass)
            value += held * np.log(total)
            _add_expected(given, person, held / total, day, mass, by_day, by_cell)
    return value, by_day, by_cell


@kernel
def _log_totals(given, weights, fitted):
    out, day, mass = np.zeros(len(given.length)), np.empty(given.length.max()), np.empty(largest(given.piece_ptr))
    for person in range(len(given.length)):
        if weights[person] != 0.0:
            out[person] = np.log(fill_days(given, fitted, person, day, mass))
    return out
