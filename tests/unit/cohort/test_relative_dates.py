"""Dates in words: the day that they stand for on given data, and that more data never takes a study back."""

import datetime as dt
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcours.cohort.months import month_name, month_number, months
from parcours.cohort.relative_dates import (
    END,
    EXAMPLES,
    START,
    end_day,
    form_pattern,
    last_complete_month,
    relative_date,
    start_day,
)
from parcours.cohort.window import up_to


def flux(first: str, last: str, *missing: str) -> list[str]:
    return [
        each
        for each in months(dt.date.fromisoformat(f"{first}-01"), dt.date.fromisoformat(f"{last}-01"))
        if each not in missing
    ]


# Published flux of DCIR and years of MCO, months of late flux -> the last month of care that is complete.
LAST_COMPLETE = [
    (flux("2014-01", "2018-06"), ["2016", "2017"], 6, "2017-12"),
    (flux("2014-01", "2018-07"), ["2016", "2017"], 6, "2017-12"),  # care of January 2018 needs MCO 2018
    (flux("2014-01", "2018-07"), ["2016", "2017", "2018"], 6, "2018-01"),
    (flux("2014-01", "2018-07"), None, 6, "2018-01"),  # a study without hospital stays
    (flux("2014-01", "2018-06"), ["2014", "2015"], 6, "2015-12"),
    (flux("2014-01", "2018-06"), ["2014", "2015", "2017"], 6, "2017-12"),  # the plan tells of the year that is missing
    (flux("2014-01", "2018-06", "2018-02"), None, 6, "2017-07"),  # a hole in the flux that care waits for
    (flux("2014-01", "2018-06", "2015-02"), None, 6, "2017-12"),  # an earlier one is the plan's to tell
    (flux("2014-01", "2018-06"), None, 0, "2018-06"),
    (flux("2018-01", "2018-05"), None, 6, None),
    (flux("2018-01", "2018-06"), None, 6, "2017-12"),  # care arrives in the month after it at the earliest
    (flux("2014-01", "2018-06"), [], 6, None),
    ([], ["2017"], 6, None),
]


@pytest.mark.parametrize(("published", "years", "late", "last"), LAST_COMPLETE)
def test_the_last_complete_month(published, years, late, last):
    assert last_complete_month(published, years, late) == last


@pytest.mark.parametrize(
    ("words", "last_complete", "day"),
    [
        ("last complete month", "2018-02", "2018-02-28"),
        ("Last  complete month", "2016-02", "2016-02-29"),
        ("1 month before the last complete month", "2018-01", "2017-12-31"),
        ("2 months before the last complete month", "2018-04", "2018-02-28"),
        ("1 year before the last complete month", "2017-02", "2016-02-29"),
        ("last complete year", "2018-11", "2017-12-31"),
        ("last complete year", "2018-12", "2018-12-31"),
        ("2 years before the last complete year", "2018-11", "2015-12-31"),
        ("3 months before last complete year", "2018-12", "2018-09-30"),
    ],
)
def test_the_end_is_a_last_day_of_a_month(words, last_complete, day):
    assert str(end_day(relative_date(words, END), last_complete)) == day


@pytest.mark.parametrize(
    ("words", "end", "day"),
    [
        ("48 months before", "2017-12-31", "2014-01-01"),
        ("4 years before", "2017-12-31", "2014-01-01"),
        ("12 months before", "2018-02-28", "2017-03-01"),
        ("1 month before", "2018-02-28", "2018-02-01"),
        ("1 month before", "2017-12-15", "2017-11-16"),
    ],
)
def test_the_start_is_counted_from_the_end(words, end, day):
    assert str(start_day(relative_date(words, START), dt.date.fromisoformat(end))) == day


@pytest.mark.parametrize(
    ("words", "bound"),
    [
        ("last complete month", START),
        ("48 months before", END),
        ("last month", END),
        ("last complete week", END),
        ("0 months before", START),
        ("-3 months before", START),
        ("60 years before", START),
        ("48 months before the last complete month", START),
        ("yesterday", END),
        (None, END),
        (dt.date(2017, 12, 31), END),
    ],
)
def test_other_words_are_none(words, bound):
    assert relative_date(words, bound) is None


@pytest.mark.parametrize("bound", [START, END])
def test_the_form_takes_dates_and_every_example(bound):
    for text in ("2017-12-31", *EXAMPLES[bound], *(str(relative_date(words, bound)) for words in EXAMPLES[bound])):
        assert re.search(form_pattern(bound), text), text
    assert not re.search(form_pattern(bound), "the first of May")
    assert json.dumps(form_pattern(bound)) and "?P<" not in form_pattern(bound)


MONTHS = st.integers(month_number("2012-01"), month_number("2019-12")).map(month_name)
YEARS = st.sets(st.sampled_from([str(year) for year in range(2011, 2020)]))
NEVER = "0000-00"


@given(st.sets(MONTHS), st.none() | YEARS, MONTHS, st.sampled_from(range(2011, 2020)), st.integers(0, 12))
def test_more_data_never_move_the_end_back(published, years, month, year, late):
    before = last_complete_month(published, years, late) or NEVER
    more_years = None if years is None else years | {str(year)}
    assert (last_complete_month(published | {month}, years, late) or NEVER) >= before
    assert (last_complete_month(published, more_years, late) or NEVER) >= before


@given(st.sets(MONTHS, min_size=1), st.none() | YEARS, st.integers(0, 12))
def test_a_complete_month_has_all_its_flux_and_its_year(published, years, late):
    found = last_complete_month(published, years, late)
    if found is None:
        return
    care = month_number(found)
    assert {month_name(care + lag) for lag in range(min(1, late), late + 1)} <= published
    assert years is None or found[:4] in years


@pytest.mark.parametrize(
    ("month", "kept"),
    [
        ("2016-12", ["2016", "2016-12", "all", "unknown"]),
        ("2016-11", ["all", "unknown"]),
        ("", ["2016", "2016-12", "2017", "2017-01", "all", "unknown"]),
    ],
)
def test_a_year_is_read_up_to_its_december_and_what_has_no_date_always(month, kept):
    periods = dict.fromkeys(["2016", "2016-12", "2017", "2017-01", "all", "unknown"], "a")
    assert up_to({"MCO": periods, "SSR": {"2018": "a"}}, month)["MCO"] == dict.fromkeys(kept, "a")
    assert ("SSR" in up_to({"MCO": periods, "SSR": {"2018": "a"}}, month)) == (month == "")
