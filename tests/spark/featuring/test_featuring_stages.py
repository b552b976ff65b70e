"""From published flat tables to the case series: the three stages on a root of nine persons."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_root import BISOPROLOL, DAY, FILLERS, FIRST_FILLER, ZOLPIDEM, act, build_root, filled, person, purchase, stay

from parcours.cohort.outcomes import outcomes_of
from parcours.cohort.plan import planned_stages, read_run, step_directory, write_run
from parcours.cohort.study import load_study
from parcours.errors import GateRefused, InputError
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events
from parcours.storage.manifest import read_manifest, write_manifest

HOME = Path(__file__).parents[3]
PERSONS = [
    person(1, "1930"),
    person(2, "1940"),
    person(3, "1960"),
    person(4, "1930", BEN_DCD_DTE=DAY("2014-06-01")),
    person(5, "1930", BEN_DCD_DTE=DAY("2016-02-10")),
    person(6, "1930", BEN_CDI_NIR="03"),
    person(7, "1930"),
    person(8, "1930", BEN_SEX_COD=0),
    # The same person twice: the latest row says when she died, most rows when she was born.
    person(9, "1935", BEN_DTE_MAJ=DAY("2015-01-01")),
    person(9, "1935"),
    person(9, "1925", BEN_DCD_DTE=DAY("2017-05-05"), BEN_DTE_MAJ=DAY("2019-01-01")),
]
CLAIMS = [
    purchase(1, "2014-03-01", ZOLPIDEM, 1),
    purchase(1, "2014-10-01", BISOPROLOL, 2),
    purchase(1, "2015-02-01", BISOPROLOL, 3),
    purchase(2, "2015-05-01", ZOLPIDEM, 4),
    purchase(5, "2015-06-01", ZOLPIDEM, 5, DPN_QLF=71),
    purchase(5, "2015-06-02", ZOLPIDEM, 6, DPN_QLF=0),
    purchase(5, "2016-03-01", ZOLPIDEM, 7),
    purchase(9, "2015-06-02", ZOLPIDEM, 8, BSE_PRS_NAT=0),
    purchase(9, "2015-06-02", ZOLPIDEM, 9, CPL_MAJ_TOP=2),
    purchase(None, "2015-06-02", ZOLPIDEM, 10),
    purchase(9, "", ZOLPIDEM, 11),
    act(2, "2015-09-01", "MADP001", 12),
    act(2, "2016-09-01", "NDEP001", 13, ER_ETE_F__ETE_IND_TAA=1),
    act(9, "2016-09-01", "NDEP001", 14, ER_ETE_F__ETE_IND_TAA=0, ER_ETE_F__ETE_GHS_NUM=0, ER_ETE_F__ETE_TYP_COD=4),
]
STAYS = [
    *stay(1, "2015-03-01", 1, "S7200"),
    *stay(1, "2015-05-01", 2, "S720"),
    *stay(1, "2016-01-01", 3, "S525"),
    *stay(5, "2016-02-01", 4, "S720", MCO_B__SOR_MOD="9"),
    *stay(7, "2015-03-01", 5, "S720"),
    *stay(9, "2015-03-01", 6, "S720", NIR_RET="1"),
    *stay(9, "2015-04-01", 7, "S720", MCO_B__GRG_GHM="90Z00Z"),
    *stay(9, "2015-05-01", 8, "S720", ETA_NUM="130780521"),
    *stay(9, "2014-05-01", 9, "S820", COH_NAI_RET=None, MCO_B__GRG_GHM=None),
]
PACKS = [
    {"PHA_CIP_C13": BISOPROLOL, "PHA_ATC_C07": "C07AB07", "PHA_CND_TOP": "GC"},
    {"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02", "PHA_CND_TOP": None},
]
TABLES = {
    "DCIR": {"2015-06": CLAIMS[:7], "2015-07": CLAIMS[7:]},
    "MCO": {"2015": STAYS},
    "IR_BEN_R": {"all": PERSONS},
    "IR_PHA_R": {"all": PACKS},
}


@pytest.fixture(scope="module")
def study():
    return load_study(HOME / "cohorts" / "fall.yaml")


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    """The root, the run and the summaries of its three stages."""
    root = build_root(tmp_path_factory.mktemp("root"), filled(TABLES), shared=(7,))
    path = write_run(root, study, {"incomplete_data": "accept"})
    summaries = {"events": run_events(path), "cohort": run_cohort(path), "features": run_features(path)}
    return root, path, summaries


def rows_of(finished, stage, name):
    """The rows of a result of a stage, of all slices; of events, those of a category."""
    _, path, summaries = finished
    if stage == "events":
        table = pq.read_table(step_directory(read_run(path), name))
    else:
        table = pq.read_table(Path(summaries[stage]["directory"]) / f"{name}.parquet")
    return [row for row in table.to_pylist() if row["person_id"] < FIRST_FILLER]


def test_every_row_that_a_filter_removes_is_counted(finished):
    # Two flat rows for each stay, one of them the category's own.
    stays = {"read": 18 + 2 * FILLERS, "became_events": 6 + FILLERS, "not_its_own": 9 + FILLERS}
    removed = {"doubled_hospital": 1, "grouping_error": 1, "return_code": 1}
    own = ("mco_hospital_stay", "mco_main_diagnosis", "mco_associated_diagnosis", "mco_ccam_act")
    assert finished[2]["events"]["rows"] == {
        "drug_purchase": {
            "read": 14,
            "became_events": 6,
            "not_its_own": 3,
            "no_person": 1,
            "no_care_date": 1,
            "information_line": 1,
            "no_base_act": 1,
            "surcharge_line": 1,
        },
        "dcir_ccam_act": {"read": 14, "became_events": 2, "not_its_own": 11, "public_hospital_activity": 1},
        **dict.fromkeys(own, stays | removed),
        "mco_linked_diagnosis": {"read": 18 + 2 * FILLERS, "became_events": 0, "not_its_own": 18 + 2 * FILLERS},
        "persons": {"read": 11 + FILLERS, "uncertified_identifier": 1},
    }


def test_every_row_that_is_read_is_accounted_for(finished):
    for counts in (counts for name, counts in finished[2]["events"]["rows"].items() if name != "persons"):
        assert counts["read"] == sum(rows for rule, rows in counts.items() if rule != "read")


def test_an_empty_cell_is_no_reason_to_lose_a_row(finished):
    # DPN_QLF, CPL_MAJ_TOP, ETE_IND_TAA, GHM and COH_NAI_RET are empty in rows that must stay.
    bought = {(row["person_id"], str(row["start"])) for row in rows_of(finished, "events", "drug_purchase")}
    stays = {(row["person_id"], str(row["start"])) for row in rows_of(finished, "events", "mco_hospital_stay")}
    assert (1, "2014-03-01") in bought
    assert (9, "2014-05-01") in stays


def test_events_have_one_schema_and_no_repeats(finished):
    counts = finished[2]["events"]["events"]
    assert counts["drug_purchase"] == 6
    assert counts["dcir_ccam_act"] == 2
    assert counts["mco_main_diagnosis"] == counts["mco_hospital_stay"] == counts["mco_ccam_act"] == 6 + FILLERS
    act_rows = rows_of(finished, "events", "dcir_ccam_act")
    assert {(row["code"], row["source"]) for row in act_rows} == {
        ("MADP001", "liberal"),
        ("NDEP001", "private_ambulatory"),
    }


def test_each_step_says_how_many_persons_it_costs(finished):
    chain = json.loads((Path(finished[2]["cohort"]["directory"]) / "attrition.json").read_text("utf-8"))
    assert [(step["step"], step["persons"] - FILLERS, step["lost"]) for step in chain] == [
        ("persons", 9, 0),
        ("referential", 9, 0),
        ("certified", 8, 1),  # 6: provisional identifier
        ("known", 7, 1),  # 8: sex not known
        ("age", 6, 1),  # 3: born in 1960
        ("identity", 5, 1),  # 7: shares an identifier
        ("alive", 4, 1),  # 4: dead before follow-up starts
        ("cases", 4, 0),
    ]


def test_follow_up_ends_with_the_study_or_with_death(finished):
    ends = {row["person_id"]: (str(row["end"]), row["end_reason"]) for row in rows_of(finished, "cohort", "follow_up")}
    assert ends == {
        1: ("2017-12-31", "study_end"),
        2: ("2017-12-31", "study_end"),
        5: ("2016-02-10", "death"),
        9: ("2017-05-05", "death"),
    }


def test_exposures_keep_their_start_and_mark_prevalent_users(finished):
    exposures = rows_of(finished, "cohort", "exposures")
    assert {(r["person_id"], r["drug"], str(r["start"]), str(r["end"]), r["prevalent"]) for r in exposures} == {
        (1, "N05CF02", "2014-03-01", "2017-12-31", True),  # bought in the first six months
        (1, "C07AB07", "2014-10-01", "2017-12-31", False),  # started before follow-up, still counts
        (2, "N05CF02", "2015-05-01", "2017-12-31", False),
        (5, "N05CF02", "2015-06-02", "2016-02-10", False),
    }


def test_outcomes_are_falls_of_followed_persons(finished):
    outcomes = rows_of(finished, "cohort", "outcomes")
    assert {(r["person_id"], str(r["date"]), r["site"], r["category"], r["severity"]) for r in outcomes} == {
        (1, "2015-03-01", "hip", "hospital_stay", 3),  # the stay of May is the same fall
        (1, "2016-01-01", "distal_upper_limb", "hospital_stay", 3),
        (2, "2015-09-01", "clavicle", "liberal_act", 1),
        (5, "2016-02-01", "hip", "hospital_stay", 4),
        (9, "2016-09-01", "distal_lower_limb", "private_ambulatory_act", 1),
    }
    assert finished[2]["cohort"]["outcomes"] == {"before": 1, "during": 5 + FILLERS}
    assert finished[2]["cohort"]["rules_without_data"] == ["public_ambulatory_act"]


def test_care_after_death_is_counted(finished):
    assert finished[2]["cohort"]["events_after_death"] == {"drug_purchase": 1}


def day(text):
    return (DAY(text) - DAY("1970-01-01")).days


def test_the_case_series_holds_each_case_with_the_first_fall(finished):
    assert rows_of(finished, "features", "events") == [
        {"person_id": 1, "day": day("2015-03-01")},
        {"person_id": 2, "day": day("2015-09-01")},
        {"person_id": 5, "day": day("2016-02-01")},
        {"person_id": 9, "day": day("2016-09-01")},
    ]
    assert rows_of(finished, "features", "persons")[0] == {
        "person_id": 1,
        "start": day("2015-01-01"),
        "end": day("2017-12-31"),
        "birth": day("1930-06-15"),
    }
    drugs = {(row["person_id"], row["drug"]) for row in rows_of(finished, "features", "exposures")}
    assert drugs == {(1, "C07AB07"), (2, "N05CF02"), (5, "N05CF02")}


def test_the_models_take_the_features_as_they_are(finished):
    import pandas as pd

    from parcours.models import CaseSeries

    folder = Path(finished[2]["features"]["directory"])
    tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("persons", "events", "exposures")]
    CaseSeries(*tables)


def test_the_same_run_again_does_nothing(finished):
    root, path, _summaries = finished
    assert {run(path)["status"] for run in (run_events, run_cohort, run_features)} == {"reused"}
    assert [stage["done"] for stage in planned_stages(json.loads(path.read_text("utf-8")))] == [True] * 3 + [False] * 2
    assert not list((root.path / "_staging").glob("*/*"))


def test_another_setting_reuses_the_events_and_needs_its_own_cohort(finished, study):
    root, _, _summaries = finished
    other = write_run(root, study, {"incomplete_data": "accept", "age_minimum": 80})
    assert run_events(other)["status"] == "reused"
    with pytest.raises(InputError, match="has no cohort yet; run that stage first"):
        run_features(other)


def test_another_setting_takes_over_what_it_does_not_change(finished, study):
    root, path, _summaries = finished
    other = write_run(root, study, {"incomplete_data": "accept", "washout_months": 0})
    assert run_events(other)["computed"] == []
    cohort = run_cohort(other)
    steps = read_manifest(Path(cohort["directory"]))["steps"]
    first = read_run(path)["fingerprint"]
    assert {name: step.get("reused_from") for name, step in steps.items()} == {
        "population": first,
        "outcomes": first,
        "exposures": None,
    }
    before = finished[2]["cohort"]
    assert cohort["attrition"] == before["attrition"] and cohort["outcomes"] == before["outcomes"]
    assert before["exposures"] == {"kept": 3, "prevalent": 1} and cohort["exposures"] == {"kept": 4, "prevalent": 0}


def test_a_run_that_died_goes_on_with_what_it_has_made(study, tmp_path, monkeypatch):
    root = build_root(tmp_path, filled(TABLES), shared=(7,))
    path = write_run(root, study, {"incomplete_data": "accept"})
    run_events(path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0})  # one slice after the other
    computed = []

    def dies_at(number):
        def outcomes(*arguments):
            computed.append(1)
            if len(computed) == number:
                raise MemoryError
            return outcomes_of(*arguments)

        monkeypatch.setattr("parcours.cohort.slices.outcomes_of", outcomes)

    dies_at(2)
    with pytest.raises(MemoryError):
        run_cohort(path)
    made = len(list(root.path.glob("_staging/*/*/files/_slices/*.json")))
    assert made == 1
    computed.clear()
    dies_at(None)
    cohort = run_cohort(path)
    slices = read_manifest(Path(cohort["directory"]))["steps"]["outcomes"]["slices"]
    assert len(computed) == len(slices) - made > 0
    assert cohort["outcomes"] == {"before": 1, "during": 5 + FILLERS}
    assert not list((root.path / "_staging").glob("*/*"))


def test_a_period_replaced_after_planning_stops_the_run(study, tmp_path):
    root = build_root(tmp_path, TABLES)
    path = write_run(root, study, {"incomplete_data": "accept"})
    directory = root.period("MCO", "2015")
    manifest = read_manifest(directory)
    write_manifest(directory, {**manifest, "fingerprint": "another"})
    with pytest.raises(GateRefused, match="changed since the gate looked"):
        run_events(path)


def test_names_and_lags_are_kept_with_the_events(finished):
    run = read_run(finished[1])
    names = pq.read_table(step_directory(run, "medicines") / "medicine_names.parquet").to_pylist()
    lags = pq.read_table(step_directory(run, "flux_lags") / "flux_lags.parquet").to_pylist()
    assert {(row["PHA_CIP_C13"], row["PHA_ATC_C07"]) for row in names} == {
        (BISOPROLOL, "C07AB07"),
        (ZOLPIDEM, "N05CF02"),
    }
    dated = [claim for claim in CLAIMS if claim["EXE_SOI_DTD"] is not None]
    assert sum(row["rows"] for row in lags) == len(dated)
    assert {row["flux"] for row in lags} == {"2015-06", "2015-07"}
    assert finished[2]["cohort"]["missing_care"] == {"measured": False}, "two flux months tell nothing of lags"


def test_an_identity_made_anew_after_planning_stops_the_run(study, tmp_path):
    root = build_root(tmp_path, TABLES)
    path = write_run(root, study, {"incomplete_data": "accept"})
    write_manifest(root.identity, {"fingerprint": "f", "mapping": "another"})
    with pytest.raises(GateRefused, match="changed since run"):
        run_events(path)


@pytest.fixture(scope="module")
def few_falls(tmp_path_factory):
    """The fillers are followed and have no fracture: four cases are left of sixteen persons."""
    tables = filled(TABLES)
    return build_root(tmp_path_factory.mktemp("few"), {**tables, "MCO": {"2015": STAYS}})


@pytest.mark.parametrize(
    ("changes", "left", "steps"),
    [
        ({"age_minimum": 110}, "nobody", 'by the step "aged 110 to 120 on 2014-01-01"; change'),
        ({"age_maximum": 80}, "fewer than 11 persons", 'by the step "aged 65 to 80 on 2014-01-01"; change'),
        ({"sex": "men"}, "nobody", 'by the step "men only"; change'),
        ({}, "fewer than 11 persons", 'by the step "with a fracture during follow-up"; change'),
    ],
)
def test_too_few_to_report_end_at_the_cohort_with_the_step_that_lost_them(few_falls, study, changes, left, steps):
    path = write_run(few_falls, study, {"incomplete_data": "accept", **changes})
    run_events(path)
    with pytest.raises(InputError) as refused:
        run_cohort(path)
    assert str(refused.value).startswith(f"Study fall is left with {left}, too few to report, {steps}")
    assert not (path.parent / "cohort").exists()
    assert not list((few_falls.path / "_staging").glob("*/*"))
