"""The cluster as it runs: ready, closed to the outside, HDFS and Spark at work, data kept."""

import json
import os
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from pages import Browser, status_of, text_of, with_password
from running_cluster import HOME, PAGES, Cluster, run, service_of
from waiting import eventually

from parcours.embedded import http
from parcours.embedded.demo import FLATTEN

pytestmark = pytest.mark.cluster

JOB = (Path(__file__).parent / "submitted_job.py").read_text("utf-8")
EVE = "-password of eve"
WORKERS = {"spark-worker-1", "spark-worker-2"}
DATANODES = {"datanode-1", "datanode-2", "datanode-3"}
ONCE = {"hdfs", "airflow-database"}
LISTENING = {
    "namenode": {8020, 9870},
    **{datanode: {9864, 9866, 9867} for datanode in DATANODES},
    "spark-master": {6066, 7077, 8080},
    **{worker: {8081} for worker in WORKERS},
    "history": {18080},
    "postgres": {5432},
    "mlflow": {5000},
    "docs": {8090},
    "airflow-api-server": {8080},
    "airflow-scheduler": set(),
    "airflow-dag-processor": set(),
    "airflow-triggerer": set(),
}
READY = dict.fromkeys(LISTENING, "healthy") | dict.fromkeys(ONCE, 0)


def airflow_login(cluster: Cluster, password: str) -> urllib.request.Request:
    content = json.dumps({"username": "parcours", "password": password}).encode()
    return urllib.request.Request(
        cluster.page("airflow-api-server", "/auth/token"), content, {"Content-Type": "application/json"}, method="POST"
    )


def with_login(cluster: Cluster, path: str) -> urllib.request.Request:
    """A request to the docs server by the user of Airflow."""
    return with_password(cluster.page("docs", path), cluster.secrets()["PARCOURS_AIRFLOW_PASSWORD"])


def test_the_compose_file_needs_nothing_and_warns_of_nothing() -> None:
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("PARCOURS_")}
    checked = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=HOME, env=foreign, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_memory_limits_fit_in_16_gb() -> None:
    services = json.loads(run(["docker", "compose", "config", "--format", "json"], dict(os.environ)))["services"]
    limits = {name: int(service["mem_limit"]) for name, service in services.items() if name not in ONCE}
    assert set(limits) == set(LISTENING)
    assert sum(limits.values()) <= 16 * 1024**3


def test_every_service_is_healthy_and_what_runs_once_has_ended_well(cluster: Cluster) -> None:
    assert cluster.states() == READY


def test_no_process_runs_as_root_or_may_become_it(cluster: Cluster) -> None:
    for container in cluster.containers():
        host = container["HostConfig"]
        assert (host["Privileged"], host["CapDrop"], host["CapAdd"]) == (False, ["ALL"], None)
        assert "no-new-privileges:true" in host["SecurityOpt"]
        if container["State"]["Running"]:
            table = run(["docker", "top", container["Id"], "-eo", "pid,uid,args"], cluster.environment)
            users = {line.split()[1] for line in table.splitlines()[1:]}
            assert users
            assert "0" not in users, table


def test_only_the_pages_with_a_login_are_published_and_only_on_the_loopback(cluster: Cluster) -> None:
    published = {}
    for container in cluster.containers():
        for bindings in (container["NetworkSettings"]["Ports"] or {}).values():
            for binding in bindings or []:
                published[service_of(container)] = (binding["HostIp"], int(binding["HostPort"]))
    assert published == {service: ("127.0.0.1", cluster.ports[service]) for service in PAGES}


