"""Study files: what is accepted, and the one sentence that each mistake gets."""

import datetime as dt
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from parcours.cohort.months import add_months
from parcours.cohort.parameters import parameter_table
from parcours.cohort.study import SECTIONS, load_study, resolve, study_from_dict
from parcours.cohort.titles import study_subtitle
from parcours.errors import InputError

HOME = Path(__file__).parents[3]
FALL = HOME / "cohorts" / "fall.yaml"


@pytest.fixture
def written(tmp_path):
    """Write the fall study with changes, {section.key: value}, and return its path."""

    def write(changes, name="fall"):
        declared = yaml.safe_load(FALL.read_text("utf-8"))
        for key, value in changes.items():
            section, _, parameter = key.rpartition(".")
            (declared[section] if section else declared)[parameter] = value
        declared["codelists"] = str(HOME / "codelists")
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(declared), "utf-8")
        return path

    return write


@pytest.mark.parametrize("file", sorted((HOME / "cohorts").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_study_of_the_project_loads(file):
    assert load_study(file).cohort == file.stem


def test_each_parameter_of_the_table_is_one_field_of_its_section():
    fields = {(section, name) for section, cls in SECTIONS.items() for name in cls.__dataclass_fields__}
    assert {(p.section, p.name) for p in parameter_table().values()} == fields


@pytest.mark.parametrize(
    ("said", "title", "titles"),
    [
        ("Falls", "Falls", {"en": "Falls"}),
        ({"fr": "Chutes", "en": "Falls"}, "Falls", {"en": "Falls", "fr": "Chutes"}),
        ({"fr": "Chutes"}, "Chutes", {"fr": "Chutes"}),
    ],
)
def test_a_title_may_be_given_by_language(written, said, title, titles):
    study = load_study(written({"title": said}))
    assert (study.title, study.titles) == (title, titles)


def test_the_language_is_of_the_report_and_no_part_of_the_question(written):
    english, french = (load_study(written({"language": language})) for language in ("en", "fr"))
    assert (english.language, french.language) == ("en", "fr")
    assert english.as_dict() == french.as_dict()


def test_follow_up_starts_after_the_gap():
    assert load_study(FALL).population.follow_up_start == dt.date(2015, 1, 1)


def test_the_gap_holds_the_washout_and_the_lags():
    study = load_study(FALL)
    assert study.washout_end == dt.date(2014, 7, 1)
    reach = dt.timedelta(days=study.model.lags * study.model.bucket_days)
    assert study.washout_end + reach <= study.population.follow_up_start
    assert resolve(study, {"study_start": "2014-03-01"})  # 26 weeks are six months, whatever months


@pytest.mark.parametrize(("days", "bucket", "lags"), [(90, 14, 7), (90, 90, 1), (91, 90, 2), (0, 14, 0)])
def test_the_lags_before_the_purchase_hold_the_days_that_are_asked_for(days, bucket, lags):
    changes = {"pre_exposure_days": days, "bucket_days": bucket, "lags": 1}
    assert resolve(load_study(FALL), changes).model.pre_lags == lags


def test_what_as_dict_writes_reads_back_as_the_same_study():
    study = resolve(load_study(FALL), {"sites": ["hip"], "age_cuts_years": [70, 80]})
    again = study_from_dict(json.loads(json.dumps(study.as_dict())), study.codelists)
    assert again.as_dict() == study.as_dict()


def test_text_of_a_form_means_what_the_yaml_means():
    study = load_study(FALL)
    typed = {"age_minimum": 70, "season": False, "study_end": dt.date(2016, 12, 31), "atc_include": ["N05B", "C07"]}
    texts = {"age_minimum": "70", "season": "false", "study_end": "2016-12-31", "atc_include": "C07, N05B"}
    assert resolve(study, texts) == resolve(study, typed)
    assert resolve(study, {"population.age_minimum": 70}).population.age_minimum == 70


def test_a_bare_number_is_a_list_of_one():
    resolved = resolve(load_study(FALL), {"tv_grid": 10, "packs": 3400930000021})
    assert (resolved.model.tv_grid, resolved.medicines.packs) == ((10.0,), ("3400930000021",))


def test_a_parameter_given_by_both_its_names_is_refused():
    with pytest.raises(InputError, match=r"population\.age_minimum is given twice; give it once"):
        resolve(load_study(FALL), {"age_minimum": 70, "population.age_minimum": 75})


def test_every_default_is_allowed_by_its_own_limits():
    study = load_study(FALL)
    assert resolve(study, {row["name"]: row["value"] for row in study.parameters()}) == study


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"population.age_minimun": 65}, 'population: "age_minimun" is not known (did you mean "age_minimum"?)'),
        ({"populatoin": {}}, '"populatoin" is not known (did you mean "population"?)'),
        ({"population.age_minimum": "old"}, 'population.age_minimum is "old", but must be a number.'),
        ({"population.age_minimum": 200}, "population.age_minimum is 200, but must lie between 0 and 120."),
        (
            {"population.study_start": "soon"},
            'study_start is "soon", but must be a date such as 2014-01-31, or words such as "48 months before", "4',
        ),
        ({"population.study_end": "last month"}, 'or words such as "last complete month", "last complete year", '),
        ({"population.study_end": "48 months before"}, 'is "48 months before", but must be a date such as 2014-01-31'),
        ({"timezone": "Paris"}, 'timezone is "Paris", but must be a zone such as "Europe/Paris" or "UTC".'),
        ({"timezone": "../etc"}, 'timezone is "../etc", but must be a zone'),
        ({"timezone": "Europe"}, 'timezone is "Europe", but must be a zone'),
        ({"population.study_start": dt.datetime(2014, 1, 1, 10)}, 'is "2014-01-01 10:00:00", but must be a date'),
        ({"population.study_end": dt.date(9999, 12, 31)}, "is 9999-12-31, but must lie between 1950-01-01 and 2099-"),
        ({"population.study_start": dt.date(1, 1, 1)}, "is 0001-01-01, but must lie between 1950-01-01 and 2099-12-31"),
        ({"model.lags": 10**400}, "model.lags is "),
        ({"population.study_end": "2013-01-01"}, "but must come after study_start, 2014-01-01."),
        ({"population.start_gap_months": 48}, "which leaves no follow-up before study_end"),
        (
            {"population.start_gap_months": 11},
            "is 11, shorter than washout_months, 6, plus the lags of the model, 182 days: set it to 12 or more",
        ),
        ({"exposures.washout_months": 9}, "set it to 15 or more, or shorten these."),
        ({"model.lags": 27}, "the lags of the model, 378 days: set it to 19 or more"),
        ({"population": None}, "population.study_start is missing"),
        (
            {"medicines.level": "molecule"},
            'level is "molecule", but must be one of substance, atc_class, family, cip13',
        ),
        ({"medicines.atc_include": ["n05b"]}, 'holds "n05b", which is not an ATC code or prefix'),
        ({"medicines.packs": [340093]}, 'holds "340093", which is not a CIP13 code (13 digits).'),
        ({"outcomes.sites": ["hips"]}, '(did you mean "hip"?)'),
        ({"outcomes.rules": []}, "outcomes.rules is empty"),
        ({"outcomes.rules": ["hospital_stays"]}, '(did you mean "hospital_stay"?)'),
        (
            {"outcomes.definition": "fractures"},
            'is "fractures", but must be one of fracture (did you mean "fracture"?)',
        ),
        ({"outcomes.fall_frame_months": 4}, '"fall_frame_months" is not known (did you mean "frame_months"?)'),
        ({"model.season": "maybe"}, 'model.season is "maybe", but must be true or false.'),
        ({"model.lags": 1.5}, 'model.lags is "1.5", but must be a whole number.'),
        ({"schedule": "monthly"}, 'schedule is "monthly", but must be a cron line'),
        (
            {"schedule": "0 25 1 * *"},
            'schedule is "0 25 1 * *", whose hour "25" is not one of 0 to 23, *, a range such as 0-3',
        ),
        ({"schedule": "a b c d e"}, 'whose minute "a" is not one of 0 to 59'),
        ({"schedule": "0 6 5-2 * *"}, 'whose day "5-2" is not one of 1 to 31'),
        ({"deadline_hours": "two days"}, 'deadline_hours is "two days", but must be a number of hours up to 8760'),
        ({"deadline_hours": 0}, 'deadline_hours is "0", but must be'),
        ({"language": "de"}, 'language is "de", but must be one of: en, fr.'),
        ({"title": {"english": "Falls"}}, 'title: "english" is not known; known are en, fr.'),
        ({"cohort": "Fall"}, 'cohort is "Fall", but must be the file\'s own name'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_mistake_gets_one_sentence_with_file_key_and_value(written, changes, sentence):
    path = written(changes)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["0 6 1 * *", "*/15 6-18 1,15 jan-jun mon-fri", "0 6 * * 7", "@monthly"])
