"""Cases that SCALPEL-Extraction names or tests, with the parameters of its studies; where it erred, what is right."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.exposures import exposures_of
from parcours.cohort.study import load_study

BOUGHT = "person_id bigint, drug string, day date, large boolean"
PERIODS = "drug string, start date, end date"
FIVE = """
    person_id | drug | day        | large
    1         | A    | 2014-01-08 | false
    1         | A    | 2014-02-05 | false
    1         | A    | 2014-03-12 | false
    1         | A    | 2014-04-20 | false
    1         | A    | 2014-06-03 | false
"""
FALL = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml").exposures
LIMITED = replace(FALL, kind="limited")
# Bladder cancer under pioglitazone: exposed 3 months after the second of two purchases within 6 months.
PIOGLITAZONE = replace(FALL, min_purchases=2, purchases_window_days=183, start_delay_days=90)


@pytest.fixture
def exposed(table, collected):
    """(medicine, start, end) of person 1, followed until the last day of 2014 or another."""

    def of(text, setting, last="2014-12-31"):
        followed = table(f"person_id | end\n1 | {last}", "person_id bigint, end date")
        found = exposures_of(table(text, BOUGHT), followed, setting, washout_end=dt.date(2014, 1, 1))
        return collected(found, "drug", "start", "end")

    return of


CASES = {
    "five purchases of usual packs are one exposure, with the defaults of the fall study": (
        FIVE,
        LIMITED,
        "A | 2014-01-08 | 2014-06-07",
    ),
    "with the last purchase's end it ends when that is used up": (
        FIVE,
        replace(LIMITED, limited_end="latest_purchase"),
        "A | 2014-01-08 | 2014-07-03",
    ),
    "large packs cover 90 days each": (
        FIVE.replace("false", "true"),
        LIMITED,
        "A | 2014-01-08 | 2014-12-31",  # 450 days, until follow-up ends
    ),
    "without tolerance each pause of a pack's days or more ends it": (
        FIVE,
        replace(LIMITED, merge_tolerance_days=0),
        """A | 2014-01-08 | 2014-03-09
        A | 2014-03-12 | 2014-04-11
        A | 2014-04-20 | 2014-05-20
        A | 2014-06-03 | 2014-07-03""",
    ),
    "a delay moves a limited exposure": (
        FIVE,
        replace(LIMITED, start_delay_days=10),
        "A | 2014-01-18 | 2014-06-17",
    ),
    "an unlimited exposure lasts from the first purchase to the end of follow-up": (
        FIVE,
        FALL,
        "A | 2014-01-08 | 2014-12-31",
    ),
    # SCALPEL ignores the delay of unlimited exposures, and has a test that says so.
    "a delay moves an unlimited exposure too": (
        FIVE,
        replace(FALL, start_delay_days=30),
        "A | 2014-02-07 | 2014-12-31",
    ),
    "the pioglitazone study: three months after the second purchase": (
        FIVE,
        PIOGLITAZONE,
        "A | 2014-05-06 | 2014-12-31",
    ),
    "what would start after follow-up is dropped": (FIVE, replace(PIOGLITAZONE, start_delay_days=365), ""),
}


@pytest.mark.parametrize(("bought", "setting", "expected"), CASES.values(), ids=CASES)
def test_the_exposure_is(exposed, rows, bought, setting, expected):
    assert exposed(bought, setting) == rows(f"drug | start | end\n{expected}", PERIODS)


def test_level_two_with_thirty_days_as_in_the_fall_study(exposed, rows):
    # A until 7 June; B from 20 April to 18 July, in three packs: 49 days together.
    both = (
        FIVE
        + """
    1         | B    | 2014-04-20 | false
    1         | B    | 2014-05-20 | false
    1         | B    | 2014-06-19 | false
    """
    )
    assert exposed(both, replace(LIMITED, interaction_level=2, interaction_minimum_days=30)) == rows(
        """
        drug | start      | end
        A    | 2014-01-08 | 2014-04-19
        A_B  | 2014-04-20 | 2014-06-07
        B    | 2014-06-08 | 2014-07-19
        """,
        PERIODS,
    )
