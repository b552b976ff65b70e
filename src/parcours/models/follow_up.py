"""Follow-up cut into pieces: runs of days on which every covariate of a case series is constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numba import njit

from parcours.errors import InputError

if TYPE_CHECKING:
    from parcours.models.case_series import CaseSeries
    from parcours.models.counterfactual_histories import CounterfactualHistories

    Histories = CaseSeries | CounterfactualHistories

#: First and last day of a window, both inclusive; "end" is the last day of the exposure.
Window = tuple[int, int | Literal["end"]]


@dataclass(frozen=True)
class FollowUpPieces:
    """Pieces of all persons, in order: each person's follow-up is cut without gap or overlap."""

    person: np.ndarray  # (pieces,) row of the person
    days: np.ndarray  # (pieces,) length
    age_group: np.ndarray  # (pieces,) 0..len(age_cuts)
    level: np.ndarray  # (drugs, pieces) 0 = no window, k = k-th window of the drug
    events: np.ndarray  # (pieces,) number of events
    event_piece: np.ndarray  # (events,) row of the piece of each event, in the order of the case series


@dataclass(frozen=True)
class Windows:
    """The windows of one drug: those counted from each start, then the wash-outs counted from each end."""

    drug: str
    from_start: tuple[Window, ...]
    after_end: tuple[tuple[int, int], ...]

    def terms(self) -> list[str]:
        """Names of the levels 1, 2, ... in order."""
        risk = [f"{self.drug} {first}-{last}" for first, last in self.from_start]
        return risk + [f"{self.drug} wash-out {first}-{last}" for first, last in self.after_end]


def check_windows(windows: Mapping[str, Sequence[Window]], washouts: Mapping[str, Sequence[Window]]) -> list[Windows]:
    """The windows a drug as given by the user. Raises `InputError` on a window that ends before it starts."""
    unknown = [drug for drug in washouts if drug not in windows]
    if unknown:
        raise InputError(f"The drug {unknown[0]} has wash-outs but no windows: give its windows too, or drop these.")
    checked = []
    for drug, spans in windows.items():
        if not spans:
            raise InputError(f"The drug {drug} has an empty list of windows: give at least one pair of days.")
        for span in [*spans, *washouts.get(drug, ())]:
            _check_window(drug, span)
        after = tuple((int(first), int(last)) for first, last in washouts.get(drug, ()))
        checked.append(Windows(drug, tuple((first, last) for first, last in spans), after))
    return checked


def _check_window(drug: str, span: Window) -> None:
    if len(span) != 2:
        raise InputError(f"A window of {drug} has {len(span)} values: give its first and last day, both inclusive.")
    first, last = span
    if not isinstance(first, int | np.integer) or not (last == "end" or isinstance(last, int | np.integer)):
        raise InputError(f"The window ({first}, {last}) of {drug} is not made of whole days: use integers or 'end'.")
    if last != "end" and last < first:
        raise InputError(f"The window ({first}, {last}) of {drug} ends before it starts: both days are inclusive.")


def cut_follow_up(series: Histories, windows: Sequence[Windows], age_cuts: Sequence[int]) -> FollowUpPieces:
    """Cut each person's follow-up at the age cuts and at the bounds of the windows.

    A day in several windows of one drug takes the latest start's window, and among windows of one start the last
    given. An age cut is the first day of the next age group.
    """
    spans = [_spans(series, drug) for drug in windows]
    low = int(series.start.min())
    width = int(series.end.max()) - low + 2
    bounds = _bounds(series, spans, age_cuts, low, width)
    person, day = bounds // width, bounds % width + low
    length = np.append(np.diff(day), 0)
    # The last bound of a person is the day after the end: it opens no piece. Nor does one that opens a gap.
    own = (day <= series.end[person]) & np.append(np.diff(person) == 0, False) & ~_in_gap(series, bounds, low, width)
    index = np.cumsum(own) - 1
    level = np.zeros((len(windows), int(own.sum())), dtype=np.int64)
    for row, (owner, first, last, code) in enumerate(spans):
        opened = np.searchsorted(bounds, owner * width + first - low)
        # A window that begins in a gap begins with the piece after it.
        lower = index[opened] + ~own[opened]
        upper = index[np.searchsorted(bounds, owner * width + last + 1 - low) - 1]
        _paint(level[row], lower, upper, code)
    age = day[own] - series.age_origin()[person[own]]
    opened = bounds[own]
    at = np.searchsorted(opened, series.event_person * width + series.event_day - low, side="right") - 1
    return FollowUpPieces(
        person=person[own],
        days=length[own].astype(np.float64),
        age_group=np.searchsorted(np.asarray(age_cuts, dtype=np.int64), age, side="right"),
        level=level,
        events=np.bincount(at, minlength=int(own.sum())).astype(np.float64),
        event_piece=at,
    )


def _spans(series: Histories, windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Person, first day, last day and level of each window of one drug inside the follow-up, in painting order."""
    if windows.drug not in series.drugs:
        raise InputError(f"The drug {windows.drug} has windows but no exposure in the series: check its name.")
    rows = np.flatnonzero(series.exposure_drug == series.drugs.index(windows.drug))
    start, end, owner = series.exposure_start[rows], series.exposure_end[rows], series.exposure_person[rows]
    first, last = [], []
    for opening, closing in windows.from_start:
        first.append(start + opening)
        last.append(end if closing == "end" else start + int(closing))
    for opening, closing in windows.after_end:
        first.append(end + opening)
        last.append(end + closing)
    levels = len(first)
    # Exposures are sorted by start in the series: painting in this order lets the latest start win.
    person = np.repeat(owner, levels)
    lower = np.maximum(np.stack(first, axis=1).ravel(), series.start[person])
    upper = np.minimum(np.stack(last, axis=1).ravel(), series.end[person])
    code = np.tile(np.arange(1, levels + 1), len(rows))
    inside = lower <= upper
    return person[inside], lower[inside], upper[inside], code[inside]


def _bounds(
    series: Histories, spans: Sequence[tuple[np.ndarray, ...]], age_cuts: Sequence[int], low: int, width: int
) -> np.ndarray:
    """Sorted keys person * width + (day - low) of the days that open a piece, and of each day after an end."""
    people = np.arange(series.n_persons)
    keys = [people * width + series.start - low, people * width + series.end + 1 - low]
    owners, gap_first, gap_last = series.gaps()
    keys += [owners * width + gap_first - low, owners * width + gap_last + 1 - low]
    for owner, first, last, _ in spans:
        keys += [owner * width + first - low, owner * width + last + 1 - low]
    for cut in age_cuts:
        day = series.age_origin() + int(cut)
        inside = (day > series.start) & (day <= series.end)
        keys.append((people * width + day - low)[inside])
    return np.unique(np.concatenate(keys))


def _in_gap(series: Histories, bounds: np.ndarray, low: int, width: int) -> np.ndarray:
    """Whether the day of each bound lies in a gap of its person, shape (bounds,)."""
    owners, first, last = series.gaps()
    if not len(owners):
        return np.zeros(len(bounds), dtype=bool)
    row = np.searchsorted(owners * width + first - low, bounds, side="right") - 1
    return (row >= 0) & (bounds <= (owners * width + last - low)[row]) & (owners[row] == bounds // width)


@njit(cache=True)
def _paint(level, lower, upper, code):
    for row in range(len(code)):
        for at in range(lower[row], upper[row] + 1):
            level[at] = code[row]
