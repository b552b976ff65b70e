"""The commands as a user types them: exit codes, one sentence instead of a traceback, JSON on stdout."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parcours.errors import GateRefused, InputError, RetryableFault
from parcours.stages.exit import BUG, exit_code_of, job_main


def parcours(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from parcours.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("flatten", "--delivery", "nowhere", "--root", "{root}"), "There is no delivery at nowhere"),
        (("plan", "--delivery", "nowhere", "--root", "{root}"), "There is no delivery at nowhere"),
        (("features", "nothing", "--root", "{root}"), "There is no study nothing; known are fall"),
        (("features", "fall", "--root", "{root}", "--set", "start_gap_months"), "write it as name=value"),
        (("features", "fall", "--root", "{root}", "--set", "=6"), "write it as name=value"),
        (("features", "fall", "--root", "{root}", "--set", "sites=[hip"), "--set sites=[hip: the value cannot be read"),
        (("train", "fall", "--root", "{root}", "--set", "study_end=2014-02-30"), "cannot be read; write a list"),
        (("report", "fall", "--root", "{root}", "--set", "lags=1", "--set", "lags=2"), "--set lags is given twice"),
        (("features", "fall", "--root", "{root}", "--set", "no_such_parameter=1"), "no_such_parameter"),
        (("run", "fall", "--root", "{root}", "--delivery", "nowhere", "--set", "age_minimun=70"), "age_minimun"),
        (("run", "falls", "--root", "{root}", "--delivery", "nowhere"), "There is no study falls"),
        (("status", "--root", "{root}/nowhere"), "There is no root at"),
        (("status", "--root", ""), "The root is empty; give a folder"),
        (("check", "--root", "{root}/file"), "file is a file; give a folder"),
        (("check", "--root", "{root}/file/root"), "file, which is a file; give another folder"),
        (("check", "--root", "{root}", "--product", "DICR"), "Product DICR is not known; known are DCIR"),
        (("plan", "--delivery", "nowhere", "--root", "s3://bucket"), "s3://bucket cannot be used: give a path"),
        (("synth", "--out", "{root}/file"), "file is a file; give an empty folder"),
        (("features", "fall", "--root", "{root}"), "DCIR has not been flattened"),
        (("synth", "--out", "{root}/d", "--years", "long ago"), "--years long ago: write it as 2014-2017"),
    ],
)
def test_wrong_input_ends_with_code_2_and_one_sentence(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "file").write_text("")
    ended = parcours(*(argument.format(root=tmp_path) for argument in arguments))
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.count("\n") == 1
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_namenode_that_nobody_knows_ends_with_code_3_and_its_address() -> None:
    ended = parcours("check", "--root", "hdfs://namenode.invalid:8020/snds")
    assert ended.returncode == 3, ended.stderr
    assert "hdfs://namenode.invalid:8020 names a machine that is not known here" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_option_ends_with_code_2() -> None:
    assert parcours("flatten").returncode == 2


def test_status_of_an_empty_root_is_one_json_object(tmp_path: Path) -> None:
    ended = parcours("status", "--root", str(tmp_path), "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"root": str(tmp_path), "products": [], "running": [], "studies": []}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GateRefused("refused"), 1),
        (InputError("wrong"), 2),
        (RetryableFault("busy"), 3),
        (OSError(28, "No space left on device"), 3),
        (KeyError("a bug"), BUG),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_job_ends_with_its_summary_as_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    job_main(lambda: {"status": "done"})
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"status": "done"}


def test_a_job_that_is_refused_leaves_with_its_code_and_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> dict[str, object]:
        raise GateRefused("rule dcir_key_unique: 12 rows")

    with pytest.raises(SystemExit) as left:
        job_main(refused)
    assert left.value.code == 1
    assert capsys.readouterr().err == "rule dcir_key_unique: 12 rows\n"


def test_a_job_tells_no_small_count(capsys: pytest.CaptureFixture[str]) -> None:
    job_main(lambda: {"status": "done", "cases": 8, "periods": 3})
    assert json.loads(capsys.readouterr().out) == {"status": "done", "cases": "<11", "periods": 3}


def test_a_fault_is_told_where_it_happened_and_without_the_person_it_met(capsys: pytest.CaptureFixture[str]) -> None:
    def met() -> dict[str, object]:
        raise KeyError("RXGI488FS2ZBC8W87")

    with pytest.raises(SystemExit):
        job_main(met)
    told = capsys.readouterr().err
    assert "KeyError: '...'" in told and "test_cli.py" in told
    assert "RXGI488FS2ZBC8W87" not in told.replace('raise KeyError("RXGI488FS2ZBC8W87")', "")
