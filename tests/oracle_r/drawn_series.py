"""Small case series at random, and their days spelled out in plain Python for R."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from parcours.models import CaseSeries

Window = tuple[int, int | str]


@dataclass
class DrawnSeries:
    """A case series with the model to fit to it; days are ages."""

    windows: dict[str, list[Window]]
    age_cuts: list[int]
    persons: list[tuple[int, int, int]] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    exposures: list[tuple[int, str, int, int]] = field(default_factory=list)

    def case_series(self) -> CaseSeries:
        """The series as the models read it."""
        return CaseSeries(
            pd.DataFrame(self.persons, columns=["person_id", "start", "end"]),
            pd.DataFrame(self.events, columns=["person_id", "day"]),
            pd.DataFrame(self.exposures, columns=["person_id", "drug", "start", "end"]).astype(
                {"start": int, "end": int}
            ),
        )

    def pieces(self) -> pd.DataFrame:
        """person, events, days, x1, x2, ...: the days of each person on which the same terms hold, counted together."""
        reference = min(self._age_group(day) for _, day in self.events)
        rows = []
        for person, start, end in self.persons:
            pattern = {day: self._terms(person, day, reference) for day in range(start, end + 1)}
            days = Counter(pattern.values())
            events = Counter(pattern[day] for who, day in self.events if who == person)
            rows += [(person, events[terms], days[terms], *terms) for terms in sorted(days)]
        width = len(rows[0]) - 3
        return pd.DataFrame(rows, columns=["person", "events", "days", *(f"x{k + 1}" for k in range(width))])

    def _age_group(self, day: int) -> int:
        return sum(day >= cut for cut in self.age_cuts)

    def _terms(self, person: int, day: int, reference: int) -> tuple[int, ...]:
        holds = []
        for drug, windows in self.windows.items():
            window = self._window(person, drug, day)
            holds += [int(window == k) for k in range(len(windows))]
        ages = [group for group in range(len(self.age_cuts) + 1) if group != reference]
        return (*holds, *(int(self._age_group(day) == group) for group in ages))

    def _window(self, person: int, drug: str, day: int) -> int | None:
        """The window that holds on a day: of the latest exposure that has one, the last of its windows."""
        found = None
        for who, name, first, last in sorted(self.exposures, key=lambda row: row[2:]):
            for k, (begin, finish) in enumerate(self.windows[drug]):
                upto = last if finish == "end" else first + int(finish)
                if (who, name) == (person, drug) and first + begin <= day <= upto:
                    found = k
        return found


def draw_series(seed: int) -> DrawnSeries:
    """Five to thirty cases with truncated follow-up, recurrent exposures, one to three events each."""
    draw = random.Random(seed)
    windows: dict[str, list[Window]] = {"A": draw.choice([[(0, 9)], [(-7, -1), (0, 13)], [(0, 6), (7, 20)]])}
    if draw.random() < 0.5:
        windows["B"] = draw.choice([[(0, "end")], [(1, 15), (10, "end")]])
    drawn = DrawnSeries(windows, draw.choice([[], [40], [30, 60]]))
    soon = draw.choice([0.0, 0.3, 0.95])
    for person in range(draw.randint(5, 30)):
        start = draw.randint(0, 30)
        end = start + draw.randint(15, 70)
        drawn.persons.append((person, start, end))
        for drug in windows:
            for _ in range(draw.choice([0, 1, 1, 2])):
                first = draw.randint(start - 15, end + 5)
                drawn.exposures.append((person, drug, first, first + draw.randint(0, 25)))
        drawn.events += [(person, _event_day(draw, drawn, person, soon)) for _ in range(draw.choice([1, 1, 1, 2, 3]))]
    return drawn


def _event_day(draw: random.Random, drawn: DrawnSeries, person: int, share: float) -> int:
    """Any day of follow-up, or in a share soon after an exposure: effects are strong, or infinite, in some series."""
    _, start, end = drawn.persons[person]
    soon = [first + draw.randint(0, 6) for who, _, first, _ in drawn.exposures if who == person]
    inside = [day for day in soon if start <= day <= end]
    return draw.choice(inside) if inside and draw.random() < share else draw.randint(start, end)
