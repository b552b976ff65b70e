"""A report is signed by a named person with a reason; decisions are added, and the last one holds."""

import pytest

from parcours.cohort.sign_off import decisions, in_words, sign_off
from parcours.errors import InputError
from parcours.storage.manifest import write_manifest

RUN = {"cohort": "fall", "fingerprint": "0123456789abcdef", "steps": []}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "studies" / "fall" / RUN["fingerprint"] / "report"
    folder.mkdir(parents=True)
    write_manifest(folder, {"fingerprint": RUN["fingerprint"]})
    return {**RUN, "root": str(tmp_path)}


def test_a_decision_says_who_when_and_why(run):
    told = sign_off(run, "approved", "eve", " the rise of\nZolpidem is known ")
    assert decisions(run) == [told]
    assert in_words(told) == f"approved by eve on {told['at'][:10]}: the rise of Zolpidem is known"


def test_a_later_decision_is_added_and_nothing_is_taken_away(run):
    first = sign_off(run, "approved", "eve", "all controls are flat")
    second = sign_off(run, "rejected", "adam", "the wash-out is too short")
    assert decisions(run) == [first, second]


@pytest.mark.parametrize(
    ("decision", "by", "reason", "sentence"),
    [
        ("perhaps", "eve", "why not", "'perhaps' is no decision; say approved or rejected."),
        ("approved", " ", "it holds", "A sign-off needs a name; it is empty."),
        ("approved", "eve", "\n", "A sign-off needs a reason; it is empty."),
        ("approved", "eve", "x" * 1001, "The reason of a sign-off has 1001 characters; 1000 are the most."),
    ],
)
def test_what_is_no_decision_is_refused_and_nothing_is_noted(run, decision, by, reason, sentence):
    with pytest.raises(InputError, match=f"^{sentence}$"):
        sign_off(run, decision, by, reason)
    assert decisions(run) == []


def test_a_run_without_a_report_cannot_be_signed(tmp_path):
    with pytest.raises(InputError, match="has no report yet; run that stage first"):
        sign_off({**RUN, "root": str(tmp_path)}, "approved", "eve", "it holds")
    assert decisions({**RUN, "root": str(tmp_path)}) == []
