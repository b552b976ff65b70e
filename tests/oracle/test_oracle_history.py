"""What the oracle makes of deaths, follow-up and exposures, case by case."""

import datetime as dt

import pytest

from tests.oracle.deaths import Death, Telling, death_of, holders, told_by_discharges, told_by_referential
from tests.oracle.events import Event
from tests.oracle.exposures import exposures
from tests.oracle.flat_rows import of_referential
from tests.oracle.histories import BISOPROLOL, NO_ATC, PACKS, TWO_SUBFAMILIES, UNKNOWN_CIP13, ZOLPIDEM, ZOLPIDEM_LARGE
from tests.oracle.history import FollowUp, Person, follow_up, person_of, step_lost
from tests.oracle.observation import Observed
from tests.oracle.small_studies import STUDY, changed

D = dt.date.fromisoformat
STUDY_END = D("2015-06-30")


# --- deaths -------------------------------------------------------------------------------------------------------

REFERENTIAL, STAY, CERTIFICATE = "IR_BEN_R.BEN_DCD_DTE", "MCO_B.SOR_MOD", "KI_CCI_R.BEN_DCD_DTE"
MONTH = Telling("IR_BEN_R.BEN_DCD_AME", D("2015-08-01"), D("2015-08-31"))


def on(source, day):
    return Telling(source, D(day), D(day))


def care(*days):
    return [Event("drug_purchase", str(ZOLPIDEM), None, D(day)) for day in days]


DEATHS = {
    "the earliest death counts": (
        [on(REFERENTIAL, "2016-01-01"), on(CERTIFICATE, "2015-08-14")],
        [],
        Death(D("2015-08-14"), CERTIFICATE, True),
    ),
    "of one day the first source by precedence is named": (
        [on(STAY, "2015-08-14"), on(REFERENTIAL, "2015-08-14")],
        [],
        Death(D("2015-08-14"), REFERENTIAL, False),
    ),
    "a month gives way to a day in it": ([MONTH, on(STAY, "2015-08-31")], [], Death(D("2015-08-31"), STAY, False)),
    "a month alone is its first day": ([MONTH], [], Death(D("2015-08-01"), MONTH.source, False)),
    "a day apart is no disagreement": (
        [on(REFERENTIAL, "2015-08-14"), on(STAY, "2015-08-15")],
        [],
        Death(D("2015-08-14"), REFERENTIAL, False),
    ),
    "nobody dies before the year of birth": ([on(REFERENTIAL, "1934-12-31")], [], None),
    "who died in a later stay did not die in an earlier one": (
        [on(STAY, "2015-03-06"), on("SSR_B.SOR_MOD", "2015-06-01")],
        [],
        Death(D("2015-06-01"), "SSR_B.SOR_MOD", False),
    ),
    "two days of care more than a year later disprove a death": (
        [on(REFERENTIAL, "2014-01-01")],
        care("2015-01-02", "2015-01-03"),
        None,
    ),
    "one such day does not": (
        [on(REFERENTIAL, "2014-01-01")],
        care("2015-01-01", "2015-01-02", "2015-01-02"),
        Death(D("2014-01-01"), REFERENTIAL, False),
    ),
}


@pytest.mark.parametrize(("told", "events", "expected"), DEATHS.values(), ids=DEATHS)
def test_a_death_is_the_earliest_that_is_credible(told, events, expected):
    assert death_of(told, D("1935-06-15"), events) == expected


def test_the_row_updated_last_tells_the_death_of_its_couple():
    rows = [
        of_referential(BEN_DCD_DTE=D("2015-03-11"), BEN_DTE_MAJ=D("2016-01-01")),
        of_referential(BEN_DCD_DTE=D("2015-03-01"), BEN_DTE_MAJ=D("2015-04-01")),
        of_referential(BEN_DCD_AME="160001", BEN_DTE_MAJ=D("2017-01-01")),
        of_referential(BEN_NIR_PSA="PSA2", BEN_DCD_DTE=D("2015-05-05")),
    ]
    assert told_by_referential(rows, "IR_BEN_R") == {on(REFERENTIAL, "2015-03-11"), on(REFERENTIAL, "2015-05-05")}


