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
from typing import Any

import numpy as np
from numba import njit

from parcours.models.baseline import Baseline, BaselineDesign, cells_of_kinds, design_for
from parcours.models.observed_days import ObservedDays

#: Compiled once and kept on disk (NUMBA_CACHE_DIR, else beside the module); typed Any, as numba has no stubs. Sums may
#: be vectorised, which changes their last digits between kinds of processors, never between threads or runs.
kernel: Any = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
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
        curves, parameters = np.split(coefficients, [self.n_curves])
        base = np.exp(self.design.design @ parameters)
        bucket = self.days.axis.bucket
        effect = np.repeat(curves, bucket) if bucket > 1 else curves
        given = self.days
        shape = (given.drugs * given.axis.days, len(base))

        def block(number: int) -> tuple[float, np.ndarray, np.ndarray]:
            persons = given.blocks[number : number + 2]
            return _expected(*persons, *_arrays(given), self.weights, base, effect, np.exp(effect), *shape)

        value, days, cells = 0.0, np.zeros(shape[0]), np.zeros(shape[1])
        for part in self.map(block, range(len(given.blocks) - 1)):
            value += part[0]
            days += part[1]
            cells += part[2]
        return value, days.reshape(-1, bucket).sum(axis=1), cells

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
        curves, parameters = np.split(coefficients, [self.n_curves])
        base = np.exp(self.design.design @ parameters)
        effect = np.repeat(curves, self.days.axis.bucket)
        return _log_totals(*_arrays(self.days), self.weights, base, effect, np.exp(effect))


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


def _arrays(days: ObservedDays) -> Any:
    return (
        days.axis.days,
        days.length,
        days.events,
        days.piece_ptr,
        days.piece_at,
        days.piece_cell,
        days.exposure_ptr,
        days.exposure_drug,
        days.exposure_at,
        days.exposure_from,
        days.exposure_days,
        days.exposure_dose,
    )


@kernel
def _piece_masses(person, length, piece_ptr, piece_at, piece_cell, base, mass):
    """Put the baseline's sum over each piece of the person into mass[0:pieces]; return their number."""
    first = piece_ptr[person]
    pieces = piece_ptr[person + 1] - first
    for piece in range(pieces):
        until = piece_at[first + piece + 1] if piece + 1 < pieces else length[person]
        cell = piece_cell[first + piece]
        mass[piece] = (until - piece_at[first + piece]) * base[cell] if cell >= 0 else 0.0
    return pieces


@kernel
def fill_days(
    person,
    curve_days,
    length,
    piece_ptr,
    piece_at,
    piece_cell,
    ptr,
    drug,
    at,
    first,
    days,
    dose,
    base,
    effect,
    factor,
    day,
    mass,
):
    """Put exp(eta) of the person's days that an exposure covers into `day`, its sum over each piece into `mass`.

    Exposures come in the order of their first day; those that touch form one stretch, which is filled once.
    """
    pieces = _piece_masses(person, length, piece_ptr, piece_at, piece_cell, base, mass)
    opened = piece_ptr[person]
    piece = 0
    row, end = ptr[person], ptr[person + 1]
    while row < end:
        low, high = at[row], at[row] + days[row]
        after = row + 1
        while after < end and at[after] <= high:
            high = max(high, at[after] + days[after])
            after += 1
        while piece + 1 < pieces and piece_at[opened + piece + 1] <= low:
            piece += 1
        inside, from_day = piece, low
        while from_day < high:
            until = min(high, piece_at[opened + inside + 1]) if inside + 1 < pieces else high
            cell = piece_cell[opened + inside]
            level = base[cell] if cell >= 0 else 0.0
            stretch = day[from_day:until]
            for b in range(until - from_day):
                stretch[b] = level
            from_day = until
            inside += 1
        for exposure in range(row, after):
            place = drug[exposure] * curve_days + first[exposure]
            covered = day[at[exposure] : at[exposure] + days[exposure]]
            if len(dose) and dose[exposure] != 1.0:
                for b in range(days[exposure]):
                    covered[b] *= np.exp(dose[exposure] * effect[place + b])
            else:
                curve = factor[place : place + days[exposure]]
                for b in range(days[exposure]):
                    covered[b] *= curve[b]
        inside, from_day = piece, low
        while from_day < high:
            until = min(high, piece_at[opened + inside + 1]) if inside + 1 < pieces else high
            cell = piece_cell[opened + inside]
            total = 0.0
            stretch = day[from_day:until]
            for b in range(until - from_day):
                total += stretch[b]
            if cell >= 0:
                mass[inside] += total - (until - from_day) * base[cell]
            from_day = until
            inside += 1
        row = after
    return pieces


@kernel
def _largest(ptr):
    largest = 0
    for person in range(len(ptr) - 1):
        largest = max(largest, ptr[person + 1] - ptr[person])
    return largest


@kernel
def _expected(
    low,
    high,
    curve_days,
    length,
    events,
    piece_ptr,
    piece_at,
    piece_cell,
    ptr,
    drug,
    at,
    first,
    days,
    dose,
    weights,
    base,
    effect,
    factor,
    n_days,
    n_cells,
):
    """Persons low..high-1: sum of weighted n_i log total; expected events by day of curve, and by combination."""
    by_day, by_cell = np.zeros(n_days), np.zeros(n_cells)
    day = np.empty(length[low:high].max() if high > low else 0)
    mass = np.empty(_largest(piece_ptr[low : high + 1]))
    value = 0.0
    for person in range(low, high):
        held = weights[person] * events[person]
        if held == 0.0:
            continue
        pieces = fill_days(
            person,
            curve_days,
            length,
            piece_ptr,
            piece_at,
            piece_cell,
            ptr,
            drug,
            at,
            first,
            days,
            dose,
            base,
            effect,
            factor,
            day,
            mass,
        )
        total = 0.0
        for piece in range(pieces):
            total += mass[piece]
        value += held * np.log(total)
        share = held / total
        for piece in range(pieces):
            cell = piece_cell[piece_ptr[person] + piece]
            if cell >= 0:
                by_cell[cell] += share * mass[piece]
        for row in range(ptr[person], ptr[person + 1]):
            place = drug[row] * curve_days + first[row]
            scale = share * dose[row] if len(dose) else share
            covered = day[at[row] : at[row] + days[row]]
            sums = by_day[place : place + days[row]]
            for b in range(days[row]):
                sums[b] += scale * covered[b]
    return value, by_day, by_cell


@kernel
def _log_totals(
    curve_days,
    length,
    events,
    piece_ptr,
    piece_at,
    piece_cell,
    ptr,
    drug,
    at,
    first,
    days,
    dose,
    weights,
    base,
    effect,
    factor,
):
    out = np.zeros(len(length))
    day = np.empty(length.max())
    mass = np.empty(_largest(piece_ptr))
    for person in range(len(length)):
        if weights[person] != 0.0:
            pieces = fill_days(
                person,
                curve_days,
                length,
                piece_ptr,
                piece_at,
                piece_cell,
                ptr,
                drug,
                at,
                first,
                days,
                dose,
                base,
                effect,
                factor,
                day,
                mass,
            )
            total = 0.0
            for piece in range(pieces):
                total += mass[piece]
            out[person] = np.log(total)
    return out
