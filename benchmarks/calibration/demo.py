"""The demo's cohort, whole: a synthetic delivery with planted effects, flattened, featured, fitted and reported."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from parcours.embedded.results import STRONG, WITHOUT_EFFECT, medicines_table
from parcours.models.screening import false_discovery_flags
from parcours.reporting.findings import LOWERED, NOT_FLAGGED, RAISED

PERSONS = 20_000


def recovered(seed: int) -> dict[str, Any]:
    """Medicines of the fall study on the delivery of a seed: counts of each kind, and what was missed."""
    with tempfile.TemporaryDirectory() as folder:
        delivery, root = Path(folder) / "delivery", Path(folder) / "root"
        _parcours("synth", "--out", str(delivery), "--persons", str(PERSONS), "--seed", str(seed))
        told = _parcours("run", "fall", "--delivery", str(delivery), "--root", str(root), "--json")
        run = Path(json.loads(told)["train"]["directory"]).parent
        table = medicines_table(run / "run.json", delivery / "truth.json")
    return judged([row["numbers"] for row in table])


def judged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of one delivery's medicines."""
    planted = [row for row in rows if row["kind"] == "raises" and row["planted_ri"] >= STRONG]
    others = [row for row in rows if row["kind"] in WITHOUT_EFFECT]
    bounded = [row for row in rows if row["kind"] and row["lower"] is not None]
    return {
        "planted": len(planted),
        "planted_flagged": sum(row["flag"] == RAISED for row in planted),
        "missed": [f"{row['name']}: {row['flag']}" for row in planted if row["flag"] != RAISED],
        "others": len(others),
        "others_flagged": sum(row["flag"] != NOT_FLAGGED for row in others),
        "bounded": len(bounded),
        "truth_inside": sum(row["lower"] <= row["truth"] <= row["upper"] for row in bounded),
        "contradictions": contradictions(rows),
    }


def contradictions(rows: list[dict[str, Any]]) -> int:
    """Rows whose flag, interval and p value do not say the same."""
    tested = [row for row in rows if row["ri"] is not None]
    passed = false_discovery_flags(np.array([row["p_value"] for row in tested]), 0.05)
    return sum(not _agrees(row, bool(flagged)) for row, flagged in zip(tested, passed, strict=True))


def _agrees(row: dict[str, Any], passed: bool) -> bool:
    lower, upper = row["lower"], math.inf if row["upper"] is None else row["upper"]
    outside = lower > 1.0 or upper < 1.0
    raised = row["flag"] not in (NOT_FLAGGED, LOWERED)
    direction = row["flag"] == NOT_FLAGGED or (lower > 1.0) == raised
    return lower <= row["ri"] <= upper and outside == passed == (row["flag"] != NOT_FLAGGED) and direction


def _parcours(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("parcours")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
