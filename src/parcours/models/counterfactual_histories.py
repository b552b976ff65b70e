"""Cases as they would have been had they got no more than their first exposures, followed from the last of these on.

Whoever had the event may be exposed later than planned, or never. What comes after an exposure without any further one
is known on the day of that exposure, whatever follows: these histories do not depend on the events in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parcours.models.case_series import CaseSeries


@dataclass(frozen=True)
class CounterfactualHistories:
    """Histories of the persons with an event after their r-th exposure, in which no exposure follows it."""

    start: np.ndarray  # (histories,) day of the r-th exposure, or the start of follow-up
    end: np.ndarray  # (histories,)
    origin: np.ndarray  # (histories,) day of age zero
    event_person: np.ndarray  # (events,) row of the history
    event_day: np.ndarray  # (events,)
    exposure_person: np.ndarray  # (exposures,) row of the history
    exposure_drug: np.ndarray
    exposure_start: np.ndarray
    exposure_end: np.ndarray
    drugs: tuple[str, ...]
    person: np.ndarray  # (histories,) row of the person in the case series
    event: np.ndarray  # (events,) row of the event in the case series

    @property
    def n_persons(self) -> int:
        """Number of histories."""
        return len(self.start)

    def gaps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """No history has a gap: `EventDependentSCCS` refuses series that do."""
        none = np.zeros(0, dtype=np.int64)
        return none, none, none

    def age_origin(self) -> np.ndarray:
        """Day at which each history has age zero."""
        return self.origin


def counterfactual_histories(series: CaseSeries, drugs: Sequence[str]) -> list[CounterfactualHistories]:
    """The histories after 0, 1, 2, ... days of exposure to `drugs` inside the follow-up.

    Exposures up to the first day of follow-up came before every event: all histories have them. A number of days of
    exposure after which nobody has an event has no histories.
    """
    studied = np.isin(series.exposure_drug, [k for k, drug in enumerate(series.drugs) if drug in drugs])
    rank = _ranks(series, studied)
    all_numbers = [_after(series, rank, number) for number in range(int(rank.max(initial=0)) + 1)]
    return [histories for histories in all_numbers if histories.n_persons]


def _ranks(series: CaseSeries, studied: np.ndarray) -> np.ndarray:
    """Number, of each exposure, among its person's days of exposure in follow-up; 0 before it, -1 for other drugs."""
    inside = studied & (series.exposure_start > series.start[series.exposure_person])
    inside &= series.exposure_start <= series.end[series.exposure_person]
    rank = np.where(studied & (series.exposure_start <= series.start[series.exposure_person]), 0, -1)
    days = np.stack([series.exposure_person[inside], series.exposure_start[inside]])
    distinct, which = np.unique(days, axis=1, return_inverse=True)
    first = np.searchsorted(distinct[0], distinct[0], side="left")
    rank[inside] = (np.arange(distinct.shape[1]) - first + 1)[which.ravel()]
    return rank


def _after(series: CaseSeries, rank: np.ndarray, number: int) -> CounterfactualHistories:
    start = series.start
    if number:
        start = np.full(series.n_persons, np.iinfo(np.int64).max)
        last = rank == number
        start[series.exposure_person[last]] = series.exposure_start[last]
    event = np.flatnonzero(series.event_day >= start[series.event_person])
    person = np.unique(series.event_person[event])
    had = (rank >= 0) & (rank <= number) & np.isin(series.exposure_person, person)
    return CounterfactualHistories(
        start=start[person],
        end=series.end[person],
        origin=series.age_origin()[person],
        event_person=np.searchsorted(person, series.event_person[event]),
        event_day=series.event_day[event],
        exposure_person=np.searchsorted(person, series.exposure_person[had]),
        exposure_drug=series.exposure_drug[had],
        exposure_start=series.exposure_start[had],
        exposure_end=series.exposure_end[had],
        drugs=series.drugs,
        person=person,
        event=event,
    )
