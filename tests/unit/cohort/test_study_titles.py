"""Titles say what the parameters say, and what a what-if run changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.study import load_study, resolve
from parcours.cohort.titles import change_words, changes, is_what_if, run_line, run_name, study_subtitle, study_title

HOME = Path(__file__).parents[3]


@pytest.fixture
def study():
    return load_study(HOME / "cohorts" / "fall.yaml")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({}, "65 and over, 2014 to 2017"),
        ({"age_minimum": 75}, "75 and over, 2014 to 2017"),
        ({"age_minimum": 75, "age_maximum": 84, "sex": "women"}, "women, 75 to 84, 2014 to 2017"),
        ({"age_minimum": 0}, "all ages, 2014 to 2017"),
        (
            {"study_start": "2016-01-01", "study_end": "2016-12-31", "start_gap_months": 9, "lags": 6},
            "65 and over, 2016",
        ),
        ({"study_start": "2014-03-01"}, "65 and over, 2014-03-01 to 2017-12-31"),
        ({"study_end": "2017-06-30"}, "65 and over, 2014-01-01 to 2017-06-30"),
    ],
)
def test_a_title_follows_the_resolved_parameters(study, overrides, says):
    assert study_title(resolve(study, overrides)) == f"Medicines and fractures after a fall: {says}"


@pytest.mark.parametrize(
    "written", ["Falls, 65 and over", "Falls: aged 65 years and over", "Falls, 65 to 80 years", "Falls"]
)
def test_ages_written_into_a_title_do_not_stay(study, written):
    old = resolve(replace(study, title=written), {"age_minimum": 75})
    assert study_title(old) == "Falls: 75 and over, 2014 to 2017"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({}, "All medicines, by substance; fractures of all sites; followed from 2015-01-01 to 2017-12-31"),
        (
            {"level": "prescription", "observation_from": "first_purchase"},
            "All medicines, by prescription; fractures of all sites; followed from 12 months after the first purchase, "
            "at the earliest 2015-01-01, to 2017-12-31",
        ),
        ({"start_gap_months": 18}, "All medicines, by substance; fractures of all sites; followed from 2015-07-01 to"),
        ({"atc_include": "N05B, N06A", "atc_exclude": "N05BA"}, "Medicines N05B, N06A without N05BA, by substance;"),
        (
            {"atc_include": "A01 A02 A03 A04 A05 A06", "level": "family"},
            "Medicines A01, A02, A03, A04 and 2 more, by family",
        ),
        ({"packs": "3400930000001", "level": "cip13"}, "All medicines, of 1 chosen packs, by pack"),
        (
            {"sites": "hip", "severity_minimum": 2},
            "All medicines, by substance; fractures of hip, severity 2 and over;",
        ),
    ],
)
def test_a_subtitle_follows_the_resolved_parameters(study, overrides, says):
    assert study_subtitle(resolve(study, overrides)).startswith(says)


def test_what_differs_from_the_study_file_is_named_with_both_values(study):
    changed = changes(study, resolve(study, {"age_minimum": "75", "season": "no", "sites": "hip", "lags": 13}))
    assert changed == {
        "age_minimum": {"file": 65, "run": 75},
        "sites": {"file": [], "run": ["hip"]},
        "season": {"file": True, "run": False},
    }
    assert change_words(changed) == [
        "youngest age 75, was 65", "body sites hip, was all", "season terms off, was on",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameter", "given", "says"),
    [
        ("start_gap_months", 18, "start gap 18 months, was 12"),
        ("frame_months", 1, "same outcome within 1 month, was 4"),
        ("bucket_days", 7, "curve step 7 days, was 14"),
        ("pre_exposure_days", 28, "days before the purchase 28, was 90"),
        ("study_end", "2017-06-30", "study end 2017-06-30, was 2017-12-31"),
        ("sex", "women", "sex women, was women and men"),
        ("level", "atc_class", "medicine level ATC class, was substance"),
        ("incomplete_data", "accept", "missing periods accepted, was refused"),
        ("age_cuts_years", [75, 85], "age groups 75 and 85 years, was 70, 75, 80, 85 and 1 more"),
        ("age_cuts_years", [], "age groups none, was 70, 75, 80, 85 and 1 more"),
        ("tv_grid", [0.001], "smoothing strengths 0.001, was from the data"),
        ("data_until", "2017-06", "data until 2017-06, was all that is published"),
        ("atc_include", "N05 N06", "ATC codes to keep N05 and N06, was all"),
        ("seed", 7, "seed 7, was 20140101"),
        (
            "rules",
            "hospital_stay",
            "places where outcomes are found hospital stay, was hospital stay, liberal act, private ambulatory act and "
            "public ambulatory act",
        ),
    ],
)
def test_a_change_is_told_as_a_person_tells_it(study, parameter, given, says):
    assert change_words(changes(study, resolve(study, {parameter: given}))) == [says]


def test_a_parameter_that_this_version_does_not_know_keeps_its_name():
    assert change_words({"half_life_days": {"file": 3, "run": 4}}) == ["half_life_days 4, was 3"]


DATA = {"DCIR": {"2018-05": "a", "2018-06": "b", "unknown": "c"}, "MCO": {"2019": "d"}, "IR_BEN_R": {"all": "e"}}


@pytest.mark.parametrize(
    ("overrides", "data", "says"),
    [
        ({}, DATA, "fall · 65 and over · data to 2018-06"),
        ({"age_minimum": 75}, DATA, "fall · 75 and over · data to 2018-06"),
        ({"sex": "women", "age_minimum": 70, "age_maximum": 79}, DATA, "fall · women, 70 to 79 · data to 2018-06"),
        ({"age_minimum": 0}, {"MCO": {"2016": "d", "2017": "e"}}, "fall · all ages · data to 2017"),
        ({}, {"DCIR": {"unknown": "a"}, "IR_BEN_R": {"all": "b"}}, "fall · 65 and over"),
    ],
    ids=["the study", "an age", "both ages and a sex", "no claims", "no dated period"],
)
def test_a_run_is_named_by_study_persons_and_last_month_of_claims(study, overrides, data, says):
    assert run_name(resolve(study, overrides), data) == says


def line(study, **overrides):
    resolved = resolve(study, overrides)
    return run_line({"cohort": "fall", "name": run_name(resolved, DATA), "changes": changes(study, resolved)})


def test_runs_of_one_name_are_told_apart_by_what_differs(study):
    assert line(study) == "fall · 65 and over · data to 2018-06"
    assert line(study, start_gap_months=18) == f"{line(study)} · what-if: start gap 18 months, was 12"
    assert line(study, lags=10, seed=7) == (
        f"{line(study)} · what-if: curve length 10 steps, was 13; seed 7, was 20140101"
    )
    assert line(study, lags=10, seed=7, cv_folds=2) == f"{line(study)} · what-if: 3 parameters differ"
    assert is_what_if({"changes": {"seed": {}}}) and not is_what_if({"changes": {}}) and not is_what_if({})


def test_a_run_that_was_planned_without_a_name_goes_by_its_study():
    assert run_line({"cohort": "fall"}) == "fall"


def test_parameters_given_as_they_are_in_the_study_file_change_nothing(study):
    assert changes(study, resolve(study, {p["name"]: p["value"] for p in study.parameters()})) == {}
