"""Population: who is followed and until when, and at which step the others are lost."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from parcours.cohort.population import attrition, follow_up_of, inclusion_steps
from parcours.cohort.study import load_study

PERSONS = (
    "person_id bigint, in_referential boolean, certified boolean, sex int, birth date, ambiguous boolean, death date,"
    " death_source string"
)
EVERYBODY = """
    person_id | in_referential | certified | sex | birth      | ambiguous | death      | death_source
    1         | true           | true      | 2   | 1940-06-15 | false     | -          | -
    2         | false          | false     | -   | -          | false     | 2015-06-01 | MCO_B.SOR_MOD
    3         | true           | false     | 2   | 1940-06-15 | false     | -          | -
    4         | true           | true      | -   | 1940-06-15 | false     | -          | -
    5         | true           | true      | 2   | -          | false     | -          | -
    6         | true           | true      | 2   | 1949-01-15 | false     | -          | -
    7         | true           | true      | 2   | 1940-06-15 | true      | -          | -
    8         | true           | true      | 2   | 1940-06-15 | false     | 2014-12-31 | KI_CCI_R.BEN_DCD_DTE
    9         | true           | true      | 2   | 1940-06-15 | false     | 2015-01-01 | KI_CCI_R.BEN_DCD_DTE
    10        | true           | true      | 1   | 1940-06-15 | false     | 2017-12-31 | IR_BEN_R.BEN_DCD_AME
    11        | true           | true      | 1   | 1940-06-15 | false     | 2018-01-01 | IR_BEN_R.BEN_DCD_DTE
    12        | true           | true      | 1   | 1949-01-01 | false     | -          | -
"""


@pytest.fixture(scope="module")
def study():
    """65 and over on 2014-01-01, followed from 2015-01-01 to 2017-12-31."""
    found = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml")
    day = dt.date.fromisoformat
    fixed = replace(found.population, study_start=day("2014-01-01"), study_end=day("2017-12-31"), start_gap_months=12)
    return replace(found, population=fixed)


def test_follow_up_ends_on_the_day_of_death_or_of_the_study(table, rows, collected, study):
    follow_up, _ = follow_up_of(table(EVERYBODY, PERSONS), study.population)
    columns = ("person_id", "start", "end", "end_reason", "death_source")
    assert collected(follow_up, *columns) == rows(
        """
        person_id | start      | end        | end_reason | death_source
        1         | 2015-01-01 | 2017-12-31 | study_end  | -
        9         | 2015-01-01 | 2015-01-01 | death      | KI_CCI_R.BEN_DCD_DTE
        10        | 2015-01-01 | 2017-12-31 | death      | IR_BEN_R.BEN_DCD_AME
        11        | 2015-01-01 | 2017-12-31 | study_end  | -
        12        | 2015-01-01 | 2017-12-31 | study_end  | -
        """,
        "person_id bigint, start date, end date, end_reason string, death_source string",
    )


def test_everybody_is_followed_or_lost_at_one_step(table, study):
    _, lost = follow_up_of(table(EVERYBODY, PERSONS), study.population)
    chain = attrition(inclusion_steps(study.population), lost)
    assert chain[0]["description"] == "persons with care or in a referential"
    assert [(step["step"], step["persons"], step["lost"]) for step in chain] == [
        ("persons", 12, 0),
        ("referential", 11, 1),
        ("certified", 10, 1),
        ("known", 8, 2),
        ("age", 7, 1),  # 6 is 64; 12 is 65 on the very day
        ("identity", 6, 1),
        ("alive", 5, 1),
    ]


def test_a_study_of_one_sex_and_of_twins_has_other_steps(table, study):
    men = replace(study.population, sex="men", ambiguous_identity="keep")
    follow_up, lost = follow_up_of(table(EVERYBODY, PERSONS), men)
    assert follow_up["person_id"].to_pylist() == [10, 11, 12]
    chain = attrition(inclusion_steps(men), lost)
    assert [(step["step"], step["persons"], step["lost"]) for step in chain[3:]] == [
        ("known", 8, 2),
        ("age", 7, 1),
        ("sex", 3, 4),
        ("alive", 3, 0),
    ]
