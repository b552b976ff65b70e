"""The whole product on one machine: real Airflow, Spark, Great Expectations and MLflow, driven through Airflow's API.

The tests run in order on one platform: a delivery, both DAGs, then what may go wrong.
"""

import csv
import fcntl
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest
from what_left import differences, identifiers_alone, leaks, numbers

from parcours.embedded import http
from parcours.embedded.airflow_api import Airflow, TaskState
from parcours.embedded.demo import FLATTEN, STUDY, run_demo
from parcours.embedded.follow import follower
from parcours.embedded.platform import Platform, platform_status, start_platform, stop_platform
from parcours.embedded.processes import MARKER
from parcours.errors import GateRefused, InputError
from parcours.storage.manifest import committed_periods
from parcours.storage.root import open_root
from parcours.synth.delivery import SynthSettings, write_delivery

# The first test carries the start of the platform and the whole chain.
pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(1800)]

PERSONS, YEARS = 2_500, "2016"
# A study that a small delivery can carry: one penalty, few replicates.
SMALL_STUDY = {
    "start_gap_months": 1,
    "washout_months": 0,
    "lags": 2,
    "min_exposed_cases": 11,
    "tv_grid": [0.001],
    "group_grid": [0.0003],
    "cv_folds": 2,
    "bootstrap": 4,
}


@dataclass(frozen=True)
class Demo:
    """The platform after its first demo."""

    home: Path
    result: dict[str, Any]
    platform: Platform
    airflow: Airflow

    def latest(self, dag: str) -> tuple[str, dict[str, TaskState]]:
        """The last run of a DAG and its tasks by name."""
        runs = self.airflow.call(f"/dags/{dag}/dagRuns?order_by=-run_after&limit=1")["dag_runs"]
        run = runs[0]["dag_run_id"]
        return run, {task.task: task for task in self.airflow.tasks(dag, run)}

    def until(self, dag: str, run: str, task: str, state: str) -> None:
        """Wait until a task of a run is in a state."""
        deadline = time.monotonic() + 120
        while (found := {one.task: one.state for one in self.airflow.tasks(dag, run)}.get(task)) != state:
            assert time.monotonic() < deadline, f"{dag}.{task} is {found}"
            time.sleep(1)

    def follow(self, dag: str, conf: dict[str, Any]) -> list[TaskState]:
        """Trigger a run and follow it to its end."""
        with follower({dag: 1.0}) as shown:
            return shown.run(self.airflow, dag, self.airflow.trigger(dag, conf))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home: Path = tmp_path_factory.mktemp("home")
    try:
        result = run_demo(home, PERSONS, seed=3, years=YEARS, study_settings=SMALL_STUDY)
        platform = start_platform(home)
        yield Demo(home, result, platform, Airflow(platform.urls["airflow"], platform.user, platform.password))
    finally:
        stop_platform(home)


