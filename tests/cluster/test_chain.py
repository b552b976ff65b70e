"""Both DAGs on HDFS, through the scheduler, on the workers: the tables, verdicts and estimates of one machine."""

import json
import re
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chain_runs import different, follow, parcours
from pages import text_of, with_password
from running_cluster import Cluster, tables
from waiting import eventually

from parcours.embedded.airflow_api import Airflow, TaskState
from parcours.embedded.demo import FLATTEN, STUDY
from parcours.quality.catalogue import load_catalogue, product_catalogues

pytestmark = pytest.mark.cluster

# A study that a year of 5,000 persons can carry: one penalty, few replicates.
SMALL_STUDY = {
    "study_start": "2016-01-01",
    "study_end": "2016-12-31",
    "start_gap_months": 1,
    "washout_months": 0,
    "lags": 2,
    "min_exposed_cases": 11,
    "tv_grid": [0.001],
    "group_grid": [0.0003],
    "cv_folds": 2,
    "bootstrap": 4,
}
FLAT = ("flat", "rejects", "orphans", "published")
MONTHS = 11  # care of January comes in the flux month of February
SLICES = {"DCIR 2016", "DCIR 2017", "MCO 2016"}


@pytest.fixture(scope="session")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One year of 5,000 persons."""
    folder: Path = tmp_path_factory.mktemp("chain") / "delivery"
    parcours("synth", "--persons", "5000", "--years", "2016", "--seed", "3", "--out", str(folder))
    return folder


@pytest.fixture(scope="session")
def embedded(starting: Future[Cluster], delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the same chain on this machine alone, made while the cluster is built and starts."""
    root: Path = tmp_path_factory.mktemp("embedded") / "root"
    settings = [text for name, value in SMALL_STUDY.items() for text in ("--set", f"{name}={json.dumps(value)}")]
    parcours("run", "fall", "--delivery", str(delivery), "--root", str(root), *settings, "--json")
    return root


@dataclass(frozen=True)
class Chain:
    """What the cluster made of the delivery: the two runs, and a copy of the root."""

    airflow: Airflow
    runs: dict[str, str]
    progress: list[dict[str, Any]]
    root: Path

    def tasks(self, dag: str) -> dict[str, TaskState]:
        """The tasks of a run; mapped ones by their label."""
        return {task.label or task.task: task for task in self.airflow.tasks(dag, self.runs[dag])}


