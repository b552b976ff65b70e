"""Fractures: which stays and acts count, where, how severe, and when two are one fall."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.cohort.definitions import load_definition
from parcours.cohort.months import add_months
from parcours.cohort.outcomes import outcomes_of, when_found
from parcours.cohort.study import Outcomes
from parcours.events.codelists import codes_for
from parcours.events.schema import EVENT_SCHEMA

CODELISTS = Path(__file__).parents[3] / "codelists"
FRACTURE = load_definition(CODELISTS, "fracture")
EVENTS = (
    "person_id bigint, category string, group string, code string, weight double, source string, start date, end date"
)
OUTCOMES = "person_id bigint, date date, site string, category string, severity int"
ALL_RULES = ("hospital_stay", "liberal_act", "private_ambulatory_act", "public_ambulatory_act")
SETTING = Outcomes(
    definition="fracture",
    rules=ALL_RULES,
    sites=(),
    site_level="site",
    frame_months=4,
    severity_minimum=1,
    outcome_events="first",
)
EVENT_ROWS = """
    person_id | category                 | group | code    | weight | source             | start      | end
    1         | mco_main_diagnosis       | s1    | S7200   | -      | -                  | 2015-01-10 | -
    1         | mco_associated_diagnosis | s1    | S525    | -      | -                  | 2015-01-10 | -
    2         | mco_main_diagnosis       | s2    | I10     | -      | -                  | 2015-01-10 | -
    2         | mco_associated_diagnosis | s2    | S720    | -      | -                  | 2015-01-10 | -
    3         | mco_main_diagnosis       | s3    | S720    | -      | -                  | 2015-01-10 | -
    3         | mco_ccam_act             | s3    | NBGA007 | -      | -                  | 2015-01-11 | -
    4         | mco_main_diagnosis       | s4    | S720    | -      | -                  | 2015-01-10 | -
    4         | mco_ccam_act             | s4    | NBCA010 | -      | -                  | 2015-01-11 | -
    5         | mco_main_diagnosis       | s5    | S720    | -      | -                  | 2015-01-10 | -
    5         | mco_ccam_act             | s5    | NBCA010 | -      | -                  | 2015-01-11 | -
    5         | mco_hospital_stay        | s5    | 08C47   | 9      | -                  | 2015-01-10 | 2015-01-20
    6         | dcir_ccam_act            | c1    | MBEB001 | 1      | liberal            | 2015-03-01 | -
    7         | dcir_ccam_act            | c2    | MADP001 | 1      | private_ambulatory | 2015-03-01 | -
    7         | dcir_ccam_act            | c3    | NDEP001 | 1      | unknown_source     | 2015-03-01 | -
    8         | mco_ce_ccam_act          | c4    | NDEP001 | -      | public_ambulatory  | 2015-03-01 | -
    9         | mco_main_diagnosis       | s9    | M8015   | -      | -                  | 2015-01-10 | -
    10        | mco_main_diagnosis       | s10   | M4856   | -      | -                  | 2015-01-10 | -
    11        | mco_main_diagnosis       | s11   | T1420   | -      | -                  | 2015-01-10 | -
    12        | mco_main_diagnosis       | s12   | S525    | -      | -                  | 2015-01-10 | -
    12        | mco_main_diagnosis       | s13   | S525    | -      | -                  | 2015-04-10 | -
    12        | mco_main_diagnosis       | s14   | S525    | -      | -                  | 2015-08-09 | -
    12        | mco_main_diagnosis       | s15   | S720    | -      | -                  | 2015-02-01 | -
    13        | mco_main_diagnosis       | s16   | S525    | -      | -                  | 2015-01-10 | -
    13        | mco_main_diagnosis       | s17   | S525    | -      | -                  | 2015-05-10 | -
    14        | dcir_ccam_act            | c5    | MCEP001 | 1      | liberal            | 2015-01-10 | -
    14        | mco_main_diagnosis       | s18   | S525    | -      | -                  | 2015-01-10 | -
