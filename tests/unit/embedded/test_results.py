"""What came out beside what was planted."""

import json
from pathlib import Path
from typing import Any

import pytest

from parcours.embedded.results import medicines_table, recovery, worth_showing

PEAKS = """\
drug,name,exposed_cases,selected,peak_lag,peak_day,ri,lower,upper,flag
A01,alpha,120,True,1,14,2.6,2.1,3.2,raised
B01,beta,80,True,0,0,1.4,1.1,1.7,raised
C01,gamma,70,False,0,0,1.0,,,none
D01,delta,60,True,2,28,0.5,0.4,0.7,lowered
"""


def planted(atc: str, kind: str, peak: float, curve: list[float]) -> dict[str, object]:
    return {"atc": atc, "name": atc, "kind": kind, "peak_ri": peak, "relative_incidence": curve}


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "peaks.csv").write_text(PEAKS, "utf-8")
    (tmp_path / "run.json").write_text(json.dumps({"study": {"model": {"bucket_days": 2}}}), "utf-8")
    medicines = [
        planted("A01", "raises", 3.0, [1.0, 1.0, 2.0, 3.0]),
        planted("B01", "null", 1.0, [1.0, 1.0]),
        planted("C01", "null", 1.0, [1.0, 1.0]),
    ]
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"medicines": medicines}), "utf-8")
    return medicines_table(tmp_path / "run.json", truth)


def test_the_truth_is_the_mean_of_the_planted_curve_over_the_peaks_bucket(rows: list[dict[str, Any]]) -> None:
    alpha = rows[0]
    assert alpha["medicine"] == "alpha"
    assert (alpha["peak RI"], alpha["days"], alpha["planted"]) == ("2.60 (2.10-3.20)", "2-3", "raises 3")
    assert (alpha["truth"], alpha["numbers"]["truth"]) == ("2.50", 2.5)


def test_medicines_come_by_their_peak_the_highest_first(rows: list[dict[str, Any]]) -> None:
    assert [row["medicine"] for row in rows] == ["alpha", "beta", "gamma", "delta"]


def test_a_peak_without_an_interval_is_shown_alone(rows: list[dict[str, Any]]) -> None:
    assert rows[2]["peak RI"] == "1.00"


def test_a_medicine_that_was_not_planted_has_no_truth(rows: list[dict[str, Any]]) -> None:
    assert (rows[3]["planted"], rows[3]["truth"], rows[3]["numbers"]["truth"]) == ("", "", None)


def test_recovery_counts_hits_false_alarms_and_covered_intervals(rows: list[dict[str, Any]]) -> None:
    assert recovery(rows) == {
        "planted RI >= 2 flagged": "1/1",
        "without effect, flagged": "1/2",
        "truth inside the interval": "1/2",
    }


def test_only_flagged_or_planted_effects_are_shown(rows: list[dict[str, Any]]) -> None:
    assert [row["medicine"] for row in worth_showing(rows)] == ["alpha", "beta", "delta"]
