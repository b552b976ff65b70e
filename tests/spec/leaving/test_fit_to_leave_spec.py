"""What a summary tells outside of the root: no count of 1 to 10 persons, nor two numbers whose difference is one."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcours.leaving import fit_to_leave, in_words, is_small, shown_count, shown_sum, without_identifiers


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, "<11"), (10, "<11"), (11, 11), (4200, 4200)])
def test_a_count_from_1_to_10_leaves_as_less_than_11(count, shown):
    assert shown_count(count) == shown


def test_numbers_are_counts_of_persons_unless_their_name_says_otherwise():
    kept = {"status": "done", "periods": 3, "files": 2, "drugs": 5, "passed": True}
    assert fit_to_leave({**kept, "cases": 8, "rows": 9.0}) == {**kept, "cases": "<11", "rows": "<11"}


def test_counts_are_found_however_deep_they_are():
    events = {"events": {"death": 8, "drug_purchase": 4000}, "drugs": {"N05BA": {"exposed_cases": 7}}}
    assert fit_to_leave({"events": events, "several": [{"rows": 3}, {"rows": 30}]}) == {
        "events": {"events": {"death": "<11", "drug_purchase": 4000}, "drugs": {"N05BA": {"exposed_cases": "<11"}}},
        "several": [{"rows": "<11"}, {"rows": 30}],
    }


def test_events_that_exceed_the_cases_by_few_are_hidden():
    assert fit_to_leave({"cases": 100, "events": 105})["events"] == "hidden"
    assert fit_to_leave({"cases": 100, "events": 100})["events"] == 100
    assert fit_to_leave({"cases": 100, "outcomes": {"during": 107, "after": 40}})["outcomes"] == {
        "during": "hidden",
        "after": 40,
    }


def test_sources_of_deaths_do_not_give_back_the_few_whom_one_tells_alone():
    told = {"told": {"IR_BEN_R": 500, "MCO": 120, "KI_CCI_R": 500}, "by_source": {"IR_BEN_R": 493, "KI_CCI_R": 7}}
    assert fit_to_leave({"deaths": {**told, "disagree": 40}})["deaths"] == {
        "told": {"IR_BEN_R": 500, "MCO": 120, "KI_CCI_R": 500},
        "by_source": {"IR_BEN_R": "hidden", "KI_CCI_R": "<11"},
        "disagree": 40,
    }


def test_few_rows_left_out_are_not_given_back_by_another_category_of_their_product():
    """All read the same 1,000 rows, which the parts of the first tell: one more part of the others is hidden."""
    rows = {
        "acts": {"read": 1000, "became_events": 900, "not_its_own": 100},
        "purchases": {"read": 1000, "became_events": 700, "no_date": 5, "information_line": 20, "not_its_own": 275},
        "stays": {"read": 1000, "became_events": 995, "no_date": 5},
    }
    events = {"acts": 900, "purchases": 690, "stays": 995}
    assert fit_to_leave({"rows": rows, "events": events}) == {
        "rows": {
            "acts": {"read": 1000, "became_events": 900, "not_its_own": 100},
            "purchases": {
                "read": "hidden",
                "became_events": 700,
                "no_date": "<11",
                "information_line": "hidden",
                "not_its_own": 275,
            },
            "stays": {"read": "hidden", "became_events": "hidden", "no_date": "<11"},
        },
        "events": {"acts": 900, "purchases": 690, "stays": "hidden"},
    }


def test_rows_read_are_hidden_where_few_of_them_were_removed():
    assert fit_to_leave({"rows": {"drug_purchase": {"read": 500, "cancelled": 4}}})["rows"] == {
        "drug_purchase": {"read": "hidden", "cancelled": "<11"}
    }


def steps(*persons):
    lost = [0, *(before - now for before, now in itertools.pairwise(persons))]
    return [{"persons": left, "lost": gone} for left, gone in zip(persons, lost, strict=True)]


def test_an_attrition_leaves_as_one_chain_and_its_counts_are_told_once():
    #  everybody 1003, 3 lost, followed 1000, cases 100: 1000 beside 1003 would give the 3 back
    told = fit_to_leave({"persons_followed": 1000, "cases": 100, "attrition": steps(1003, 1000, 100)})
    assert [step["persons"] for step in told["attrition"]] == [1003, "hidden", 100]
    assert [step["lost"] for step in told["attrition"]] == [0, "<11", "hidden"]
    assert (told["persons_followed"], told["cases"]) == ("hidden", 100)


def test_an_attrition_leaves_as_one_chain_wherever_it_stands():
    #  `parcours features` tells each stage under its name: 25 beside 16 would give the 9 back
    stage = {"persons_followed": 25, "cases": 16, "attrition": steps(25, 16)}
    assert fit_to_leave({"run": "run.json", "cohort": stage})["cohort"] == fit_to_leave(stage)
    assert [step["persons"] for step in fit_to_leave({"cohort": stage})["cohort"]["attrition"]] == ["hidden", 16]


def test_rows_of_persons_of_one_stage_do_not_give_back_the_few_who_are_no_cases_of_another():
    stages = {"events": {"rows": {"persons": {"read": 15}}, "events": {"stay": 13}}, "features": {"cases": 13}}
    assert fit_to_leave(stages) == {
        "events": {"rows": {"persons": {"read": "hidden"}}, "events": {"stay": 13}},
        "features": {"cases": 13},
    }


def test_a_sum_is_hidden_beside_a_part_that_is():
    assert shown_sum([100, 5]) == "hidden"
    assert shown_sum([4, 5]) == "<11"
    assert shown_sum([100, 0, 11]) == 111


numbers = st.integers(0, 30) | st.sampled_from([1, 10, 11]) | st.floats(0, 12)
names = st.sampled_from(["cases", "events", "persons_followed", "rows", "read", "deaths", "periods", "A02BC", "2016"])
summaries = st.recursive(
    st.dictionaries(names, numbers, max_size=4),
    lambda inner: st.dictionaries(names, inner | st.lists(inner, max_size=3) | numbers, max_size=4),
)


@given(summaries)
def test_what_is_fit_holds_no_small_count_and_stays_as_it_is(summary):
    told = fit_to_leave(summary)
    assert not [name for name, value in leaves(told) if name != "periods" and is_small(value) and value == int(value)]
    assert fit_to_leave(told) == told
    json.dumps(told)


def leaves(value, name=""):
    if isinstance(value, dict):
        yield from (found for key, inner in value.items() for found in leaves(inner, key))
    elif isinstance(value, list):
        yield from (found for inner in value for found in leaves(inner, name))
    elif not isinstance(value, str):
        yield name, value


def test_a_sentence_tells_fewer_than_11_rows():
    assert in_words(3, "row(s)") == "fewer than 11 rows"
    assert in_words(0, "row(s)") == "0 rows"
    assert in_words(40, "row(s)") == "40 rows"
    assert in_words(3, "month(s)") == "3 months"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("KeyError: 'RXGI488FS2ZBC8W87'", "KeyError: '...'"),
        ("5412345678901234567 is out of range", "... is out of range"),
        ("died on 2016-05-17", "died on ..."),
        ("ER_PRS_F.BEN_NIR_PSA of period 2016-05 is no int64", "ER_PRS_F.BEN_NIR_PSA of period 2016-05 is no int64"),
    ],
)
def test_words_of_a_library_go_without_identifiers_and_dates(said, told):
    assert without_identifiers(said) == told
