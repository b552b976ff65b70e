"""A real MLflow tracking server, started once for all tests of tracking and of the report stage."""

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from parcours.embedded.layout import Layout
from parcours.embedded.services import tracking_services
from parcours.tracking.record import RunRecord

PORTS = ("airflow", "mlflow", "history", "docs")


@pytest.fixture
def unused_address():
    """An address nobody listens at."""
    return f"http://127.0.0.1:{free_port()}"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_healthy(address, process):
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, "the MLflow server ended before it answered"
            time.sleep(0.2)
    raise AssertionError("the MLflow server never answered")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """Address of a tracking server of its own, started once by the platform's own command."""
    home = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    layout = Layout(home, home)
    layout.mlflow.mkdir(parents=True)
    (service,) = (each for each in tracking_services(layout, dict.fromkeys(PORTS, port)) if each.name == "mlflow")
    environment = os.environ | service.settings | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (home / "server.out").open("w") as log:
        process = subprocess.Popen(service.command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture
def faulty_server(monkeypatch):
    """Starts a server that is healthy but answers every request with this status; gives its address."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    started = []

    def start(status):
        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                self.send_response(200 if self.path == "/health" else status)
                self.end_headers()

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def record(tmp_path):
    """Builds the record of a study `name` with a fingerprint."""
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "peaks.csv").write_text("drug,name\nN05BA12,alprazolam\n", "utf-8")

    def build(cohort, fingerprint="0123456789abcdef"):
        return RunRecord(
            run={
                "cohort": cohort,
                "name": f"{cohort} · 65 and over · data to 2016-02",
                "fingerprint": fingerprint,
                "study": {"min_age": 65, "model": {"bucket_days": 14, "drugs": ["N05BA12"] * 2000}},
                "data": {"DCIR": {"2016-01": "aa", "2016-02": "bb"}, "MCO": {"2016": "cc"}},
                "code_version": "0.1.0+gabc",
                "airflow": {"dag_id": "study__fall", "run_id": "manual__1"},
            },
            metrics={
                "held_out_likelihood": -3.25,
                "cases": 1200,
                "medicines_selected": 1,
                "care_still_to_come": 0.004,
                "tv": 0.001,
                "certificate_residual": 3.1e-05,
            },
            artifacts=folder,
            curves={
                "drug": ["N05BA12"] * 3,
                "lag": [0, 1, -1],
                "log_ri": [0.6931471805599453, 0.0, -0.5],
                "lower": [0.5, -0.2, "-inf"],
                "upper": [0.9, 0.2, 0.1],
            },
            peaks={
                "drug": ["N05BA12", "N05BA01+C07AA05", "A02BC01"],
                "log_ri": [0.6931471805599453, -0.5, None],
                "lower": [0.5, "-inf", None],
                "upper": [0.9, 0.1, None],
            },
            model={"kind": "ConvSCCS"},
            tables={"curves": {"drug": ["N05BA12"], "lag": [0]}},
            verdict={"passed": True, "rules": []},
        )

    return build