"""
# 1: two fractures of one stay. 2: the fracture is not the main diagnosis. 3: material removal. 4: surgery.
# 5: death in the stay. 6: an act that a stray comma hid in SCALPEL. 7: unknown provenance counts for nothing.
# 9-11: codes that dots hid in SCALPEL. 12: 10 April is within 4 months of 10 January, and 9 August within
# 4 months of 10 April, so all three are one fall; the hip is another. 13: exactly 4 months later is a new fall.
EXPECTED = """
    person_id | date       | site            | category               | severity
    1         | 2015-01-10 | hip             | hospital_stay          | 2
    1         | 2015-01-10 | wrist           | hospital_stay          | 2
    4         | 2015-01-10 | hip             | hospital_stay          | 3
    5         | 2015-01-10 | hip             | hospital_stay          | 4
    6         | 2015-03-01 | proximal_upper_limb | liberal_act        | 1
    7         | 2015-03-01 | clavicle        | private_ambulatory_act | 1
    8         | 2015-03-01 | foot            | public_ambulatory_act  | 1
    9         | 2015-01-10 | other           | hospital_stay          | 2
    10        | 2015-01-10 | spine           | hospital_stay          | 2
    11        | 2015-01-10 | other           | hospital_stay          | 2
    12        | 2015-01-10 | wrist           | hospital_stay          | 2
    12        | 2015-02-01 | hip             | hospital_stay          | 2
    13        | 2015-01-10 | wrist           | hospital_stay          | 2
    13        | 2015-05-10 | wrist           | hospital_stay          | 2
    14        | 2015-01-10 | distal_upper_limb | liberal_act          | 1
    14        | 2015-01-10 | wrist           | hospital_stay          | 2
