"""Two reports made by hand, side by side: what was changed, what became of the signals, one sentence."""

import json
import subprocess
import sys

import pytest

from parcours.comparison.compare import compare, curves_worth_drawing
from parcours.comparison.counts import SharedCases
from parcours.comparison.finished import Step
from parcours.comparison.sentence import NOTHING_DIFFERS, change_words, sentence
from parcours.comparison.signals import read_signals, signals_gained, signals_lost, signals_turned
from parcours.comparison.tables import as_json
from parcours.errors import InputError
from parcours.leaving import fit_to_leave
from tests.spec.comparison.reports import DATA, PEAKS, RUN, STEPS, another, finished, write_report

OLDER = another(study={"population": {"age_minimum": 75}}, name="fall · 75 and over · data to 2016-02")
OLDER_STEPS = [("everybody", 9000), ("aged 75 to 120 on 2014-01-01", 3000), ("with a fracture", 1204)]
# flag and numbers of a medicine in the earlier and the later run, and what became of it
FLAGS = [
    ("none", "raised", "gained", "gained: raises"),
    (None, "lowered", "gained", "gained: lowers"),
    ("rise before exposure", "raised", "gained", "gained: raises"),
    ("raised", "none", "lost", "lost: not flagged"),
    ("raised", None, "lost", "lost: not estimated"),
    ("lowered", "rise before exposure", "lost", "lost: rises before the purchase already"),
    ("raised", "lowered", "turned", "turned: lowers"),
    ("raised", "raised", "kept", "kept: raises"),
    ("none", "none", "", ""),
    ("none", None, "", "only in the earlier run"),
    (None, "none", "", "only in the later run"),
    ("none", "rise before exposure", "", "no signal: rises before the purchase already"),
]


def peaks(*flags):
    return [(f"D{place}", f"Drug {place}", 100, flag, 2.0, 1.1, 3.5, 0.01) for place, flag in enumerate(flags) if flag]


def pair_of(folder, earlier, later):
    runs = (finished(folder / "a", peaks=peaks(*earlier)), finished(folder / "b", another(), peaks=peaks(*later)))
    return compare(*runs)


@pytest.mark.parametrize(("before", "after", "change", "words"), FLAGS)
def test_what_became_of_a_medicine(tmp_path, before, after, change, words):
    (pair,) = pair_of(tmp_path, [before], [after]).medicines
    assert (pair.change, change_words(pair)) == (change, words)


def test_signals_of_runs_are_read_and_told_apart(tmp_path):
    first = write_report(tmp_path / "a", peaks=peaks("none", "raised", "raised", "raised"))
    second = write_report(tmp_path / "b", another(), peaks=peaks("raised", "none", "lowered", "raised"))
    earlier, later = read_signals(first), read_signals(second)
    assert earlier["D1"] == {"name": "Drug 1", "flag": "raised", "ri": 2.0, "lower": 1.1, "upper": 3.5, "p_value": 0.01}
    assert list(signals_gained(earlier, later)) == ["D0"]
    assert list(signals_lost(earlier, later)) == ["D1"]
    assert list(signals_turned(earlier, later)) == ["D2"]


def test_signals_are_read_without_anything_heavy():
    heavy = ("pandas", "numpy", "pyarrow", "matplotlib")
    code = f"import sys, parcours.comparison.signals; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_run_without_a_report_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"There is no .*peaks.csv; write the report of this run first"):
        read_signals(tmp_path)


