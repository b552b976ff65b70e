"""The grammar of outcomes: which events count, what must be near them, how severe they are."""

import datetime as dt
from pathlib import Path

import pytest

from parcours.cohort.definitions import load_definition
from parcours.cohort.outcomes import outcomes_of
from parcours.cohort.study import Outcomes
from parcours.errors import InputError

EVENTS = "person_id bigint, category string, group string, code string, weight double, source string, start date"
# 1: one stay with two diagnoses and an act, and a purchase 30 days before. 2: the same in two stays of one day, and the
# purchase 31 days before. 3: one diagnosis, and an act of the stay of person 1.
EVENT_ROWS = """
    person_id | category                 | group | code    | weight | source  | start
    1         | mco_main_diagnosis       | s1    | K920    | -      | -       | 2015-03-02
    1         | mco_associated_diagnosis | s1    | D500    | -      | -       | 2015-03-02
    1         | mco_ccam_act             | s1    | FELF001 | -      | -       | 2015-03-04
    1         | mco_hospital_stay        | s1    | 06K02   | 9      | -       | 2015-03-02
    1         | drug_purchase            | c1    | 340     | 1      | -       | 2015-01-31
    2         | mco_main_diagnosis       | s2    | K921    | -      | -       | 2015-03-02
    2         | mco_associated_diagnosis | s3    | D500    | -      | -       | 2015-03-02
    2         | mco_ccam_act             | s3    | FELF001 | -      | -       | 2015-03-04
    2         | mco_hospital_stay        | s2    | -       | 8      | -       | 2015-03-02
    2         | drug_purchase            | c2    | 340     | 2      | -       | 2015-01-30
    3         | mco_main_diagnosis       | s4    | K920    | -      | -       | 2015-03-02
    3         | mco_ccam_act             | s1    | HHFA001 | -      | -       | 2015-03-02
    4         | dcir_ccam_act            | c3    | HEQE002 | 1      | liberal | 2015-03-02
    4         | dcir_ccam_act            | c4    | HEQE003 | 1      | private | 2015-03-03
    4         | dcir_ccam_act            | c5    | ZZZZ001 | 1      | liberal | 2015-03-04
    5         | mco_ce_ccam_act          | -     | HEQE002 | -      | -       | 2015-03-02
    5         | mco_ce_ccam_act          | -     | HEQE002 | -      | -       | 2015-05-02
"""
CODES = """
use,code,match,label
bleeding,K92,prefix,
endoscopy,HEQE,prefix,
old_wound,K921,exact,
"""
SITES = """
site,site_group,code,match
stomach,upper,K920,prefix
gullet,upper,HEQE002,exact
bowel,lower,K92,prefix
"""
BLEEDING = "{category: [mco_main_diagnosis], codes: {file: bleeding_codes.csv, use: bleeding}}"
HEAD = "outcome: bleeding\ntitle: Bleeding\nattrition: with a bleeding\nsource: made up\ndate: 2026-11-29\n"


@pytest.fixture
def written(tmp_path):
    """Write bleeding.yaml with what follows its head, beside its code lists, and give their folder: a new one."""

    def write(text: str, head: str = HEAD) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        files = {"bleeding_codes.csv": CODES.strip(), "bleeding_sites.csv": SITES.strip(), "bleeding.yaml": head + text}
        for name, content in files.items():
            (folder / name).write_text(content, "utf-8")
        return folder

    return write


@pytest.fixture
def found(written, table, collected):
    """The outcomes of a definition of one rule, by the columns asked for."""

    def find(rule: str, *columns: str, places: str = "", **settings) -> list[tuple]:
        folder = written(f"{places}\nrules:\n  - {{rule: bleeding, meaning: Made up, {rule}}}\n")
        asked = {
            "definition": "bleeding",
            "rules": ("bleeding",),
            "sites": (),
            "site_level": "site",
            "frame_months": 0,
            "severity_minimum": 1,
            "outcome_events": "all",
        }
        definition = load_definition(folder, "bleeding")
        return collected(
            outcomes_of(table(EVENT_ROWS, EVENTS), definition, Outcomes(**{**asked, **settings})), *columns
        )

    return find