def test_a_discharge_by_death_tells_the_last_day_of_the_stay():
    weeks = [{"person_id": 1, "SSR_B__SOR_MOD": mode, "SOR_DAT": "20042015"} for mode in ("9", "8")]
    assert told_by_discharges(weeks, "SSR") == {on("SSR_B.SOR_MOD", "2015-04-20")}


def test_a_certificate_is_of_who_holds_its_identifier():
    rows = {
        1: [of_referential(BEN_IDT_ANO="IDT1", BEN_NIR_ANO="NIR1")],
        2: [of_referential(BEN_NIR_PSA="PSA2", BEN_RNG_GEM=2, BEN_IDT_ANO=None, BEN_NIR_ANO="TWICE")],
        3: [of_referential(BEN_NIR_PSA="PSA3", BEN_IDT_ANO="IDT3", BEN_NIR_ANO="TWICE")],
    }
    assert holders({"BEN_IDT_ANO": "IDT1"}, rows) == {1}
    assert holders({"BEN_IDT_ANO": "PSA22"}, rows) == {2}
    assert holders({"BEN_IDT_ANO": "other", "BEN_NIR_ANO": "NIR1"}, rows) == {1}
    assert holders({"BEN_NIR_ANO": "TWICE"}, rows) == set()
    assert holders({"BEN_IDT_ANO": "IDT1", "DCD_IDT_TOP": 0}, rows) == set()


# --- population ---------------------------------------------------------------------------------------------------

SEEN = Observed(None, D("2014-04-01"), None, False)
KNOWN = Person(True, True, 2, D("1940-06-15"), False)
STEPS = {
    "a woman of 73": (KNOWN, None, None),
    "somebody whom only care knows": (Person(False, False, None, None, False), None, "referential"),
    "a provisional identifier": (Person(True, False, 2, D("1940-06-15"), False), None, "certified"),
    "no sex": (Person(True, True, None, D("1940-06-15"), False), None, "known"),
    "64 on the first day of the study": (Person(True, True, 2, D("1949-01-15"), False), None, "age"),
    "an identifier shared with a twin": (Person(True, True, 2, D("1940-06-15"), True), None, "identity"),
    "death the day before follow-up": (KNOWN, D("2014-03-31"), "alive"),
    "death on its first day": (KNOWN, D("2014-04-01"), None),
}


@pytest.mark.parametrize(("person", "death", "expected"), STEPS.values(), ids=STEPS)
def test_a_person_is_lost_at_the_first_step_that_it_does_not_pass(person, death, expected):
    died = death and Death(death, REFERENTIAL, False)
    assert step_lost(person, died, True, SEEN, STUDY.population) == expected


def test_follow_up_ends_with_death_or_with_the_study():
    start = D("2014-04-01")
    died, later = Death(STUDY_END, STAY, False), Death(D("2015-07-01"), STAY, False)
    assert follow_up(died, SEEN, STUDY.population) == FollowUp(start, STUDY_END, "death", STAY)
    assert follow_up(later, SEEN, STUDY.population) == FollowUp(start, STUDY_END, "study_end", None)


def test_the_archive_tells_of_couples_that_it_alone_holds():
    archived = of_referential(BEN_NAI_MOI="00", BEN_SEX_COD=1)
    doubtful = of_referential(BEN_CDI_NIR="03")
    assert person_of({"IR_BEN_R_ARC": [archived]}) == Person(True, True, 1, D("1935-07-15"), False)
    assert person_of({"IR_BEN_R": [doubtful], "IR_BEN_R_ARC": [archived]}) == Person(True, False, None, None, False)


# --- exposures ----------------------------------------------------------------------------------------------------


def bought(*days, pack=BISOPROLOL):
    return [Event("drug_purchase", str(pack), None, D(day), weight=1.0) for day in days]


def exposed(events, section="exposures", **values):
    """(start, end, prevalent) of the exposures with some parameters changed."""
    found = exposures(events, PACKS, STUDY_END, changed(STUDY, section, **values))
    return sorted((one.start.isoformat(), one.end.isoformat(), one.prevalent) for one in found)


