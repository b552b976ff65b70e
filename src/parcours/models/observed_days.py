"""A case series as the likelihood reads it: each person's own days, cut where the baseline changes, and the exposures.

Nothing is as long as the follow-up: a person has some pieces of constant baseline, and each exposure is one row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from parcours.models.baseline import Baseline
from parcours.models.case_series import CaseSeries

#: Exposures of one block of persons. Sums are made block by block, in this order, whoever computes the blocks.
EXPOSURES_A_BLOCK = 50_000
#: Persons of one block at most, for series with few exposures.
PERSONS_A_BLOCK = 20_000


@dataclass(frozen=True)
class LagAxis:
    """Days and lags of a curve: `before` lags below zero and `lags` + 1 from zero on, each `bucket` days wide."""

    lags: int
    bucket: int = 1
    before: int = 0

    @property
    def width(self) -> int:
        """Number of lags of a curve."""
        return self.before + self.lags + 1

    @property
    def days(self) -> int:
        """Number of days of a curve."""
        return self.width * self.bucket

    @property
    def first_day(self) -> int:
        """Day of the curve's first day, counted from the start of exposure: 0 or below."""
        return -self.before * self.bucket

    def numbers(self) -> np.ndarray:
        """The lags, shape (width,): -before..lags."""
        return np.arange(-self.before, self.lags + 1)


