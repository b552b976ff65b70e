"""Prescriptions: the substances that are bought on one sheet and day are one medicine."""

from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.medicines import purchases_of
from parcours.cohort.study import Medicines

CODELISTS = Path(__file__).parents[3] / "codelists"
EVENTS = "person_id bigint, code string, group string, start date"
PACKS = "cip13 string, atc string, large boolean"
BOUGHT = "person_id bigint, drug string, day date, large boolean"
PRESCRIPTIONS = Medicines(level="prescription", atc_include=(), atc_exclude=(), packs=())
PACK_ROWS = """
    cip13         | atc     | large
    3400930000001 | N05CF02 | false
    3400930000002 | N05BA12 | true
    3400930000003 | -       | false
    3400930000004 | N05CF02 | false
    3400930000005 | C07AB07 | false
"""


@pytest.fixture
def prescribed(table, collected):
    """(person, medicine, day, large) of purchases (code, sheet, day), of person 1."""

    def of(text, setting=PRESCRIPTIONS):
        found = purchases_of(table(text, EVENTS), table(PACK_ROWS, PACKS), setting, CODELISTS)
        return collected(found, "person_id", "drug", "day", "large")

    return of


CASES = {
    "two substances on one sheet are one medicine, in their order": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        1         | 3400930000005 | s1    | 2015-01-10
        """,
        """
        person_id | drug            | day        | large
        1         | C07AB07_N05CF02 | 2015-01-10 | false
        """,
    ),
    "two sheets of one day are two": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        1         | 3400930000005 | s2    | 2015-01-10
        """,
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        1         | C07AB07 | 2015-01-10 | false
        """,
    ),
    "two days of one sheet are two": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        1         | 3400930000005 | s1    | 2015-01-11
        """,
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        1         | C07AB07 | 2015-01-11 | false
        """,
    ),
    "sheets of two persons are two": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        2         | 3400930000005 | s1    | 2015-01-10
        """,
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        2         | C07AB07 | 2015-01-10 | false
        """,
    ),
    "two packs of one substance are named once": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        1         | 3400930000004 | s1    | 2015-01-10
        """,
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        """,
    ),
    "it is large when one of its packs is": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        1         | 3400930000002 | s1    | 2015-01-10
        """,
        """
        person_id | drug            | day        | large
        1         | N05BA12_N05CF02 | 2015-01-10 | true
        """,
    ),
    "a pack without ATC code is no substance": (
        """
        person_id | code          | group | start
        1         | 3400930000001 | s1    | 2015-01-10
        1         | 3400930000003 | s1    | 2015-01-10
        1         | 3400930000003 | s2    | 2015-01-10
        """,
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        """,
    ),
}


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES)
def test_a_prescription_is(prescribed, rows, events, expected):
    assert prescribed(events) == rows(expected, BOUGHT)


def test_a_prescription_holds_the_medicines_of_the_study(prescribed, rows):
    events = CASES["two substances on one sheet are one medicine, in their order"][0]
    assert prescribed(events, replace(PRESCRIPTIONS, atc_include=("N05",))) == rows(
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        """,
        BOUGHT,
    )