def persons(rows: list[tuple]) -> list[int]:
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        (BLEEDING, [1, 2, 3]),
        # Without codes any code counts, and none.
        ("{category: [mco_hospital_stay]}", [1, 2]),
        ("{category: [mco_hospital_stay], weight: 9}", [1]),
        ("{category: [mco_hospital_stay, drug_purchase], weight: 2}", [2]),
        # Codes are those of a use of a list, of each category that is named.
        ("{category: [dcir_ccam_act, mco_ccam_act], codes: {file: bleeding_codes.csv, use: endoscopy}}", [4, 4]),
        (
            "{category: [dcir_ccam_act], source: [liberal], codes: {file: bleeding_codes.csv, use: endoscopy}}",
            [4],
        ),
        ("{category: [dcir_ccam_act], source: [liberal, private]}", [4, 4, 4]),
        ("{category: [mco_linked_diagnosis]}", []),
    ],
)
def test_events_are_chosen_by_category_codes_source_and_weight(found, find, expected):
    assert persons(found(f"find: {find}", "person_id", "date")) == expected


ANAEMIA = "{category: [mco_associated_diagnosis]}"
ACT = "{category: [mco_ccam_act]}"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        # A stay is of one person: 3 has an act in a group that only 1 has a diagnosis in.
        (f"{{same_group: {ANAEMIA}}}", [1]),
        (f"{{same_group: {ACT}}}", [1]),
        (f"{{same_day: {ANAEMIA}}}", [1, 2]),
        (f"{{same_day: {ACT}}}", [3]),
        # The act is two days after the diagnosis, the purchase 30 or 31 days before it.
        ("{within_days: {category: [mco_ccam_act], days: 1}}", [3]),
        ("{within_days: {category: [mco_ccam_act], days: 2}}", [1, 2, 3]),
        ("{within_days: {category: [drug_purchase], days: 30}}", [1]),
        ("{within_days: {category: [drug_purchase], days: 31}}", [1, 2]),
        ("{within_days: {category: [drug_purchase], days: 31, weight: 2}}", [2]),
        # An event is near itself.
        (f"{{same_group: {BLEEDING}}}", [1, 2, 3]),
        (f"{{not: {{same_day: {ANAEMIA}}}}}", [3]),
        (f"{{all: [{{same_day: {ANAEMIA}}}, {{same_group: {ANAEMIA}}}]}}", [1]),
        (f"{{any: [{{same_day: {ACT}}}, {{same_group: {ANAEMIA}}}]}}", [1, 3]),
        (f"{{all: [{{same_day: {ANAEMIA}}}, {{not: {{same_group: {ANAEMIA}}}}}]}}", [2]),
        (f"{{not: {{any: [{{same_day: {ACT}}}, {{same_group: {ANAEMIA}}}]}}}}", [2]),
        # `any` inside `all` is no `any` of everything.
        (f"{{all: [{{any: [{{same_day: {ACT}}}, {{same_day: {ANAEMIA}}}]}}, {{same_day: {ACT}}}]}}", [3]),
        (f"{{not: {{not: {{same_day: {ACT}}}}}}}", [3]),
        ("{same_group: {category: [mco_main_diagnosis], codes: {file: bleeding_codes.csv, use: old_wound}}}", [2]),
        ("{not: {same_group: {category: [mco_linked_diagnosis]}}}", [1, 2, 3]),
    ],
)
def test_what_must_be_near_an_event(found, when, expected):
    assert persons(found(f"find: {BLEEDING}, when: {when}", "person_id")) == expected


def test_the_first_severity_that_holds_counts(found):
    # 1 died and has an act of the stay: death stands first. 2 has neither in the stay.
    died = "{severity: 4, when: {same_group: {category: [mco_hospital_stay], weight: 9}}}"
    act = "{severity: 3, when: {within_days: {category: [mco_ccam_act], days: 0}}}"
    assert found(f"find: {BLEEDING}, severity: [{died}, {act}, {{severity: 2}}]", "person_id", "severity") == [
        (1, 4), (2, 2), (3, 3),
    ]  # fmt: skip
    anaemia = f"{{severity: 1, when: {{same_group: {ANAEMIA}}}}}"
    turned = found(f"find: {BLEEDING}, severity: [{anaemia}, {died}, {{severity: 2}}]", "person_id", "severity")
    assert turned == [(1, 1), (2, 2), (3, 2)]
    assert found(f"find: {BLEEDING}", "person_id", "severity") == [(1, 1), (2, 1), (3, 1)]
    assert found(f"find: {BLEEDING}, severity: [{died}, {{severity: 2}}]", "person_id", severity_minimum=3) == [(1,)]