def marked(home: Path) -> list[int]:
    """Processes that carry the platform's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(home / ".parcours") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_the_chain_runs_through_the_scheduler_to_medicines_beside_their_truth(demo: Demo) -> None:
    medicines = demo.result["screened"]["rows"]
    truth = json.loads((demo.home / ".parcours" / "delivery" / "truth.json").read_text("utf-8"))
    planted = {medicine["atc"] for medicine in truth["medicines"]}
    assert medicines and {row["numbers"]["code"] for row in medicines} <= planted
    assert all(row["numbers"]["truth"] > 0 for row in medicines)
    tested = [row["numbers"] for row in medicines if row["numbers"]["ri"] is not None]  # where enough is expected
    assert all(numbers["ri"] > 0 and numbers["lower"] <= numbers["ri"] <= numbers["upper"] for numbers in tested)
    _, tasks = demo.latest(STUDY)
    chain = ("plan", "events", "cohort", "features", "gate", "train", "report", "ask_for_sign_off")
    assert {name: task.state for name, task in tasks.items()} == dict.fromkeys(chain, "success") | {
        "preview": "skipped"  # it was not asked for one
    }


def test_this_machine_alone_reaches_the_services_and_only_airflow_asks_for_a_login(demo: Demo) -> None:
    listeners = [
        connection.laddr
        for process in marked(demo.home)
        for connection in psutil.Process(process).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    urls = demo.platform.urls
    assert {url.rsplit(":", 1)[1] for url in urls.values()} <= {str(listener.port) for listener in listeners}
    assert {listener.ip.removeprefix("::ffff:") for listener in listeners} == {"127.0.0.1"}
    assert all(http.answers(f"{urls[name]}/") for name in ("docs", "history", "mlflow"))
    with pytest.raises(http.Refused, match="401"):
        http.call(f"{urls['airflow']}/api/v2/dags")


def test_each_product_and_year_was_a_task_of_its_own(demo: Demo) -> None:
    run, tasks = demo.latest(FLATTEN)
    assert tasks["scan"].state == "skipped"  # so little that the plan reads it itself
    slices = {task.label: task.state for task in demo.airflow.tasks(FLATTEN, run) if task.task == "flatten"}
    expected = {"DCIR 2016", "DCIR 2017", "MCO 2016"}
    assert slices == dict.fromkeys(expected, "success")


def test_the_assets_name_what_was_published(demo: Demo) -> None:
    events = demo.airflow.call("/assets/events")["asset_events"]
    extras = {event["name"]: event["extra"] for event in events}
    assert set(extras) == {"snds/flat/DCIR", "snds/flat/MCO", "snds/study/fall"}
    assert extras["snds/flat/MCO"]["periods"] == 1


def test_one_task_lists_what_was_published_and_the_studies_that_wait_for_it_start(demo: Demo) -> None:
    run, tasks = demo.latest(FLATTEN)
    assert tasks["publish"].state == "success"
    assert set(demo.airflow.xcom(FLATTEN, run, tasks["publish"])) == {"DCIR", "MCO"}
    around = demo.airflow.call(f"/assets?dag_ids={STUDY}")["assets"]
    waited = [asset["name"] for asset in around if STUDY in {dag["dag_id"] for dag in asset["scheduled_dags"]}]
    assert set(waited) == {"snds/flat/DCIR", "snds/flat/MCO"}


def test_the_note_of_a_run_is_its_sentence_with_what_differs_and_leads_to_its_pages(demo: Demo) -> None:
    run, _ = demo.latest(STUDY)
    note = demo.airflow.call(f"/dags/{STUDY}/dagRuns/{quote(run)}")["note"]
    assert note.startswith("**fall · 65 and over · data to 2017-") and "SYNTHETIC" in note.splitlines()[0]
    assert "* fewest exposed cases 11, was 30" in note
    assert f"[Report]({demo.platform.urls['docs']}/" in note and f"[MLflow run]({demo.platform.urls['mlflow']}/" in note


def test_the_links_of_the_tasks_lead_somewhere(demo: Demo) -> None:
    flattening, flattened = demo.latest(FLATTEN)
    spark = demo.airflow.links(FLATTEN, flattening, flattened["flatten"])["Spark"]
    run, tasks = demo.latest(STUDY)
    assert not demo.airflow.links(STUDY, run, tasks["events"]).get("Spark")  # without a cluster it needs no Spark
    docs = demo.airflow.links(STUDY, run, tasks["gate"])["Data Docs"]
    application = spark.split("/history/")[1].split("/")[0]
    known = http.call(f"{demo.platform.urls['history']}/api/v1/applications")
    assert application in {entry["id"] for entry in known}
    assert docs.startswith(demo.platform.urls["docs"])
    assert "<html" in http.call(docs).lower()
    assert "<html" in http.call(demo.airflow.links(STUDY, run, tasks["report"])["Report"]).lower()
    page = demo.airflow.links(STUDY, run, tasks["report"])["MLflow run"]
    assert page.startswith(demo.platform.urls["mlflow"]) and demo.result["mlflow_run_id"] in page


def test_home_leads_to_the_report_and_tells_what_airflow_knows(demo: Demo) -> None:
    run, tasks = demo.latest(STUDY)
    report = demo.airflow.links(STUDY, run, tasks["report"])["Report"]
    home = demo.result["home"]
    assert list(demo.result)[-1] == "home" and report.startswith(f"{home}/")

    def page() -> str:
        return str(http.call(f"{home}/"))

    def about_airflow(told: str) -> bool:  # it is asked beside the page; a sign-off waits for a person
        return "Sign-off of reports" in told and "paused in Airflow" not in told

    deadline = time.monotonic() + 60
    while not about_airflow(page()) and time.monotonic() < deadline:
        time.sleep(1)
    assert about_airflow(page())
    assert f'href="{report.removeprefix(home)}"' in page() and "SYNTHETIC DATA" in page()
    assert f"{demo.platform.urls['airflow']}/dags/{STUDY}/runs/" in page()
    assert demo.platform.urls["mlflow"] + "/#/experiments/" in page()
    of_run = str(http.call(f"{home}/?in=airflow&dag={STUDY}&run={quote(run)}"))
    assert demo.result["fingerprint"] in of_run and demo.platform.urls["mlflow"] not in of_run
    (plugin,) = [one for one in demo.airflow.call("/plugins")["plugins"] if one["name"] == "parcours"]
    assert [view["destination"] for view in plugin["external_views"]] == ["nav", *["dag"] * 2, *["dag_run"] * 2]


def test_the_run_is_in_mlflow_with_its_fingerprint(demo: Demo) -> None:
    asked = f"{demo.platform.urls['mlflow']}/api/2.0/mlflow/runs/get?run_id={demo.result['mlflow_run_id']}"
    run = http.call(asked)["run"]
    assert run["info"]["status"] == "FINISHED"
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["fingerprint"] == demo.result["fingerprint"]
    assert tags["source"] == "SYNTHETIC" and "fewest exposed cases 11, was 30" in tags["what_if"]


def test_the_report_of_made_up_persons_says_so_and_names_no_snds(demo: Demo) -> None:
    run, tasks = demo.latest(STUDY)
    page = http.call(demo.airflow.links(STUDY, run, tasks["report"])["Report"])
    assert "SYNTHETIC DATA: " in page and "What differs from the study file" in page
    assert "SNDS" not in page
    docs = http.call(demo.airflow.links(STUDY, run, tasks["gate"])["Data Docs"])
    assert "SYNTHETIC DATA: " in docs


def test_a_what_if_run_is_not_the_current_model(demo: Demo) -> None:
    asked = f"{demo.platform.urls['mlflow']}/api/2.0/mlflow/registered-models/get?name=study-fall"
    assert "aliases" not in http.call(asked)["registered_model"]


def test_a_report_made_again_finds_its_mlflow_run(demo: Demo) -> None:
    run, tasks = demo.latest(STUDY)
    first = demo.airflow.xcom(STUDY, run, tasks["report"])
    cleared = {"dry_run": False, "task_ids": ["report"], "dag_run_id": run, "only_failed": False}
    demo.airflow.call(f"/dags/{STUDY}/clearTaskInstances", "POST", cleared)
    with follower({STUDY: 1.0}) as shown:
        again = {task.task: task for task in shown.run(demo.airflow, STUDY, run)}
    second = demo.airflow.xcom(STUDY, run, again["report"])
    assert again["report"].attempt == 2
    assert (second["status"], second["mlflow_run_id"]) == ("reused", first["mlflow_run_id"])


def test_a_report_waits_for_a_person_and_mlflow_follows_the_decision(demo: Demo) -> None:
    run, _ = demo.latest("sign_off")
    study, tasks = demo.latest(STUDY)
    report = demo.airflow.xcom(STUDY, study, tasks["report"])
    demo.until("sign_off", run, "ask", "awaiting_input")
    answer = {"chosen_options": ["approved"], "params_input": {"reason": "all controls are flat"}}
    asked = f"/dags/sign_off/dagRuns/{quote(run)}/taskInstances/ask/-1/hitlDetails"
    assert str(demo.airflow.call(asked)["subject"]).startswith("Does the report of fall")
    demo.airflow.call(asked, "PATCH", answer)
    with follower({"sign_off": 1.0}) as shown:
        shown.run(demo.airflow, "sign_off", run)
    found = http.call(
        f"{demo.platform.urls['mlflow']}/api/2.0/mlflow/registered-models/alias?name=study-fall&alias=approved"
    )
    version = found["model_version"]
    assert version["run_id"] == report["mlflow_run_id"]
    (words,) = [tag["value"] for tag in version["tags"] if tag["key"] == "sign_off"]
    assert re.fullmatch(rf"approved by {demo.platform.user} on \d{{4}}-\d\d-\d\d: all controls are flat", words)


def test_a_preview_says_what_a_run_would_find_and_computes_nothing_else(demo: Demo) -> None:
    dates = {"study_start": "2016-01-01", "study_end": "2016-12-31"}
    conf = {**SMALL_STUDY, **dates, "age_minimum": 70, "preview_only": True}
    tasks = {task.task: task for task in demo.follow(STUDY, conf)}
    assert (tasks["preview"].state, tasks["events"].state, tasks["report"].state) == ("success", "skipped", "skipped")
    told = demo.airflow.xcom(STUDY, demo.latest(STUDY)[0], tasks["preview"])
    assert told["cases"] >= 20 and told["share"] == 1.0


def test_the_form_refuses_a_wrong_value_by_name(demo: Demo) -> None:
    with pytest.raises(InputError, match="age_minimum: 500 is greater than the maximum of 120"):
        demo.airflow.trigger(STUDY, {"age_minimum": 500})


def test_values_that_do_not_go_together_fail_the_plan_at_once_with_a_sentence(demo: Demo) -> None:
    with pytest.raises(InputError, match=r"population.study_end is 2015-01-01, but must come after study_start"):
        demo.follow(STUDY, {"study_start": "2016-01-01", "study_end": "2015-01-01"})
    _, tasks = demo.latest(STUDY)
    assert (tasks["plan"].state, tasks["plan"].attempt) == ("failed", 1)


def test_a_name_that_no_field_has_fails_the_plan_with_the_nearest_right_one(demo: Demo) -> None:
    with pytest.raises(InputError, match=r'no parameter "age_minimun" \(did you mean "age_minimum"'):
        demo.follow(STUDY, {"age_minimun": 70})
    _, tasks = demo.latest(STUDY)
    assert (tasks["plan"].state, tasks["plan"].attempt) == ("failed", 1)


def test_a_delivery_that_is_not_there_fails_the_plan_with_a_sentence(demo: Demo, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no delivery at"):
        demo.follow(FLATTEN, {"delivery": str(tmp_path / "nowhere")})


def test_doubled_keys_stop_at_the_gate_and_nothing_is_published(demo: Demo, tmp_path: Path) -> None:
    settings = SynthSettings(persons=400, years=(2016, 2016), lines_per_person_year=8, faults=("duplicate_keys",))
    write_delivery(settings, tmp_path / "delivery")
    fault = json.loads((tmp_path / "delivery" / "truth.json").read_text("utf-8"))["faults"][0]
    root = tmp_path / "root"
    conf = {
        "delivery": str(tmp_path / "delivery"),
        "root": str(root),
        "products": ["DCIR"],
        "periods": [fault["where"]],
    }
    with pytest.raises(GateRefused, match="The quality gate refused"):
        demo.follow(FLATTEN, conf)
    _, tasks = demo.latest(FLATTEN)
    assert (tasks["gate"].state, tasks["gate"].attempt) == ("failed", 1)
    assert tasks["publish"].state == "upstream_failed"
    assert list((root / "flat" / "DCIR").glob("period=*/_MANIFEST.json"))
    assert not (root / "published").exists()


def cells(demo: Demo, run: str) -> list[TaskState]:
    """The tasks of a run that flatten a product and year, in order; between two attempts they have no label."""
    found = [task for task in demo.airflow.tasks(FLATTEN, run) if task.task == "flatten"]
    return sorted(found, key=lambda task: task.map_index)


def wait_for_cells(demo: Demo, run: str, wanted: list[str]) -> None:
    """Until these tasks are in these states; the run must not end before."""
    states: list[str] = []
    while states != wanted:
        assert demo.airflow.run_state(FLATTEN, run) in ("queued", "running"), states
        time.sleep(1)
        states = [task.state for task in cells(demo, run)]


def test_a_year_that_fails_is_one_red_cell_and_cleared_it_does_what_is_missing(demo: Demo, tmp_path: Path) -> None:
    write_delivery(SynthSettings(persons=200, years=(2015, 2016), lines_per_person_year=8), tmp_path / "delivery")
    root = open_root(str(tmp_path / "root"))
    conf = {"delivery": str(tmp_path / "delivery"), "root": str(root.path), "products": ["DCIR"]}
    lock = root.lock("flat-DCIR-period=2016-02.commit")
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # somebody else is committing this month
        run = demo.airflow.trigger(FLATTEN, {**conf, "periods": ["2015-12", "2016-01", "2016-02"]})
        wait_for_cells(demo, run, ["success", "up_for_retry"])  # 2015 and 2016
        before = committed_periods(root, "DCIR")
        assert list(before) == ["2015-12", "2016-01"]
    cleared = {"dry_run": False, "dag_run_id": run, "task_ids": [["flatten", 1]], "only_failed": False}
    demo.airflow.call(f"/dags/{FLATTEN}/clearTaskInstances", "POST", cleared)
    wait_for_cells(demo, run, ["success", "success"])
    after = committed_periods(root, "DCIR")
    assert list(after) == ["2015-12", "2016-01", "2016-02"]
    assert {period: after[period] for period in before} == before  # not written again
    assert [(task.label, task.attempt) for task in cells(demo, run)] == [("DCIR 2015", 1), ("DCIR 2016", 2)]


def oldest_cases(study: Path, most: int) -> tuple[int, int]:
    """The lowest age at which a study has no more than so many cases, and how many it then has."""
    persons = pd.read_parquet(study / "features" / "persons.parquet")
    born = pd.to_datetime(persons["birth"], unit="D")
    years = (12 * (int(YEARS) - born.dt.year) + 1 - born.dt.month) // 12  # completed on 1 January
    older = years.value_counts().sort_index(ascending=False).cumsum()
    return int(older[older <= most].index.min()), int(older[older <= most].max())


def study_folder(demo: Demo) -> Path:
    """The folder of the demo's study run."""
    return next((demo.home / ".parcours" / "root" / "studies").glob(f"*/{demo.result['fingerprint']}"))