def test_no_other_address_of_the_machine_answers(cluster: Cluster) -> None:
    addresses = {
        address.address
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    assert addresses
    for port in cluster.ports.values():
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        for address in addresses:
            with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
                socket.create_connection((address, port), timeout=5)


@pytest.mark.parametrize("service", LISTENING)
def test_a_service_listens_on_its_own_ports_and_no_other(cluster: Cluster, service: str) -> None:
    if service == "postgres":  # has no Python; the same table, read by the shell
        table = cluster.compose("exec", "-T", service, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        fields = [line.split() for line in table.splitlines() if ":" in line.split()[1]]
        ports = {int(field[1].split(":")[1], 16) for field in fields if field[3] == "0A" and field[1][6:8] != "7F"}
    else:
        ports = set(cluster.inside(service, "listeners")["ports"])
    if service in WORKERS:  # and one that is another at each start
        assert len(ports) == 2
        ports &= LISTENING[service]
    assert ports == LISTENING[service]


def test_what_shows_no_page_is_on_a_network_without_a_way_out(cluster: Cluster) -> None:
    for container in cluster.containers():
        networks = list(container["NetworkSettings"]["Networks"])
        if service_of(container) not in PAGES:
            internal = run(
                ["docker", "network", "inspect", "--format", "{{.Internal}}", *networks], cluster.environment
            )
            assert set(internal.split()) == {"true"}


def test_airflow_lets_in_with_the_password_only(cluster: Cluster) -> None:
    assert status_of(cluster.page("airflow-api-server", "/api/v2/dags")) == 401
    for password in ("parcours", "admin", "airflow", ""):
        assert status_of(airflow_login(cluster, password)) in (400, 401, 422)
    assert status_of(airflow_login(cluster, cluster.secrets()["PARCOURS_AIRFLOW_PASSWORD"])) == 201


def test_mlflow_lets_in_with_the_password_only(cluster: Cluster) -> None:
    path = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert status_of(cluster.page("mlflow", path)) == 401
    assert status_of(cluster.page("mlflow", "/")) == 401
    for password in ("parcours", "password1234", ""):
        assert status_of(with_password(cluster.page("mlflow", path), password)) == 401
    assert status_of(with_password(cluster.page("mlflow", path), cluster.secrets()["PARCOURS_MLFLOW_PASSWORD"])) == 200


def test_home_reports_and_spark_let_in_with_a_login_of_airflow_only(cluster: Cluster) -> None:
    for path in ("/", "/running", "/spark/", "/spark/api/v1/applications"):
        assert status_of(cluster.page("docs", path)) == 401
        for password in ("parcours", "", cluster.secrets()["PARCOURS_MLFLOW_PASSWORD"]):
            assert status_of(with_password(cluster.page("docs", path), password)) == 401
        assert status_of(with_login(cluster, path)) == 200
    assert text_of(cluster.page("docs", "/health")) == ""


def test_who_is_logged_in_to_airflow_is_logged_in_to_home(cluster: Cluster) -> None:
    browser = Browser(cluster.page("airflow-api-server", ""))
    browser.log_in("parcours", cluster.secrets()["PARCOURS_AIRFLOW_PASSWORD"])
    assert "Parcours" in browser.text(cluster.page("docs"))
    browser.log_out()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        browser.text(cluster.page("docs"))


def test_a_person_gets_a_user_as_the_docs_say(cluster: Cluster) -> None:
    command = ("run", "--rm", "airflow-database", "airflow", "users", "create", "--username", "eve", "--role", "User")
    cluster.compose(*command, "--firstname=Eve", "--lastname=Example", "--email=eve@example.org", f"--password={EVE}")
    airflow = cluster.page("airflow-api-server", "")
    login = {"username": "eve", "password": EVE}
    token = http.call(f"{airflow}/auth/token", "POST", login)["access_token"]
    menu = http.call(f"{airflow}/ui/auth/menus", token=token)["authorized_menu_items"]
    assert "Required Actions" in menu and "Connections" not in menu
    assert status_of(with_password(cluster.page("docs"), EVE, "eve")) == 200
    assert status_of(with_password(cluster.page("docs", "/spark/"), EVE, "eve")) == 403
    create = with_password(
        cluster.page("mlflow", "/api/2.0/mlflow/users/create"), cluster.secrets()["PARCOURS_MLFLOW_PASSWORD"]
    )
    create.data, create.headers["Content-type"] = json.dumps(login).encode(), "application/json"
    assert status_of(create) == 200
    experiment = cluster.page("mlflow", "/api/2.0/mlflow/experiments/get?experiment_id=0")
    assert status_of(with_password(experiment, EVE, "eve")) == 200


def test_secrets_are_for_the_owner_and_in_no_image_or_setting(cluster: Cluster) -> None:
    assert stat.S_IMODE(cluster.secrets_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.secrets_file.parent.stat().st_mode) == 0o700
    run(["git", "check-ignore", "--quiet", "secrets/cluster.env"], cluster.environment)
    told = json.dumps(cluster.containers())
    for image in ("parcours", "parcours-postgres"):
        told += run(["docker", "history", "--no-trunc", image], cluster.environment)
    secrets = cluster.secrets()
    assert len(set(secrets.values())) == len(secrets) == 8
    assert [name for name, value in secrets.items() if len(value) < 24 or value in told] == []


def test_airflow_reads_every_dag(cluster: Cluster) -> None:
    airflow = cluster.airflow()
    assert airflow.call("/importErrors")["total_entries"] == 0
    found = {dag["dag_id"] for dag in airflow.call("/dags")["dags"]}
    assert found == {FLATTEN, "sign_off"} | {f"study__{file.stem}" for file in (HOME / "cohorts").glob("*.yaml")}


def test_a_task_of_airflow_runs_and_its_log_can_be_read(cluster: Cluster) -> None:
    airflow = cluster.airflow()
    airflow.enable(FLATTEN)
    run = airflow.trigger(FLATTEN, {"delivery": "/nowhere", "root": "/tmp/root"})
    task = f"/dags/{FLATTEN}/dagRuns/{quote(run)}/taskInstances/plan"

    def ended() -> dict[str, Any] | None:
        found = airflow.call(task)
        return dict(found) if found["state"] in ("failed", "success") else None

    found = eventually(ended, "the task has ended", seconds=300)
    assert (found["state"], found["try_number"]) == ("failed", 1)
    assert "There is no delivery at /nowhere" in json.dumps(airflow.call(f"{task}/logs/1?full_content=true"))


def test_hdfs_keeps_three_copies(cluster: Cluster) -> None:
    cluster.inside("airflow-scheduler", "write", "/parcours/test/three", "text " * 1000)
    files = cluster.inside("airflow-scheduler", "replicas", "/parcours/test")["files"]
    assert files == {"/parcours/test/three": {"replication": 3, "hosts": sorted(DATANODES)}}


BASE = "hdfs://namenode:8020/parcours"


def run_jobs(cluster: Cluster, *names: str) -> None:
    """One job for each name, all submitted at once; a job that fails shows the end of its log."""
    cluster.inside("airflow-scheduler", "write", "/parcours/jobs/submitted_job.py", JOB)
    folders = [f"{BASE}/{name}" for name in names]
    answer = cluster.inside("airflow-scheduler", "submit", f"{BASE}/jobs/submitted_job.py", *folders)
    for ended in answer["ended"]:
        if ended["state"] != "FINISHED":
            log = f"tail -n 40 /var/lib/parcours/spark/work/{ended['driver']}/stderr"
            pytest.fail(f"{ended}\n{cluster.compose('exec', '-T', ended['worker'].split(':')[0], 'sh', '-c', log)}")


def seen_by_job(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(json.loads(cluster.inside("airflow-scheduler", "read", f"/parcours/{name}/seen")["text"]))


@pytest.fixture(scope="module")
def jobs(cluster: Cluster) -> list[dict[str, Any]]:
    """What four jobs saw that were submitted at once: more than the master lets run at a time."""
    names = [f"job-{number}" for number in range(4)]
    run_jobs(cluster, *names)
    return [seen_by_job(cluster, name) for name in names]


@pytest.fixture(scope="module")
def job(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the first of them saw."""
    return jobs[0]


def test_a_job_submitted_to_the_master_runs_on_the_workers(job: dict[str, Any]) -> None:
    assert job["sum"] == 499_500
    assert job["driver"] in WORKERS
    assert job["hosts"]
    assert set(job["hosts"]) <= WORKERS


def test_jobs_submitted_at_once_all_end(jobs: list[dict[str, Any]]) -> None:
    assert [job["sum"] for job in jobs] == [499_500] * 4
    assert len({job["application"] for job in jobs}) == 4


def test_what_spark_writes_has_three_copies(cluster: Cluster, job: dict[str, Any]) -> None:
    files = cluster.inside("airflow-scheduler", "replicas", "/parcours/job-0/numbers")["files"]
    assert len(files) >= 4
    assert list(files.values()) == [{"replication": 3, "hosts": sorted(DATANODES)}] * len(files)


def test_a_delivery_of_this_machine_goes_to_hdfs(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "delivery.yaml").write_text("name: test\n", "utf-8")
    cluster.put(tmp_path, "/parcours/test/delivery")
    found = cluster.inside("airflow-scheduler", "read", "/parcours/test/delivery/delivery.yaml")
    assert found == {"text": "name: test\n"}


def test_the_history_server_shows_the_job(cluster: Cluster, job: dict[str, Any]) -> None:
    address = with_login(cluster, f"/spark/api/v1/applications/{job['application']}")
    eventually(lambda: status_of(address) != 404, "the history server has read its log", seconds=120)
    assert json.loads(text_of(address))["name"] == "cluster test"
    page = text_of(with_login(cluster, f"/spark/history/{job['application']}/jobs/"))
    assert f"/spark/history/{job['application']}/stages/" in page


def test_the_job_logged_in_to_mlflow_and_its_artifact_is_served(cluster: Cluster, job: dict[str, Any]) -> None:
    path = f"/get-artifact?path=note.txt&run_id={job['run']}"
    request = with_password(cluster.page("mlflow", path), cluster.secrets()["PARCOURS_MLFLOW_PASSWORD"])
    assert text_of(request) == "text of the artifact"
    assert status_of(cluster.page("mlflow", path)) == 401


def test_verdicts_on_hdfs_are_served_and_rows_are_not(cluster: Cluster) -> None:
    ended = {"ended": "2099-12-31T13:00:00+00:00"}  # home tells the verdict that ended last
    told = {
        "quality/r1/verdict.json": {**ended, "passed": True, "rules": []},
        "studies/fall/a/run.json": {"cohort": "fall", "fingerprint": "a", "name": "fall · all ages"},
        "studies/fall/a/report/_MANIFEST.json": {**ended, "summary": {}},
    }
    for path, content in told.items():
        cluster.inside("airflow-scheduler", "write", f"/parcours/{path}", json.dumps(content))
    for path in ("quality/r1/data_docs/index.html", "studies/fall/a/report/report.html", "flat/DCIR/0.parquet"):
        cluster.inside("airflow-scheduler", "write", f"/parcours/{path}", f"content of {path}")
    assert text_of(with_login(cluster, "/quality/r1/data_docs/index.html")).startswith("content of quality")
    listed = text_of(with_login(cluster, "/"))
    assert 'href="/quality/r1/data_docs/index.html"' in listed
    assert 'href="/studies/fall/a/report/report.html"' in listed and "fall · all ages" in listed
    for path in (
        "/flat/DCIR/0.parquet",
        "/quality/r1/data_docs/../../../flat/DCIR/0.parquet",
        "/quality/r2/data_docs/x",
    ):
        assert status_of(with_login(cluster, path)) == 404


def test_a_service_that_dies_comes_back(cluster: Cluster) -> None:
    before = restarts(cluster)
    java = "kill -9 $(grep -lx java /proc/[0-9]*/comm | cut -d / -f 3)"
    cluster.compose("exec", "-T", "datanode-2", "sh", "-c", java)
    eventually(lambda: restarts(cluster) != before and cluster.states() == READY, "it is back", seconds=180)
    assert restarts(cluster) == before | {"datanode-2": before["datanode-2"] + 1}


def restarts(cluster: Cluster) -> dict[str, int]:
    return {service_of(container): container["RestartCount"] for container in cluster.containers()}


def test_down_keeps_the_data_and_up_finds_it(cluster: Cluster) -> None:
    cluster.inside("airflow-scheduler", "write", "/parcours/test/kept", "still here")
    password = cluster.secrets()
    cluster.make("down")
    assert cluster.containers() == []
    assert "is gone; put the file back" in said_without_secrets(cluster)
    said = cluster.make("up")
    assert cluster.secrets() == password
    assert f"http://127.0.0.1:{cluster.ports['airflow-api-server']}" in said
    assert str(cluster.secrets_file) in said
    assert not any(value in said for value in password.values())
    assert cluster.inside("airflow-scheduler", "read", "/parcours/test/kept") == {"text": "still here"}
    assert status_of(airflow_login(cluster, password["PARCOURS_AIRFLOW_PASSWORD"])) == 201
    assert cluster.states() == READY


def said_without_secrets(cluster: Cluster) -> str:
    away = cluster.secrets_file.rename(cluster.secrets_file.with_suffix(".away"))
    command = ["make", "--no-print-directory", "up"]
    refused = subprocess.run(command, cwd=HOME, env=cluster.environment, capture_output=True, text=True, check=False)
    away.rename(cluster.secrets_file)
    assert refused.returncode != 0
    return refused.stderr
