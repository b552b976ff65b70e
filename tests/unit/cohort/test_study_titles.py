"""Titles say what the parameters say, and what a what-if run changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.study import load_study, resolve
from parcours.cohort.titles import change_words, changes, study_subtitle, study_title

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
        "age_minimum 75 (study file: 65)", "sites hip (study file: none)", "season false (study file: true)",
    ]  # fmt: skip


def test_parameters_given_as_they_are_in_the_study_file_change_nothing(study):
    assert changes(study, resolve(study, {p["name"]: p["value"] for p in study.parameters()})) == {}