"""


@pytest.fixture(scope="module")
def found_with(table, collected):
    events = table(EVENT_ROWS, EVENTS)
    return lambda **changes: collected(
        outcomes_of(events, FRACTURE, replace(SETTING, **changes)), "person_id", "date", "site", "category", "severity"
    )


def test_the_rules_find_these_fractures(found_with, rows):
    assert found_with() == rows(EXPECTED, OUTCOMES)


def test_by_site_group_two_codes_for_one_arm_are_one_fall(found_with):
    # Person 14: the act at the practitioner's and the stay of the same day; the stay is the more severe.
    grouped = [row for row in found_with(site_level="site_group") if row[0] == 14]
    assert grouped == [(14, dt.date(2015, 1, 10), "distal_upper_limb", "hospital_stay", 2)]


def test_a_study_of_hips_with_surgery_sees_nothing_else(found_with):
    severe_hips = found_with(sites=("hip",), severity_minimum=3)
    assert [(row[0], row[2], row[4]) for row in severe_hips] == [(4, "hip", 3), (5, "hip", 4)]


def test_a_rule_that_the_study_does_not_name_finds_nothing(found_with):
    assert {row[3] for row in found_with(rules=("liberal_act",))} == {"liberal_act"}


def test_the_end_of_an_older_fall_is_no_new_one(table, rows, collected):
    # Falls are told apart on all the data first: the stay of January belongs to the fall of October.
    stays = """
        person_id | category           | group | code | weight | source | start      | end
        1         | mco_main_diagnosis | s1    | S720 | -      | -      | 2014-10-10 | -
        1         | mco_main_diagnosis | s2    | S720 | -      | -      | 2015-01-10 | -
        1         | mco_main_diagnosis | s3    | S720 | -      | -      | 2015-06-10 | -
        1         | mco_main_diagnosis | s4    | S525 | -      | -      | 2016-01-01 | -
        2         | mco_main_diagnosis | s5    | S720 | -      | -      | 2015-06-10 | -
    """
    followed = table("person_id | start | end\n1 | 2015-01-01 | 2015-12-31", "person_id bigint, start date, end date")
    found = when_found(outcomes_of(table(stays, EVENTS), FRACTURE, SETTING), followed)
    assert collected(found, "person_id", "date", "when") == rows(
        """
        person_id | date       | when
        1         | 2014-10-10 | before
        1         | 2015-06-10 | during
        1         | 2016-01-01 | after
        """,
        "person_id bigint, date date, when string",
    )


def oracle(events, setting):
    """The rules told one person at a time."""
    outcomes = []
    for person in sorted({event["person_id"] for event in events}):
        own = [event for event in events if event["person_id"] == person]
        strongest = {}
        for date, site, category, severity in [*oracle_stays(own), *oracle_acts(own)]:
            key = (date, site, category)
            strongest[key] = max(severity, strongest.get(key, 0))
        for site in {key[1] for key in strongest}:
            before = None
            here = [(date, -severity, category) for (date, s, category), severity in strongest.items() if s == site]
            for date, severity, category in sorted(here):
                if before is None or date >= add_months(before, setting.frame_months):
                    outcomes.append((person, date, site, category, -severity))
                before = date
    return sorted(outcomes)


def codes(file, use):
    return {code.code for code in codes_for(CODELISTS / file, use)}


def oracle_stays(own):
    roots = tuple(codes("fracture_codes.csv", "hospital_diagnosis"))
    removal, surgery = codes("fracture_codes.csv", "material_removal"), codes("fracture_surgery.csv", "surgery")
    for stay in {event["group"] for event in own if event["category"].startswith("mco_main")}:
        inside = [event for event in own if event["group"] == stay]
        diagnoses = [e for e in inside if "diagnosis" in e["category"] and e["code"].startswith(roots)]
        acts = {event["code"] for event in inside if event["category"] == "mco_ccam_act"}
        if not any(event["category"] == "mco_main_diagnosis" for event in diagnoses) or acts & removal:
            continue
        dead = any(event["category"] == "mco_hospital_stay" and event["weight"] == 9 for event in inside)
        severity = 4 if dead else 3 if acts & surgery else 2
        for event in diagnoses:
            yield event["start"], SITES[event["code"]], "hospital_stay", severity


def oracle_acts(own):
    acts = codes("fracture_codes.csv", "outpatient_act")
    rule = {"liberal": "liberal_act", "private_ambulatory": "private_ambulatory_act"}
    for event in own:
        if event["category"] == "dcir_ccam_act" and event["source"] in rule and event["code"] in acts:
            yield event["start"], SITES[event["code"]], rule[event["source"]], 1


# Sites written down by hand from the labels of the codes, not read from the code list.
SITES = {
    "S720": "hip",
    "S7211": "hip",
    "S525": "wrist",
    "M8006": "lower_leg",
    "M485": "spine",
    "MBEB001": "proximal_upper_limb",
    "NDEP001": "foot",
    "MGEP002": "wrist",
}
days = st.integers(0, 500).map(lambda n: dt.date(2015, 1, 1) + dt.timedelta(n))
stay_day = {f"s{n}": dt.date(2015, 1, 1) + dt.timedelta(n * 83 % 500) for n in range(4)}
stay_events = st.builds(
    lambda group, category, code: {"group": group, "start": stay_day[group], **category, "code": code},
    st.sampled_from(sorted(stay_day)),
    st.sampled_from(
        [
            {"category": "mco_main_diagnosis", "weight": None},
            {"category": "mco_associated_diagnosis", "weight": None},
            {"category": "mco_linked_diagnosis", "weight": None},
            {"category": "mco_hospital_stay", "weight": 9.0},
            {"category": "mco_hospital_stay", "weight": 8.0},
            {"category": "mco_ccam_act", "weight": None},
        ]
    ),
    st.sampled_from(["S720", "S7211", "S525", "M8006", "M485", "I10", "NBGA007", "NBCA010"]),
)
act_events = st.builds(
    lambda source, code, day: {
        "source": source,
        "start": day,
        "category": "dcir_ccam_act",
        "weight": 1.0,
        "code": code,
    },
    st.sampled_from(["liberal", "private_ambulatory", "unknown_source"]),
    st.sampled_from(["MBEB001", "NDEP001", "MGEP002", "YYYY001"]),
    days,
)
persons = st.lists(st.lists(stay_events | act_events, max_size=10), min_size=20, max_size=30)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(persons=persons, frame=st.sampled_from([0, 1, 4]))
def test_outcomes_agree_with_the_rules_told_in_plain_python(persons, frame):
    events = [{"group": None, "person_id": p, **event} for p, own in enumerate(persons) for event in own]
    setting = replace(SETTING, frame_months=frame)
    found = outcomes_of(pa.Table.from_pylist(events, EVENT_SCHEMA), FRACTURE, setting)
    assert [tuple(row.values()) for row in found.to_pylist()] == oracle(events, setting)
