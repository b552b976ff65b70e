"""The docs server shows verdicts and reports, and no row of a person."""

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from parcours.embedded import http
from parcours.embedded.docs_pages import LocalPages, pages_of
from parcours.embedded.docs_server import Door, serve
from parcours.embedded.logins import Logins
from parcours.errors import InputError

PAGES = {
    "quality/run-1/data_docs/index.html": "verdict",
    "studies/fall/abc/quality/data_docs/index.html": "study verdict",
    "studies/fall/abc/report/report.html": "report",
    "studies/fall/abc/report/peaks.csv": "peaks",
    "studies/fall/abc/comparisons/abd/comparison.html": "comparison",
}
PRIVATE = {
    "flat/DCIR/period=2016-01/0.parquet": "rows",
    "rejects/DCIR/period=2016-01/0.parquet": "rows",
    "identity/identity.parquet": "identifiers",
    "studies/fall/abc/features/persons.parquet": "persons",
    "studies/fall/abc/run.json": '{"cohort": "fall", "fingerprint": "abc"}',
    "studies/fall/abc/report/_MANIFEST.json": '{"ended": "2026-11-30T13:00:00+00:00", "summary": {"cases": 7}}',
    "studies/fall/abc/quality/verdict.json": '{"passed": true, "ended": "2026-11-30T13:00:00+00:00", "rules": []}',
    "quality/run-1/verdict.json": '{"passed": true, "ended": "2026-11-30T13:00:00+00:00", "rules": []}',
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root: Path = tmp_path_factory.mktemp("root")
    for name, text in {**PAGES, **PRIVATE}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    server = serve(LocalPages(root), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def without_airflow(tmp_path: Path) -> Iterator[str]:
    """A server whose users an Airflow knows that is away."""
    server = serve(LocalPages(tmp_path), 0, door=Door(Logins("http://127.0.0.1:1")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("page", PAGES)
def test_verdicts_and_reports_are_served(address: str, page: str) -> None:
    assert http.call(f"{address}/{page}") == PAGES[page]


@pytest.mark.parametrize("page", PRIVATE)
def test_everything_else_of_the_root_is_not(address: str, page: str) -> None:
    for path in (
        page,
        f"quality/run-1/data_docs/../../../{page}",
        f"quality/run-1/data_docs/%2e%2e/%2e%2e/%2e%2e/{page}",
    ):
        with pytest.raises(http.Refused) as refused:
            http.call(f"{address}/{path}")
        assert refused.value.status == 404


@pytest.mark.parametrize("folder", ["flat/", "quality/", "quality/run-1/data_docs/", "studies/fall/abc/report/"])
def test_no_folder_is_listed(address: str, folder: str) -> None:
    with pytest.raises(http.Refused):
        http.call(f"{address}/{folder}")


def test_home_links_to_what_there_is(address: str) -> None:
    listed = http.call(f"{address}/")
    assert all(f'href="/{page}"' in listed for page in PAGES if page.endswith(".html"))
    assert "parquet" not in listed


def test_a_page_that_is_not_there_and_a_foreign_name_of_the_host_are_refused(address: str) -> None:
    with pytest.raises(http.Refused) as missing:
        http.call(f"{address}/quality/run-9/data_docs/index.html")
    assert missing.value.status == 404
    request = urllib.request.Request(f"{address}/", headers={"Host": "pages.example"})
    with pytest.raises(urllib.error.HTTPError, match="Only this machine"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


def test_a_root_of_another_kind_is_refused_with_a_sentence() -> None:
    with pytest.raises(InputError, match="neither a folder nor an hdfs:// address"):
        pages_of("s3://bucket/root")


def test_browsers_are_told_to_fetch_nothing_from_elsewhere(address: str) -> None:
    for page in ("", *PAGES):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{address}/{page}", timeout=10
        ) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")


def test_one_machine_is_served_without_a_login_and_nobody_else(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    assert http.call(f"{address}/health") == ""
    with pytest.raises(http.Refused, match="404"):
        http.call(f"{address}/spark/")


@pytest.mark.parametrize("more", [["--host", "0.0.0.0"], ["--spark-history", "http://127.0.0.1:1"]])
def test_others_are_not_served_without_a_login(tmp_path: Path, more: list[str]) -> None:
    command = [sys.executable, "-m", "parcours.embedded.docs_server", "--port", "0", "--root", str(tmp_path), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "need --login-at" in done.stderr


@pytest.mark.parametrize("headers", [{"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}, {"Cookie": "_token=a.b.c"}])
def test_while_airflow_is_away_nobody_is_let_in(without_airflow: str, headers: dict[str, str]) -> None:
    request = urllib.request.Request(f"{without_airflow}/", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
    assert refused.value.code == 503 and b"does not answer" in refused.value.read()
    with pytest.raises(http.Refused, match="401"):
        http.call(f"{without_airflow}/")