def test_a_cron_line_is_read_in_the_zone_of_paris_unless_another_is_named(written, line):
    study = load_study(written({"schedule": line}))
    assert (study.schedule, study.timezone) == (line, "Europe/Paris")
    assert load_study(written({"schedule": line, "timezone": "UTC"})).timezone == "UTC"


@pytest.fixture
def two_outcomes(tmp_path):
    """The fall study beside code lists that define bleedings too."""
    lists = shutil.copytree(HOME / "codelists", tmp_path / "codelists")
    head = "outcome: gi_bleeding\ntitle: Bleeding\nattrition: with a bleeding\n"
    find = "{rule: gi_stay, meaning: A stay for a bleeding, find: {category: [mco_main_diagnosis]}}"
    (lists / "gi_bleeding.yaml").write_text(f"{head}rules: [{find}]\n", "utf-8")
    (tmp_path / "cohorts").mkdir()
    return load_study(shutil.copy(FALL, tmp_path / "cohorts" / "fall.yaml"))


def test_a_study_chooses_among_the_definitions_beside_its_code_lists(two_outcomes):
    bleedings = resolve(two_outcomes, {"definition": "gi_bleeding", "rules": "gi_stay"})
    assert (bleedings.outcomes.definition, bleedings.outcomes.rules) == ("gi_bleeding", ("gi_stay",))
    assert "; gi bleedings of all sites; " in study_subtitle(bleedings)
    told = {row["name"]: row["enum"] for row in two_outcomes.parameters()}
    assert told["definition"] == ["fracture", "gi_bleeding"] and "gi_stay" in told["rules"]


