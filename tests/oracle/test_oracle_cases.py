"""Which fractures the oracle finds, and a history from the flat rows to the case series."""

import datetime as dt

import pytest

from tests.oracle.events import Event
from tests.oracle.exposures import Exposure
from tests.oracle.flat_rows import claim, of_referential, stay
from tests.oracle.fractures import Fracture, fractures
from tests.oracle.histories import BISOPROLOL, PACKS, ZOLPIDEM
from tests.oracle.history import Records, history
from tests.oracle.rows import CODELISTS
from tests.oracle.small_studies import STUDY, changed

D = dt.date.fromisoformat
STUDY_END = D("2015-06-30")


# --- fractures ----------------------------------------------------------------------------------------------------


def admitted(day, *diagnoses, acts=(), mode=8.0, stay=None):
    """The events of a stay, the main diagnosis first."""
    number, kinds = stay or day, ["mco_main_diagnosis"] + ["mco_associated_diagnosis"] * len(diagnoses)
    events = [Event(kind, code, number, D(day)) for kind, code in zip(kinds, diagnoses, strict=False)]
    events += [Event("mco_ccam_act", act, number, D(day)) for act in acts]
    return [*events, Event("mco_hospital_stay", "08C471", number, D(day), D(day), mode)]


def treated(day, act, source="liberal"):
    return [Event("dcir_ccam_act", act, None, D(day), None, 1.0, source)]


FRACTURES = {
    "each fracture of a stay for a fracture counts": (
        admitted("2015-01-10", "S7200", "S525", "I10"),
        {("2015-01-10", "hip", 2), ("2015-01-10", "wrist", 2)},
    ),
    "a fracture that is not the main diagnosis does not": (admitted("2015-01-10", "I10", "S720"), set()),
    "removing material follows up an older fracture": (admitted("2015-01-10", "S720", acts=["NBGA007"]), set()),
    "surgery makes it severe": (admitted("2015-01-10", "S720", acts=["NBCA010"]), {("2015-01-10", "hip", 3)}),
    "death more so": (admitted("2015-01-10", "S720", acts=["NBCA010"], mode=9.0), {("2015-01-10", "hip", 4)}),
    "an osteoporotic fracture has the site of its fifth character": (
        admitted("2015-01-10", "M8006"),
        {("2015-01-10", "lower_leg", 2)},
    ),
    "a fracture code of no site is elsewhere": (admitted("2015-01-10", "S22"), {("2015-01-10", "other", 2)}),
    "a plaster of unknown source counts for nothing": (treated("2015-01-10", "NDEP001", "unknown_source"), set()),
    "a fall is chained from one fracture to the next": (
        admitted("2015-01-10", "S525") + admitted("2015-04-10", "S525") + admitted("2015-08-09", "S525"),
        {("2015-01-10", "wrist", 2)},
    ),
    "exactly four months later is another fall": (
        admitted("2015-01-10", "S525") + admitted("2015-05-10", "S525"),
        {("2015-01-10", "wrist", 2), ("2015-05-10", "wrist", 2)},
    ),
    "of one day the most severe starts the fall": (
        treated("2015-01-10", "MGEP002") + admitted("2015-01-10", "S525"),
        {("2015-01-10", "wrist", 2)},
    ),
}


@pytest.mark.parametrize(("events", "expected"), FRACTURES.values(), ids=FRACTURES)
def test_a_fracture_is(events, expected):
    found = fractures(events, changed(STUDY, "outcomes", site_level="site").outcomes, CODELISTS)
    assert {(one.day.isoformat(), one.site, one.severity) for one in found} == expected


def test_by_group_of_sites_forearm_and_wrist_are_one_arm():
    arm = treated("2015-01-12", "MCEP001") + admitted("2015-01-10", "S525")
    assert fractures(arm, STUDY.outcomes, CODELISTS) == {
        Fracture(D("2015-01-10"), "distal_upper_limb", "hospital_stay", 2)
    }


def test_a_study_of_severe_hips_sees_nothing_else():
    events = admitted("2014-12-01", "S720") + admitted("2015-01-10", "S720", acts=["NBCA010"])
    severe = changed(STUDY, "outcomes", sites=("hip",), severity_minimum=3).outcomes
    found = fractures(events + admitted("2015-01-10", "S525", stay="arm"), severe, CODELISTS)
    assert found == {Fracture(D("2015-01-10"), "hip", "hospital_stay", 3)}


# --- the whole ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome_events", "days"), [("first", {"2014-10-01"}), ("all", {"2014-10-01", "2015-03-01"})])
def test_a_case_is_a_history_from_claims_and_stays_to_days_and_exposures(outcome_events, days):
    packs = {"2014-02-01": BISOPROLOL, "2014-09-01": ZOLPIDEM}
    rows = [
        claim(EXE_SOI_DTD=D(day), ER_PHA_F__PHA_PRS_C13=pack, DCT_ORD_NUM=number)
        for number, (day, pack) in enumerate(packs.items())
    ]
    falls = {"2014-01-20": "S720", "2014-10-01": "S720", "2015-03-01": "S525"}
    stays = [stay(EXE_SOI_DTD=D(day), RSA_NUM=day, MCO_B__DGN_PAL=code) for day, code in falls.items()]
    own = Records(tuple(rows), tuple(stays), referentials={"IR_BEN_R": (of_referential(),)})
    told = history(own, PACKS, changed(STUDY, "outcomes", outcome_events=outcome_events))
    assert told.lost_at is None and told.case
    assert {one.day for one in told.fractures["before"]} == {D("2014-01-20")}
    assert told.case.days == {D(day) for day in days}
    # Bisoprolol was bought in the washout: it stays in the exposures, marked, and out of the case series.
    assert told.case.exposures == {Exposure("N05CF02", D("2014-09-01"), STUDY_END, False)}
    assert {one.drug for one in told.exposures if one.prevalent} == {"C07AB07"}
