"""The gate before the models: features of a study that no model should read are refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from parcours.errors import GateRefused, InputError
from parcours.quality.catalogue import load_catalogue
from parcours.quality.gate import check_features
from parcours.stages.quality import run_study_gate
from parcours.storage.manifest import write_manifest

pytestmark = pytest.mark.spark

PERSONS = 150
START, END, BIRTH = 16071, 17531, -9000  # 2014-01-01, 2017-12-31, 1945
RUN = {"cohort": "fall", "fingerprint": "f00d", "study": {}, "data": {}}
RULES = {rule.id: rule for rule in load_catalogue("FEATURES").rules}


@dataclass
class Study:
    """Features of a study, and what its summary states."""

    persons: pd.DataFrame
    events: pd.DataFrame
    exposures: pd.DataFrame
    summary: dict[str, Any] = field(default_factory=dict)


def clean_study(persons: int = PERSONS) -> Study:
    """150 persons aged 69 with an event each, every other one exposed to one of two medicines."""
    ids = [7_000_000_000 + number for number in range(persons)]
    exposed = ids[::2]
    drugs = ["N05CF02" if number % 2 else "C09AA05" for number in range(len(exposed))]
    return Study(
        pd.DataFrame({"person_id": ids, "start": START, "end": END, "birth": BIRTH}, dtype="Int64"),
        pd.DataFrame({"person_id": ids, "day": START + 100}, dtype="Int64"),
        pd.DataFrame({"person_id": exposed, "drug": drugs, "start": START + 50, "end": END}).astype(
            {"person_id": "Int64", "start": "Int64", "end": "Int64"}
        ),
        {"cases": persons, "events": persons, "drugs": {"N05CF02": {}, "C09AA05": {}}},
    )


def write_study(path: Path, study: Study) -> Path:
    """Write features as the features stage does; returns the path of run.json."""
    directory = path / "root" / "studies" / "fall" / "f00d"
    features = directory / "features"
    features.mkdir(parents=True)
    for name in ("persons", "events", "exposures"):
        getattr(study, name).to_parquet(features / f"{name}.parquet")
    (features / "summary.json").write_text(json.dumps(study.summary))
    write_manifest(features, {"fingerprint": "features-1"})
    run = directory / "run.json"
    run.write_text(json.dumps({**RUN, "root": str(path / "root")}))
    return run


def put(table: str, column: str, value: Any, row: int = 0, rows: int = 1) -> Callable[[Study], None]:
    def plant(study: Study) -> None:
        getattr(study, table).loc[row : row + rows - 1, column] = value

    return plant


def append(table: str, **values: Any) -> Callable[[Study], None]:
    """A further row, like the first but for these values."""

    def plant(study: Study) -> None:
        frame = getattr(study, table)
        row = frame.iloc[[0]].assign(**values).astype(frame.dtypes)
        setattr(study, table, pd.concat([frame, row], ignore_index=True))

    return plant


def say(**stated: int) -> Callable[[Study], None]:
    return lambda study: study.summary.update(stated)


def few(study: Study) -> None:
    small = clean_study(10)
    study.persons, study.events, study.summary = small.persons, small.events, small.summary
    study.exposures = small.exposures.iloc[:0]


# Each batch: planted faults by the rule they violate, and rules that the same faults violate besides.
BATCHES: dict[str, tuple[dict[str, Callable[[Study], None]], set[str]]] = {
    "missing_values": (
        {
            "features_person_present": put("persons", "person_id", None),
            "features_event_day_present": put("events", "day", None, row=20),
            "features_drug_present": put("exposures", "drug", None, row=20),
            "features_exposure_start_present": put("exposures", "start", None, row=21),
            "features_follow_up_present": put("persons", "end", None, row=30, rows=2),
        },
        {
            "features_person_once",
            "features_cases_as_stated",
            "features_event_of_person",
            "features_exposure_of_person",
            "features_event_in_follow_up",
            "features_drug_known",
        },
    ),
    "wrong_values": (
        {
            "features_follow_up_in_order": put("persons", "end", START - 1, row=1),
            "features_age": put("persons", "birth", -60000, row=2),
            "features_person_once": append("persons"),
            "features_cases_only": append("persons", person_id=5),
            "features_cases_as_stated": say(cases=PERSONS + 5),
            "features_events_as_stated": say(events=PERSONS + 5),
            "features_event_of_person": append("events", person_id=6),
            "features_event_in_follow_up": put("events", "day", END + 1, row=3),
            "features_drug_known": append("exposures", drug="X99XX99"),
            "features_exposure_in_order": append("exposures", end=START),
            "features_exposure_of_person": append("exposures", person_id=8),
            "features_days_plausible": put("persons", "start", 100, row=4),
        },
        set(),
    ),
    "too_few": (
        {"features_cases": few, "features_cases_enough": few, "features_exposed": few},
        set(),
    ),
}


@pytest.fixture(scope="module")
def refused(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    found = {}
    for batch, (faults, _) in BATCHES.items():
        study = clean_study()
        for plant in faults.values():
            plant(study)
        run = write_study(tmp_path_factory.mktemp(batch), study)
        with pytest.raises(GateRefused) as refusal:
            check_features(lambda: spark, run)
        verdict = json.loads((run.parent / "quality" / "verdict.json").read_text())
        found[batch] = {"verdict": verdict, "refusal": str(refusal.value), "run": run}
    return found


def test_clean_features_pass_and_are_not_checked_twice(spark: Any, tmp_path: Path) -> None:
    run = write_study(tmp_path, clean_study())
    summary = run_study_gate(run)
    assert (summary["status"], summary["passed"], summary["rules"]) == ("done", True, len(RULES))
    assert summary["warnings"] == []
    assert Path(summary["data_docs"]) == run.parent / "quality" / "data_docs" / "index.html"
    assert Path(summary["data_docs"]).is_file()
    assert run_study_gate(run)["status"] == "reused"


def test_every_rule_on_features_has_a_violating_example() -> None:
    assert {rule for faults, _ in BATCHES.values() for rule in faults} == set(RULES)


@pytest.mark.parametrize("batch", BATCHES)
def test_planted_faults_fail_and_nothing_else_does(batch: str, refused: dict[str, dict[str, Any]]) -> None:
    faults, besides = BATCHES[batch]
    failed = {rule["id"] for rule in refused[batch]["verdict"]["rules"] if not rule["success"]}
    assert failed == set(faults) | besides


@pytest.mark.parametrize(("batch", "rule"), [(b, rule) for b, (faults, _) in BATCHES.items() for rule in faults])
def test_a_critical_rule_is_in_the_refusal(batch: str, rule: str, refused: dict[str, dict[str, Any]]) -> None:
    assert (f"(rule {rule}, critical)" in refused[batch]["refusal"]) == (RULES[rule].severity == "critical")


def test_failing_rows_are_counted(refused: dict[str, dict[str, Any]]) -> None:
    counts = {rule["id"]: rule["unexpected_count"] for rule in refused["missing_values"]["verdict"]["rules"]}
    assert counts["features_follow_up_present"] == 2
    counts = {rule["id"]: rule["unexpected_count"] for rule in refused["wrong_values"]["verdict"]["rules"]}
    assert counts["features_event_in_follow_up"] == 2  # the planted one, and that of the person whose end was moved
    assert counts["features_cases_as_stated"] == 4  # 155 stated, 151 persons


@pytest.mark.parametrize("batch", BATCHES)
def test_no_person_reaches_a_report(batch: str, refused: dict[str, dict[str, Any]]) -> None:
    folder = refused[batch]["run"].parent / "quality"
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".json"):
            assert "70000000" not in path.read_text("utf-8"), path


def test_features_that_are_not_there_are_named(tmp_path: Path) -> None:
    run = tmp_path / "run.json"
    run.write_text(json.dumps({**RUN, "root": str(tmp_path)}))
    with pytest.raises(InputError, match="holds no finished features; run the features stage of fall first"):
        run_study_gate(run)


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Run file .* does not exist; plan the run first"):
        run_study_gate(tmp_path / "run.json")