@pytest.fixture(scope="session")
def chain(cluster: Cluster, delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    cluster.put(delivery, "/parcours/delivery")
    airflow, runs = cluster.airflow(), {}
    seen: list[dict[str, Any]] = []
    for dag, conf in ((FLATTEN, {}), (STUDY, SMALL_STUDY)):
        airflow.enable(dag)
        runs[dag] = airflow.trigger(dag, dict(conf))
        follow(airflow, dag, runs[dag], seen)
    return Chain(airflow, runs, seen, cluster.get("/parcours", tmp_path_factory.mktemp("copy") / "root"))


def test_flat_tables_are_equal_to_those_of_one_machine(embedded: Path, chain: Chain) -> None:
    here, there = (tables(root, *FLAT) for root in (embedded, chain.root))
    assert {name.split("/")[1] for name in here} >= {"DCIR", "MCO"}
    assert different(here, there) == []


def test_the_verdicts_are_equal_to_those_of_one_machine(chain: Chain, embedded: Path) -> None:
    here, there = verdicts(embedded, str(embedded)), verdicts(chain.root, "hdfs://namenode:8020/parcours")
    of_root = sum(len(load_catalogue(name).rules) for name in (*product_catalogues(), "RECONCILIATION"))
    assert [len(rules) for _, rules in here] == [of_root, len(load_catalogue("FEATURES").rules)]
    assert here == there


def verdicts(root: Path, address: str) -> list[tuple[bool, list[Any]]]:
    """Whether each gate let through, and its rules as they would be in any root, by any commit of the code."""
    files = [*root.glob("quality/*/verdict.json"), *root.glob("studies/*/*/quality/verdict.json")]
    texts = [
        re.sub("studies/fall/[0-9a-f]{16}", "RUN", file.read_text("utf-8").replace(address, "ROOT")) for file in files
    ]
    found = [json.loads(text) for text in texts]
    return [(verdict["passed"], verdict["rules"]) for verdict in found]


def test_events_cohort_features_and_estimates_are_equal_to_those_of_one_machine(chain: Chain, embedded: Path) -> None:
    (run,), (run_there,) = (list(root.glob("studies/fall/*")) for root in (embedded, chain.root))
    here, there = (tables(folder, "cohort", "features", "model") for folder in (run, run_there))
    assert {name.split("/")[0] for name in here} == {"cohort", "features", "model"}
    assert different(here, there) == []
    assert different(tables(embedded, "events"), tables(chain.root, "events")) == []


def test_each_product_and_year_was_a_task_and_all_succeeded(chain: Chain) -> None:
    slices = {task.label for task in chain.tasks(FLATTEN).values() if task.task == "flatten"}
    assert slices == SLICES
    study = chain.tasks(STUDY)
    assert study.pop("preview").state == "skipped"  # it was not asked for one
    assert {(task.state, task.attempt) for task in study.values()} == {("success", 1)}


def test_the_first_reading_of_the_delivery_was_a_job_on_the_workers(chain: Chain, delivery: Path) -> None:
    task = chain.tasks(FLATTEN)["scan"]
    read = chain.airflow.xcom(FLATTEN, chain.runs[FLATTEN], task)
    assert task.state == "success"
    assert read["files"] == len(list((delivery / "raw").iterdir())) == len(list((chain.root / "_scans").iterdir()))


def test_while_it_runs_a_task_shows_periods_done_total_and_eta(chain: Chain) -> None:
    counted = [told for told in chain.progress if told.get("total") == MONTHS and told["done"] > 0]
    assert counted
    assert all(told["done"] <= MONTHS and told["eta_seconds"] >= 0 and told["label"] for told in counted)


def page(cluster: Cluster, address: str) -> str:
    """What a page answers to the user `parcours`."""
    server = "MLFLOW" if address.startswith(cluster.page("mlflow")) else "AIRFLOW"
    return text_of(with_password(address, cluster.secrets()[f"PARCOURS_{server}_PASSWORD"]))


def test_the_links_open_spark_data_docs_the_report_and_the_mlflow_run(cluster: Cluster, chain: Chain) -> None:
    found = {
        name: address
        for dag, task in ((STUDY, "events"), (FLATTEN, "gate"), (STUDY, "gate"), (STUDY, "report"))
        for name, address in chain.airflow.links(dag, chain.runs[dag], chain.tasks(dag)[task]).items()
    }
    assert set(found) == {"Spark", "Data Docs", "Report", "MLflow run"}
    application = found["Spark"].split("/history/")[1].split("/")[0]
    assert found["Spark"].startswith(cluster.page("docs", "/spark/"))
    assert "events" in page(cluster, cluster.page("docs", f"/spark/api/v1/applications/{application}"))
    assert found["Data Docs"].startswith(cluster.page("docs"))
    assert "The study has at least 11 cases." in page(cluster, found["Data Docs"])
    assert "<svg" in page(cluster, found["Report"]) or "<img" in page(cluster, found["Report"])
    run = found["MLflow run"].rsplit("/", 1)[1].split("?")[0]
    assert found["MLflow run"].startswith(cluster.page("mlflow"))
    known = page(cluster, cluster.page("mlflow", f"/api/2.0/mlflow/runs/get?run_id={run}"))
    assert json.loads(known)["run"]["info"]["status"] == "FINISHED"


def clear(chain: Chain, dag: str, *tasks: str | list[Any]) -> None:
    body = {"dry_run": False, "dag_run_id": chain.runs[dag], "task_ids": list(tasks), "only_failed": False}
    chain.airflow.call(f"/dags/{dag}/clearTaskInstances", "POST", body)


def test_a_cleared_task_with_the_same_inputs_does_nothing_and_says_so(chain: Chain) -> None:
    task = chain.tasks(FLATTEN)["MCO 2016"]
    clear(chain, FLATTEN, ["flatten", task.map_index])

    def again() -> TaskState | None:
        now = chain.tasks(FLATTEN).get("MCO 2016")
        return now if now and now.attempt == 2 and now.state == "success" else None

    eventually(again, "the cleared task is done")
    log = f"/dags/{FLATTEN}/dagRuns/{quote(chain.runs[FLATTEN])}/taskInstances/flatten/logs/2"
    told = chain.airflow.call(f"{log}?map_index={task.map_index}&full_content=true")
    assert "Nothing to do: driver-" in json.dumps(told)
    follow(chain.airflow, FLATTEN, chain.runs[FLATTEN], [])


def test_a_period_has_no_more_files_than_buckets_and_raw_tables(chain: Chain) -> None:
    buckets = json.loads((chain.root / "layout.json").read_text("utf-8"))["person_buckets"]
    manifests = list(chain.root.glob("flat/*/period=*/_MANIFEST.json"))
    assert manifests
    for manifest in manifests:
        tables_read = {source["table"] for source in json.loads(manifest.read_text("utf-8"))["inputs"]}
        product, period = manifest.parent.relative_to(chain.root / "flat").parts
        beside = [folder / product / period for folder in (chain.root / "rejects", chain.root / "orphans")]
        assert len(list(manifest.parent.iterdir())) <= buckets + 2  # those without a person, the manifest
        assert all(len(list(folder.iterdir())) <= len(tables_read) + 1 for folder in beside if folder.is_dir())
    locks = len(list((chain.root / "_locks").iterdir()))
    steps = list(chain.root.glob("events/*/*/_MANIFEST.json"))
    # Of a period: writer, and commits of its three folders; of a step of events: writer and commit.
    assert locks <= 4 * len(manifests) + 2 * len(steps) + 30
    assert not list((chain.root / "_staging").glob("*/*"))