FIVE = bought("2014-01-08", "2014-02-05", "2014-03-12", "2014-04-20", "2014-06-03")
END = STUDY_END.isoformat()
EXPOSURES = {
    "five purchases that follow each other are one exposure": (
        FIVE,
        {"kind": "limited"},
        [("2014-01-08", "2014-06-07", True)],
    ),
    "which may end when the last pack is used up": (
        FIVE,
        {"kind": "limited", "limited_end": "latest_purchase"},
        [("2014-01-08", "2014-07-03", True)],
    ),
    "14 days without the medicine join, 15 do not": (
        bought("2014-05-01", "2014-06-14", "2014-07-29"),
        {"kind": "limited"},
        [("2014-05-01", "2014-06-30", False), ("2014-07-29", "2014-08-28", False)],
    ),
    "the large pack of a day covers it": (
        bought("2014-05-01", pack=ZOLPIDEM) + bought("2014-05-01", pack=ZOLPIDEM_LARGE),
        {"kind": "limited"},
        [("2014-05-01", "2014-07-30", False)],
    ),
    "an exposure ends with follow-up": (bought("2015-06-20"), {"kind": "limited"}, [("2015-06-20", END, False)]),
    "one that starts after it is none": (bought("2015-06-30"), {"start_delay_days": 1}, []),
    "unlimited starts at the purchase that completes the run": (
        bought("2014-03-01", "2014-09-01", "2014-10-01", "2014-11-01"),
        {"min_purchases": 2, "start_delay_days": 3},
        [("2014-10-04", END, False)],
    ),
    "purchases at both ends of the window are within it": (
        bought("2014-05-01", "2014-05-11"),
        {"min_purchases": 2, "purchases_window_days": 10},
        [("2014-05-11", END, False)],
    ),
    "two packs on one day are one purchase": (bought("2014-05-01", "2014-05-01"), {"min_purchases": 2}, []),
    "the last day of the washout is prevalent, whatever the delay": (
        bought("2014-02-28"),
        {"start_delay_days": 30},
        [("2014-03-30", END, True)],
    ),
    "the day after the washout is new": (bought("2014-03-01"), {}, [("2014-03-01", END, False)]),
    "a second run of a prevalent user is no first use": (
        bought("2014-02-03", "2015-02-03"),
        {"kind": "limited"},
        [("2014-02-03", "2014-03-05", True), ("2015-02-03", "2015-03-05", True)],
    ),
}


@pytest.mark.parametrize(("events", "values", "expected"), EXPOSURES.values(), ids=EXPOSURES)
def test_an_exposure_lasts(events, values, expected):
    assert exposed(events, **values) == expected


@pytest.mark.parametrize(
    ("level", "pack", "drugs"),
    [
        ("substance", ZOLPIDEM, {"N05CF02"}),
        ("atc_class", ZOLPIDEM, {"N05CF"}),
        ("family", ZOLPIDEM, {"hypnotics"}),
        ("family", TWO_SUBFAMILIES, {"hypnotics"}),  # excluded from one subfamily, included in another
        ("cip13", UNKNOWN_CIP13, {str(UNKNOWN_CIP13)}),
        ("substance", NO_ATC, set()),
        ("family", UNKNOWN_CIP13, set()),
    ],
)
def test_a_pack_is_a_medicine_at_the_level_of_the_study(level, pack, drugs):
    found = exposures(bought("2014-05-01", pack=pack), PACKS, STUDY_END, changed(STUDY, "medicines", level=level))
    assert {one.drug for one in found} == drugs


def test_atc_codes_to_leave_out_win_over_those_to_keep():
    hypnotics = bought("2014-05-01", pack=ZOLPIDEM) + bought("2014-05-01", pack=NO_ATC)
    assert exposed(hypnotics, "medicines", level="cip13", atc_include=("N05",)) == [("2014-05-01", END, False)]
    assert exposed(hypnotics, "medicines", level="cip13", atc_include=("N05",), atc_exclude=("N05CF",)) == []
