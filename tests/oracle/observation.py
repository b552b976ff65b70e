"""When one person is observed: the day on which follow-up starts, and the day on which the person is lost track of.

The rules are those of docs/reference/studies.md ("Time") and of the help texts in parameters.yaml.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from parcours.cohort.study import Population
from tests.oracle.rows import months_later


@dataclass(frozen=True)
class Observed:
    """`start` is None where follow-up begins with a purchase and there is none, `lost` for who is not lost track of."""

    first_purchase: dt.date | None
    start: dt.date | None
    lost: dt.date | None
    had_outcome: bool


def observed(
    bought: Iterable[dt.date], purchases: Iterable[dt.date], outcomes: Iterable[dt.date], population: Population
) -> Observed:
    """What the days of purchases (of the study's medicines, and of any) and of outcomes tell."""
    first = min((day for day in bought if population.study_start <= day <= population.study_end), default=None)
    origin = first if population.observation_from == "first_purchase" else population.study_start
    start = origin and months_later(origin, population.start_gap_months)
    had_outcome = start is not None and any(day < start for day in outcomes)
    return Observed(first, start, lost_on(purchases, start, population), had_outcome)


def lost_on(purchases: Iterable[dt.date], start: dt.date | None, population: Population) -> dt.date | None:
    """Some months after the last purchase before the first gap that is not over when follow-up starts."""
    if not population.trackloss_months or start is None:
        return None
    days = sorted({day for day in purchases if day <= population.study_end})
    for day, following in zip_longest(days, days[1:]):
        until = following or population.study_end
        is_gap = until >= months_later(day, population.trackloss_months)
        if is_gap and (following is None or following > start):
            return months_later(day, population.trackloss_after_months)
    return None
