"""The connection decides where jobs run; what is then submitted, and how a waiting task is kept."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ASK = Path(__file__).parent / "ask_cluster.py"
TRIGGER = {
    "driver": "driver-1",
    "masters": ["http://m1:6066", "http://m2:6066"],
    "status": "/s.json",
    "submission": "s",
}
CONNECTIONS = {
    "local": json.dumps({"conn_type": "spark", "host": "local[*]"}),
    "yarn": json.dumps({"conn_type": "spark", "host": "yarn"}),
    "client": "spark://spark-master:7077",
    "address": "spark-rest://spark-master:6066",
    "pair": json.dumps({"conn_type": "spark", "host": "spark-rest://m1:6066,m2:6067"}),
    "typed": json.dumps({"conn_type": "spark-rest", "host": "m1,m2", "port": 7066, "extra": {"status": "/shared"}}),
}


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    asked = json.dumps({"connections": CONNECTIONS, "trigger": TRIGGER})
    found = subprocess.run([sys.executable, str(ASK), asked], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
    return dict(json.loads(found.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", ["local", "yarn", "client", "not_there"])
def test_other_connections_are_left_to_spark_submit(answer: dict[str, Any], name: str) -> None:
    assert answer["clusters"][name] is None


@pytest.mark.parametrize(
    ("name", "rest", "master"),
    [
        ("address", ["http://spark-master:6066"], "spark://spark-master:7077"),
        ("pair", ["http://m1:6066", "http://m2:6067"], "spark://m1:7077,m2:7077"),
        ("typed", ["http://m1:7066", "http://m2:7066"], "spark://m1:7077,m2:7077"),
    ],
)
def test_a_rest_connection_names_its_masters(answer: dict[str, Any], name: str, rest: list[str], master: str) -> None:
    found = answer["clusters"][name]
    assert (found["rest"], found["master"]) == (rest, master)
    assert found["status"] == ("/shared" if name == "typed" else found["status"])


def test_a_driver_is_spark_submit_with_its_master_and_the_status_file(answer: dict[str, Any]) -> None:
    request = answer["request"]
    arguments = request["appArgs"]
    assert request["mainClass"] == "org.apache.spark.deploy.SparkSubmit"
    assert arguments[arguments.index("--master") + 1] == "spark://m1:7077,m2:7077"
    assert arguments[-3:] == ["/opt/jobs/flatten.py", "--root", "R"]
    assert {"spark.cores.max=4", "spark.driver.memory=3g"} <= set(arguments)
    assert request["sparkProperties"]["spark.driver.memory"] == "3g"
    assert request["sparkProperties"]["spark.driver.supervise"] == "false"
    assert request["environmentVariables"] == {
        "MLFLOW_TRACKING_URI": "http://mlflow",
        "PARCOURS_JOB_STATUS": "/shared/status.json",
        "PARCOURS_JOB_SUBMISSION": "s1",
    }


def test_a_trigger_comes_out_of_the_database_as_it_went_in(answer: dict[str, Any]) -> None:
    found = answer["trigger"]
    assert found["classpath"] == "parcours_airflow.triggers.DriverTrigger"
    assert found["same"] and found["kwargs"] == TRIGGER
