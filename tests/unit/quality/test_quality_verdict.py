"""Sentences of the verdict, and manifests as tables."""

from dataclasses import replace

import pytest

from parcours.errors import GateRefused
from parcours.quality.catalogue import Rule
from parcours.quality.evaluation import Outcome
from parcours.quality.manifests import amount_rows, fingerprints, period_rows, table_rows
from parcours.quality.verdict import critical_failures, refuse, rule_record, warnings

MANIFEST = {
    "fingerprint": "f1",
    "rows": {
        "read": {"MCO_B": 10, "MCO_A": 5},
        "joined": {"MCO_B": 9, "MCO_A": 3},
        "rejected": {"MCO_B": 1},
        "orphaned": {"MCO_A": 2},
        "written": 12,
    },
    "amounts": {"MCO_B__SEJ_NBJ": {"source": 40, "flat": 40.0}},
}


def rule(severity: str = "critical", unit: str = "row(s)") -> Rule:
    return Rule(
        "key_unique", "V", "expect", {}, severity, "Keys are unique.", "The key is not unique", "s",  # type: ignore[arg-type]
        "{root}/flat/period={period}", None, unit,
    )  # fmt: skip


def record(places: dict[str, int], severity: str = "critical", evaluated: bool = True) -> dict[str, object]:
    return rule_record(Outcome(rule(severity), False, evaluated, 100, places), "DCIR", "/r")


def test_one_period_is_named() -> None:
    assert record({"2015-03": 12})["sentence"] == (
        "The key is not unique: 12 rows in 2015-03 (rule key_unique, critical). Look at /r/flat/period=2015-03."
    )


def test_several_periods_are_counted_with_the_first_and_the_last() -> None:
    assert record({"2015-03": 12, "2015-07": 1})["sentence"] == (
        "The key is not unique: 13 rows in 2 periods from 2015-03 to 2015-07 (rule key_unique, critical)."
        " Look at /r/flat/period=2015-03."
    )


def test_features_have_no_period() -> None:
    assert str(record({"features": 12})["sentence"]).startswith("The key is not unique: 12 rows (rule key_unique")


@pytest.mark.parametrize(
    ("failing", "unit", "words"),
    [
        (1, "row(s)", "fewer than 11 rows"),
        (10, "row(s)", "fewer than 11 rows"),
        (11, "row(s)", "11 rows"),
        (95, "row(s)", "11 or more rows"),  # of 100: the other 5 are few
        (100, "row(s)", "100 rows"),
        (3, "month(s)", "3 months"),
        (1, "table(s)", "1 table"),
    ],
)
def test_a_sentence_holds_no_small_count_of_rows_and_the_verdict_beside_it_is_exact(
    failing: int, unit: str, words: str
) -> None:
    told = rule_record(Outcome(rule(unit=unit), False, True, 100, {"2015-03": failing}), "DCIR", "/r")
    assert (told["unexpected_count"], told["found"]) == (failing, words)
    assert f"The key is not unique: {words} in 2015-03" in told["sentence"]


def test_a_rule_that_could_not_be_evaluated_says_so() -> None:
    assert "could not be evaluated (rule key_unique, critical)" in str(record({}, evaluated=False)["sentence"])


def test_warnings_pass_and_are_said() -> None:
    warning = record({"2015-03": 12}, severity="warning")
    assert critical_failures([warning]) == []
    assert warnings([warning]) == [warning["sentence"]]
    refuse({"passed": True, "rules": [warning], "data_docs": "d"})


def test_a_refusal_holds_a_sentence_for_each_critical_rule() -> None:
    rules = [record({"2015-03": 12}), record({"2015-04": 1}), record({"2015-05": 7}, severity="warning")]
    with pytest.raises(GateRefused) as refusal:
        refuse({"passed": False, "rules": rules, "data_docs": "d"})
    assert str(refusal.value).splitlines()[1:3] == [rules[0]["sentence"], rules[1]["sentence"]]
    assert "2015-05" not in str(refusal.value)
    assert refusal.value.exit_code == 1


def test_manifests_become_one_row_a_table() -> None:
    assert table_rows({"MCO": {"2015": MANIFEST}}) == [
        ("MCO", "2015", "MCO_A", 5, 3, 0, 2),
        ("MCO", "2015", "MCO_B", 10, 9, 1, 0),
    ]


def test_what_a_manifest_does_not_count_is_null() -> None:
    silent = {**MANIFEST, "rows": {"read": {}, "rejected": {}, "orphaned": {}, "written": 0}, "amounts": {}}
    assert table_rows({"MCO": {"2015": silent}}) == [("MCO", "2015", "MCO_B", None, None, 0, 0)]
    assert amount_rows({"MCO": {"2015": silent}}) == [("MCO", "2015", "SEJ_NBJ", None, None)]


def test_amounts_and_rows_written_are_those_stated() -> None:
    manifests = {"MCO": {"2015": MANIFEST}}
    assert amount_rows(manifests) == [("MCO", "2015", "SEJ_NBJ", 40.0, 40.0)]
    assert period_rows(manifests) == [("MCO", "2015", 12)]
    assert fingerprints(manifests) == {"MCO": {"2015": "f1"}}


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        ({}, "0 rows"),
        ({"2015": 12}, "12 rows, within the tolerance"),
        ({"2015": 3}, "fewer than 11 rows, within the tolerance"),
    ],
)
def test_a_rule_that_passed_within_its_tolerance_says_how_much_it_tolerated(
    failing: dict[str, int], words: str
) -> None:
    tolerant = replace(rule(), arguments={"column": "c", "mostly": 0.99})
    told = rule_record(Outcome(tolerant, True, True, 10_000, failing), "DCIR", "/r")
    assert (told["found"], told["unexpected_count"]) == (words, sum(failing.values()))
