"""Planning a run: what it is made of, when it is the same run, and what it refuses."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.plan import (
    done_stage,
    done_step,
    planned_stages,
    read_run,
    stage_directory,
    stage_key,
    step_directory,
    study_of,
    write_run,
)
from parcours.cohort.study import load_study, resolve
from parcours.errors import InputError
from parcours.storage.manifest import write_manifest
from parcours.storage.publication import publish
from parcours.storage.root import Root, ensure_layout

HOME = Path(__file__).parents[3]
MONTHS = [f"{year}-{month:02d}" for year in range(2014, 2019) for month in range(1, 13)][:54]  # to 2018-06
PERIODS = {"DCIR": MONTHS, "MCO": ["2014", "2015", "2016", "2017"], "IR_BEN_R": ["all"], "IR_PHA_R": ["all"]}


@pytest.fixture
def study():
    return load_study(HOME / "cohorts" / "fall.yaml")


@pytest.fixture
def root_with(tmp_path):
    def build(periods):
        root = Root(tmp_path)
        ensure_layout(root)
        for product, names in periods.items():
            for period in names:
                write_manifest(root.period(product, period), {"fingerprint": f"{product}-{period}"})
            publish(root, product, tmp_path / "verdict.json", {period: f"{product}-{period}" for period in names})
        return root

    return build


def test_a_run_file_holds_everything_that_decides_the_result(root_with, study):
    root = root_with(PERIODS)
    path = write_run(root, study, {"age_minimum": 70}, airflow={"dag_id": "study__fall", "run_id": "r1"})
    run = read_run(path)
    assert path == root.study("fall", run["fingerprint"]) / "run.json"
    assert run["study"]["population"]["age_minimum"] == 70
    assert run["data"]["MCO"] == {year: f"MCO-{year}" for year in PERIODS["MCO"]}
    assert set(run["codelists"]) >= {
        "fracture.yaml",
        "fracture_codes.csv",
        "fracture_sites.csv",
        "finess_double_count.csv",
    }
    assert run["airflow"] == {"dag_id": "study__fall", "run_id": "r1"}
    assert study_of(run).as_dict() == run["study"]


def test_the_same_question_on_the_same_data_is_the_same_run(root_with, study):
    root = root_with(PERIODS)
    first = write_run(str(root.path), study, {})
    assert write_run(root, study, {"age_minimum": "65"}, airflow={"dag_id": "d", "run_id": "r"}) == first
    assert write_run(root, study, {"age_minimum": 66}) != first


def test_a_what_if_run_keeps_what_it_changed_and_is_never_the_study_itself(root_with, study):
    root = root_with(PERIODS)
    what_if = read_run(write_run(root, study, {"age_minimum": 75}))
    assert what_if["changes"] == {"age_minimum": {"file": 65, "run": 75}}
    assert what_if["title"] == "Medicines and fractures after a fall: 75 and over, 2014 to 2017"
    assert what_if["name"] == f"fall · 75 and over · data to {max(PERIODS['DCIR'])}"
    itself = read_run(write_run(root, resolve(study, {"age_minimum": 75}), {}))
    assert itself["changes"] == {} and itself["study"] == what_if["study"]
    assert itself["fingerprint"] != what_if["fingerprint"]


def test_a_run_on_any_made_up_period_is_synthetic(root_with, study):
    root = root_with(PERIODS)
    assert read_run(write_run(root, study, {}))["synthetic"] is False
    manifest = {"fingerprint": "MCO-2016", "config": {"synthetic": True}}
    write_manifest(root.period("MCO", "2016"), manifest)
    assert read_run(write_run(root, study, {}))["synthetic"] is True


COHORT = {"population", "exposures", "outcomes"}
AFTER = {"features", "model"}
MCO = {"mco_ccam_act", "mco_hospital_stay", "mco_main_diagnosis", "mco_linked_diagnosis", "mco_associated_diagnosis"}
DCIR = {"drug_purchase", "dcir_ccam_act"}


def planned(root, study, **overrides):
    return read_run(write_run(root, study, overrides))


def made_again(before, after):
    """The steps of a run that a run before it does not have."""
    known = {step["fingerprint"] for step in before["steps"]}
    return {step["step"] for step in after["steps"] if step["fingerprint"] not in known}


def replace_period(root, product, period):
    """Flatten and publish one period anew."""
    write_manifest(root.period(product, period), {"fingerprint": "late"})
    published = {name: f"{product}-{name}" for name in PERIODS[product]} | {period: "late"}
    publish(root, product, root.path / "v.json", published)


def test_the_steps_of_a_run_go_from_events_to_the_model(root_with, study):
    run = planned(root_with(PERIODS), study)
    stages = {step["step"]: step["stage"] for step in run["steps"]}
    events = {*MCO, *DCIR, "medicines", "flux_lags", "persons"}
    assert stages == dict.fromkeys(events, "events") | dict.fromkeys(COHORT, "cohort") | {name: name for name in AFTER}
    assert [step["step"] for step in run["steps"]][-5:] == ["population", "exposures", "outcomes", "features", "model"]
    assert step_directory(run, "persons") == Root(Path(run["root"])).events(
        "persons", next(step["fingerprint"] for step in run["steps"] if step["step"] == "persons")
    )


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"seed": 7}, {"model"}),
        ({"bootstrap": 50, "season": False, "age_cuts_years": [70], "min_exposed_cases": 50}, {"model"}),
        ({"washout_months": 5}, {"exposures", *AFTER}),
        ({"level": "atc_class"}, {"exposures", *AFTER}),
        ({"kind": "limited", "large_pack_days": 60}, {"exposures", *AFTER}),
        ({"severity_minimum": 2}, {"outcomes", *AFTER}),
        ({"frame_months": 6}, {"outcomes", *AFTER}),
        ({"rules": ["hospital_stay"]}, {"outcomes", *AFTER}),
        ({"outcome_events": "all"}, AFTER),
        ({"lags": 6}, AFTER),  # they decide who is an exposed case
        ({"age_minimum": 80}, {*COHORT, *AFTER}),
        # Which periods a study asks for decides whether it may run, and nothing else.
        ({"late_flux_months": 0}, set()),
        ({"incomplete_data": "accept"}, set()),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_parameter_makes_again_the_steps_that_use_it(root_with, study, changes, steps):
    root = root_with(PERIODS)
    assert made_again(planned(root, study), planned(root, study, **changes)) == steps


# Of a population that looks at them, purchases and outcomes are a part.
FIRST = {"observation_from": "first_purchase"}
EARLY = {"first_purchase_within_months": 12}
DROPPED = {"prior_outcome": "drop"}


@pytest.mark.parametrize(
    ("population", "changes", "steps"),
    [
        ({}, FIRST, {*COHORT, *AFTER}),
        ({}, DROPPED, {*COHORT, *AFTER}),
        ({}, {"trackloss_months": 6}, {*COHORT, *AFTER}),
        ({}, {"interaction_level": 2}, {"exposures", *AFTER}),
        ({}, {"trackloss_after_months": 3}, set()),  # nobody is lost track of
        (FIRST, {"atc_include": ["N05"]}, {*COHORT, *AFTER}),
        (EARLY, {"level": "atc_class"}, {*COHORT, *AFTER}),
        (FIRST, {"washout_months": 5}, {"exposures", *AFTER}),
        (FIRST, {"severity_minimum": 2}, {"outcomes", *AFTER}),
        (DROPPED, {"severity_minimum": 2}, {*COHORT, *AFTER}),
        (DROPPED, {"outcome_events": "all"}, AFTER),
        (DROPPED, {"atc_include": ["N05"]}, {"exposures", *AFTER}),
        ({"trackloss_months": 6}, {"atc_include": ["N05"]}, {"exposures", *AFTER}),  # any medicine is looked at
    ],
    ids=str,
)
def test_a_population_is_of_the_purchases_and_outcomes_that_it_looks_at(root_with, study, population, changes, steps):
    root = root_with(PERIODS)
    before = planned(root, study, **population)
    assert made_again(before, planned(root, study, **population, **changes)) == steps


def test_an_outcome_list_makes_again_the_outcomes_and_what_follows(root_with, study, own_study):
    root = root_with(PERIODS)
    add_row(own_study / "codelists/fracture_codes.csv", "hospital_diagnosis,icd10,S799,prefix,,me,2026-11-29,")
    changed = planned(root, load_study(own_study / "cohorts/fall.yaml"))
    assert made_again(planned(root, study), changed) == {"outcomes", *AFTER}


def test_a_definition_is_an_outcome_list_too(root_with, study, own_study):
    root = root_with(PERIODS)
    add_row(own_study / "codelists/fracture.yaml", "# A word on the last rule.")
    changed = planned(root, load_study(own_study / "cohorts/fall.yaml"))
    assert made_again(planned(root, study), changed) == {"outcomes", *AFTER}


def test_a_list_makes_again_what_reads_it_and_only_that(root_with, study, own_study):
    root = root_with(PERIODS)
    with_hospital, with_family = (
        own_study / "codelists/finess_double_count.csv",
        own_study / "codelists/drug_families.csv",
    )
    by_family, as_is = (planned(root, study, level=level) for level in ("family", "substance"))
    add_row(with_family, "hypnotics,other,N05CZ,include,me,2026-11-29,")
    own = load_study(own_study / "cohorts/fall.yaml")
    assert made_again(as_is, planned(root, own)) == set(), "substances are in no family"
    assert made_again(by_family, planned(root, own, level="family")) == {"exposures", *AFTER}
    add_row(with_hospital, ",".join(["999999999", *with_hospital.read_text("utf-8").splitlines()[-1].split(",")[1:]]))
    assert made_again(as_is, planned(root, own)) == {*MCO, "persons", *COHORT, *AFTER}


def test_a_flux_month_makes_again_no_event_of_a_hospital(root_with, study):
    root = root_with(PERIODS)
    before = planned(root, study)
    replace_period(root, "DCIR", "2017-03")
    assert made_again(before, planned(root, study)) == {*DCIR, "flux_lags", "persons", *COHORT, *AFTER}


def test_a_year_of_stays_makes_again_no_event_of_a_claim(root_with, study):
    root = root_with(PERIODS)
    before = planned(root, study)
    replace_period(root, "MCO", "2017")
    assert made_again(before, planned(root, study)) == {*MCO, "persons", *COHORT, *AFTER}


def test_packs_make_again_what_looks_them_up(root_with, study):
    root = root_with(PERIODS)
    before = planned(root, study)
    replace_period(root, "IR_PHA_R", "all")
    # A purchase is of the pack that IR_PHA_R has; care tells who is alive.
    assert made_again(before, planned(root, study)) == {"medicines", "drug_purchase", "persons", *COHORT, *AFTER}


def test_a_name_is_no_part_of_the_fingerprint(root_with, study, monkeypatch):
    root = root_with(PERIODS)
    before = planned(root, study)
    monkeypatch.setattr("parcours.cohort.plan.run_name", lambda *_: "another")
    after = planned(root, study)
    assert after["name"] == "another" != before["name"]
    assert (after["fingerprint"], after["steps"]) == (before["fingerprint"], before["steps"])


def test_a_title_changes_nothing(root_with, study):
    root = root_with(PERIODS)
    first, renamed = planned(root, study), planned(root, replace(study, title="Falls", description="Another word."))
    assert made_again(first, renamed) == set()
    assert renamed["fingerprint"] == first["fingerprint"] and renamed["title"] != first["title"]


def test_another_language_is_the_same_run_with_another_report(root_with, study):
    root = root_with(PERIODS)
    first, french = planned(root, study), planned(root, replace(study, language="fr"))
    assert french["fingerprint"] == first["fingerprint"] and made_again(first, french) == set()
    assert (first["language"], french["language"]) == ("en", "fr")
    assert [stage_key(first, stage) == stage_key(french, stage) for stage in ("features", "model", "report")] == [
        *(True, True, False),
    ]
    assert stage_key(first, "report") == first["fingerprint"]


def test_another_study_of_the_same_data_shares_its_events(root_with, study):
    root = root_with(PERIODS)
    mine, theirs = planned(root, study), planned(root, replace(study, cohort="hips"), sites=["hip"])
    assert step_directory(mine, "mco_hospital_stay") == step_directory(theirs, "mco_hospital_stay")
    assert made_again(mine, theirs) == {"outcomes", *AFTER}
    assert stage_directory(mine, "cohort") != stage_directory(theirs, "cohort")


def test_nothing_is_done_before_the_first_stage(root_with, study):
    run = read_run(write_run(root_with(PERIODS), study, {}))
    assert [(stage["stage"], stage["done"]) for stage in planned_stages(run)] == [
        (name, False) for name in ("events", "cohort", "features", "model", "report")
    ]


def test_a_study_refuses_data_with_a_hole_in_it(root_with, study):
    root = root_with({**PERIODS, "DCIR": [m for m in MONTHS if m != "2015-06"], "MCO": ["2014", "2015", "2016"]})
    with pytest.raises(InputError, match="not all of it is published: DCIR 2015-06; MCO 2017 missing"):
        write_run(root, study, {})
    accepted = read_run(write_run(root, study, {"incomplete_data": "accept"}))
    assert accepted["missing_periods"] == {"DCIR": ["2015-06"], "MCO": ["2017"]}


def test_a_shorter_study_needs_less_data(root_with, study):
    root = root_with({**PERIODS, "DCIR": MONTHS[:42], "MCO": ["2014", "2015", "2016"]})
    assert read_run(write_run(root, study, {"study_end": "2016-12-31"}))["missing_periods"] == {}


def test_the_months_after_the_end_are_needed_too(root_with, study):
    root = root_with({**PERIODS, "DCIR": MONTHS[:48]})  # the flux of 2017, and nothing after it
    with pytest.raises(InputError, match=r"needs the flux of 6 months more, .*DCIR 2018-01 to 2018-06 \(6 periods\)"):
        write_run(root, study, {})
    assert read_run(write_run(root, study, {"late_flux_months": 0}))["missing_periods"] == {}
    accepted = read_run(write_run(root, study, {"incomplete_data": "accept", "late_flux_months": 1}))
    assert accepted["missing_periods"] == {"DCIR": ["2018-01"]}


def test_a_study_on_what_was_published_earlier_reads_what_it_would_have_read_then(root_with, study):
    words = resolve(study, {"study_end": "last complete month"})
    then = read_run(write_run(root_with({**PERIODS, "DCIR": MONTHS[:42], "MCO": PERIODS["MCO"][:3]}), words, {}))
    root = root_with(PERIODS)  # what came after it
    again = read_run(write_run(root, words, {"data_until": "2017-06"}))
    assert again["data"] == then["data"]
    assert again["steps"] == then["steps"], "so whatever was made then is found again"
    assert again["study"]["population"]["study_end"] == then["study"]["population"]["study_end"] == "2016-12-31"
    assert again["name"] == then["name"] == "fall · 65 and over · data to 2017-06"
    assert again["changes"] == {"data_until": {"file": "", "run": "2017-06"}}, "it is a what-if run: nobody's news"
    assert read_run(write_run(root, words, {}))["name"] == "fall · 65 and over · data to 2018-06"


def test_a_study_on_what_was_published_before_there_was_anything_is_refused(root_with, study):
    with pytest.raises(InputError, match=r"up to 2013-12, but that is nothing of DCIR, MCO"):
        write_run(root_with(PERIODS), study, {"data_until": "2013-12"})
    with pytest.raises(InputError, match='data_until is "2016-13", but must be a month such as 2017-06, or empty'):
        resolve(study, {"data_until": "2016-13"})


@pytest.mark.parametrize("end", ["2016-06-01", "2016-06-15", "2016-06-30"])
def test_a_study_that_ends_within_a_month_needs_six_months_after_that_month(root_with, study, end):
    root = root_with({**PERIODS, "DCIR": MONTHS[:36]})  # to 2016-12
    assert read_run(write_run(root, study, {"study_end": end}))["missing_periods"] == {}
    with pytest.raises(InputError, match="DCIR 2017-01 missing"):
        write_run(root, study, {"study_end": "2016-07-01"})


def test_who_an_identifier_is_decides_the_persons(root_with, study):
    root = root_with(PERIODS)
    write_manifest(root.identity, {"fingerprint": "a", "mapping": "before"})
    before = read_run(write_run(root, study, {}))
    write_manifest(root.identity, {"fingerprint": "b", "mapping": "after"})
    after = read_run(write_run(root, study, {}))
    assert made_again(before, after) == {"persons", *COHORT, *AFTER}
    assert before["fingerprint"] != after["fingerprint"]


@pytest.fixture
def own_study(tmp_path):
    """A copy of the study and its code lists that may be changed."""
    shutil.copytree(HOME / "codelists", tmp_path / "checkout/codelists")
    shutil.copytree(HOME / "cohorts", tmp_path / "checkout/cohorts")
    return tmp_path / "checkout"


def add_row(file, row):
    with file.open("a", encoding="utf-8") as out:
        out.write(f"{row}\n")


def test_a_run_reads_the_code_lists_that_it_was_planned_with(root_with, own_study):
    planned = write_run(root_with(PERIODS), load_study(own_study / "cohorts/fall.yaml"), {})
    with (own_study / "codelists/fracture_codes.csv").open("a", encoding="utf-8") as list_of_codes:
        list_of_codes.write("\n")
    assert study_of(read_run(planned)).codelists == planned.parent / "codelists"
    assert (planned.parent / "study.yaml").read_text("utf-8") == (own_study / "cohorts/fall.yaml").read_text("utf-8")
    again = write_run(root_with({}), load_study(own_study / "cohorts/fall.yaml"), {})
    assert again != planned, "another code list is another run"


def test_a_copy_that_was_changed_is_refused_and_mended_by_a_new_plan(root_with, study):
    planned = write_run(root_with(PERIODS), study, {})
    (planned.parent / "codelists/fracture_sites.csv").write_text("site\n", "utf-8")
    with pytest.raises(
        InputError, match=r"does not hold fracture_sites.csv as run \w+ was planned with it; plan the run"
    ):
        study_of(read_run(planned))
    assert write_run(root_with({}), study, {}) == planned
    assert study_of(read_run(planned)).cohort == "fall"


def test_what_a_stage_left_of_another_run_is_not_read(root_with, study):
    run = read_run(write_run(root_with(PERIODS), study, {}))
    write_manifest(stage_directory(run, "cohort"), {"fingerprint": "another"})
    with pytest.raises(InputError, match="is not of run"):
        done_stage(run, "cohort")


def test_a_stage_is_of_its_own_steps(root_with, study):
    root = root_with(PERIODS)
    run, again, other = planned(root, study), planned(root, study, seed=7), planned(root, study, washout_months=5)
    for stage in ("cohort", "features"):
        assert stage_key(run, stage) == stage_key(again, stage) != stage_key(other, stage)
    assert stage_key(run, "model") != stage_key(again, "model")
    assert stage_key(run, "report") == run["fingerprint"]
    write_manifest(stage_directory(run, "cohort"), {"fingerprint": stage_key(run, "cohort")})
    assert done_stage(run, "cohort") == stage_directory(run, "cohort")


def test_events_that_are_not_there_yet_are_told(root_with, study):
    run = planned(root_with(PERIODS), study)
    with pytest.raises(InputError, match="has no events yet; run that stage first"):
        done_step(run, "medicines")
    with pytest.raises(InputError, match="has no cohort yet; run that stage first"):
        done_stage(run, "cohort")
    write_manifest(step_directory(run, "medicines"), {"fingerprint": "any"})
    assert done_step(run, "medicines") == step_directory(run, "medicines")


def test_no_curve_of_fewer_than_eleven_persons_can_be_asked_for(root_with, study):
    with pytest.raises(InputError, match=r"model.min_exposed_cases is 10, but must lie between 11 and 100000"):
        write_run(root_with(PERIODS), study, {"min_exposed_cases": "10"})


def test_what_did_not_pass_the_gate_is_named(root_with, study):
    root = root_with({name: periods for name, periods in PERIODS.items() if name != "IR_PHA_R"})
    with pytest.raises(InputError, match="IR_PHA_R has not been flattened"):
        write_run(root, study, {})


def test_a_file_that_is_no_run_file_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"cohort": "fall"}), "utf-8")
    with pytest.raises(InputError, match="is not a run file: fingerprint, root, study, data missing"):
        read_run(path)


RELATIVE = {"study_end": "last complete month", "study_start": "48 months before"}


def window(run):
    return run["study"]["population"]["study_start"], run["study"]["population"]["study_end"]


def test_dates_in_words_are_days_when_a_run_is_planned(root_with, study):
    relative = resolve(study, RELATIVE)
    run = read_run(write_run(root_with(PERIODS), relative, {}))
    assert window(run) == ("2014-01-01", "2017-12-31")
    assert run["dates_in_words"] == {name: RELATIVE[name] for name in ("study_start", "study_end")}
    assert run["changes"] == {}, "the days are what the study asks, no what-if"
    assert run["title"] == "Medicines and fractures after a fall: 65 and over, 2014 to 2017"
    assert study_of(run).as_dict() == run["study"]


def test_the_run_is_that_of_its_days_however_they_were_written(root_with, study):
    root = root_with(PERIODS)
    in_days = read_run(write_run(root, study, {}))
    in_words = read_run(write_run(root, resolve(study, RELATIVE), {}))
    assert in_days["fingerprint"] == in_words["fingerprint"]
    assert in_days["dates_in_words"] == {}


def test_a_new_month_moves_the_window(root_with, study):
    relative = resolve(study, RELATIVE | {"study_start": "36 months before"})
    before = read_run(write_run(root_with({**PERIODS, "DCIR": MONTHS[:53]}), relative, {}))
    after = read_run(write_run(root_with(PERIODS), relative, {}))
    assert window(before) == ("2014-12-01", "2017-11-30")
    assert window(after) == ("2015-01-01", "2017-12-31")


def test_words_and_days_may_replace_each_other_for_one_run(root_with, study):
    root, relative = root_with(PERIODS), resolve(study, RELATIVE)
    fixed = read_run(write_run(root, relative, {"study_end": "2017-06-30", "study_start": "36 months before"}))
    assert window(fixed) == ("2014-07-01", "2017-06-30")
    assert fixed["changes"]["study_end"] == {"file": "last complete month", "run": "2017-06-30"}
    in_words = read_run(write_run(root, study, {"study_end": "1 month before the last complete month"}))
    assert window(in_words) == ("2014-01-01", "2017-11-30")
    assert in_words["changes"] == {"study_end": {"file": "2017-12-31", "run": "1 month before the last complete month"}}


def test_a_hospital_year_that_is_missing_bounds_the_end_where_the_study_reads_stays(root_with, study):
    root = root_with({**PERIODS, "MCO": ["2014", "2015", "2016"]})
    assert window(read_run(write_run(root, resolve(study, RELATIVE | {"study_start": "2014-01-01"}), {}))) == (
        "2014-01-01",
        "2016-12-31",
    )


def test_too_little_data_for_words_is_one_sentence(root_with, study):
    relative = resolve(study, RELATIVE)
    root = root_with({**PERIODS, "DCIR": ["2018-01", "2018-02"]})
    with pytest.raises(InputError) as caught:
        write_run(root, relative, {})
    assert str(caught.value) == (
        f"Study fall ends with the last complete month, but no month of care is complete in {root.path}, with the flux "
        "of 6 months after it (DCIR from 2018-01 to 2018-02) and the hospital stays of its year (MCO from 2014 to "
        "2017): flatten and check more data, or give study_end as a date."
    )


def test_words_that_leave_no_follow_up_are_refused_with_their_days(root_with, study):
    with pytest.raises(InputError, match=r"leaves no follow-up before study_end, 2017-12-31"):
        write_run(root_with(PERIODS), resolve(study, RELATIVE | {"study_start": "12 months before"}), {})


def test_the_whole_window_must_be_published(root_with, study):
    with pytest.raises(InputError, match=r"runs from 2013-01-01 to 2017-12-31 .* MCO 2013 missing"):
        write_run(root_with(PERIODS), resolve(study, RELATIVE | {"study_start": "5 years before"}), {})