def test_the_difference_in_one_sentence(tmp_path):
    gained = [(*peak[:3], flag, *peak[4:]) for peak, flag in zip(PEAKS, ("none", "raised"), strict=True)]
    cases = SharedCases(both=1204, gained=0, lost=117)
    earlier, later = finished(tmp_path / "a"), finished(tmp_path / "b", OLDER, steps=OLDER_STEPS, peaks=gained)
    assert sentence(compare(earlier, later, cases)) == (
        "75 and over instead of 65 and over: 1,204 of 1,321 cases, one signal gained (Alprazolam), one lost (Zolpidem)."
    )
    assert "1,204 cases instead of 1,321" in sentence(compare(earlier, later)), "who is among whom is not known"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, NOTHING_DIFFERS),
        ({"code_version": "0.2.0"}, "Code 0.2.0 instead of 0.1.0: nothing else differs."),
        ({"identity": "anew"}, "Persons identified anew: nothing else differs."),
        ({"codelists": {"fracture.yaml": "2"}}, "Other code lists (fracture.yaml): nothing else differs."),
        ({"cohort": "hip"}, "Study hip instead of fall: nothing else differs."),
        (
            {"data": {**DATA, "DCIR": {"2016-02": "b", "2016-03": "e"}, "MCO": {"2016": "f"}}},
            "DCIR with 2016-03 and without 2016-01; MCO 2016 changed: nothing else differs.",
        ),
        (
            {"data": {**DATA, "DCIR": {**DATA["DCIR"], **{f"2016-0{month}": "e" for month in range(3, 8)}}}},
            "DCIR with 5 periods from 2016-03 to 2016-07: nothing else differs.",
        ),
    ],
)
def test_what_was_changed_though_the_results_are_the_same(tmp_path, changed, said):
    assert sentence(compare(finished(tmp_path / "a"), finished(tmp_path / "b", another(**changed)))) == said


def test_other_results_of_the_same_are_told(tmp_path):
    comparison = pair_of(tmp_path, ["none"], ["raised"])
    assert sentence(comparison) == (
        "With the same parameters, data and code: 1,321 cases as before, one signal gained (Drug 0)."
    )


def test_signals_that_stay_are_told(tmp_path):
    many = pair_of(tmp_path, ["raised"] * 5, ["raised"] * 5 + ["none"])
    assert sentence(many).endswith("the same five signals (Drug 0, Drug 1, Drug 2 and 2 more).")
    assert sentence(pair_of(tmp_path / "none", ["none"], ["none", "none"])).endswith("no signal in either.")


def test_steps_that_say_the_same_but_for_their_numbers_are_beside_each_other(tmp_path):
    women = [STEPS[0], ("aged 75 to 120 on 2014-01-01", 3000), ("women only", 2000), ("hip fracture", 500)]
    comparison = compare(finished(tmp_path / "a"), finished(tmp_path / "b", OLDER, steps=women))
    told = [[step and step.persons for step in (pair.earlier, pair.later)] for pair in comparison.attrition]
    assert told == [[9000, 9000], [5000, 3000], [None, 2000], [1321, 500]]
    assert comparison.attrition[2].later == Step("women only", 2000, 1000)


def test_medicines_are_read_from_what_raises_in_either_run_to_what_lowers_to_the_rest(tmp_path):
    comparison = pair_of(tmp_path, ["none", "none", "lowered", "raised"], ["none", "raised", "none", "none"])
    assert [pair.drug for pair in comparison.medicines] == ["D1", "D3", "D2", "D0"]
    assert [pair.drug for pair in curves_worth_drawing(comparison, most=3)] == ["D1", "D2", "D3"]


def test_what_leaves_as_json_is_fit_to_leave_as_it_is(tmp_path):
    open_ended = [
        ("A", "A", "<11", "raised", 9.0, 1.0, float("inf"), 1.0),
        ("B", "B", 40, "none", None, None, None, None),
    ]
    later = finished(tmp_path / "b", OLDER, steps=OLDER_STEPS, peaks=open_ended, events=1300, persons_followed=3000)
    told = as_json(
        compare(finished(tmp_path / "a", events=1400, persons_followed=5000), later, SharedCases("<11", 0, "<11"))
    )
    assert fit_to_leave(told) == told
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["medicines"][0]["later"] == "9.00 (1.00 to ∞)"
    assert {row["code"]: row["later"] for row in told["medicines"]}["B"] == "not estimated"
    assert {row["count"]: (row["earlier"], row["later"]) for row in told["counts"]} == {
        "cases": ("1,321", "1,204"), "events": ("1,400", "1,300"), "persons followed": ("5,000", "3,000"),
    }  # fmt: skip


def test_a_run_is_called_by_what_sets_it_apart(tmp_path):
    from parcours.comparison.labels import labels_of

    earlier = finished(tmp_path / "a")
    older = labels_of(compare(earlier, finished(tmp_path / "b", OLDER)))
    assert (older.earlier, older.later, older.common) == ("65 and over", "75 and over", "fall · data to 2016-02")
    namesakes = labels_of(compare(earlier, finished(tmp_path / "c", another())))
    assert (namesakes.earlier, namesakes.later) == ("run aaaaaaaa", "run bbbbbbbb")
    assert RUN["name"] == namesakes.common
