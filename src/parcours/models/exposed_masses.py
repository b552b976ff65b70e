"""What each person exposed to a medicine tells about it: the chance of the event in each of its windows, and elsewhere.

The chances are those of the other medicines' curves and the baseline, as fitted, without the medicine's own curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parcours.models.likelihood import Likelihood, _arrays, _largest, fill_days, kernel
from parcours.models.windows import Windows


@dataclass(frozen=True)
class ExposedMasses:
    """One row a (drug, exposed person), drug by drug: `ptr` (drugs + 1,).

    mass: (rows, parts) sum of exp(eta) over the days of each part of a window, and rest (rows,) over all other days, each as a
    share of their sum; events (rows,) of the person, weighted; counts (drugs, parts) events in each part.
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
    curves, parameters = np.split(coefficients, [likelihood.n_curves])
    effect = np.repeat(curves, days.axis.bucket)
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
    curved = curves.reshape(days.drugs, days.axis.width).any(axis=1)
    event_ptr = np.searchsorted(days.event_person, np.arange(days.n_persons + 1))
    base = np.exp(likelihood.design.design @ parameters)
    of_day = np.repeat(windows.part_of_lag, days.axis.bucket, axis=1)
    given = (event_ptr, days.event_at, person_ptr, drug, row, of_day, windows.parts_before, curved)
    _masses(*_arrays(days), likelihood.weights, base, effect, np.exp(effect), *given, mass, rest, counts)
    return ExposedMasses(ptr, mass, rest, (likelihood.weights * days.events)[person], counts)


@kernel
def _masses(
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
    event_ptr,
    event_at,
    person_ptr,
    pair_drug,
    pair_row,
    of_day,
    before,
    curved,
    mass,
    rest,
    counts,
):
    longest = length.max()
    day, own = np.empty(longest), np.empty(longest)
    label = np.full(longest, -1, np.int64)
    pieces_mass = np.empty(_largest(piece_ptr))
    for person in range(len(length)):
        if person_ptr[person] == person_ptr[person + 1]:
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
            pieces_mass,
        )
        total = 0.0
        for piece in range(pieces):
            total += pieces_mass[piece]
        for pair in range(person_ptr[person], person_ptr[person + 1]):
            number, target = pair_drug[pair], pair_row[pair]
            early = before[number]
            for row in range(ptr[person], ptr[person + 1]):
                if drug[row] == number:
                    for b in range(days[row]):
                        place = at[row] + b
                        window = of_day[number, first[row] + b]
                        if label[place] < 0:
                            own[place] = day[place]
                            label[place] = window
                        elif window >= early or label[place] < early:
                            label[place] = window
            if curved[number]:
                for row in range(ptr[person], ptr[person + 1]):
                    if drug[row] == number:
                        scale = dose[row] if len(dose) else 1.0
                        for b in range(days[row]):
                            own[at[row] + b] *= np.exp(-scale * effect[number * curve_days + first[row] + b])
            for event in range(event_ptr[person], event_ptr[person + 1]):
                if label[event_at[event]] >= 0:
                    counts[number, label[event_at[event]]] += weights[person]
            inside, without = 0.0, 0.0
            for row in range(ptr[person], ptr[person + 1]):
                if drug[row] == number:
                    for b in range(days[row]):
                        place = at[row] + b
                        if label[place] >= 0:
                            mass[target, label[place]] += own[place]
                            inside += day[place]
                            without += own[place]
                            label[place] = -1
            outside = max(total - inside, 0.0)
            for window in range(mass.shape[1]):
                mass[target, window] /= outside + without
            rest[target] = outside / (outside + without)
