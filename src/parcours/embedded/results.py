"""What a study found beside what was planted: the closing table of the demo."""

import csv
import json
from pathlib import Path
from typing import Any

STRONG = 2.0


def medicines_table(run_json: Path, truth_json: Path) -> list[dict[str, Any]]:
    """One row a medicine: the relative incidence at its peak, when, its interval, the flag, and the planted truth.

    `truth` is the planted relative incidence over the days of the peak's bucket.
    """
    run = json.loads(run_json.read_text("utf-8"))
    truth = json.loads(truth_json.read_text("utf-8"))
    planted = {medicine["atc"]: medicine for medicine in truth["medicines"]}
    with (run_json.parent / "report" / "peaks.csv").open(encoding="utf-8", newline="") as lines:
        peaks = list(csv.DictReader(lines))
    bucket = run["study"]["model"]["bucket_days"]
    rows = [_row(peak, planted.get(peak["drug"]), bucket) for peak in peaks]
    return sorted(rows, key=lambda row: -float(row["peak RI"]))


def recovery(rows: list[dict[str, Any]]) -> dict[str, str]:
    """How much of what was planted came out again: x/y of each kind."""
    known = [row for row in rows if row["planted"]]
    strong = [row for row in known if row["planted"] == "raises" and row["planted RI"] >= STRONG]
    null = [row for row in known if row["planted"] in ("null", "confounded")]
    bounded = [row for row in known if row["interval"]]
    return {
        f"planted RI >= {STRONG:g} flagged": _share([row["flag"] == "raises" for row in strong]),
        "without effect, flagged": _share([row["flag"] in ("raises", "lowers") for row in null]),
        "truth inside the interval": _share([row["covered"] == "yes" for row in bounded]),
    }


def _row(peak: dict[str, str], planted: dict[str, Any] | None, bucket: int) -> dict[str, Any]:
    first = int(peak["peak_lag"]) * bucket
    bounds = [float(peak[name]) for name in ("lower", "upper") if peak[name]]
    row: dict[str, Any] = {
        "medicine": peak["name"],
        "code": peak["drug"],
        "peak RI": float(peak["ri"]),
        "days": f"{first}-{first + bucket - 1}",
        "interval": f"{bounds[0]:.2f}-{bounds[1]:.2f}" if len(bounds) == 2 else "",
        "flag": peak["flag"],
        "planted": planted["kind"] if planted else "",
        "planted RI": float(planted["peak_ri"]) if planted else None,
        "truth": None,
        "covered": "",
    }
    if planted:
        curve = planted["relative_incidence"][first : first + bucket]
        row["truth"] = sum(curve) / len(curve) if curve else 1.0
        row["covered"] = ("yes" if bounds[0] <= row["truth"] <= bounds[1] else "no") if len(bounds) == 2 else ""
    return row


def _share(hits: list[bool]) -> str:
    return f"{sum(hits)}/{len(hits)}"
