"""The pages of the cluster let in whom Airflow lets in, and each role may what the docs say."""

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from fab_airflow import ROLES, FabAirflow, password
from pages import Browser, status_of, text_of, with_password

from parcours.embedded import http
from parcours.embedded.docs_pages import LocalPages
from parcours.embedded.docs_server import Door, serve
from parcours.embedded.logins import YES_SECONDS, Logins

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

REPORT = "/studies/fall/abc/report/report.html"
PAGES = ("/", "/running", "/home.css", "/compare", REPORT, "/quality/r1/data_docs/index.html", "/flat/rows", "/spark/")
FLATTEN_RUNS = "/dags/snds_flatten/dagRuns"
STUDY_RUNS = "/dags/study__fall/dagRuns"
SIGN_OFF = "/dags/sign_off/dagRuns/none/taskInstances/ask/-1/hitlDetails"


@dataclass
class Clock:
    """What the docs server takes for the time."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabAirflow]:
    made = FabAirflow(tmp_path_factory.mktemp("home"))
    try:
        made.begin()
        yield made
    finally:
        made.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def docs(airflow: FabAirflow, clock: Clock, tmp_path: Path) -> Iterator[str]:
    """The docs server of a cluster whose history server is away."""
    for name in (REPORT, "/quality/r1/data_docs/index.html", "/flat/rows"):
        (tmp_path / name[1:]).parent.mkdir(parents=True)
        (tmp_path / name[1:]).write_text(f"content of {name}", "utf-8")
    (tmp_path / "layout.json").write_text(json.dumps({"format": 1, "person_buckets": 8}), "utf-8")
    door = Door(Logins(airflow.url, now=clock), "http://127.0.0.1:1")
    server = serve(LocalPages(tmp_path), 0, environment={"PARCOURS_AIRFLOW_URL": airflow.url}, door=door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def as_user(user: str, address: str) -> urllib.request.Request:
    return with_password(address, password(user), user)


def with_cookie(address: str, token: str) -> urllib.request.Request:
    return urllib.request.Request(address, headers={"Cookie": f'other={{"a": 1}}; _token={token}; session=x'})


def refused(request: urllib.request.Request | str) -> urllib.error.HTTPError:
    with pytest.raises(urllib.error.HTTPError) as error:
        text_of(request)
    return error.value


@pytest.mark.parametrize("page", PAGES)
def test_without_a_login_no_page_is_shown_but_where_to_log_in(airflow: FabAirflow, docs: str, page: str) -> None:
    error = refused(f"{docs}{page}")
    told = error.read().decode()
    assert error.code == 401 and error.headers["WWW-Authenticate"].startswith("Basic ")
    assert f'href="{airflow.url}"' in told and "content of" not in told


def test_a_page_that_asks_again_by_itself_brings_up_no_question_for_a_password(docs: str) -> None:
    asks = refused(urllib.request.Request(f"{docs}/running", headers={"Sec-Fetch-Dest": "empty"}))
    assert asks.code == 401 and "WWW-Authenticate" not in asks.headers


def test_the_check_of_health_is_open_and_tells_nothing(docs: str) -> None:
    assert text_of(f"{docs}/health") == ""


@pytest.mark.parametrize("user", ["viewer", "epidemiologist", "operator", "parcours"])
def test_a_user_with_the_right_password_sees_home_reports_and_verdicts_and_no_row(docs: str, user: str) -> None:
    assert text_of(as_user(user, f"{docs}{REPORT}")) == f"content of {REPORT}"
    assert "<html" in text_of(as_user(user, f"{docs}/"))
    assert status_of(as_user(user, f"{docs}/flat/rows")) == 404


@pytest.mark.parametrize(
    ("user", "given"),
    [("viewer", "wrong"), ("viewer", ""), ("", ""), ("viewer", password("operator")), ("stranger", password("viewer"))],
)
def test_a_wrong_login_is_refused(docs: str, user: str, given: str) -> None:
    assert status_of(with_password(f"{docs}{REPORT}", given, user)) == 401


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ä",
        "Basic !",
        f"Basic {base64.b64encode(b'viewer').decode()}",
        "Basic /w==",
        "Bearer",
        "Bearer x",
    ],
)
def test_a_login_that_is_none_is_refused(docs: str, header: str) -> None:
    request = urllib.request.Request(f"{docs}{REPORT}", headers={"Authorization": header.encode().decode("latin-1")})
    assert status_of(request) == 401


def test_a_user_of_airflow_without_a_role_is_refused(docs: str) -> None:
    assert status_of(as_user("nobody", f"{docs}{REPORT}")) == 401


def test_who_logs_in_on_the_page_of_airflow_is_logged_in_here_until_logging_out(
    airflow: FabAirflow, docs: str, clock: Clock
) -> None:
    browser = Browser(airflow.url)
    browser.log_in("viewer", password("viewer"))
    assert browser.text(f"{docs}{REPORT}") == f"content of {REPORT}"
    token = browser.token()
    assert status_of(with_cookie(f"{docs}{REPORT}", token)) == 200
    browser.log_out()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        browser.text(f"{docs}{REPORT}")
    clock.seconds += YES_SECONDS
    assert status_of(with_cookie(f"{docs}{REPORT}", token)) == 401


def test_a_yes_is_remembered_for_that_login_and_that_kind_of_page_only(
    airflow: FabAirflow, docs: str, clock: Clock
) -> None:
    airflow.add("leaver", "Viewer")
    assert status_of(as_user("leaver", f"{docs}{REPORT}")) == 200
    airflow.as_user("parcours", "/auth/fab/v1/users/leaver", "DELETE")
    assert status_of(as_user("leaver", f"{docs}{REPORT}")) == 200
    assert status_of(with_password(f"{docs}{REPORT}", password("leaver") + " ", "leaver")) == 401
    assert status_of(as_user("leaver", f"{docs}/spark/")) == 403
    clock.seconds += YES_SECONDS
    assert status_of(as_user("leaver", f"{docs}{REPORT}")) == 401


def test_a_forged_token_is_refused(airflow: FabAirflow, docs: str) -> None:
    browser = Browser(airflow.url)
    browser.log_in("viewer", password("viewer"))
    head, body, signature = browser.token().split(".")
    claims = jwt.decode(browser.token(), options={"verify_signature": False})
    forged = {
        f"{head}.{body}.{signature[::-1]}",
        jwt.encode(claims, "another key of at least sixty-four bytes, as Airflow's own one is long" * 2, "HS512"),
        jwt.encode(claims, None, "none"),
        f"{head}.{jwt.encode({**claims, 'sub': '1'}, 'k' * 64, 'HS512').split('.')[1]}.{signature}",
        "",
        "a.b.c",
        f"{browser.token()}/../x",
    }
    assert status_of(with_cookie(f"{docs}{REPORT}", browser.token())) == 200
    assert {status_of(with_cookie(f"{docs}{REPORT}", token)) for token in forged} == {401}


def test_the_better_of_two_logins_counts(airflow: FabAirflow, docs: str) -> None:
    browser = Browser(airflow.url)
    browser.log_in("viewer", password("viewer"))
    request = as_user("operator", f"{docs}/spark/")
    request.add_header("Cookie", f"_token={browser.token()}")
    assert status_of(request) == 502


@pytest.mark.parametrize("path", ["/spark", "/spark/", "/spark/api/v1/applications", "/quality/%2e%2e/spark/history/a"])
def test_spark_which_counts_rows_is_for_operators(docs: str, path: str) -> None:
    assert {user: status_of(as_user(user, f"{docs}{path}")) for user in (*ROLES, "parcours")} == {
        "nobody": 401,
        "viewer": 403,
        "epidemiologist": 403,
        "operator": 502,  # let in, and the history server is away
        "parcours": 502,
    }
    assert "for operators" in refused(as_user("viewer", f"{docs}{path}")).read().decode()


def answer(airflow: FabAirflow, user: str, method: str, path: str, body: dict[str, object] | None = None) -> int:
    try:
        airflow.client(user).call(path, method, body)
    except http.Refused as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    ("user", "may"),
    [
        ("viewer", {"see"}),
        ("epidemiologist", {"see", "study", "flatten", "clear", "sign off"}),
        ("operator", {"see", "study", "flatten", "clear", "sign off", "pools", "connections"}),
        ("nobody", set()),
    ],
)
def test_in_airflow_each_role_may_what_the_docs_say(airflow: FabAirflow, user: str, may: set[str]) -> None:
    start: dict[str, object] = {"logical_date": None, "conf": {"root": "/nowhere"}}
    approve: dict[str, object] = {"chosen_options": ["approved"], "params_input": {"reason": "holds"}}
    pool: dict[str, object] = {"name": f"of {user}", "slots": 1}
    answers = {
        "see": answer(airflow, user, "GET", STUDY_RUNS),
        "study": answer(airflow, user, "POST", STUDY_RUNS, start),
        "flatten": answer(airflow, user, "POST", FLATTEN_RUNS, start),
        "clear": answer(airflow, user, "POST", "/dags/study__fall/clearTaskInstances", {"dry_run": True}),
        "sign off": answer(airflow, user, "PATCH", SIGN_OFF, approve),
        "pools": answer(airflow, user, "POST", "/pools", pool),
        "connections": answer(airflow, user, "GET", "/connections"),
    }
    assert {name for name, status in answers.items() if status != 403} == may
    # Nothing waits for an answer here: who may give one is told so.
    assert set(answers.values()) <= {200, 403} | ({404} if "sign off" in may else set()), answers


def test_who_may_sign_off_finds_what_waits_in_the_menu(airflow: FabAirflow) -> None:
    menus = {user: airflow.as_user(user, "/ui/auth/menus")["authorized_menu_items"] for user in ROLES}
    finds = {user for user, menu in menus.items() if "Required Actions" in menu}
    assert finds == {"epidemiologist", "operator"}