def test_a_rule_of_another_definition_is_refused(two_outcomes):
    with pytest.raises(InputError, match=r"outcomes\.rules has \w+, which is no rule of gi_bleeding; it has gi_stay\."):
        resolve(two_outcomes, {"definition": "gi_bleeding"})


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            {"trackloss_months": 4, "trackloss_after_months": 5},
            "Study fall: population.trackloss_after_months is 5, but must not be more than trackloss_months, 4: ",
        ),
        (
            {"level": "prescription", "interaction_level": 2},
            "Study fall: exposures.interaction_level is 2, but a prescription is several medicines already",
        ),
        ({"trackloss_months": 37}, "population.trackloss_months is 37, but must lie between 0 and 36."),
        ({"interaction_level": 6}, "exposures.interaction_level is 6, but must lie between 1 and 5."),
        ({"observation_from": "birth"}, 'observation_from is "birth", but must be one of study_start, first_purchase'),
        (
            {"observation_from": "first_purchase", "start_gap_months": 6},
            "shorter than washout_months, 6, plus the lags",
        ),
    ],
)
def test_parameters_that_do_not_fit_each_other_are_refused(overrides, sentence):
    with pytest.raises(InputError) as refused:
        resolve(load_study(FALL), overrides)
    assert sentence in str(refused.value)


def test_observation_of_a_study_is_that_of_its_dates_unless_it_says_otherwise():
    population, exposures = load_study(FALL).population, load_study(FALL).exposures
    assert (population.observation_from, population.first_purchase_within_months) == ("study_start", 0)
    assert (population.trackloss_months, population.trackloss_after_months, population.prior_outcome) == (0, 2, "keep")
    assert (exposures.interaction_level, exposures.interaction_minimum_days) == (1, 30)
    assert not population.looks_at_first_purchases


