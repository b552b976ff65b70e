"""What the oracle reads in claims and stays, case by case, and what holds for all records."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.events import Event, all_events, hospital_events, outpatient_acts, packs_of, public_outpatient_acts
from tests.oracle.events import purchases as purchases_of
from tests.oracle.flat_rows import Cells, claim, flux, stay, visit
from tests.oracle.histories import (
    BISOPROLOL,
    NO_ATC,
    PACKS,
    SAME_CIP7,
    UNKNOWN_CIP7,
    ZOLPIDEM,
    cancelled,
    claims,
    records,
)
from tests.oracle.history import history
from tests.oracle.rows import removed_by
from tests.oracle.small_studies import studies

MARCH_2 = dt.date(2014, 3, 2)
IN_JUNE = {**flux(6), "DCT_ORD_NUM": 2}
BOX = {
    "EXE_SOI_DTD": MARCH_2,
    "ER_PHA_F__PHA_ORD_NUM": 1,
    "ER_PHA_F__PHA_PRS_C13": BISOPROLOL,
    "ER_PHA_F__PHA_ACT_QSN": 1,
}
UNNUMBERED = {**BOX, "ER_PHA_F__PHA_ORD_NUM": None}
BY_CIP7 = {**BOX, "ER_PHA_F__PHA_PRS_C13": None}
IN_PARTS = {**BOX, "ER_PHA_F__PHA_DEC_TOP": "D", "ER_PHA_F__PHA_ACT_QSN": 0}
ACT = {"EXE_SOI_DTD": MARCH_2, "PRS_ACT_QTE": 1, "ER_CAM_F__CAM_ORD_NUM": 1, "ER_CAM_F__CAM_PRS_IDE": "MBEB001      "}
PRIVATE = {"ER_ETE_F__ETE_GHS_NUM": 0, "ER_ETE_F__ETE_TYP_COD": 4}


# --- purchases ----------------------------------------------------------------------------------------------------


def boxes(*rows, packs=PACKS):
    """{CIP13: boxes} of purchases of one day."""
    return {event.code: event.weight for event in purchases_of([claim(**row) for row in rows], packs)}


PURCHASES = {
    "two boxes on a line are a purchase of two": ([BOX | {"ER_PHA_F__PHA_ACT_QSN": 2}], {BISOPROLOL: 2}),
    "two lines of one claim add up": ([BOX, BOX | {"ER_PHA_F__PHA_ORD_NUM": 2}], {BISOPROLOL: 2}),
    "a line shown again beside a second act is one": (
        [BOX | ACT, BOX | ACT | {"ER_CAM_F__CAM_ORD_NUM": 2}],
        {BISOPROLOL: 1},
    ),
    "a line shown again beside a second hospital drug is one": (
        [BOX | {"ER_UCD_F__UCD_ORD_NUM": 1}, BOX | {"ER_UCD_F__UCD_ORD_NUM": 2}],
        {BISOPROLOL: 1},
    ),
    "a cancellation in a later flux takes the purchase away": (
        [BOX, BOX | IN_JUNE | {"ER_PHA_F__PHA_ACT_QSN": -1}],
        {},
    ),
    "a partial cancellation leaves the other boxes": (
        [BOX | {"ER_PHA_F__PHA_ACT_QSN": 3}, BOX | IN_JUNE | {"ER_PHA_F__PHA_ACT_QSN": -1}],
        {BISOPROLOL: 2},
    ),
    "a cancellation of another day takes nothing away": (
        [BOX, BOX | IN_JUNE | {"ER_PHA_F__PHA_ACT_QSN": -1, "EXE_SOI_DTD": dt.date(2014, 3, 3)}],
        {BISOPROLOL: 1},
    ),
    "two deliveries without order number are two": ([UNNUMBERED, UNNUMBERED], {BISOPROLOL: 2}),
    "two deliveries without order number beside two acts are two": (
        [UNNUMBERED | {"ER_CAM_F__CAM_ORD_NUM": act} for act in (1, 1, 2, 2)],
        {BISOPROLOL: 2},
    ),
    "any parts of a box are one purchase": ([IN_PARTS | {"ER_PHA_F__PHA_DEC_QSU": 7}], {BISOPROLOL: 1}),
    "parts that are taken back cancel it": (
        [IN_PARTS | {"ER_PHA_F__PHA_DEC_QSU": 7}, IN_PARTS | IN_JUNE | {"ER_PHA_F__PHA_DEC_QSU": -7}],
        {},
    ),
    "a line without boxes has the quantity of its claim": (
        [BOX | {"ER_PHA_F__PHA_ACT_QSN": None, "PRS_ACT_QTE": 2}],
        {BISOPROLOL: 2},
    ),
    "where neither says a number it is one box": ([BOX | {"ER_PHA_F__PHA_ACT_QSN": None}], {BISOPROLOL: 1}),
    "a line of no box is no purchase": ([BOX | {"ER_PHA_F__PHA_ACT_QSN": 0}], {}),
    "the old code alone is of the smallest pack that has it": (
        [BY_CIP7 | {"ER_PHA_F__PHA_PRS_IDE": 3000001}],
        {min(ZOLPIDEM, SAME_CIP7): 1},
    ),
    "a CIP13 that no pack has gives way to the CIP7": (
        [BOX | {"ER_PHA_F__PHA_PRS_C13": 9, "ER_PHA_F__PHA_PRS_IDE": 3000003}],
        {NO_ATC: 1},
    ),
    "a code that no pack has stays as it is": ([BY_CIP7 | {"ER_PHA_F__PHA_PRS_IDE": UNKNOWN_CIP7}], {UNKNOWN_CIP7: 1}),
    "a cancellation by the old code cancels the new one": (
        [BOX, BY_CIP7 | IN_JUNE | {"ER_PHA_F__PHA_PRS_IDE": 3000000, "ER_PHA_F__PHA_ACT_QSN": -1}],
        {},
    ),
    "a line for information is no purchase": ([BOX | {"DPN_QLF": 71}], {}),
    "a claim without qualifier stays": ([BOX | {"DPN_QLF": None}], {BISOPROLOL: 1}),
    "a line without a day of care is no purchase": ([BOX | {"EXE_SOI_DTD": None}], {}),
}


@pytest.mark.parametrize(("rows", "expected"), PURCHASES.values(), ids=PURCHASES)
def test_a_purchase_is_what_is_left_of_a_pack_on_a_day(rows, expected):
    assert boxes(*rows) == {str(code): quantity for code, quantity in expected.items()}


def test_a_purchase_has_its_pack_as_code_and_its_boxes_as_weight():
    bought = purchases_of([claim(**BOX)], PACKS)
    (sheet,) = {one.group for one in bought if one.category == "prescribed_purchase"}
    assert sheet and bought == {
        Event("drug_purchase", "3400930000001", None, MARCH_2, None, 1.0, None),
        Event("prescribed_purchase", "3400930000001", sheet, MARCH_2, None, 1.0, None),
    }


def test_a_pack_has_the_cip7_that_its_cip13_holds():
    cells = {"PHA_PRS_IDE": None, "PHA_CND_TOP": None}
    reference: list[Cells] = [
        {"PHA_CIP_C13": 3400930000011, "PHA_ATC_C07": " n05cf02 ", **cells, "PHA_CND_TOP": "GC"},
        {"PHA_CIP_C13": 3400930000021, "PHA_ATC_C07": "", **cells, "PHA_PRS_IDE": 7},
        {"PHA_CIP_C13": None, "PHA_ATC_C07": "C07AB07", **cells},
    ]
    assert packs_of(reference) == {3400930000011: (3000001, "N05CF02", True), 3400930000021: (7, None, False)}


# --- acts ---------------------------------------------------------------------------------------------------------

ACTS = {
    "without a hospital it is liberal": ([ACT], {"liberal": 1}),
    "a public secondary activity is public": ([ACT | PRIVATE | {"ER_ETE_F__PRS_PPU_SEC": 1}], {"public_ambulatory": 1}),
    "a private hospital without stay is private": ([ACT | PRIVATE], {"private_ambulatory": 1}),
    "a private stay is of unknown source": ([ACT | PRIVATE | {"ER_ETE_F__ETE_GHS_NUM": 1234}], {"unknown_source": 1}),
    "a cancellation takes the act away": ([ACT, ACT | IN_JUNE | {"PRS_ACT_QTE": -1}], {}),
    "an act shown again beside a second delivery is one": (
        [ACT | BOX, ACT | BOX | {"ER_PHA_F__PHA_ORD_NUM": 2}],
        {"liberal": 1},
    ),
    "the activity of a public hospital is in the hospital data": ([ACT | {"ER_ETE_F__ETE_IND_TAA": 1}], {}),
    "a flat fee is no act": ([ACT | {"CPL_AFF_COD": 16}], {}),
    "a blank code is no act": ([ACT | {"ER_CAM_F__CAM_PRS_IDE": "   "}], {}),
}


@pytest.mark.parametrize(("rows", "expected"), ACTS.values(), ids=ACTS)
def test_an_act_counts_by_the_place_where_it_was_done(rows, expected):
    found = outpatient_acts([claim(**row) for row in rows])
    assert {event.source: event.weight for event in found} == expected
    assert {(event.code, event.group) for event in found} <= {("MBEB001", None)}


def test_a_public_hospital_tells_its_outpatient_acts_once():
    twice = [visit(EXE_SOI_DTD=MARCH_2, MCO_FMSTC__CCAM_COD="ndep001"), visit("MCO_FBSTC", EXE_SOI_DTD=MARCH_2)]
    expected = {Event("mco_ce_ccam_act", "NDEP001", None, MARCH_2, None, None, "public_ambulatory")}
    assert public_outpatient_acts(twice + twice) == expected


# --- stays --------------------------------------------------------------------------------------------------------


def test_a_stay_gives_its_diagnoses_and_acts_once_however_many_rows_it_has():
    own = {"EXE_SOI_DTD": dt.date(2015, 1, 10), "EXE_SOI_DTF": dt.date(2015, 1, 20), "MCO_B__DGN_PAL": "s72.0"}
    own |= {"MCO_B__DGN_REL": "", "MCO_B__GRG_GHM": "08C471", "MCO_B__SOR_MOD": "9"}
    rows = [
        stay("MCO_A", **own, MCO_A__CDC_ACT="NBCA010", MCO_A__ENT_DAT_DEL=1),
        stay("MCO_A", **own, MCO_A__CDC_ACT="NBCA010", MCO_A__ENT_DAT_DEL=1, claim_row=2),
        stay("MCO_D", **own, MCO_D__ASS_DGN="S52 5", claim_row=3),
    ]
    number, first = "010780054_0000000001_2015", dt.date(2015, 1, 10)
    assert hospital_events(rows) == {
        Event("mco_hospital_stay", "08C471", number, first, dt.date(2015, 1, 20), 9.0),
        Event("mco_main_diagnosis", "S720", number, first),
        Event("mco_associated_diagnosis", "S525", number, first),
        Event("mco_ccam_act", "NBCA010", number, dt.date(2015, 1, 11)),
    }


DATES = {
    "by the day of entry": ({"ENT_DAT": "10012015", "SOR_DAT": "20012015"}, "2015-01-10", "2015-01-20"),
    "by its length before its last day": ({"SOR_DAT": "20012015", "MCO_B__SEJ_NBJ": 2}, "2015-01-18", "2015-01-20"),
    "by its length before its month of exit": (
        {"MCO_B__SOR_ANN": "2015", "MCO_B__SOR_MOI": "3", "MCO_B__SEJ_NBJ": 2},
        "2015-02-27",
        "2015-03-01",
    ),
    "by no day that does not exist": ({"ENT_DAT": "31022015", "SOR_DAT": "05032015"}, "2015-03-05", "2015-03-05"),
    "by no day that means unknown": ({"ENT_DAT": "01010001", "SOR_DAT": "05032015"}, "2015-03-05", "2015-03-05"),
}


@pytest.mark.parametrize(("cells", "first", "last"), DATES.values(), ids=DATES)
def test_a_stay_is_dated(cells, first, last):
    (found,) = hospital_events([stay(**cells)])
    assert (found.code, str(found.start), str(found.end)) == ("unknown", first, last)


FILTERED = {
    "a hospital counted under two numbers, until 2017": ({"ETA_NUM": "130780521"}, "doubled_hospital"),
    "the same from 2018": ({"ETA_NUM": "130780521", "period": "2018"}, None),
    "an identifier that failed a check": ({"SEX_RET": "2"}, "return_code"),
    "checks that were not made": ({"COH_SEX_RET": None, "NIR_RET": "0"}, None),
    "a service for another hospital": ({"MCO_B__SEJ_TYP": "B"}, "service_for_another_hospital"),
    "radiotherapy for another hospital": ({"MCO_B__SEJ_TYP": "B", "MCO_B__GRG_GHM": "28Z14Z"}, None),
    "a stay that could not be grouped": ({"MCO_B__GRG_GHM": "90Z00Z"}, "grouping_error"),
    "a stay of nobody": ({"person_id": None}, "no_person"),
}


@pytest.mark.parametrize(("cells", "expected"), FILTERED.values(), ids=FILTERED)
def test_a_filter_removes(cells, expected):
    assert removed_by(stay(EXE_SOI_DTD=MARCH_2, **cells), "MCO", "mco_hospital_stay") == expected


# --- what always holds --------------------------------------------------------------------------------------------

SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@SOME
@given(claims(regular=True), st.integers(4, 8))
def test_a_claim_and_its_cancellation_leave_nothing(rows, month):
    whole = [row for row in rows if row["period"] in ("2014-04", "2014-05")]
    assert all_events([*whole, *cancelled(whole, month + 3)], [], [], PACKS) == frozenset()


@SOME
@given(records(), studies(), st.randoms())
def test_the_order_of_rows_does_not_matter(found, study, chance):
    def mixed(rows):
        return tuple(chance.sample(list(rows), len(rows)))

    other = replace(
        found,
        dcir=mixed(found.dcir),
        mco=mixed(found.mco),
        mco_ce=mixed(found.mco_ce),
        referentials={name: mixed(rows) for name, rows in found.referentials.items()},
        certificates=mixed(found.certificates),
    )
    assert history(other, PACKS, study) == history(found, PACKS, study)


@SOME
@given(records())
def test_hospital_rows_that_come_twice_tell_nothing_more(found):
    assert hospital_events(found.mco + found.mco) == hospital_events(found.mco)


@SOME
@given(records(), studies())
def test_a_case_has_outcomes_and_exposures_that_fit_its_follow_up(found, study):
    told = history(found, PACKS, study)
    if told.case and told.follow_up:
        assert all(told.follow_up.start <= day <= told.follow_up.end for day in told.case.days)
        assert all(one.start <= one.end <= told.follow_up.end for one in told.exposures)
        assert told.case.exposures == {one for one in told.exposures if not one.prevalent}
        assert len(told.case.days) == 1 or study.outcomes.outcome_events == "all"
    assert (told.case is None) == (told.lost_at is not None)
