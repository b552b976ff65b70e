import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[3]
GUIDE = HOME / "docs" / "how-to" / "benchmarks.md"
# Strong penalties: with so few cases the peer would need a thousand epochs for weak ones.
SIZE = ["--cases", "100", "--interval-cases", "100", "--tv", "0.001", "--group", "0.001", "--bootstraps", "2"]
NATIONAL = ["--national-cases", "100", "--national-drugs", "3", "--national-bootstraps", "2", "--factors", "1", "2"]


@pytest.mark.bench
def test_the_peer_minimises_the_same_and_the_file_says_what_the_guide_says(tmp_path: Path) -> None:
    out = tmp_path / "inference.json"
    command = [
        *(sys.executable, "-m", "benchmarks.inference", *SIZE, *NATIONAL),
        *("--runs", "1", "--work", str(tmp_path / "work"), "--out", str(out)),
    ]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    for part in (found, found["intervals"]):
        assert set(part["seconds"]) == set(part["cpu_seconds"]) == set(part["peak_mb"]) == {"parcours", "tick"}
        assert part["objective"]["parcours"] == pytest.approx(part["objective"]["tick"], abs=1.001e-6)
        assert part["objective"]["parcours"] <= part["objective"]["tick_converged"] + 1.001e-6
        assert part["ratio"]["tick"] == pytest.approx(part["seconds"]["tick"] / part["seconds"]["parcours"], rel=0.02)
        assert part["peer"]["versions"]["tick"] == "0.8.0.2"
        assert all(memory > 50 for memory in part["peak_mb"].values())
    assert found["input"] | {"exposures": 0} == {
        **{"cases": 100, "days": 750, "drugs": 14, "lags": 50, "tv": 0.001, "group": 0.001},
        "exposures": 0,
    }
    steps = {"series", "cross_validation", "bootstrap_and_tests", "peaks"}
    assert set(found["national"]["seconds_by_step"]) == steps
    assert found["national"]["cases"] == 100 and found["national"]["lags"] == 29
    assert [one["cases"] for one in found["scaling"]] == [50, 100]
    assert isinstance(found["exponent"], float)
    told = GUIDE.read_text("utf-8").partition("## What is in inference.json")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == set(found)
    assert not (tmp_path / "work" / "run").exists()