def test_an_outcome_has_the_day_of_its_event_or_of_the_first_one_found_in_its_group(found):
    # 1: diagnosis and act of one stay. 2: of two. 5: acts in no group, which have nothing to do with each other.
    find = "find: {category: [mco_main_diagnosis, mco_ccam_act, mco_ce_ccam_act]}"
    second, fourth, may = (dt.date(2015, 3, 2), dt.date(2015, 3, 4), dt.date(2015, 5, 2))
    apart = [(1, second), (1, fourth), (2, second), (2, fourth), (3, second), (5, second), (5, may)]
    assert found(find, "person_id", "date") == found(f"{find}, dated: event", "person_id", "date") == apart
    together = [(1, second), (2, second), (2, fourth), (3, second), (5, second), (5, may)]
    assert found(f"{find}, dated: group", "person_id", "date") == together


PLACES = "sites: {file: bleeding_sites.csv, fine: site, coarse: site_group, other: elsewhere}"


def test_the_site_is_that_of_the_most_specific_code_and_has_a_name_where_none_matches(found):
    everything = "find: {category: [mco_main_diagnosis, mco_hospital_stay, dcir_ccam_act]}"
    sited = found(everything, "person_id", "site", places=PLACES)
    # The stay of 2 has no code, and is an outcome all the same.
    assert sited == [
        (1, "elsewhere"), (1, "stomach"), (2, "bowel"), (2, "elsewhere"), (3, "stomach"),
        (4, "elsewhere"), (4, "elsewhere"), (4, "gullet"),
    ]  # fmt: skip
    coarse = found(everything, "person_id", "site", places=PLACES, site_level="site_group")
    assert coarse[1] == (1, "upper")


def test_a_study_of_some_sites_names_them_at_either_level(found):
    assert persons(found(f"find: {BLEEDING}", "person_id", places=PLACES, sites=("stomach",))) == [1, 3]
    assert persons(found(f"find: {BLEEDING}", "person_id", places=PLACES, sites=("lower",))) == [2]
    assert persons(found(f"find: {BLEEDING}", "person_id", places=PLACES, sites=("lower", "stomach"))) == [1, 2, 3]


def test_a_definition_without_sites_has_all_outcomes_at_one(found):
    assert {row[0] for row in found(f"find: {BLEEDING}", "site")} == {"other"}


def test_a_definition_names_the_categories_and_the_files_that_it_reads(written):
    when = f"{{all: [{{not: {{same_day: {ACT}}}}}, {{any: [{{same_group: {ANAEMIA}}}]}}]}}"
    severity = "[{severity: 2, when: {same_group: {category: [mco_hospital_stay], weight: 9}}}, {severity: 1}]"
    rule = f"{{rule: bleeding, meaning: Made up, find: {BLEEDING}, when: {when}, severity: {severity}}}"
    read = load_definition(written(f"{PLACES}\nrules: [{rule}]\n"), "bleeding")
    assert read.categories == (
        "mco_associated_diagnosis", "mco_ccam_act", "mco_hospital_stay", "mco_main_diagnosis",
    )  # fmt: skip
    assert read.files == ("bleeding.yaml", "bleeding_codes.csv", "bleeding_sites.csv")


