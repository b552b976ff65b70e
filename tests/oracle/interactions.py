"""Medicines that one person takes at once, day by day.

The rules are those of docs/reference/studies.md ("Several medicines at once").
"""

import datetime as dt
from collections.abc import Iterable
from itertools import combinations

from parcours.cohort.study import Exposures
from tests.oracle.rows import DAY, gathered

Days = frozenset[dt.date]
Span = tuple[dt.date, dt.date]


def at_once(exposed: Iterable[tuple[str, Span]], setting: Exposures) -> set[tuple[tuple[str, ...], Span]]:
    """{(medicines, (start, end))} from the exposures to one medicine each; level by level, from the highest down."""
    exposed = list(exposed)
    taken = {drug: union(map(days_of, spans)) for drug, spans in gathered(exposed).items()}
    found: set[tuple[tuple[str, ...], Span]] = set()
    for level in range(setting.interaction_level, 1, -1):
        for drugs in combinations(sorted(taken), level):
            days = frozenset.intersection(*(taken[drug] for drug in drugs)) - of_more(found, drugs)
            found |= {(drugs, span) for span in runs(days) if len(days_of(span)) >= setting.interaction_minimum_days}
    alone = {((drug,), left) for drug, span in exposed for left in runs(days_of(span) - of_more(found, (drug,)))}
    return found | alone


def of_more(found: Iterable[tuple[tuple[str, ...], Span]], drugs: tuple[str, ...]) -> Days:
    """The days on which these medicines and others are taken at once."""
    return union(days_of(span) for others, span in found if set(drugs) < set(others))


def days_of(span: Span) -> Days:
    """The days from the first to the last of them."""
    return frozenset(span[0] + DAY * n for n in range((span[1] - span[0]).days + 1))


def union(some: Iterable[Days]) -> Days:
    """All days."""
    return frozenset().union(*some)


def runs(days: Days) -> list[Span]:
    """The first and the last day of each row of days that follow each other."""
    firsts = sorted(day for day in days if day - DAY not in days)
    lasts = sorted(day for day in days if day + DAY not in days)
    return list(zip(firsts, lasts, strict=True))
