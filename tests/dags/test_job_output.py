"""What a task learns from the lines of its Spark job."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from parcours_airflow.output import JobOutput
from parcours_airflow.slices import reference_arguments, slice_jobs

EVENTS = (
    "26/11/24 03:15:28 INFO RollingEventLogFilesWriter: "
    "Logging events to file:/p/eventlog_v2_local-1795/events_1_local-1795.zstd"
)


def read(*lines: str) -> JobOutput:
    output = JobOutput()
    for _ in output.watch(lines):
        pass
    return output


def test_the_event_log_names_the_application() -> None:
    assert read(EVENTS).application_id == "local-1795"
    single = "26/11/24 03:15:28 INFO SingleEventLogFileWriter: Logging events to hdfs://h/e/app-2026-0001.inprogress"
    assert read(single).application_id == "app-2026-0001"


def test_the_last_json_line_is_the_summary() -> None:
    output = read('{"status": "first"}', "INFO parcours.x: done", '{"status": "done", "rows": 3}', EVENTS)
    assert output.summary == {"status": "done", "rows": 3}


def test_progress_has_its_label_and_an_estimate() -> None:
    progress = read("INFO parcours.stages.flatten: 3/12 DCIR 2015-03").progress
    assert progress is not None
    assert (progress["done"], progress["total"], progress["label"]) == (3, 12, "DCIR 2015-03")
    assert progress["eta_seconds"] >= 0
    assert read("INFO other.library: 3/12 things").progress is None


def test_the_words_before_the_shutdown_say_why() -> None:
    output = read(
        "A warning of some library.",
        "INFO parcours.x: reading",
        "The quality gate refused: 1 critical rule(s) failed.",
        "Doubled keys: 40 rows in 2016-07 (rule dcir-keys, critical). Look at rejects.",
        "Report: http://127.0.0.1:8090/quality/run/data_docs/index.html",
        "26/11/24 03:15:30 WARN ShutdownHookManager: gone",
    )
    assert output.sentence.splitlines()[0] == "The quality gate refused: 1 critical rule(s) failed."
    assert "rule dcir-keys" in output.sentence and "warning of some library" not in output.sentence
    assert output.report == "http://127.0.0.1:8090/quality/run/data_docs/index.html"


def test_of_a_traceback_only_the_last_line_is_told() -> None:
    output = read("Traceback (most recent call last):", 'File "x.py", line 1', "ValueError: no", "Please report it.")
    assert output.sentence == "Please report it."


def test_a_job_that_said_nothing_has_a_sentence_all_the_same() -> None:
    assert "log" in read().sentence


PLAN = [
    {"product": "IR_BEN_R", "period": "all", "status": "compute"},
    {"product": "IR_PHA_R", "period": "all", "status": "reuse"},
    {"product": "DCIR", "period": "2015-01", "status": "compute"},
    {"product": "DCIR", "period": "2015-02", "status": "reuse"},
    {"product": "DCIR", "period": "2016-01", "status": "reuse"},
    {"product": "MCO", "period": "2015", "status": "replace"},
    {"product": "MCO", "period": "2016", "status": "compute"},
]


def test_a_slice_is_a_product_and_a_year_with_something_to_do() -> None:
    jobs = slice_jobs(PLAN, ["--root", "R"], narrowed=False)
    assert [job["name"] for job in jobs] == ["DCIR 2015", "MCO 2015", "MCO 2016"]
    assert jobs[0]["application_args"] == ["--root", "R", "--product", "DCIR", "--year", "2015"]


def test_each_job_is_told_the_periods_of_its_own_that_were_asked_for() -> None:
    jobs = slice_jobs(PLAN[2:6], [], narrowed=True)
    assert [job["application_args"] for job in jobs] == [
        ["--product", "DCIR", "--year", "2015", "--period", "2015-01"],
        ["--product", "MCO", "--year", "2015", "--period", "2015"],
    ]


def test_rows_of_unknown_period_go_with_another_job_of_their_product_or_alone() -> None:
    unknown = {"product": "DCIR", "period": "unknown", "status": "compute"}
    with_others = slice_jobs([*PLAN, unknown], [], narrowed=False)
    assert [job["name"] for job in with_others] == ["DCIR 2015", "MCO 2015", "MCO 2016"]
    alone = slice_jobs([*PLAN[3:5], unknown], [], narrowed=False)
    assert alone == [{"name": "DCIR", "application_args": ["--product", "DCIR"]}]
    narrowed = slice_jobs([*PLAN[3:5], unknown], [], narrowed=True)
    assert narrowed[0]["application_args"] == ["--product", "DCIR", "--period", "unknown"]


def test_references_are_one_job_and_none_when_all_are_there() -> None:
    assert reference_arguments(PLAN, ["--root", "R"]) == ["--root", "R", "--product", "IR_BEN_R"]
    assert reference_arguments(PLAN[1:], ["--root", "R"]) == []
