"""Which periods a user asks for: a month, or a year, which is all its months where a product has months."""

import pytest

from parcours.errors import InputError
from parcours.flatten.selection import Selection, unmatched

HELD = {"DCIR": ["2014-01", "2014-02", "2015-01", "unknown"], "MCO": ["2014", "2015"], "HAD": ["2015"]}


@pytest.mark.parametrize(
    ("asked", "periods"),
    [
        (None, ["2014-01", "2014-02", "2015-01", "2014", "2015"]),
        (["2014"], ["2014-01", "2014-02", "2014"]),
        (["2014-02"], ["2014-02"]),
        (["2014-02", "2015"], ["2014-02", "2015-01", "2015"]),
        (["unknown"], []),
    ],
)
def test_a_year_is_its_months_too(asked: list[str] | None, periods: list[str]) -> None:
    selection = Selection(periods=asked)
    known = ("2014-01", "2014-02", "2015-01", "2014", "2015")
    assert [period for period in known if selection.wants(period)] == periods
    assert selection.wants("unknown") and selection.wants("all")


def test_the_year_of_a_job_narrows_what_was_asked_for() -> None:
    selection = Selection(periods=["2014", "2015-01"], years=[2015])
    assert [period for period in ("2014-01", "2015-01", "2015-02", "2015") if selection.wants(period)] == ["2015-01"]


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("201401", "2014-01, or a year as 2014"),
        ("2014-1", "2014-01, or a year as 2014"),
        ("01/2014", "2014-01, or a year as 2014"),
        ("2014-13", "2016-01, or a year as 2016"),
        ("2014-00", "2016-01, or a year as 2016"),
        ("14", "2016-01, or a year as 2016"),
        ("2014-01-01", "2016-01, or a year as 2016"),
        ("2014,2015", "2016-01, or a year as 2016"),
        ("all", "2016-01, or a year as 2016"),
        ("", "2016-01, or a year as 2016"),
    ],
)
def test_a_period_in_another_form_is_refused_with_the_right_one(asked: str, advice: str) -> None:
    with pytest.raises(InputError) as refused:
        Selection(periods=["2015", asked])
    assert str(refused.value) == f'There is no period "{asked}"; write a month as {advice}.'


def test_what_a_period_misses_of_a_product_is_told() -> None:
    assert unmatched(Selection(periods=["2015"]), HELD) == []
    assert unmatched(Selection(), HELD) == []
    assert unmatched(Selection(periods=["2014", "2014-02"]), HELD) == [
        "Nothing of HAD is in period 2014: HAD holds 2015.",
        "Nothing of MCO is in period 2014-02: MCO holds 2014 to 2015.",
        "Nothing of HAD is in period 2014-02: HAD holds 2015.",
    ]


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (HELD, "DCIR holds 2014-01 to 2015-01, MCO holds 2014 to 2015, HAD holds 2015."),
        ({"DCIR": ["unknown"]}, "DCIR holds no period that can be read."),
        ({}, "reference tables, which have no periods."),
    ],
)
def test_a_period_that_matches_nothing_at_all_is_refused(held: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        unmatched(Selection(periods=["2015", "2019"] if held is HELD else ["2019"]), held)
    assert str(refused.value) == f"No row of period 2019 was delivered; ask for what is there: {sentence}"
