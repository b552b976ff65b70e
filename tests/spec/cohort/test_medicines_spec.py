"""Medicines: which purchases a study looks at, and what it calls one medicine."""

from pathlib import Path

import pytest

from parcours.cohort.medicines import families, purchases_of
from parcours.cohort.study import Medicines

CODELISTS = Path(__file__).parents[3] / "codelists"
EVENTS = "person_id bigint, category string, code string, start date"
PACKS = "cip13 string, cip7 bigint, atc string, large boolean"
BOUGHT = "person_id bigint, drug string, day date, large boolean"
ALL = Medicines(level="substance", atc_include=(), atc_exclude=(), packs=())
# Zolpidem, alprazolam in a large pack, a pack that IR_PHA_R has without an ATC code, and one that it does not have.
EVENT_ROWS = """
    person_id | category      | code          | start
    1         | drug_purchase | 3400930000001 | 2015-01-10
    1         | drug_purchase | 3400930000002 | 2015-01-11
    2         | drug_purchase | 3400930000003 | 2015-01-12
    2         | drug_purchase | 9999999999999 | 2015-01-13
    3         | drug_purchase | -             | 2015-01-14
"""
PACK_ROWS = """
    cip13         | cip7    | atc     | large
    3400930000001 | 3000000 | N05CF02 | false
    3400930000002 | 3000001 | N05BA12 | true
    3400930000003 | 3000002 | -       | false
"""


@pytest.fixture
def bought(table, collected):
    """(person, medicine, whether the pack is large) of the purchases of a study with these settings."""

    def of(**settings):
        chosen = Medicines(**{**ALL.__dict__, **settings})
        found = purchases_of(table(EVENT_ROWS, EVENTS), table(PACK_ROWS, PACKS), chosen, CODELISTS)
        return collected(found, "person_id", "drug", "large")

    return of


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("substance", [(1, "N05BA12", True), (1, "N05CF02", False)]),
        ("atc_class", [(1, "N05BA", True), (1, "N05CF", False)]),
        # Both are hypnotics in the families of SCALPEL.
        ("family", [(1, "hypnotics", False), (1, "hypnotics", True)]),
        # A pack is a medicine of its own, whether or not IR_PHA_R knows what is in it.
        (
            "cip13",
            [
                (1, "3400930000001", False),
                (1, "3400930000002", True),
                (2, "3400930000003", False),
                (2, "9999999999999", False),
            ],
        ),
    ],
)
def test_a_medicine_is_what_the_level_says_and_needs_an_atc_code_above_the_pack(bought, level, expected):
    assert bought(level=level) == expected


@pytest.mark.parametrize(
    ("settings", "drugs"),
    [
        ({"atc_include": ("N05",)}, ["N05BA12", "N05CF02"]),
        ({"atc_include": ("N05C", "C07")}, ["N05CF02"]),
        ({"atc_exclude": ("N05C",)}, ["N05BA12"]),
        ({"atc_include": ("N05",), "atc_exclude": ("N05BA12",)}, ["N05CF02"]),
        ({"packs": ("3400930000001",)}, ["N05CF02"]),
        ({"packs": ("3400930000001",), "atc_include": ("N05B",)}, []),  # a pack must pass both
    ],
)
def test_a_study_keeps_the_medicines_it_asks_for(bought, settings, drugs):
    assert [drug for _, drug, _ in bought(**settings)] == drugs


def test_packs_that_are_asked_for_by_atc_code_must_have_one(bought):
    assert [drug for _, drug, _ in bought(level="cip13", atc_include=("N",))] == ["3400930000001", "3400930000002"]
    # Nothing says that these are what is left out.
    left = [drug for _, drug, _ in bought(level="cip13", atc_exclude=("N05",))]
    assert left == ["3400930000003", "9999999999999"]


def test_the_day_of_a_purchase_is_that_of_its_event(table, rows, collected):
    found = purchases_of(table(EVENT_ROWS, EVENTS), table(PACK_ROWS, PACKS), ALL, CODELISTS)
    assert collected(found, "person_id", "drug", "day", "large") == rows(
        """
        person_id | drug    | day        | large
        1         | N05CF02 | 2015-01-10 | false
        1         | N05BA12 | 2015-01-11 | true
        """,
        BOUGHT,
    )


@pytest.mark.parametrize(
    ("atc", "found"),
    [
        ("N05BA12", ("hypnotics",)),
        ("N05BC51", ("hypnotics",)),  # left out of the anxiolytics, and one of the hypnotics
        ("N05AN01", ()),  # lithium is no neuroleptic
        ("N02BE01", ()),
    ],
)
def test_a_family_holds_what_one_of_its_subfamilies_includes_and_does_not_exclude(atc, found):
    assert families(atc, CODELISTS / "drug_families.csv") == found


def test_a_purchase_of_a_pack_in_two_families_is_one_of_both(table, collected, tmp_path):
    lines = ("family,subfamily,atc_prefix,action", "sleep,all,N05C,include", "falls,all,N05,include")
    (tmp_path / "drug_families.csv").write_text("\n".join(lines), "utf-8")
    level = Medicines(**{**ALL.__dict__, "level": "family", "packs": ("3400930000001",)})
    found = purchases_of(table(EVENT_ROWS, EVENTS), table(PACK_ROWS, PACKS), level, tmp_path)
    assert collected(found, "person_id", "drug") == [(1, "falls"), (1, "sleep")]
