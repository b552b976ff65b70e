"""Two runs of a study that differ by one year of age, from features to report and MLflow: the second undoes nothing."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from parcours.cohort.plan import read_run
from parcours.release.ledger import ledger_file
from parcours.reporting.page import escape
from parcours.reporting.texts import ENGLISH, texts_in
from parcours.stages.inference import run_report, run_train
from parcours.stages.releases import leave, summary_to_leave
from parcours.storage.root import open_root
from tests.spec.release.test_two_releases_spec import cases
from tests.unit.release.drawn_reports import run_of
from tests.unit.tracking.study_run import make_run


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """65 and over, then 66 and over: [(run.json, summary of the training, summary of the report)]."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        root = tmp_path_factory.mktemp("root")
        runs = [make_run(root, age_minimum=age) for age in (65, 66)]
        yield [(run, summary_to_leave(run, run_train(run)), run_report(run)) for run in runs]


def exposed_cases(run):
    with (run.parent / "report" / "peaks.csv").open(encoding="utf-8") as lines:
        return {row["drug"]: row["exposed_cases"] for row in csv.DictReader(lines)}


def test_the_exposed_cases_that_65_year_olds_would_be_found_by_are_withheld_and_the_page_says_why(two_runs):
    (first, *_), (second, *_) = two_runs
    true = [json.loads((run.parent / "features" / "summary.json").read_text("utf-8")) for run in (first, second)]
    differences = {drug: true[0]["drugs"][drug]["exposed_cases"] - each["exposed_cases"] for drug, each in
                   true[1]["drugs"].items()}  # fmt: skip
    near = {drug for drug, difference in differences.items() if 1 <= difference <= 10} & exposed_cases(second).keys()
    assert near, "the drawn cases differ by few"
    assert all(number.isdigit() for number in exposed_cases(first).values())
    assert {drug for drug, number in exposed_cases(second).items() if number == "withheld"} >= near
    pages = [(run.parent / "report" / "report.html").read_text("utf-8") for run in (first, second)]
    assert [escape(texts_in(ENGLISH).say("withheld_note")) in page for page in pages] == [False, True]


def test_the_summaries_of_training_and_report_and_the_metrics_tell_the_same_count(two_runs):
    for run, trained, reported in two_runs:
        kept = json.loads(ledger_file(open_root(run.parents[3]), read_run(run)).read_text("utf-8"))
        (cell,) = [each for each in kept["cells"] if each["table"] == "attrition" and each["label"] == "cases"]
        assert cell["shown"] == trained["cases"] == reported["cases"]


def test_a_report_that_is_made_again_is_told_as_it_was(two_runs):
    run, _, reported = two_runs[1]
    kept = ledger_file(open_root(run.parents[3]), read_run(run))
    before = kept.read_text("utf-8")
    assert run_report(run) == reported | {"status": "reused"}
    assert kept.read_text("utf-8") == before


def test_of_two_reports_at_the_same_moment_one_comes_second(tmp_path):
    root = open_root(tmp_path)
    reports = [(run_of(name, 65, "data"), [cases(count, (age, 120))]) for name, count, age in
               (("65+", 200, 65), ("66+", 195, 66))]  # fmt: skip
    with ThreadPoolExecutor(2) as both:
        told = list(both.map(lambda report: leave(root, *report), reports))
    assert sorted(str(each["attrition", "cases"]) for each in told) in (["195", "withheld"], ["200", "withheld"])
