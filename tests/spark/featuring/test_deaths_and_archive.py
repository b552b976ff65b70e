"""Who is in a study and until when, where persons are archived, and deaths are told by several sources or by few."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_root import DAY, FILLERS, FIRST_FILLER, ZOLPIDEM, build_root, filled, person, purchase, stay

from parcours.cohort.plan import read_run, step_directory, write_run
from parcours.cohort.study import load_study
from parcours.stages.cohort import run_cohort
from parcours.stages.events import run_events

HOME = Path(__file__).parents[3]


def of(number, **other):
    return person(number, "1930", BEN_IDT_ANO=f"IDT{number}", BEN_NIR_ANO=f"NIR{number}", **other)


def certificate(number, day=None, month=None, **other):
    matched = {"DCD_IDT_TOP": 1, "BEN_IDT_ANO": f"IDT{number}", "BEN_NIR_ANO": f"NIR{number}"}
    return {"BEN_DCD_DTE": DAY(day) if day else None, "BEN_DCD_AME": month, **matched, **other}


def discharge(number, day, mode, **other):
    return {
        "person_id": number,
        "NIR_ANO_17": f"{number:017d}",
        "NIR_RET": "0",
        "EXE_SOI_DTF": DAY(day),
        **mode,
        **other,
    }


ARCHIVED = [
    of(20),  # in the archive alone, alive
    of(21, BEN_DCD_DTE=DAY("2015-09-01")),
    of(22, BEN_CDI_NIR="03"),  # provisional, as in IR_BEN_R
    of(23),  # shares an identifier
    of(24),  # died by a certificate
    of(2, BEN_DCD_DTE=DAY("2016-03-03")),  # in both: IR_BEN_R has no death
    of(3, BEN_SEX_COD=0),  # in both: IR_BEN_R says the sex
]
PERSONS = [
    of(1),
    of(2),
    of(3),
    of(4, BEN_DCD_AME="201508"),  # the month alone
    of(5),  # in hospital alone
    of(6, BEN_DCD_DTE=DAY("2016-01-01"), BEN_DCD_AME="201601"),  # a certificate says 2015-08-14
    of(7, BEN_DCD_AME="160001"),  # sentinel here, 2015-08-14 by certificate
    of(8),  # dead before the study by certificate
    of(9, BEN_DCD_DTE=DAY("1925-01-01"), BEN_DCD_AME="192501"),  # before birth
    of(10),  # dead in 2014 by certificate, and treated for years
    of(11),  # rehabilitation
    of(12),  # hospital at home, by the text of the PMSI
    of(13),  # psychiatry; the return code says that the stay may be another's
    of(14, BEN_DCD_DTE=DAY("2016-05-05")),
    of(14, BEN_DCD_DTE=DAY("2016-04-04"), BEN_RNG_GEM=2),  # another couple, not in the identity: of nobody
    of(15),  # a certificate that was not matched
]
CERTIFICATES = [
    certificate(6, "2015-08-14", "201508"),
    certificate(7, "2015-08-14", "201508"),
    certificate(8, "2014-02-02", "201402"),
    certificate(10, "2014-03-03", "201403"),
    certificate(15, "2015-08-14", "201508", DCD_IDT_TOP=0),
    certificate(24, None, "201510"),
    certificate(99, "2015-01-01", "201501"),  # of nobody known
]
CLAIMS = [
    purchase(1, "2015-06-01", ZOLPIDEM, 1),
    purchase(10, "2015-06-01", ZOLPIDEM, 2),
    purchase(10, "2016-06-01", ZOLPIDEM, 3),
    purchase(20, "2015-06-01", ZOLPIDEM, 4),
    purchase(70, "2015-06-01", ZOLPIDEM, 5),  # 70 and 71: care, and in no referential
    purchase(6, "2015-12-01", ZOLPIDEM, 6),  # after death
]
STAYS = [
    *stay(5, "2015-04-01", 1, "S720", MCO_B__SOR_MOD="9"),
    *stay(20, "2015-09-01", 2, "S720"),
    *stay(71, "2015-09-01", 3, "S720", MCO_B__SOR_MOD="9"),
]
TABLES = {
    "DCIR": {"2015-06": CLAIMS},
    "MCO": {"2015": STAYS},
    "IR_BEN_R": {"all": PERSONS},
    "IR_BEN_R_ARC": {"all": ARCHIVED},
    "IR_PHA_R": {"all": [{"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02", "PHA_CND_TOP": None}]},
    "KI_CCI_R": {"all": CERTIFICATES},
    "SSR": {"2015": [discharge(11, "2015-11-11", {"SSR_B__SOR_MOD": "9"}), discharge(1, "2015-11-11", {})]},
    "HAD": {"2015": [discharge(12, "2015-12-12", {"HAD_B__SOR_MOD": "9"}, EXE_SOI_DTF=None, SOR_DAT="13122015")]},
    "RIP": {"2015": [discharge(13, "2015-12-12", {"RIP_RSA__SOR_MOD": "9"}, NIR_RET="1")]},
}


def run(root):
    path = write_run(root, load_study(HOME / "cohorts" / "fall.yaml"), {"incomplete_data": "accept"})
    return {"run": read_run(path), "events": run_events(path), "cohort": run_cohort(path)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(build_root(tmp_path_factory.mktemp("root"), filled(TABLES), shared=(23,)))


def ends_of(finished):
    rows = pq.read_table(Path(finished["cohort"]["directory"]) / "follow_up.parquet").to_pylist()
    return {
        row["person_id"]: (str(row["end"]), row["end_reason"], row["death_source"])
        for row in rows
        if row["person_id"] < FIRST_FILLER
    }


def test_nobody_is_followed_after_a_credible_death(finished):
    alive = ("2017-12-31", "study_end", None)
    assert ends_of(finished) == {
        1: alive,
        2: ("2016-03-03", "death", "IR_BEN_R_ARC.BEN_DCD_DTE"),
        3: alive,
        4: ("2015-08-01", "death", "IR_BEN_R.BEN_DCD_AME"),
        5: ("2015-04-11", "death", "MCO_B.SOR_MOD"),
        6: ("2015-08-14", "death", "KI_CCI_R.BEN_DCD_DTE"),
        7: ("2015-08-14", "death", "KI_CCI_R.BEN_DCD_DTE"),
        9: alive,
        10: alive,
        11: ("2015-11-11", "death", "SSR_B.SOR_MOD"),
        12: ("2015-12-13", "death", "HAD_B.SOR_MOD"),
        13: alive,
        14: ("2016-05-05", "death", "IR_BEN_R.BEN_DCD_DTE"),
        15: alive,
        20: alive,
        21: ("2015-09-01", "death", "IR_BEN_R_ARC.BEN_DCD_DTE"),
        24: ("2015-10-01", "death", "KI_CCI_R.BEN_DCD_AME"),
    }


def test_persons_without_attributes_are_a_step(finished):
    chain = json.loads((Path(finished["cohort"]["directory"]) / "attrition.json").read_text("utf-8"))
    assert [(step["step"], step["persons"] - FILLERS, step["lost"]) for step in chain] == [
        ("persons", 22, 0),
        ("referential", 20, 2),  # 70, 71: care alone
        ("certified", 19, 1),  # 22
        ("known", 19, 0),
        ("age", 19, 0),
        ("identity", 18, 1),  # 23
        ("alive", 17, 1),  # 8
        ("cases", 2, 15),  # 5, 20
    ]


def test_who_tells_of_deaths_and_who_is_not_believed_is_counted_once_for_all_stages(finished):
    assert finished["events"]["deaths"] == {
        "told": {
            "HAD_B.SOR_MOD": 1,
            "IR_BEN_R.BEN_DCD_AME": 2,
            "IR_BEN_R.BEN_DCD_DTE": 2,
            "IR_BEN_R_ARC.BEN_DCD_DTE": 2,
            "KI_CCI_R.BEN_DCD_AME": 4,
            "KI_CCI_R.BEN_DCD_DTE": 3,
            "MCO_B.SOR_MOD": 2,
            "SSR_B.SOR_MOD": 1,
        },
        "not_credible": {"before_birth": 1, "care_after": 1},
        "by_source": {
            "HAD_B.SOR_MOD": 1,
            "IR_BEN_R.BEN_DCD_AME": 1,
            "IR_BEN_R.BEN_DCD_DTE": 1,
            "IR_BEN_R_ARC.BEN_DCD_DTE": 2,
            "KI_CCI_R.BEN_DCD_AME": 1,
            "KI_CCI_R.BEN_DCD_DTE": 3,
            "MCO_B.SOR_MOD": 2,
            "SSR_B.SOR_MOD": 1,
        },
        "disagree": 1,  # 6
        "certificates": {"of_a_person": 5, "not_matched": 1, "of_nobody_known": 1},
    }
    assert finished["events"]["not_delivered"] == ["MCO_CE"]
    assert finished["events"]["events_after_death"] == finished["cohort"]["events_after_death"] == {"drug_purchase": 1}
    # Of the followed: without 8, who died before, and 71, who is in no referential.
    assert finished["cohort"]["deaths"] == {
        **finished["events"]["deaths"]["by_source"],
        "KI_CCI_R.BEN_DCD_DTE": 2,
        "MCO_B.SOR_MOD": 1,
    }


def test_rows_that_filters_remove_are_counted_for_every_register(finished):
    rows = finished["events"]["rows"]
    assert rows["persons"] == {"read": 16 + FILLERS}
    assert rows["archived_persons"] == {"read": 7, "uncertified_identifier": 1}
    assert rows["ssr_hospital_stay"] == {"read": 2, "became_events": 2}
    assert rows["rip_hospital_stay"] == {"read": 1, "became_events": 0, "return_code": 1}


def test_every_telling_is_kept_with_its_verdict(finished):
    deaths = pq.read_table(step_directory(finished["run"], "persons") / "deaths.parquet").to_pylist()
    tellings = [row for row in deaths if row["person_id"] in (6, 10)]
    assert sorted((row["person_id"], row["source"], str(row["first"]), row["verdict"]) for row in tellings) == [
        (6, "IR_BEN_R.BEN_DCD_AME", "2016-01-01", "credible"),
        (6, "IR_BEN_R.BEN_DCD_DTE", "2016-01-01", "credible"),
        (6, "KI_CCI_R.BEN_DCD_AME", "2015-08-01", "credible"),
        (6, "KI_CCI_R.BEN_DCD_DTE", "2015-08-14", "credible"),
        (10, "KI_CCI_R.BEN_DCD_AME", "2014-03-01", "care_after"),
        (10, "KI_CCI_R.BEN_DCD_DTE", "2014-03-03", "care_after"),
    ]


def test_a_study_needs_neither_archive_nor_certificates(tmp_path):
    required = {name: TABLES[name] for name in ("DCIR", "MCO", "IR_BEN_R", "IR_PHA_R")}
    without = run(build_root(tmp_path, filled(required)))
    assert without["events"]["not_delivered"] == ["HAD", "IR_BEN_R_ARC", "KI_CCI_R", "MCO_CE", "RIP", "SSR"]
    assert without["events"]["deaths"]["certificates"] == {}
    ends = ends_of(without)
    assert ends[6] == ("2016-01-01", "death", "IR_BEN_R.BEN_DCD_DTE")
    assert ends[7] == ("2017-12-31", "study_end", None)
    assert 20 not in ends