@dataclass(frozen=True)
class ObservedDays:
    """Persons, their pieces of constant baseline, their exposures and events; days are counted from each person's
    first.

    A piece runs to the next one of its person; pieces of gaps in the observation have the combination -1.
    An exposure is the part of a curve that lies on observed days: curve day `exposure_from` falls on day `exposure_at`.
    """

    axis: LagAxis
    drugs: int
    length: np.ndarray  # (persons,) days from the first to the last observed, gaps included
    events: np.ndarray  # (persons,) number of events
    piece_ptr: np.ndarray  # (persons + 1,)
    piece_at: np.ndarray  # (pieces,) first day
    piece_cell: np.ndarray  # (pieces,) combination of baseline groups, -1 in a gap
    exposure_ptr: np.ndarray  # (persons + 1,)
    exposure_drug: np.ndarray  # (exposures,)
    exposure_at: np.ndarray  # (exposures,) first day with an effect
    exposure_from: np.ndarray  # (exposures,) its day of the curve
    exposure_days: np.ndarray  # (exposures,) number of days
    exposure_dose: np.ndarray  # (exposures,) factor of the curve, or (0,) where all are 1
    event_person: np.ndarray  # (events,)
    event_at: np.ndarray  # (events,)
    event_cell: np.ndarray  # (events,)
    effect_event: np.ndarray  # (effects,) event that an effect meets
    effect_drug: np.ndarray  # (effects,)
    effect_day: np.ndarray  # (effects,) day of the curve
    effect_dose: np.ndarray  # (effects,)
    blocks: np.ndarray  # (blocks + 1,) first person of each block

    @property
    def n_persons(self) -> int:
        """Number of cases."""
        return len(self.length)

    def only(self, drugs: np.ndarray) -> ObservedDays:
        """The same persons with the given drugs alone, numbered anew in their order."""
        number = np.full(self.drugs, -1)
        number[drugs] = np.arange(len(drugs))
        rows = np.flatnonzero(number[self.exposure_drug] >= 0)
        effects = np.flatnonzero(number[self.effect_drug] >= 0)
        return replace(
            self,
            drugs=len(drugs),
            exposure_ptr=np.searchsorted(rows, self.exposure_ptr),
            exposure_drug=number[self.exposure_drug[rows]].astype(np.int32),
            exposure_at=self.exposure_at[rows],
            exposure_from=self.exposure_from[rows],
            exposure_days=self.exposure_days[rows],
            exposure_dose=self.exposure_dose[rows] if len(self.exposure_dose) else self.exposure_dose,
            effect_event=self.effect_event[effects],
            effect_drug=number[self.effect_drug[effects]],
            effect_day=self.effect_day[effects],
            effect_dose=self.effect_dose[effects],
        )

    def exposed_persons(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Number of persons (their `weights` summed) with an observed day from the start of each drug on, (drugs,)."""
        reached = self.exposure_from + self.exposure_days > -self.axis.first_day
        held = np.ones(self.n_persons) if weights is None else weights
        return _exposed_persons(self.exposure_ptr, self.exposure_drug, reached, held, self.drugs)


def observe(series: CaseSeries, axis: LagAxis, baseline: Baseline) -> ObservedDays:
    """Lay a case series out. Two starts of one drug on one day count once, until the later end and with the summed
    dose.

    Starts on different days add their curves; a curve ends with its exposure. An exposure before the follow-up counts
    with the days that reach it.
    """
    shared_at, shared_group = baseline.shared_pieces(int(series.start.min()), int(series.end.max()))
    cuts = np.asarray(baseline.age, dtype=np.int64)
    gaps = (series.gap_ptr, series.gap_first, series.gap_last)
    piece_ptr, piece_at, piece_cell = _pieces(
        series.start,
        series.end,
        series.age_origin(),
        cuts,
        shared_at,
        shared_group,
        int(np.prod(baseline.sizes()[1:])),
        *gaps,
    )
    person, drug, at, first, days, dose = _exposures(series, axis)
    order = np.argsort(person * np.int64(2**24) + at, kind="stable")
    exposure_ptr = np.searchsorted(person[order], np.arange(series.n_persons + 1))
    event_at = series.event_day - series.start[series.event_person]
    last_piece = _last_piece(piece_ptr, piece_at, series.event_person, event_at)
    rows: Any = [values[order].astype(np.int32) for values in (drug, at, first, days)]
    doses = dose[order] if (dose != 1).any() else np.zeros(0)
    effect = _effects(exposure_ptr, rows[0], rows[1], rows[2], rows[3], doses, series.event_person, event_at)
    return ObservedDays(
        axis,
        len(series.drugs),
        series.end - series.start + 1,
        np.bincount(series.event_person, minlength=series.n_persons).astype(np.float64),
        piece_ptr,
        piece_at,
        piece_cell,
        exposure_ptr,
        rows[0],
        rows[1],
        rows[2],
        rows[3],
        doses,
        series.event_person,
        event_at,
        piece_cell[last_piece],
        effect[0],
        effect[1],
        effect[2],
        effect[3],
        _blocks(exposure_ptr),
    )


def _exposures(series: CaseSeries, axis: LagAxis) -> tuple[np.ndarray, ...]:
    """Person, drug, day, day of the curve, number of days and dose of each exposure with an effect on observed days."""
    keep, end, dose = _merged_starts(series)
    person, drug, start = series.exposure_person[keep], series.exposure_drug[keep], series.exposure_start[keep]
    lasts = np.minimum(end - start, (axis.lags + 1) * axis.bucket - 1)  # days after the start
    opened = start + axis.first_day - series.start[person]
    first = np.maximum(-opened, 0)
    closed = np.minimum(start + lasts, series.end[person]) - series.start[person]
    days = closed - (opened + first) + 1
    near = days > 0
    return person[near], drug[near], (opened + first)[near], first[near], days[near], dose[near]


def _merged_starts(series: CaseSeries) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that open a (person, drug, start), with the latest end and the dose of all their rows."""
    person, drug, start = series.exposure_person, series.exposure_drug, series.exposure_start
    if not len(person):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    new = np.append(True, (np.diff(person) != 0) | (np.diff(drug) != 0) | (np.diff(start) != 0))
    rows = np.flatnonzero(new)
    end = np.maximum.reduceat(series.exposure_end, rows)
    dose = np.ones(len(rows)) if series.exposure_dose is None else np.add.reduceat(series.exposure_dose, rows)
    return rows, end, dose


def _blocks(exposure_ptr: np.ndarray) -> np.ndarray:
    """First person of each block: cut by exposures and persons, so that it depends on the series alone."""
    persons = len(exposure_ptr) - 1
    place = exposure_ptr[:-1] // EXPOSURES_A_BLOCK + np.arange(persons) // PERSONS_A_BLOCK
    return np.append(np.flatnonzero(np.append(True, np.diff(place) > 0)), persons)


@njit(cache=True, nogil=True)
def _pieces(start, end, birth, age_cuts, shared_at, shared_group, shared_groups, gap_ptr, gap_first, gap_last):
    """Pieces of constant baseline of all persons: ptr, first day from the person's first, combination or -1."""
    persons = len(start)
    ptr = np.zeros(persons + 1, dtype=np.int64)
    at = np.empty(persons * 4, dtype=np.int32)
    cell = np.empty(persons * 4, dtype=np.int16)
    size = 0
    for person in range(persons):
        day, last = start[person], end[person]
        age = np.searchsorted(age_cuts, day - birth[person], side="right")
        shared = np.searchsorted(shared_at, day, side="right") - 1
        gap = gap_ptr[person]
        while day <= last:
            if size == len(at):
                at = np.concatenate((at, np.empty(size, dtype=np.int32)))
                cell = np.concatenate((cell, np.empty(size, dtype=np.int16)))
            inside_gap = gap < gap_ptr[person + 1] and gap_first[gap] <= day
            at[size] = day - start[person]
            cell[size] = -1 if inside_gap else age * shared_groups + shared_group[shared]
            size += 1
            until = last + 1
            if inside_gap:
                until = gap_last[gap] + 1
            elif gap < gap_ptr[person + 1]:
                until = min(until, gap_first[gap])
            if not inside_gap and age < len(age_cuts):
                until = min(until, birth[person] + age_cuts[age])
            if not inside_gap and shared + 1 < len(shared_at):
                until = min(until, shared_at[shared + 1])
            day = until
            if inside_gap:
                gap += 1
            while age < len(age_cuts) and birth[person] + age_cuts[age] <= day:
                age += 1
            while shared + 1 < len(shared_at) and shared_at[shared + 1] <= day:
                shared += 1
        ptr[person + 1] = size
    return ptr, at[:size].copy(), cell[:size].copy()


@njit(cache=True, nogil=True)
def _exposed_persons(ptr, drug, reached, weights, drugs):
    """Sum of the weights of the persons with a reached exposure to each drug."""
    total, last = np.zeros(drugs), np.full(drugs, -1)
    for person in range(len(ptr) - 1):
        for row in range(ptr[person], ptr[person + 1]):
            if reached[row] and last[drug[row]] != person:
                last[drug[row]] = person
                total[drug[row]] += weights[person]
    return total


@njit(cache=True, nogil=True)
def _last_piece(piece_ptr, piece_at, event_person, event_at):
    """Row of the piece that holds each event."""
    row = np.empty(len(event_person), dtype=np.int64)
    for event in range(len(event_person)):
        person = event_person[event]
        own = piece_at[piece_ptr[person] : piece_ptr[person + 1]]
        row[event] = piece_ptr[person] + np.searchsorted(own, event_at[event], side="right") - 1
    return row


@njit(cache=True, nogil=True)
def _effects(ptr, drug, at, first, days, dose, event_person, event_at):
    """Which day of which curve each event meets: event, drug, day of the curve, dose."""
    size = 0
    for _pass in range(2):
        if _pass == 1:
            out = (
                np.empty(size, dtype=np.int64),
                np.empty(size, dtype=np.int64),
                np.empty(size, dtype=np.int64),
                np.ones(size),
            )
            size = 0
        for event in range(len(event_person)):
            person = event_person[event]
            for row in range(ptr[person], ptr[person + 1]):
                lag = event_at[event] - at[row]
                if 0 <= lag < days[row]:
                    if _pass == 1:
                        out[0][size] = event
                        out[1][size] = drug[row]
                        out[2][size] = first[row] + lag
                        if len(dose):
                            out[3][size] = dose[row]
                    size += 1
    return out
