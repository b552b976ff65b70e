"""When a job would do the same again."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from parcours_airflow.work import LEAVES, READS, Work

HOME = Path(__file__).resolve().parents[2]


def write(path: Path, text: str = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def flatten(tmp_path: Path) -> Work:
    write(tmp_path / "delivery" / "delivery.yaml")
    write(tmp_path / "delivery" / "2016" / "ER_PRS_F.csv", "1;2")
    arguments = ("--delivery", str(tmp_path / "delivery"), "--root", str(tmp_path / "root"), "--product", "DCIR")
    return Work("flatten", "DCIR 2016", arguments)


def test_every_job_has_its_row() -> None:
    jobs = {file.stem for file in (HOME / "spark_jobs").glob("*.py")}
    assert set(READS) == jobs | {"inference approve"}  # the one stage that reads more than the run
    assert {key.split()[0] for key in LEAVES} == jobs


def test_the_fingerprint_changes_with_arguments_and_with_any_file_of_the_delivery(
    flatten: Work, tmp_path: Path
) -> None:
    first = flatten.fingerprint()
    assert flatten.fingerprint() == first
    assert Work("flatten", "another name", flatten.arguments).fingerprint() == first
    assert Work("flatten", "", (*flatten.arguments, "--year", "2016")).fingerprint() != first
    write(tmp_path / "delivery" / "2016" / "ER_PRS_F.csv", "1;2;3")
    assert flatten.fingerprint() != first


def test_what_a_job_writes_changes_its_outputs_and_not_its_fingerprint(flatten: Work, tmp_path: Path) -> None:
    fingerprint, outputs = flatten.fingerprint(), flatten.outputs()
    manifest = write(tmp_path / "root" / "flat" / "DCIR" / "period=2016-01" / "_MANIFEST.json")
    assert flatten.fingerprint() == fingerprint
    done = flatten.outputs()
    assert done != outputs
    manifest.unlink()
    assert flatten.outputs() == outputs


def test_the_gate_looks_again_when_a_period_was_replaced(tmp_path: Path) -> None:
    gate = Work("quality", "gate", ("--root", str(tmp_path), "--run-name", "r1"))
    before = gate.fingerprint()
    write(tmp_path / "flat" / "DCIR" / "period=2016-01" / "_MANIFEST.json")
    assert gate.fingerprint() != before


@pytest.mark.parametrize(
    ("job", "stage", "left"),
    [
        ("featuring", "events", "events/persons/abc/_MANIFEST.json"),
        ("featuring", "cohort", "studies/fall/f1/cohort/_MANIFEST.json"),
        ("featuring", "features", "studies/fall/f1/features/_MANIFEST.json"),
        ("inference", "train", "studies/fall/f1/model/_MANIFEST.json"),
        ("inference", "report", "studies/fall/f1/report/_MANIFEST.json"),
    ],
)
def test_a_stage_of_a_study_leaves_its_own_manifest(tmp_path: Path, job: str, stage: str, left: str) -> None:
    run = write(tmp_path / "studies" / "fall" / "f1" / "run.json")
    stages = {
        name: Work(name.split()[0], name, ("--run", str(run), "--stage", name.split()[1]))
        for name in LEAVES
        if " " in name
    }
    before = {name: work.outputs() for name, work in stages.items()}
    write(tmp_path / left)
    assert [name for name, work in stages.items() if work.outputs() != before[name]] == [f"{job} {stage}"]
