"""The note of a DAG run: the name of the study's run, what differs, where to look; a fault never fails the study."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ASK = Path(__file__).parent / "ask_notes.py"
RUN = {
    "cohort": "fall",
    "name": "fall · 75 and over · data to 2018-06",
    "synthetic": True,
    "changes": {"age_minimum": {"file": 65, "run": 75}, "start_gap_months": {"file": 12, "run": 18}},
}
PAGES = {"Report": "http://here/report.html", "MLflow run": ""}


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    asked = json.dumps({"run": RUN, "pages": PAGES})
    found = subprocess.run([sys.executable, str(ASK), asked], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
    return dict(json.loads(found.stdout.splitlines()[-1]))


def test_a_note_is_the_name_what_differs_and_the_links_that_there_are(answer: dict[str, Any]) -> None:
    assert answer["text"] == (
        "**fall · 75 and over · data to 2018-06** · SYNTHETIC\n\n"
        "What-if run; it differs from the study file:\n"
        "* youngest age 75, was 65\n* start gap 18 months, was 12\n\n"
        "[Report](http://here/report.html)"
    )


def test_without_a_connection_the_run_goes_on_and_says_so(answer: dict[str, Any]) -> None:
    (line,) = answer["without"]
    assert line.startswith("INFO fall · 75 and over") and "no connection airflow_api" in line


def test_a_note_that_cannot_be_written_is_logged_and_nothing_more(answer: dict[str, Any]) -> None:
    (line,) = answer["unreachable"]
    assert line.startswith("WARNING The note of the DAG run could not be written, the run goes on: ConnectError")
