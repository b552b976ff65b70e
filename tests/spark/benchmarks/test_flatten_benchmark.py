import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[3]
GUIDE = HOME / "docs" / "how-to" / "benchmarks.md"


@pytest.mark.bench
def test_the_peers_agree_and_the_file_says_what_the_guide_says(tmp_path: Path) -> None:
    out, size = tmp_path / "flatten.json", ["--raw-gb", "0.001", "--runs", "1", "--factors", "4"]
    peers = ["--peers", "scalpel_plan", "duckdb"]
    command = [
        sys.executable,
        "-m",
        "benchmarks.flatten",
        *size,
        *peers,
        "--work",
        str(tmp_path / "work"),
        "--out",
        str(out),
    ]
    short_jobs = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
    done = subprocess.run(command, cwd=HOME, env=short_jobs, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert set(found["seconds"]) == set(found["peak_mb"]) == {"parcours", "scalpel_plan", "duckdb"}
    assert set(found["ratio"]) == {"scalpel_plan", "duckdb"}
    assert found["input"]["flat_rows"] >= found["input"]["rows_by_table"]["ER_PRS_F"] > 1000
    assert all(memory > 50 for memory in found["peak_mb"].values())
    assert found["scaling"][0]["factor"] == 4
    # Two tasks start the workers; then one for the persons, and one for the months: they are small.
    assert sum(stage["tasks"] for stage in found["parcours_stages"]) == 4
    fields = GUIDE.read_text("utf-8").partition("## What is in the file")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE)) == set(found)
    assert not (tmp_path / "work" / "run").exists()
