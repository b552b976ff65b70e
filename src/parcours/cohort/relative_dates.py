"""Dates of a study in words, such as `last complete month`: what may be written, and which day it is on given data.

They are counted from what is published, never from today: the same data give the same study on any day.

| bound | words | the day |
|---|---|---|
| study_end | last complete month | last day of the last complete month of care |
| study_end | last complete year | 31 December of the last year all of whose months are complete |
| study_end | 2 months before the last complete month | as many months (years) earlier |
| study_start | 48 months before | the first day of the 48 months (years) that end with study_end |
"""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

from parcours.cohort.months import add_months, last_day_of, month_name, month_number

START, END = "start", "end"
LONGEST_YEARS = 50
# One list for the check of a word, its help, the form's proposals and what a mistake is told.
EXAMPLES = {
    START: ("48 months before", "4 years before"),
    END: ("last complete month", "last complete year", "2 months before the last complete month"),
}
COUNT = r"(?P<count>[1-9]\d{0,2}) (?P<unit>month|year)s? before"
GRAMMAR = {START: COUNT, END: rf"({COUNT} (the )?)?last complete (?P<anchor>month|year)"}


@dataclass(frozen=True)
class RelativeDate:
    """A date in words: so many months before the end of the last complete month or year, or of the study."""

    words: str
    anchor: str | None
    months: int

    def __str__(self) -> str:
        return self.words


def relative_date(value: object, bound: str) -> RelativeDate | None:
    """The date that the words stand for at a bound, start or end; None when they are no such words."""
    found = re.fullmatch(GRAMMAR[bound], " ".join(str(value).lower().split()))
    if not found:
        return None
    parts = found.groupdict()
    count, unit = int(parts["count"] or 0), parts["unit"] or ""
    length = count * (12 if unit == "year" else 1)
    if length > 12 * LONGEST_YEARS:
        return None
    before = f"{count} {unit}{'s' if count > 1 else ''} before" if count else ""
    anchor = parts.get("anchor")
    the = " the " if before and anchor else ""
    return RelativeDate(f"{before}{the}{f'last complete {anchor}' if anchor else ''}", anchor, length)


def form_pattern(bound: str) -> str:
    """What a form's field may hold, a date or words, as a regular expression of JSON schema."""
    words = re.sub(r"\?P<\w+>", "?:", GRAMMAR[bound])
    return rf"^(\d{{4}}-\d{{2}}-\d{{2}}|{words})$"


def last_complete_month(flux_months: Collection[str], years: Collection[str] | None, late_flux: int) -> str | None:
    """The last month of care, as 2016-01, whose flux is published up to so many months after it.

    `flux_months`: the published months of claims; `years`: the published years of hospital stays, None where the study
    needs none. The month's own flux holds none of its care, so it is needed only where no later one is.
    """
    published = {month_number(month) for month in flux_months}
    for last in sorted(published, reverse=True):
        care = last - late_flux
        needed = range(min(care + 1, last), last + 1)
        if all(month in published for month in needed) and (years is None or month_name(care)[:4] in years):
            return month_name(care)
    return None


def end_day(end: RelativeDate, last_complete: str) -> dt.date:
    """The last day of a study whose end is in words, by the last complete month."""
    year, month = int(last_complete[:4]), int(last_complete[5:])
    if end.anchor == "year":
        year, month = (year if month == 12 else year - 1), 12
    before = add_months(dt.date(year, month, 1), -end.months)
    return last_day_of(before.year, before.month)


def start_day(start: RelativeDate, end: dt.date) -> dt.date:
    """The first day of a study whose start is in words, by its last day."""
    return add_months(end + dt.timedelta(days=1), -start.months)
