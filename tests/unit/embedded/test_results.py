"""What came out beside what was planted."""

import json
from pathlib import Path
from typing import Any

import pytest

from parcours.embedded.results import medicines_table, recovery, worth_showing

PEAKS = """\
drug,name,exposed_cases,selected,peak_lag,peak_day,ri,lower,upper,p_value,flag,first_day,last_day
A01,alpha,120,True,1,2,2.6,2.1,3.2,1e-9,raised,2,3
B01,beta,80,True,0,0,1.4,1.1,1.7,0.001,raised,0,1
C01,gamma,70,False,0,0,0.9,0.6,1.3,0.5,none,0,5
D01,delta,60,True,2,4,0.5,0.0,0.7,0.002,lowered,4,5
E01,epsilon,60,True,0,0,3.0,2.0,inf,1e-5,rise before exposure,0,1
F01,zeta,12,False,0,0,,,,,none,0,1
"""


def planted(atc: str, kind: str, peak: float, curve: list[float]) -> dict[str, object]:
    return {"atc": atc, "name": atc, "kind": kind, "peak_ri": peak, "relative_incidence": curve}


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "peaks.csv").write_text(PEAKS, "utf-8")
    medicines = [
        planted("A01", "raises", 3.0, [1.0, 1.0, 2.0, 3.0]),
        planted("B01", "null", 1.0, [1.0, 1.0]),
        planted("C01", "lowers", 0.4, [0.4, 0.4, 0.4]),
    ]
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"medicines": medicines}), "utf-8")
    return medicines_table(tmp_path / "run.json", truth)


def test_the_truth_is_the_mean_of_the_planted_curve_over_the_days_of_the_window(rows: list[dict[str, Any]]) -> None:
    alpha = rows[1]
    assert alpha["medicine"] == "alpha"
    assert (alpha["peak RI"], alpha["days"], alpha["planted"]) == ("2.60 (2.10-3.20)", "2-3", "raises 3")
    assert (alpha["truth"], alpha["numbers"]["truth"]) == ("2.50", 2.5)
    assert rows[3]["numbers"]["truth"] == pytest.approx((3 * 0.4 + 3 * 1.0) / 6)  # nothing is planted beyond its end


def test_medicines_come_by_their_peak_the_highest_first(rows: list[dict[str, Any]]) -> None:
    assert [row["medicine"] for row in rows] == ["epsilon", "alpha", "beta", "gamma", "delta", "zeta"]


def test_bounds_without_an_end_are_shown_so_and_a_medicine_without_a_test_has_none(
    rows: list[dict[str, Any]],
) -> None:
    assert rows[0]["peak RI"] == "3.00 (2.00-∞)"
    assert rows[4]["peak RI"] == "0.50 (0-0.70)"
    assert (rows[5]["medicine"], rows[5]["peak RI"], rows[5]["days"]) == ("zeta", "–", "–")
    assert rows[5]["numbers"]["ri"] is None


def test_a_medicine_that_was_not_planted_has_no_truth(rows: list[dict[str, Any]]) -> None:
    assert (rows[4]["planted"], rows[4]["truth"], rows[4]["numbers"]["truth"]) == ("", "", None)


def test_recovery_counts_hits_false_alarms_and_covered_intervals(rows: list[dict[str, Any]]) -> None:
    assert recovery(rows) == {
        "planted RI >= 2 flagged": "1/1",
        "without effect, flagged": "1/1",
        "truth inside the interval": "2/3",
    }


def test_only_flagged_or_planted_effects_are_shown(rows: list[dict[str, Any]]) -> None:
    assert [row["medicine"] for row in worth_showing(rows)] == ["epsilon", "alpha", "beta", "gamma", "delta"]