def test_a_study_of_few_cases_is_refused_and_their_number_is_not_told(demo: Demo) -> None:
    age, cases = oldest_cases(study_folder(demo), most=8)
    assert 2 <= cases <= 8
    year = {"study_start": f"{YEARS}-01-01", "study_end": f"{YEARS}-12-31"}
    with pytest.raises((GateRefused, InputError), match="11") as refusal:
        demo.follow(STUDY, {**SMALL_STUDY, **year, "age_minimum": age})
    assert not re.search(rf"\b{cases} ", str(refusal.value))


def identifiers(state: Path) -> frozenset[str]:
    """Of every person of the demo: pseudonyms and person_id; of every case of its studies: days of birth and death."""
    found: set[str] = set()
    for path in (state / "delivery" / "raw").glob("IR_BEN_R*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            for person in csv.DictReader(lines, delimiter=";"):
                found.update(person[name] for name in ("BEN_NIR_PSA", "BEN_IDT_ANO", "BEN_NIR_ANO", "ASS_NIR_ANO"))
    persons = pq.read_table(state / "root" / "identity" / "identity.parquet", columns=["person_id"])["person_id"]
    found.update(text for person in persons.to_pylist() for text in (str(person), f"{person:x}"))
    for follow_up in (state / "root" / "studies").glob("*/*/cohort/follow_up.parquet"):
        cases = set(pq.read_table(follow_up.parent / "outcomes.parquet")["person_id"].to_pylist())
        for person in pq.read_table(follow_up).to_pylist():
            if person["person_id"] in cases:
                found.update({str(person["birth"])[:10]} | {str(person["end"])[:10]})
    return frozenset(text for text in found if len(text) >= 8) - {f"{YEARS}-12-31"}  # the end of the study


def test_no_small_count_and_no_identifier_left_the_root(demo: Demo) -> None:
    state = demo.home / ".parcours"
    root, study, persons = state / "root", study_folder(demo), identifiers(state)
    lost = [step["lost"] for step in json.loads((study / "cohort" / "attrition.json").read_text("utf-8"))]
    assert len(persons) > 2 * PERSONS and any(1 <= count <= 10 for count in lost)  # there is something to find
    pages = [*root.glob("quality/*/data_docs"), *root.glob("studies/*/*/quality/data_docs")]
    reports = list(root.glob("studies/*/*/report"))
    assert len(pages) >= 2 and len(reports) == 1
    left = [state / "airflow", state / "logs", state / "mlflow", root / "_progress", *pages, *reports]
    assert leaks(left, persons) == []
    assert identifiers_alone([root / "_spark-events"], persons) == []


def test_numbers_of_a_study_in_several_places_give_no_small_count_back(demo: Demo) -> None:
    run = demo.airflow.call(f"/dags/{STUDY}/dagRuns?state=success")["dag_runs"][0]["dag_run_id"]
    summaries = [demo.airflow.xcom(STUDY, run, task) for task in demo.airflow.tasks(STUDY, run)]
    told = [found for summary in summaries for found in numbers(summary)]
    with (study_folder(demo) / "report" / "attrition.csv").open(encoding="utf-8", newline="") as lines:
        told += [found for step in csv.DictReader(lines) for found in numbers(step)]
    whole = [(name, number) for name, number in told if name in ("persons", "persons_followed", "cases", "events")]
    assert len(whole) > 4
    assert differences(whole) == []


def test_a_service_that_was_killed_is_started_again_and_the_others_stay(demo: Demo) -> None:
    before = platform_status(demo.home)["services"]
    victim = psutil.Process(before["dag-processor"]["pid"])
    victim.kill()
    psutil.wait_procs([victim], timeout=10)
    assert start_platform(demo.home).started == ("dag-processor",)
    after = platform_status(demo.home)["services"]
    assert all(service["running"] for service in after.values())
    assert {name for name in after if after[name]["pid"] != before[name]["pid"]} == {"dag-processor"}


def test_stop_leaves_no_process_behind(demo: Demo) -> None:
    assert marked(demo.home)
    assert "scheduler" in stop_platform(demo.home)
    assert marked(demo.home) == []
    assert stop_platform(demo.home) == []
