"""Observation: from which purchase on a person is followed, when a person is lost track of, and earlier outcomes."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.observation import Known
from parcours.cohort.population import attrition, follow_up_of, inclusion_steps
from parcours.cohort.study import load_study

PERSONS = (
    "person_id bigint, in_referential boolean, certified boolean, sex int, birth date, ambiguous boolean, death date,"
    " death_source string"
)
DAYS = "person_id bigint, day date"
FOLLOWED = "person_id bigint, start date, end date, end_reason string"
KNOWN_TO_ALL = "true | true | 2 | 1940-06-15 | false"


def day(text):
    return dt.date.fromisoformat(text)


@pytest.fixture(scope="module")
def population():
    """65 and over on 2014-01-01; the study ends on 2015-12-31, follow-up starts 6 months after its origin."""
    found = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml").population
    return replace(found, study_start=day("2014-01-01"), study_end=day("2015-12-31"), start_gap_months=6)


@pytest.fixture
def persons(table):
    """`persons(3)`: so many women of 73; `persons(3, {2: "2015-02-01"})`: the second of them died on that day."""

    def build(number, deaths=None):
        died = deaths or {}
        lines = [
            f"{n} | {KNOWN_TO_ALL} | {died.get(n, '-')} | {'KI' if n in died else '-'}" for n in range(1, number + 1)
        ]
        header = " | ".join(column.split()[0] for column in PERSONS.split(","))
        return table("\n".join([header, *lines]), PERSONS)

    return build


def lost_at(population, lost):
    """The steps at which somebody is lost, and how many."""
    return {row["step"]: row["lost"] for row in attrition(inclusion_steps(population), lost) if row["lost"]}


# --- from the first purchase -----------------------------------------------------------------------------------------

BOUGHT = """
    person_id | day
    1         | 2014-01-01
    1         | 2014-03-01
    2         | 2013-12-31
    2         | 2014-08-31
    3         | 2013-12-31
    4         | 2016-01-01
    5         | 2015-07-01
    6         | 2015-06-30
