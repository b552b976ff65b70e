import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[3]
GUIDE = HOME / "docs" / "how-to" / "benchmarks.md"
PROGRAMS = {"parcours", "scalpel_featuring"}


@pytest.mark.bench
def test_the_peer_agrees_and_the_file_says_what_the_guide_says(tmp_path: Path) -> None:
    out, size = tmp_path / "featuring.json", ["--persons", "400", "--runs", "1", "--factors", "1"]
    command = [
        sys.executable,
        "-m",
        "benchmarks.featuring",
        *size,
        "--work",
        str(tmp_path / "work"),
        "--out",
        str(out),
    ]
    short_jobs = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
    done = subprocess.run(command, cwd=HOME, env=short_jobs, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert set(found["seconds"]) == set(found["seconds_without_start"]) == set(found["peak_mb"]) == PROGRAMS
    assert found["seconds_without_start"]["scalpel_featuring"] < found["seconds"]["scalpel_featuring"]
    assert found["input"]["persons"] == 400
    assert found["input"]["rows_by_product"]["DCIR"] > 10_000
    assert found["agreement"]["cases"]["parcours"] > 10
    assert found["shuffle_bytes"]["scalpel_featuring"] > 0
    assert found["scaling"][0]["factor"] == 1
    fields = GUIDE.read_text("utf-8").partition("## What is in featuring.json")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE)) == set(found)
    assert not (tmp_path / "work" / "run").exists()
    (root,) = (tmp_path / "work" / "roots").glob("*/root")
    assert not {"events", "studies"} & {path.name for path in root.iterdir()}
