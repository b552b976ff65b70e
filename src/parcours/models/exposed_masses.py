"""What each person exposed to a medicine tells about it: the chance of the event in each of its windows, and elsewhere.

The chances are those of the other medicines' curves and the baseline, as fitted, without the medicine's own curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from parcours.models.likelihood import Likelihood, fill_days, fitted_of, given_of, kernel, largest, part
from parcours.models.windows import Windows


@dataclass(frozen=True)
class ExposedMasses:
    """One row a (drug, exposed person), drug by drug: `ptr` (drugs + 1,).

    mass: (rows, parts) sum of exp(eta) over the days of each part of a window, and rest (rows,) over all other days,
    each as a share of their sum; events (rows,) of the person, weighted; counts (drugs, parts) events in each part.
    """

    ptr: np.ndarray
    mass: np.ndarray
    rest: np.ndarray
    events: np.ndarray
    counts: np.ndarray

    def of(self, drug: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """mass, rest, events and counts of one drug."""
        rows = slice(int(self.ptr[drug]), int(self.ptr[drug + 1]))
        return self.mass[rows], self.rest[rows], self.events[rows], self.counts[drug]


def exposed_masses(likelihood: Likelihood, coefficients: np.ndarray, windows: Windows) -> ExposedMasses:
    """Masses of every drug under `coefficients`, in one pass over the persons.

    A day in two parts of a drug belongs to the one after an exposure rather than before, then to the latest start.
    """
    days = likelihood.days
    owner = np.repeat(np.arange(days.n_persons), np.diff(days.exposure_ptr))
    pairs = np.unique(days.exposure_drug * np.int64(days.n_persons) + owner)
    pairs = pairs[(likelihood.weights * days.events)[pairs % days.n_persons] > 0]
    ptr = np.searchsorted(pairs, np.arange(days.drugs + 1) * np.int64(days.n_persons))
    person = pairs % days.n_persons
    row = np.argsort(person, kind="stable")  # the pass goes person by person and finds its rows here
    drug = (pairs // days.n_persons)[row]
    person_ptr = np.searchsorted(person[row], np.arange(days.n_persons + 1))
    most = int(windows.parts.max(initial=1))
    mass, rest, counts = np.zeros((len(pairs), most)), np.zeros(len(pairs)), np.zeros((days.drugs, most))
    event_ptr = np.searchsorted(days.event_person, np.arange(days.n_persons + 1))
    of_day = np.repeat(windows.part_of_lag, days.axis.bucket, axis=1)
    pairs_of = Pairs(event_ptr, days.event_at, person_ptr, drug, row, of_day, windows.parts_before)
    _masses(given_of(days), fitted_of(likelihood, coefficients), likelihood.weights, pairs_of, mass, rest, counts)
    return ExposedMasses(ptr, mass, rest, (likelihood.weights * days.events)[person], counts)


class Pairs(NamedTuple):
    """What the pass reads beside the series: events of each person; drugs of each, and the row that is theirs."""

    event_ptr: np.ndarray
    event_at: np.ndarray
    person_ptr: np.ndarray
    drug: np.ndarray
    row: np.ndarray
    part_of_day: np.ndarray  # (drugs, days of a curve)
    parts_before: np.ndarray  # (drugs,)


@part
def _label_days(given, pairs, person, number, day, own, label):
    """Put the part of each day of one drug into `label`, exp(eta) of it into `own`."""
    early = pairs.parts_before[number]
    for row in range(given.ptr[person], given.ptr[person + 1]):
        if given.drug[row] == number:
            for b in range(given.days[row]):
                place, part = given.at[row] + b, pairs.part_of_day[number, given.first[row] + b]
                if label[place] < 0:
                    own[place] = day[place]
                    label[place] = part
                elif part >= early or label[place] < early:
                    label[place] = part


@part
def _divide_own(given, fitted, person, number, own):
    """Take the drug's own curve out of exp(eta) of its days."""
    for row in range(given.ptr[person], given.ptr[person + 1]):
        if given.drug[row] == number:
            scale = given.dose[row] if len(given.dose) else 1.0
            place = number * given.curve_days + given.first[row]
            for b in range(given.days[row]):
                if fitted.effect[place + b] != 0.0:
                    own[given.at[row] + b] *= np.exp(-scale * fitted.effect[place + b])


@part
def _sum_parts(given, person, number, day, own, label, mass):
    """Add `own` of each labelled day to the mass of its part, and take the labels away; sums of `day` and `own`."""
    inside, without = 0.0, 0.0
    for row in range(given.ptr[person], given.ptr[person + 1]):
        if given.drug[row] == number:
            for b in range(given.days[row]):
                place = given.at[row] + b
                if label[place] >= 0:
                    mass[label[place]] += own[place]
                    inside += day[place]
                    without += own[place]
                    label[place] = -1
    return inside, without


@kernel
def _masses(given, fitted, weights, pairs, mass, rest, counts):
    longest = given.length.max()
    day, own, label = np.empty(longest), np.empty(longest), np.full(longest, -1, np.int64)
    piece_mass = np.empty(largest(given.piece_ptr))
    for person in range(len(given.length)):
        if pairs.person_ptr[person] == pairs.person_ptr[person + 1]:
            continue
        total = fill_days(given, fitted, person, day, piece_mass)
        for pair in range(pairs.person_ptr[person], pairs.person_ptr[person + 1]):
            number, row = pairs.drug[pair], pairs.row[pair]
            _label_days(given, pairs, person, number, day, own, label)
            _divide_own(given, fitted, person, number, own)
            for event in range(pairs.event_ptr[person], pairs.event_ptr[person + 1]):
                if label[pairs.event_at[event]] >= 0:
                    counts[number, label[pairs.event_at[event]]] += weights[person]
            inside, without = _sum_parts(given, person, number, day, own, label, mass[row])
            outside = max(total - inside, 0.0)
            mass[row] /= outside + without
            rest[row] = outside / (outside + without)
