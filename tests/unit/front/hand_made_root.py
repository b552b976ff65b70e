"""A small root written by hand: two studies, three runs, one refused, a delivery with a hole and a stale month."""

import json
from pathlib import Path
from typing import Any

FALL, OLDER, REFUSED = "a" * 16, "b" * 16, "c" * 16
PEAKS = """drug,name,exposed_cases,selected,peak_lag,peak_day,ri,lower,upper,p_value,flag,first_day,last_day
N06AB10,Escitalopram,439,True,6,84,4.038,2.3891,6.5488,1.72e-15,raised,70,125
C10AA03,Pravastatine,<11,True,6,84,0.05,0.001,0.46,1e-5,lowered,0,55
N02AX02,Tramadol,120,True,0,0,9.5,3.1,22.0,1e-9,rise before exposure,0,27
A02BC01,Omeprazole,800,False,0,0,1.02,0.8,1.2,0.8,none,0,27
"""
MONTHS = {"2016-01": "published", "2016-02": "published", "2016-04": "flattened again"}
ENDED = "2026-11-{day:02d}T13:00:00+00:00"


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def verdict(passed: bool, day: int) -> dict[str, Any]:
    rule = {
        "id": "dcir_key",
        "description": "All nine key columns are filled.",
        "severity": "critical",
        "success": passed,
        "unexpected_count": 7,
        "element_count": 5001,
        "found": "fewer than 11 rows",
        "sentence": "Rows lack a key column: fewer than 11 rows in 2016-01 (rule dcir_key, critical). Look at /data/f.",
        "periods": {"DCIR 2016-01": 7},
    }
    return {"passed": passed, "ended": ENDED.format(day=day), "rules": [rule]}


def _run(root: Path, cohort: str, mark: str, day: int, passed: bool, **told: Any) -> None:
    folder = root / "studies" / cohort / mark
    write(folder / "run.json", {"cohort": cohort, "fingerprint": mark, "changes": {}, "synthetic": True, **told})
    write(folder / "features" / "_MANIFEST.json", {"ended": ENDED.format(day=day), "summary": {"cases": 7}})
    write(folder / "quality" / "verdict.json", verdict(passed, day))
    write(folder / "quality" / "data_docs" / "index.html", "rule by rule")
    if passed:
        tracked = {"mlflow_url": f"http://old.example:1/#/experiments/1/runs/{mark}", "cases": 7}
        write(folder / "report" / "_MANIFEST.json", {"ended": ENDED.format(day=day), "summary": tracked})
        write(folder / "report" / "report.html", "report")
        write(folder / "report" / "peaks.csv", PEAKS)


def hand_made_root(root: Path) -> Path:
    """Write the root."""
    changed = {"age_minimum": {"file": 65, "run": 75}}
    asked = {"dag_id": "study__fall", "run_id": "manual__1"}
    _run(root, "fall", OLDER, 3, True, name="fall · 65 and over · data to 2016-02")
    _run(root, "fall", FALL, 5, True, name="fall · 75 and over · data to 2016-04", changes=changed, airflow=asked)
    _run(root, "hip", REFUSED, 7, False)
    write(root / f"studies/fall/{FALL}/comparisons/{OLDER}/comparison.html", "compared")
    for month, state in MONTHS.items():
        manifest = {
            "fingerprint": f"{month} {state}",
            "ended": ENDED.format(day=2),
            "inputs": [{"path": f"/delivery/raw/ER_PRS_F_{month}.csv"}],
            "rows": {"written": 7},
        }
        write(root / f"flat/DCIR/period={month}/_MANIFEST.json", manifest)
    write(root / "published/DCIR.json", {"periods": {month: f"{month} published" for month in MONTHS}})
    write(root / "quality/first/verdict.json", verdict(False, 1))
    write(root / "quality/first/data_docs/index.html", "refusal")
    write(root / "quality/second/verdict.json", verdict(True, 2))
    write(root / "identity/identity.parquet", "RXGI488FS2ZBC8W87")
    return root
