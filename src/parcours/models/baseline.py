"""The unpenalised baseline: groups of age, calendar and season, constant between the days at which a person changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parcours.errors import InputError

#: Day 0 of the calendar terms: days since 1970-01-01.
_EPOCH = np.datetime64("1970-01-01")
#: Events inside and outside a group that its own parameter needs.
LEAST_EVENTS = 1.0
KINDS = ("age", "calendar", "season")


@dataclass(frozen=True)
class Baseline:
    """Cuts of the unpenalised baseline: first days of the groups after the first.

    age: ages in days; calendar: days on the axis of the series; season: days of the year 1..365, for which the days of
    the series are days since 1970-01-01 (the part of the year before the first cut belongs to the last group).
    """

    age: tuple[int, ...] = ()
    calendar: tuple[int, ...] = ()
    season: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in KINDS:
            cuts = getattr(self, name)
            if list(cuts) != sorted(set(cuts)):
                raise InputError(f"The {name} cuts are not increasing: give each first day of a group once, in order.")

    def sizes(self) -> tuple[int, int, int]:
        """Number of groups of age, calendar and season."""
        return len(self.age) + 1, len(self.calendar) + 1, max(len(self.season), 1)

    def names(self) -> list[str]:
        """Name of each group, kind after kind; the first of a kind is its reference unless it is without events."""
        starts = [("start", *self.age), ("start", *self.calendar), self.season or ("start",)]
        return [f"{kind} {cut}" for kind, cuts in zip(KINDS, starts, strict=True) for cut in cuts]

    def shared_pieces(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Calendar and season of the days first..last: first day of each piece, and its group 0..calendar * season."""
        days = np.arange(first, last + 1)
        calendar = np.searchsorted(np.asarray(self.calendar, dtype=np.int64), days, side="right")
        group = calendar * self.sizes()[2] + self._season_of(days)
        opens = np.flatnonzero(np.append(True, np.diff(group) != 0))
        return days[opens], group[opens]

    def _season_of(self, days: np.ndarray) -> np.ndarray:
        """Season 0..: the first cut opens season 0, and what lies before it in a year is the last."""
        if not self.season:
            return np.zeros(len(days), dtype=np.int64)
        date = _EPOCH + days.astype("timedelta64[D]")
        of_year = (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
        return (np.searchsorted(np.asarray(self.season, dtype=np.int64), of_year, side="right") - 1) % len(self.season)


@dataclass(frozen=True)
class BaselineDesign:
    """Which parameter each baseline group has: a group without information of its own is merged with its neighbour.

    parameter: (levels of all kinds,) number of the parameter, -1 for a group that is the reference.
    cells: (combinations, kinds) level of each combination of groups; design: (combinations, parameters) of 0 and 1.
    """

    parameter: np.ndarray
    cells: np.ndarray
    design: np.ndarray

    @property
    def n_parameters(self) -> int:
        """Number of free baseline parameters."""
        return self.design.shape[1]

    def of_levels(self, parameters: np.ndarray) -> np.ndarray:
        """Log relative incidence of each group, (levels,), from the free parameters."""
        return np.append(parameters, 0.0)[self.parameter]


def cells_of_kinds(baseline: Baseline) -> np.ndarray:
    """Level (numbered over all kinds) of each combination (age, calendar, season), shape (combinations, 3)."""
    sizes = baseline.sizes()
    grid = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
    return grid + np.array([0, sizes[0], sizes[0] + sizes[1]])


def design_for(baseline: Baseline, inside: np.ndarray, outside: np.ndarray) -> BaselineDesign:
    """The design in which every group can be told from the rest.

    inside, outside: (levels,) events inside and outside a group, of the persons who are observed both in it and out of
    it. With few of one of the two its estimate would run away: the group joins the one before it (the first ones the
    next).
    """
    sizes, parameter, offset, number = baseline.sizes(), [], 0, 0
    for size in sizes:
        held = (inside[offset : offset + size] >= LEAST_EVENTS) & (outside[offset : offset + size] >= LEAST_EVENTS)
        group = np.maximum(np.cumsum(held) - 1, 0)
        parameter += [number + g - 1 if g else -1 for g in group]
        number += int(group.max())
        offset += size
    columns, cells = np.array(parameter), cells_of_kinds(baseline)
    design = np.zeros((len(cells), number))
    for kind in range(cells.shape[1]):
        column = columns[cells[:, kind]]
        design[np.flatnonzero(column >= 0), column[column >= 0]] = 1.0
    return BaselineDesign(columns, cells, design)


def term_names(baseline: Baseline, design: BaselineDesign) -> tuple[str, ...]:
    """Name of each free parameter: that of the first group which has it."""
    names = baseline.names()
    return tuple(names[int(np.flatnonzero(design.parameter == number)[0])] for number in range(design.n_parameters))