def test_yaml_that_cannot_be_read_names_the_line(tmp_path):
    path = tmp_path / "fall.yaml"
    path.write_text('cohort: fall\ntitle: "open\n', "utf-8")
    with pytest.raises(InputError, match=r"fall.yaml, line \d+ is not readable YAML"):
        load_study(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cohort: fall\npopulation: {age_minimum: 65, age_minimum: 75}\n", "line 2: age_minimum is written twice"),
        ("cohort: fall\ncohort: hips\n", "line 1: cohort is written twice"),
        ("cohort: fall\npopulation: {study_start: 2014-02-30}\n", "a day that does not exist (day is out of range"),
    ],
)
def test_what_yaml_would_lose_or_cannot_hold_is_refused(tmp_path, text, sentence):
    (tmp_path / "fall.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError) as refused:
        load_study(tmp_path / "fall.yaml")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("age_min", ' (did you mean "age_minimum"?)'),
        ("age_minimun", ' (did you mean "age_minimum"?)'),
        ("AGE_MINIMUM", ' (did you mean "age_minimum"?)'),
        ("min-exposed-cases", ' (did you mean "min_exposed_cases"?)'),
        ("population.age_minimun", ' (did you mean "population.age_minimum"?)'),
        ("populatoin.age_minimum", ' (did you mean "population.age_minimum"?)'),
        ("model.age_minimum", ' (did you mean "population.age_minimum"?)'),
        ("xyz", "; known are study_start, study_end, "),
    ],
)
def test_an_unknown_override_is_refused_with_a_hint(key, hint):
    with pytest.raises(InputError) as refused:
        resolve(load_study(FALL), {"age_maximum": 90, key: 70})
    assert f'Study fall has no parameter "{key}"{hint}' in str(refused.value)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("age_minimum", "From 0 to 120 (a whole number)."),
        ("sex", "One of: women and men, women, men."),
        ("study_start", "A date from 1950-01-01 to 2099-12-31, or words: 48 months before, 4 years before."),
        ("atc_include", "Each an ATC code or prefix such as N05B or C07AB03."),
        ("packs", "Each a CIP13 code (13 digits)."),
        ("age_cuts_years", "Each from 0 to 130."),
        ("season", "true or false."),
    ],
)
def test_the_help_of_a_parameter_ends_with_its_limits(name, limits):
    told = {row["name"]: row["help"] for row in load_study(FALL).parameters()}
    assert told[name] == f"{parameter_table()[name].form_help} {limits}"


def test_every_parameter_tells_its_limits():
    for row in load_study(FALL).parameters():
        assert row["help"] != parameter_table()[row["name"]].form_help, row["name"]
        assert all(row["texts"][word] in row["help"] for word in row["enum"] or ())


def test_a_form_speaks_of_fields_and_words_as_a_person_does():
    known = "|".join(name for name in parameter_table() if "_" in name)
    for name, parameter in parameter_table().items():
        assert not re.search(rf"\b({known})\b", parameter.form_help + parameter.title), name
        assert all(not re.search(r"[_0-9]", parameter.text(word)) for word in parameter.enum or ()), name
    gap = parameter_table()["start_gap_months"]
    assert "at least “Washout” plus what the curve covers (“Curve length” x “Curve step”)" in gap.form_help
    assert "at least washout_months plus what the curve covers (lags x bucket_days)" in gap.help
    end = parameter_table()["limited_end"]
    assert end.form_help.startswith("by number of purchases: ") and end.help.startswith("purchase_count: ")


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2014-01-31", 1, "2014-02-28"),
        ("2016-01-31", 1, "2016-02-29"),
        ("2014-12-15", 1, "2015-01-15"),
        ("2014-01-01", 12, "2015-01-01"),
        ("2014-05-31", 0, "2014-05-31"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_of_the_month(day, months, later):
    assert add_months(dt.date.fromisoformat(day), months) == dt.date.fromisoformat(later)
