import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import results


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_the_commit_says_when_the_code_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "HOME", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = results.commit()
    assert len(clean) == 40
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "results" / "flatten.json").write_text("{}")
    assert results.commit() == clean
    (tmp_path / "src" / "a.py").write_text("2\n")
    assert results.commit() == f"{clean}+changes"


def test_without_git_the_version_of_the_code_stands_for_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "HOME", tmp_path)
    assert results.commit() == results.code_version()


def test_the_machine_is_described_and_a_result_is_written_whole(tmp_path: Path) -> None:
    results.write_result(tmp_path / "new" / "a.json", {"machine": results.machine()})
    (file,) = (tmp_path / "new").iterdir()
    machine = json.loads(file.read_text("utf-8"))["machine"]
    assert machine["cores"] >= 1
    assert machine["memory_gb"] > 0.5
    assert set(machine["versions"]) == {"pyspark", "duckdb", "pyarrow"}
