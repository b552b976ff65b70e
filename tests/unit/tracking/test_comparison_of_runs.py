"""Two small runs through training, report, comparison and a real MLflow server."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from parcours.comparison.finished import find_run
from parcours.comparison.sentence import NOTHING_DIFFERS
from parcours.errors import InputError
from parcours.stages.comparison import NOT_IN_MLFLOW, artifact_name, run_compare
from parcours.stages.inference import run_report, run_train
from parcours.storage.manifest import read_manifest, write_manifest
from parcours.storage.root import open_root
from parcours.tracking.server import connect
from tests.unit.tracking.study_run import make_run, write

EARLIER, LATER = f"{400:016x}", f"{75:08x}{400:08x}"


@pytest.fixture(scope="module")
def root(tmp_path_factory, mlflow_server):
    """A root with two reported runs, of 400 cases and of those of 75 and over among them."""
    root = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", mlflow_server)
        for run_json in (make_run(root, 400, bootstrap=0), make_run(root, 400, bootstrap=0, age_minimum=75)):
            run_train(run_json)
            run_report(run_json)
    return root


@pytest.fixture
def server(mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)


def test_a_comparison_is_committed_once_and_is_an_artifact_of_the_later_run(root, server):
    done = run_compare(str(root), EARLIER, f"fall/{LATER}")
    folder = root / "studies" / "fall" / LATER / "comparisons" / EARLIER
    assert (done["status"], done["page"]) == ("done", str(folder / "comparison.html"))
    assert done["sentence"].startswith("75 and over instead of 65 and over: 249 of 400 cases, ")
    assert done["cases of"] == {"both": 249, "gained": 0, "lost": 151}
    files = {file["path"] for file in read_manifest(folder)["files"]}
    figures = {f"figures/{name}.{kind}" for name in ("relative-incidences", "curves") for kind in ("svg", "png")}
    assert files == {"comparison.html", "comparison.json", "medicines.csv", *figures}
    logged = connect(root).list_artifacts(done["mlflow_run_id"], done["mlflow_artifacts"])
    assert done["mlflow_artifacts"] == f"comparison/{artifact_name('fall', EARLIER)}"
    assert {Path(item.path).name for item in logged} >= {"comparison.html", "comparison.json", "figures"}
    pages = [folder / "comparison.html"]
    before = [page.stat().st_mtime_ns for page in pages]
    again = run_compare(str(root), EARLIER, LATER)
    assert again == {**done, "status": "reused"}
    assert [page.stat().st_mtime_ns for page in pages] == before


def test_the_same_runs_give_the_same_bytes(root, server):
    done = run_compare(str(root), EARLIER, LATER)
    folder = Path(done["page"]).parent
    first = {path: path.read_bytes() for path in folder.rglob("*.*") if path.name != "_MANIFEST.json"}
    write_manifest(folder, {**read_manifest(folder), "fingerprint": "of another version"})
    assert run_compare(str(root), EARLIER, LATER)["status"] == "done"
    assert {path: path.read_bytes() for path in first} == first


def test_the_page_is_whole_and_fetches_nothing(root, server):
    done = run_compare(str(root), EARLIER, LATER)
    page = Path(done["page"]).read_text("utf-8")
    assert done["sentence"] in page and page.count("data:image/svg+xml;base64,") == 2
    assert not re.search(r'(src|href)="(?!data:|\.\./)', page), "an address that is not of the root"
    links = re.findall(r'href="(?!data:)([^"]+)"', page)
    assert [(Path(done["page"]).parent / link).is_file() for link in links] == [True, True]
    assert "person_id" not in page


def test_the_same_run_twice_differs_in_nothing_and_leaves_no_page(root):
    assert run_compare(str(root), LATER, LATER) == {"status": "the same run", "sentence": NOTHING_DIFFERS}
    assert not (root / "studies" / "fall" / LATER / "comparisons" / LATER).exists()


def test_a_run_that_mlflow_does_not_have_is_said_and_is_no_failure(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert run_compare(str(root), EARLIER, LATER)["mlflow"] == NOT_IN_MLFLOW
    assert not (root / "mlflow.db").exists(), "asking makes no database"


def test_the_command_gives_one_json_object_and_a_table(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    code = "from parcours.cli import main; main()"

    def parcours(*more):
        command = [sys.executable, "-c", code, "compare", EARLIER, LATER, "--root", str(root), *more]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    (compared,) = json.loads(parcours("--json"))["comparisons"]
    raising = {row["code"]: row for row in compared["medicines"]}["RAISE01"]
    assert raising["numbers"]["earlier"]["flag"] == "raised" and raising["numbers"]["earlier"]["ri"] > 1.5
    shown = parcours()
    assert compared["sentence"].split(",")[0] in " ".join(shown.split())
    assert raising["earlier"] in shown and raising["later"] in shown


@pytest.fixture
def planned(tmp_path):
    """A root with three planned runs of which none has a report."""
    for cohort, mark in (("fall", "abcd0001"), ("fall", "abcd0002"), ("hip", "abcd0001")):
        folder = tmp_path / "studies" / cohort / mark
        folder.mkdir(parents=True)
        changes = {"age_minimum": {"file": 65, "run": 75}, "atc_include": {"file": [], "run": ["N05"]}}
        content = {"cohort": cohort, "fingerprint": mark, "root": str(tmp_path), "study": {}, "data": {}}
        write(folder / "run.json", {**content, "changes": changes})
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("abcd0002", "fall/abcd0002"),
        ("fall/abcd0001", "fall/abcd0001"),
        ("hip/abcd", "hip/abcd0001"),
        ("{root}/studies/hip/abcd0001/run.json", "hip/abcd0001"),
        ("{root}/studies/hip/abcd0001", "hip/abcd0001"),
        ("file://{root}/studies/hip/abcd0001", "hip/abcd0001"),
    ],
)
def test_a_run_is_found_by_its_fingerprint_its_study_or_its_path(planned, asked, found):
    run = find_run(open_root(planned), asked.format(root=planned))
    assert f"{run['cohort']}/{run['fingerprint']}" == found


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("abc", "The run abc cannot be told apart: give four characters or more"),
        ("abcd", "may be any of these: fall/abcd0001, fall/abcd0002, hip/abcd0001; give more of it"),
        ("ffff", "There is no run ffff in .*; known are fall/abcd0001, fall/abcd0002, hip/abcd0001"),
        ("{root}/elsewhere.json", "There is no run .*elsewhere.json in"),
        ("fall/abcd0001", r"has no report yet; run `parcours report fall --root .* --set age_minimum=75 --set "),
    ],
)
def test_a_run_that_cannot_be_compared_is_one_sentence(planned, asked, sentence):
    with pytest.raises(InputError, match=sentence):
        run_compare(str(planned), asked.format(root=planned), "hip/abcd0001")


def test_a_run_of_another_root_is_one_sentence(planned, tmp_path_factory):
    elsewhere = open_root(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(InputError, match=r"is not a run of the root .*; give the root that it lies in"):
        find_run(elsewhere, str(planned / "studies" / "hip" / "abcd0001"))