"""


@pytest.fixture
def from_purchase(population):
    return replace(population, observation_from="first_purchase")


def test_follow_up_starts_some_months_after_the_first_purchase_in_the_study(
    table, rows, collected, persons, from_purchase
):
    # 2 bought before the study too: the first purchase that counts is that of August; there is no 31 February.
    found, _ = follow_up_of(persons(7), from_purchase, Known(bought=table(BOUGHT, DAYS)))
    assert collected(found, "person_id", "start", "end", "end_reason") == rows(
        """
        person_id | start      | end        | end_reason
        1         | 2014-07-01 | 2015-12-31 | study_end
        2         | 2015-02-28 | 2015-12-31 | study_end
        6         | 2015-12-30 | 2015-12-31 | study_end
        """,
        FOLLOWED,
    )


def test_who_buys_nothing_or_too_late_is_lost_at_a_step_of_its_own(table, persons, from_purchase):
    # 3 and 4 bought outside of the study, 7 never; 5 so late that follow-up would start on 2016-01-01.
    _, lost = follow_up_of(persons(7), from_purchase, Known(bought=table(BOUGHT, DAYS)))
    assert lost_at(from_purchase, lost) == {"purchase": 3, "begins": 1}


def test_steps_tell_what_they_ask(from_purchase):
    told = {step.name: step.description for step in inclusion_steps(from_purchase)}
    assert told["purchase"] == "with a purchase of the study's medicines from 2014-01-01 to 2015-12-31"
    assert told["begins"] == "follow-up, 6 months after the first purchase, starts by 2015-12-31"
    assert told["alive"] == "alive at the start of follow-up"


def test_who_dies_before_the_own_start_is_not_followed(table, persons, from_purchase):
    bought = table("person_id | day\n1 | 2014-03-01\n2 | 2014-03-01", DAYS)
    dead = persons(2, {1: "2014-08-31", 2: "2014-09-01"})
    found, lost = follow_up_of(dead, from_purchase, Known(bought=bought))
    assert found["person_id"].to_pylist() == [2]
    assert lost_at(from_purchase, lost) == {"alive": 1}


def test_without_a_gap_follow_up_starts_with_the_purchase(table, persons, from_purchase):
    at_once = replace(from_purchase, start_gap_months=0)
    # The second buys on the last day of the study and is followed on that day.
    bought = table("person_id | day\n1 | 2014-03-05\n2 | 2015-12-31", DAYS)
    found, _ = follow_up_of(persons(2), at_once, Known(bought=bought))
    assert found["start"].to_pylist() == [day("2014-03-05"), day("2015-12-31")]


# --- first purchase within some months -------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["study_start", "first_purchase"])
def test_a_first_purchase_that_comes_late_leaves_a_person_out(table, persons, population, origin):
    # Within 2 months after 1 January: 28 February is, 1 March is not; a purchase before the study is no first one.
    bought = table(
        """
        person_id | day
        1         | 2014-01-01
        2         | 2014-02-28
        3         | 2014-03-01
        4         | 2013-12-31
        4         | 2014-06-01
        """,
        DAYS,
    )
    early = replace(population, first_purchase_within_months=2, observation_from=origin)
    found, lost = follow_up_of(persons(5), early, Known(bought=bought))
    assert found["person_id"].to_pylist() == [1, 2]
    never = {"study_start": {"early_purchase": 3}, "first_purchase": {"purchase": 1, "early_purchase": 2}}
    assert lost_at(early, lost) == never[origin]


def test_nobody_is_left_out_where_no_months_are_asked_for(persons, population):
    found, _ = follow_up_of(persons(2), population)
    assert found["start"].to_pylist() == [day("2014-07-01")] * 2


# --- lost track of ---------------------------------------------------------------------------------------------------

# Follow-up from 2014-07-01 to 2015-12-31; a gap of 4 months ends it 2 months after the purchase before it.
TRACKED = {
    "purchases without a gap": (
        ["2014-05-20", "2014-08-20", "2014-12-19", "2015-04-18", "2015-07-01", "2015-09-02"],
        ("2015-12-31", "study_end"),
    ),
    "a gap of exactly 4 months between two purchases": (
        ["2014-06-15", "2014-09-10", "2015-01-10", "2015-04-20", "2015-08-10", "2015-11-02"],
        ("2014-11-10", "trackloss"),
    ),
    "4 months less a day are no gap": (
        ["2014-06-15", "2014-09-10", "2015-01-09", "2015-04-20", "2015-08-10", "2015-11-02"],
        ("2015-12-31", "study_end"),
    ),
    "the last purchase 4 months before the study's end": (
        ["2014-06-15", "2014-10-01", "2015-01-20", "2015-05-10", "2015-08-31"],
        ("2015-10-31", "trackloss"),
    ),
    "a last purchase later than that": (
        ["2014-06-15", "2014-10-01", "2015-01-20", "2015-05-10", "2015-09-01"],
        ("2015-12-31", "study_end"),
    ),
    "of two gaps the first": (
        ["2014-06-15", "2014-08-01", "2015-01-10", "2015-02-01"],
        ("2014-10-01", "trackloss"),
    ),
    "a gap that is over when follow-up starts counts for nothing": (
        ["2014-01-05", "2014-07-01", "2014-10-20", "2015-02-01", "2015-05-10", "2015-09-05"],
        ("2015-12-31", "study_end"),
    ),
    "who buys again after the study is lost all the same": (
        ["2014-06-15", "2014-09-10", "2016-01-05"],
        ("2014-11-10", "trackloss"),
    ),
    "two months after 31 December there is no 31 February": (
        ["2014-06-15", "2014-10-10", "2014-12-31"],
        ("2015-02-28", "trackloss"),
    ),
    "who never buys anything cannot be lost track of": ([], ("2015-12-31", "study_end")),
}


@pytest.fixture
def tracking(population):
    return replace(population, trackloss_months=4, trackloss_after_months=2)


def any_medicine(table, days):
    return Known(purchases=table("\n".join(["person_id | day", *(f"1 | {one}" for one in days)]), DAYS))


@pytest.mark.parametrize(("days", "expected"), TRACKED.values(), ids=TRACKED)
def test_a_person_is_lost_track_of(table, persons, tracking, days, expected):
    (followed,) = follow_up_of(persons(1), tracking, any_medicine(table, days))[0].to_pylist()
    assert (str(followed["end"]), followed["end_reason"]) == expected


def test_who_is_out_of_sight_when_follow_up_starts_is_left_out(table, persons, tracking):
    # From April to November nothing is bought: lost track of on 10 June, before follow-up starts on 1 July.
    days = ["2014-01-20", "2014-04-10", "2014-11-10", "2015-02-01"]
    found, lost = follow_up_of(persons(1), tracking, any_medicine(table, days))
    assert found.num_rows == 0
    assert lost_at(tracking, lost) == {"tracked": 1}


def test_who_is_lost_on_the_first_day_of_follow_up_is_followed_on_it(table, persons, tracking):
    (followed,) = follow_up_of(persons(1), tracking, any_medicine(table, ["2014-05-01"]))[0].to_pylist()
    assert (followed["start"], followed["end"]) == (day("2014-07-01"), day("2014-07-01"))


@pytest.mark.parametrize(
    ("death", "expected"),
    [
        ("2014-11-09", ("2014-11-09", "death", "KI")),
        ("2014-11-10", ("2014-11-10", "death", "KI")),  # on one day, death goes before trackloss
        ("2014-11-11", ("2014-11-10", "trackloss", None)),
    ],
)
def test_the_earliest_of_death_and_trackloss_ends_follow_up(table, persons, tracking, death, expected):
    known = any_medicine(table, ["2014-06-15", "2014-09-10"])
    (followed,) = follow_up_of(persons(1, {1: death}), tracking, known)[0].to_pylist()
    assert (str(followed["end"]), followed["end_reason"], followed["death_source"]) == expected


def test_trackloss_on_the_last_day_of_the_study_is_trackloss(table, persons, tracking):
    late = replace(tracking, trackloss_after_months=4)
    monthly = [f"{year}-{month:02d}-20" for year in (2014, 2015) for month in range(1, 13)][:19]
    (followed,) = follow_up_of(persons(1), late, any_medicine(table, [*monthly, "2015-08-31"]))[0].to_pylist()
    assert (str(followed["end"]), followed["end_reason"]) == ("2015-12-31", "trackloss")


# --- earlier outcomes ------------------------------------------------------------------------------------------------

OUTCOMES = """
    person_id | date
    1         | 2014-06-30
    2         | 2014-07-01
    3         | 2010-01-01
    3         | 2015-01-01
    4         | 2015-01-01
"""


@pytest.mark.parametrize(("prior", "kept"), [("keep", [1, 2, 3, 4, 5]), ("drop", [2, 4, 5])])
def test_who_had_an_outcome_before_follow_up_may_be_left_out(table, persons, population, prior, kept):
    asked = replace(population, prior_outcome=prior)
    known = Known(outcomes=table(OUTCOMES, "person_id bigint, date date"))
    found, lost = follow_up_of(persons(5), asked, known)
    assert found["person_id"].to_pylist() == kept
    assert lost_at(asked, lost) == ({"prior_outcome": 2} if prior == "drop" else {})


def test_an_outcome_is_early_by_the_start_of_its_own_person(table, persons, from_purchase):
    # Both broke a bone on 1 October 2014; 2 is followed from 1 December on.
    bought = table("person_id | day\n1 | 2014-03-01\n2 | 2014-06-01", DAYS)
    broken = table("person_id | date\n1 | 2014-10-01\n2 | 2014-10-01", "person_id bigint, date date")
    asked = replace(from_purchase, prior_outcome="drop")
    found, _ = follow_up_of(persons(2), asked, Known(bought=bought, outcomes=broken))
    assert found["person_id"].to_pylist() == [1]
