"""Spark's history server is whole behind the docs server: pages, links, scripts and what the scripts ask for."""

import json
import os
import re
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from parcours.embedded import http
from parcours.embedded.docs_pages import LocalPages
from parcours.embedded.docs_server import Door, serve
from parcours.embedded.processes import is_alive, log_tail, start, stop_one

pytestmark = pytest.mark.spark

APPLICATION = "local-1"
NOON = 1_796_040_000_000  # 2026-11-30
LOG = (
    {"Event": "SparkListenerLogStart", "Spark Version": "4.2.0"},
    {
        "Event": "SparkListenerApplicationStart",
        "App Name": "fall",
        "App ID": APPLICATION,
        "Timestamp": NOON,
        "User": "u",
    },
    {"Event": "SparkListenerEnvironmentUpdate", **{f"{name} Properties": {} for name in ("Spark", "Hadoop", "System")}}
    | {"JVM Information": {}, "Metrics Properties": {}, "Classpath Entries": {}},
    {"Event": "SparkListenerApplicationEnd", "Timestamp": NOON + 1},
)
PAGES = ("jobs/", "stages/", "storage/", "environment/", "executors/")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real one, with one application."""
    events: Path = tmp_path_factory.mktemp("events")
    lines = [json.dumps(event, separators=(",", ":")) for event in LOG]  # as Spark itself writes them
    (events / APPLICATION).write_text("\n".join(lines) + "\n", "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = events.parent / "history.conf"
    settings.write_text(
        f"spark.history.fs.logDirectory {events.as_uri()}\nspark.history.ui.port {port}\n"
        "spark.ui.contentSecurityPolicy.enabled true\n",
        "utf-8",
    )
    binaries = Path(sys.executable).parent
    command = (str(binaries / "spark-class"), "org.apache.spark.deploy.history.HistoryServer", "--properties-file")
    environment = os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"}
    log = events.parent / "history.log"
    record = start((*command, str(settings)), environment, log, events.parent, "history")
    try:
        application = f"http://127.0.0.1:{port}/api/v1/applications/{APPLICATION}"
        deadline = time.monotonic() + 120
        while not http.answers(application):
            assert is_alive(record) and time.monotonic() < deadline, log_tail(log)
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop_one(record)


@pytest.fixture(scope="module")
def docs(history: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = serve(LocalPages(tmp_path_factory.mktemp("root")), 0, door=Door(history=history))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("page", ["", *(f"history/{APPLICATION}/{page}" for page in PAGES)])
def test_every_link_and_script_of_a_page_stays_in_the_folder_and_answers(docs: str, page: str) -> None:
    text = http.call(f"{docs}/spark/{page}")
    found = set(re.findall(r"""(?:href|src)=['"](/[^'"]+)""", text))
    assert {f"/spark/history/{APPLICATION}/{name}" for name in PAGES} <= found or page == ""
    assert found and all(address.startswith("/spark/") for address in found)
    assert [address for address in found if not http.answers(f"{docs}{address}")] == []
    assert "setUIRoot('/spark')" in text


def test_what_the_scripts_ask_for_is_there(docs: str) -> None:
    (known,) = http.call(f"{docs}/spark/api/v1/applications?limit=1")
    assert known["name"] == "fall"
    assert http.call(f"{docs}/spark/static/historypage-template.html").startswith("<")


def test_a_redirection_stays_in_the_folder(docs: str) -> None:
    for path in (f"history/{APPLICATION}", f"history/{APPLICATION}/"):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{docs}/spark/{path}") as answer:
            assert answer.url == f"{docs}/spark/history/{APPLICATION}/jobs/"


def test_spark_says_what_browsers_may_run_and_an_error_is_an_error(docs: str) -> None:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{docs}/spark/") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self' 'nonce-")
    with pytest.raises(http.Refused, match="404"):
        http.call(f"{docs}/spark/api/v1/applications/none")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_read(docs: str, method: str) -> None:
    with pytest.raises(http.Refused, match="501"):
        http.call(f"{docs}/spark/api/v1/applications", method)
