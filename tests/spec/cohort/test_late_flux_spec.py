"""Late flux: which share of the care is still to come, measured from the lags of the delivery."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.cohort.late_flux import arrived_by_lag, missing_care, periods_needed
from parcours.cohort.months import months
from parcours.cohort.study import load_study

POPULATION = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml").population
DAY = dt.date.fromisoformat
YEAR_AND_A_HALF = months(DAY("2015-01-01"), DAY("2016-06-01"))


def later(month: str, by: int) -> str:
    return months(DAY(f"{month}-01"), DAY("2030-01-01"))[by]


def lines(care_months, arriving):
    """Claim lines of each care month, as many by lag as `arriving` says."""
    return [(care, later(care, lag), count) for care in care_months for lag, count in enumerate(arriving) if count]


def test_the_shares_that_have_arrived_are_those_of_the_lags():
    # Of 100 lines 60 arrive in the month after the care, 30 in the next one, 10 in the third.
    seen = lines(YEAR_AND_A_HALF, [0, 60, 30, 10])
    assert arrived_by_lag(seen, YEAR_AND_A_HALF)[:5] == pytest.approx([0, 0.6, 0.9, 1, 1])


def test_months_that_are_cut_off_do_not_shorten_the_lags():
    seen = [line for line in lines(YEAR_AND_A_HALF, [0, 60, 30, 10]) if line[1] <= "2016-06"]
    assert arrived_by_lag(seen, YEAR_AND_A_HALF)[:4] == pytest.approx([0, 0.6, 0.9, 1])


def test_flux_after_a_gap_tells_nothing_of_lags():
    with_gap = [month for month in YEAR_AND_A_HALF if month != "2015-09"]
    seen = lines(YEAR_AND_A_HALF, [0, 60, 30, 10])
    assert arrived_by_lag(seen, with_gap)[:4] == pytest.approx([0, 0.6, 0.9, 1])


@pytest.mark.parametrize("flux", [[], ["2015-01"], ["2015-01", "2015-03"]])
def test_too_few_months_tell_nothing(flux):
    found = missing_care(POPULATION, lines(flux, [0, 60, 40]), flux)
    assert found == {"measured": False}


def test_a_study_without_the_months_after_its_end_misses_the_care_of_its_last_months():
    study = replace(POPULATION, study_start=DAY("2015-01-01"), study_end=DAY("2015-12-31"))
    flux = months(DAY("2015-01-01"), DAY("2015-12-01"))
    found = missing_care(study, lines(YEAR_AND_A_HALF, [0, 60, 30, 10]), flux)
    # December: all is missing; November: 40 %; October: 10 %; of twelve months.
    assert found["months"] == {"2015-10": 0.1, "2015-11": 0.4, "2015-12": 1.0}
    assert found["last_month"] == 1.0
    assert found["study"] == pytest.approx(1.5 / 12)


def test_a_study_with_its_late_flux_misses_nothing():
    study = replace(POPULATION, study_start=DAY("2015-01-01"), study_end=DAY("2015-12-31"))
    found = missing_care(study, lines(YEAR_AND_A_HALF, [0, 60, 30, 10]), periods_needed(study)["DCIR"])
    assert found["study"] == found["last_month"] == 0


def test_the_flux_of_a_study_goes_from_its_second_month_to_six_months_after_its_end():
    study = replace(POPULATION, study_start=DAY("2014-01-01"), study_end=DAY("2015-12-31"))
    needed = periods_needed(study)
    assert (needed["DCIR"][0], needed["DCIR"][-1], len(needed["DCIR"])) == ("2014-02", "2016-06", 29)
    assert needed["MCO"] == ["2014", "2015"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=2, max_size=8), st.integers(0, 11))
def test_shares_grow_to_one_whatever_the_lags(arriving, hidden):
    flux = YEAR_AND_A_HALF[: len(YEAR_AND_A_HALF) - hidden]
    shares = arrived_by_lag([line for line in lines(YEAR_AND_A_HALF, arriving) if line[1] in flux], flux)
    if shares is not None:
        assert shares[-1] == 1
        assert all(before <= after + 1e-12 for before, after in pairwise(shares))
        assert all(0 <= share <= 1 for share in shares)