def rule_with(text: str) -> str:
    return f"rules:\n  - {{rule: bleeding, meaning: Made up, {text}}}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rule: []\n", 'the key "rule" is not known; known are outcome, title, attrition, source, date, sites, rules.'),
        ("", "rules of a definition is missing."),
        ("rules: []\n", "rules must hold at least one rule."),
        ("rules: bleeding\n", "rules must be a list."),
        ("rules: [bleeding]\n", "a rule must hold keys and values."),
        ("rules: [{rule: bleeding\n", "line 7 is not readable YAML"),
        (rule_with("found: {}"), 'the key "found" is not known; known are rule, meaning, find, when, severity, dated.'),
        (
            rule_with(f"find: {BLEEDING}, dated: stay"),
            'the date "stay" is not known; known are event, group.',
        ),
        (rule_with("severity: []"), "find of a rule is missing."),
        (rule_with(f"find: {BLEEDING}, find: {BLEEDING}"), "find is written twice"),
        (rule_with("find: {category: [stays]}"), 'the category "stays" is not known; known are '),
        (rule_with("find: {category: mco_ccam_act}"), "category must be a list."),
        (rule_with("find: {weight: 9}"), "category of a selection is missing."),
        (rule_with("find: {category: [mco_ccam_act], code: X}"), 'the key "code" is not known; known are category, '),
        (rule_with("find: {category: [mco_ccam_act], days: 3}"), 'the key "days" is not known; known are category, '),
        (rule_with("find: {category: [mco_ccam_act], weight: nine}"), 'weight is "nine", but must be a number.'),
        (rule_with("find: {category: [mco_ccam_act], source: liberal}"), "source must be a list."),
        (
            rule_with("find: {category: [mco_ccam_act], codes: {file: bleeding_codes.csv}}"),
            "use of a list of codes is missing.",
        ),
        (
            rule_with("find: {category: [mco_ccam_act], codes: {file: bleeding_codes.csv, use: surgery}}"),
            'has no code for the use "surgery".',
        ),
        (
            rule_with("find: {category: [mco_ccam_act], codes: {file: bleeding_sites.csv, use: bleeding}}"),
            "bleeding_sites.csv has no column use.",
        ),
        (
            rule_with("find: {category: [mco_ccam_act], codes: {file: codes.csv, use: bleeding}}"),
            "codes.csv does not exist.",
        ),
        (
            rule_with(f"find: {BLEEDING}, when: {{some: []}}"),
            'the operator "some" is not known; known are all, any, not, same_group, same_day, within_days.',
        ),
        (
            rule_with(f"find: {BLEEDING}, when: {{same_day: {ACT}, same_group: {ACT}}}"),
            "a condition has one operator, not same_day, same_group.",
        ),
        (rule_with(f"find: {BLEEDING}, when: {{}}"), "a condition has one operator, not none."),
        (rule_with(f"find: {BLEEDING}, when: always"), "a condition must hold keys and values."),
        (rule_with(f"find: {BLEEDING}, when: {{all: []}}"), "all must hold at least one condition."),
        (rule_with(f"find: {BLEEDING}, when: {{any: {{same_day: {ACT}}}}}"), "any must be a list."),
        (rule_with(f"find: {BLEEDING}, when: {{not: }}"), "a condition must hold keys and values."),
        (rule_with(f"find: {BLEEDING}, when: {{within_days: {ACT}}}"), "days of within_days is missing."),
        (
            rule_with(f"find: {BLEEDING}, when: {{within_days: {{category: [mco_ccam_act], days: few}}}}"),
            'days is "few", but must be a whole number.',
        ),
        (
            rule_with(f"find: {BLEEDING}, when: {{same_day: {{category: [mco_ccam_act], days: 3}}}}"),
            'the key "days" is not known',
        ),
        (
            rule_with(f"find: {BLEEDING}, severity: [{{severity: 2, when: {{same_day: {ACT}}}}}]"),
            "the last severity of bleeding must hold without a condition.",
        ),
        (rule_with(f"find: {BLEEDING}, severity: [{{severity: high}}]"), 'severity is "high", but must be a whole'),
        (rule_with(f"find: {BLEEDING}, severity: [{{level: 2}}]"), 'the key "level" is not known; known are severity,'),
        (f"{PLACES.replace('site_group', 'bone')}\n{rule_with(f'find: {BLEEDING}')}", "has no column bone."),
        (f"sites: {{fine: site, coarse: site}}\n{rule_with(f'find: {BLEEDING}')}", "file of sites is missing."),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_with_one_sentence_that_names_the_file(written, text, sentence):
    folder = written(text)
    with pytest.raises(InputError) as refused:
        load_definition(folder, "bleeding")
    assert sentence in str(refused.value)
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)


def test_a_definition_is_found_by_its_name_alone(written):
    folder = written(rule_with(f"find: {BLEEDING}"), head=HEAD.replace("outcome: bleeding", "outcome: stroke"))
    with pytest.raises(InputError, match=r"outcome is stroke, but must be the file's own name, bleeding\."):
        load_definition(folder, "bleeding")
    with pytest.raises(InputError, match=r"defines no outcome stroke: stroke\.yaml is not there\."):
        load_definition(folder, "stroke")
