"""Somebody who reads two reports and knows how reports are made: least and most that each number of persons can be.

Written apart from `parcours.release`, in another form. Of two nested populations the unknowns are, for each number of
the report, how many of the smaller population there are and how many of the rest of the larger; of two whose relation
nobody told, the numbers of each. What is told of them is what the reports say.
"""

from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

SAID = {"<11": (1, 10), "hidden": (11, None), "withheld": (0, None)}


class Reader:
    """The unknown numbers of several populations, and what is known of them."""

    def __init__(self):
        self.places, self.equal, self.above = {}, [], []

    def unknown(self, population, name):
        return {self.places.setdefault((population, name), len(self.places)): 1}

    def learn(self, row, least, most):
        """A sum of unknown numbers lies between these; None: without an end."""
        if least is not None and least == most:
            self.equal.append((row, least))
            return
        if most is not None:
            self.above.append((row, most))
        if least is not None:
            self.above.append(({place: -value for place, value in row.items()}, -least))

    def bounds(self, row):
        goal, ends = self._line(row), []
        for sign in (1, -1):
            found = linprog(sign * goal, **self.known, bounds=(0, None))
            assert found.status in (0, 3), "what the reports say must be possible"
            ends.append(sign * found.fun if found.status == 0 else -sign * np.inf)
        return ends

    @cached_property
    def known(self):
        """All that was learned, once nothing more is."""
        return {
            "A_eq": csr_array([self._line(each) for each, _ in self.equal]),
            "b_eq": np.array([value for _, value in self.equal]),
            "A_ub": csr_array([self._line(each) for each, _ in self.above]),
            "b_ub": np.array([value for _, value in self.above]),
        }

    def _line(self, row):
        line = np.zeros(len(self.places))
        line[list(row)] = list(row.values())
        return line


def add(row, other, factor=1):
    places = row.keys() | other.keys()
    return {place: row.get(place, 0) + factor * other.get(place, 0) for place in places}


def shape_is_known(reader, population, tables, steps, drugs):
    """What is true of any population: steps follow each other, breakdowns add up, the exposed are cases."""
    cases = reader.unknown(population, ("persons", steps[-1]))
    for before, step in pairwise(steps):
        left, was = (reader.unknown(population, ("persons", name)) for name in (step, before))
        reader.learn(add(was, left, -1), 0, None)
    for table, labels in tables.items():
        row = {}
        for label in labels:
            row = add(row, reader.unknown(population, (table, label)))
        reader.learn(add(row, cases, -1), 0, 0)
        reader.learn(add(reader.unknown(population, (table, "total")), cases, -1), 0, 0)
    for drug in drugs:
        reader.learn(add(cases, reader.unknown(population, ("exposed", drug)), -1), 0, None)
