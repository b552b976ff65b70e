"""Serves home, the verdicts of the gate and the reports of studies, and nothing else of the root, to this machine only.

The root holds rows about persons: a plain file server over it would hand them to every local user. On a cluster it
lets in whom Airflow lets in, and Spark's history server is behind it.
"""

import argparse
import logging
import os
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from parcours.embedded import http, spark_history
from parcours.embedded.airflow_now import AirflowNow
from parcours.embedded.docs_pages import pages_of
from parcours.embedded.logins import Logins, Right
from parcours.front import home
from parcours.front.addresses import Addresses, addresses_from
from parcours.front.pages import Pages, Remembered
from parcours.front.reports import reported_run
from parcours.front.running import running_part
from parcours.front.study_part import HOW_TO_COMPARE, Around
from parcours.home import project_home

SERVED = re.compile(
    r"^/((quality/[^/]+|studies/[^/]+/[^/]+/quality)/data_docs/.+"
    r"|studies/[^/]+/[^/]+/(report|comparisons/[^/]+)/([^/]+/)*[^/]+\.(html|csv|png|svg))$"
)
# Browsers then ask nobody else for a script, a style or a font, whatever a page says; only Airflow may frame a page.
NOTHING_FROM_OUTSIDE = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
LOCAL_NAMES = ("127.0.0.1", "localhost")
# Answers everybody, with nothing, once the root can be read.
HEALTH = "/health"
HTML = "text/html; charset=utf-8"
OWN_FILES = {"/home.css": "text/css; charset=utf-8", "/home.js": "text/javascript; charset=utf-8"}
Question = Mapping[str, str]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Front:
    """What the server makes pages of: the root, the study files, addresses, and what Airflow tells."""

    pages: Pages
    cohorts: Path
    environment: Mapping[str, str]
    remembered: Remembered = field(init=False)
    airflow: AirflowNow = field(init=False)
    addresses: Addresses = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "remembered", Remembered(self.pages))
        object.__setattr__(self, "airflow", AirflowNow(self.environment))
        object.__setattr__(self, "addresses", addresses_from(self.environment))

    def made(self, path: str, question: Question) -> str | None:
        """The page that is made for a request, None when it is none of these."""
        makers: dict[str, Callable[[Question], str]] = {
            "/": self._home,
            "/running": lambda asked: running_part(self.pages.running(), self._around(asked)),
            "/report": self._report,
            HOW_TO_COMPARE: self._how_to_compare,
        }
        return makers[path](question) if path in makers else None

    def policy(self) -> str:
        """What browsers are told that a page may fetch, and who may frame it."""
        return f"{NOTHING_FROM_OUTSIDE}; frame-ancestors {self.addresses.airflow or ''} 'self'"

    def _home(self, question: Question) -> str:
        return home.home_page(self._root(), _asked(question), self._around(question))

    def _report(self, question: Question) -> str:
        asked = _asked(question)
        run = reported_run(self._root().studies, asked.dag or "", asked.run)
        page = self.pages.read(run.report) if run and run.report else None
        return home.no_report(asked) if page is None else page.decode()

    def _root(self) -> home.Root:
        return home.read_root(self.remembered, self.cohorts)

    def _around(self, question: Question) -> Around:
        return Around(self.addresses, self.airflow.facts(), _is_framed(question))

    def _how_to_compare(self, question: Question) -> str:
        root = self.environment.get("PARCOURS_ROOT", "ROOT")
        return home.how_to_compare(root, *(question.get(name, "") for name in ("study", "later", "earlier")))


def _asked(question: Question) -> home.Asked:
    return home.Asked(question.get("dag"), question.get("run"), _is_framed(question))


def _is_framed(question: Question) -> bool:
    return question.get("in") == "airflow"


@dataclass(frozen=True)
class Door:
    """What a cluster has and one machine has not: who is let in, and the address of Spark's history server."""

    logins: Logins | None = None
    history: str | None = None

    def status(self, path: str, cookies: str, authorization: str) -> HTTPStatus:
        """Whether a request is answered. Spark tells how many rows each step read, so it is for operators."""
        if self.logins is None or path == HEALTH:
            return HTTPStatus.OK
        right = Right.RUN_THE_PLATFORM if spark_history.is_of_history(path) else Right.SEE_WHAT_LEFT
        try:
            return self.logins.status(cookies, authorization, right)
        except (OSError, http.Refused) as reason:
            log.warning("Airflow does not say who may see %s: %s", path, reason)
            return HTTPStatus.SERVICE_UNAVAILABLE


class DocsHandler(SimpleHTTPRequestHandler):
    """Answers for home, and for the pages that `SERVED` names."""

    def __init__(self, *args: Any, front: Front, door: Door, **kwargs: Any) -> None:
        self.front, self.door = front, door
        super().__init__(*args, **kwargs)

    def send_head(self) -> BinaryIO | None:
        """Refuse strangers, and whatever is not home or a page of the gate, of a report or of a comparison."""
        if (self.headers.get("Host") or "").split(":")[0] not in LOCAL_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "Only this machine is served")
            return None
        address = urlsplit(self.path)
        path = posixpath.normpath(unquote(address.path))
        status = self.door.status(path, self.headers.get("Cookie", ""), self.headers.get("Authorization", ""))
        if status != HTTPStatus.OK:
            return self._refuse(status)
        if self.door.history and spark_history.is_of_history(path):
            return self._of_history(self.door.history, path)
        return self._page(path, {name: values[-1] for name, values in parse_qs(address.query).items()})

    def _page(self, path: str, question: Question) -> BinaryIO | None:
        try:
            kind, content = self._answer(path, question)
        except OSError:
            self.send_error(HTTPStatus.BAD_GATEWAY, "The root cannot be read now")
            return None
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND, "No such page of the gate or of a report")
            return None
        return self._send(HTTPStatus.OK, kind, content)

    def _refuse(self, status: HTTPStatus) -> BinaryIO:
        # A page that asks again by itself must not make the browser ask for a password each time.
        asks = status == HTTPStatus.UNAUTHORIZED and self.headers.get("Sec-Fetch-Dest") != "empty"
        more = {"WWW-Authenticate": 'Basic realm="Airflow", charset="UTF-8"'} if asks else {}
        return self._send(status, HTML, refusal_page(status, self.front.addresses).encode(), more)

    def _of_history(self, server: str, path: str) -> BinaryIO | None:
        try:
            answer = spark_history.asked(server, self.path, path)
        except OSError:
            self.send_error(HTTPStatus.BAD_GATEWAY, "Spark's history server does not answer")
            return None
        self._send_headers(answer.status, spark_history.headers_of(answer))
        return answer

    def _answer(self, path: str, question: Question) -> tuple[str, bytes | None]:
        """The kind of a page and its content, None when there is no such page."""
        if path == HEALTH:
            self.front.pages.running()
            return "text/plain", b""
        made = self.front.made(path, question)
        if made is not None:
            return HTML, made.encode()
        if path in OWN_FILES:
            return OWN_FILES[path], (Path(home.__file__).parent / path.lstrip("/")).read_bytes()
        return self.guess_type(path), self.front.pages.read(path.lstrip("/")) if SERVED.match(path) else None

    def _send(
        self, status: HTTPStatus, kind: str, content: bytes, more: Mapping[str, str] = MappingProxyType({})
    ) -> BinaryIO:
        told = {"Content-Type": kind, "Content-Security-Policy": self.front.policy()}
        self._send_headers(status, {**told, "Content-Length": str(len(content)), **more})
        return BytesIO(content)

    def _send_headers(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def refusal_page(status: HTTPStatus, addresses: Addresses) -> str:
    """One sentence on why a page is not shown, and what to do."""
    airflow = f'<a href="{escape(addresses.airflow)}">Airflow</a>' if addresses.airflow else "Airflow"
    sentence = {
        HTTPStatus.UNAUTHORIZED: f"Log in to {airflow} and load this page again, or give user and password of Airflow.",
        HTTPStatus.FORBIDDEN: f"Your user of {airflow} may not see this page: it is for operators.",
        HTTPStatus.SERVICE_UNAVAILABLE: f"{airflow} knows who may see this page and does not answer; try again later.",
    }[status]
    return f'<!doctype html>\n<html lang="en"><title>{status.phrase}</title><p>{sentence}</p></html>\n'


def serve(
    pages: Pages,
    port: int,
    host: str = "127.0.0.1",
    cohorts: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    door: Door = Door(),
) -> ThreadingHTTPServer:
    """A server that is bound and not yet running; port 0 takes a free one. `cohorts` are the project's own study files.

    A `host` other than this machine's own address is for a container, whose port is published on 127.0.0.1 alone.
    """
    front = Front(pages, cohorts or project_home() / "cohorts", environment)
    return ThreadingHTTPServer((host, port), partial(DocsHandler, front=front, door=door))


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--login-at", metavar="URL", help="the Airflow whose users are let in; without it, everybody")
    parser.add_argument("--spark-history", metavar="URL", help="the history server to show under /spark, to operators")
    arguments = parser.parse_args()
    if not arguments.login_at and (arguments.spark_history or arguments.host not in LOCAL_NAMES):
        parser.error("pages for others than this machine, and Spark's history, need --login-at.")
    door = Door(Logins(arguments.login_at) if arguments.login_at else None, arguments.spark_history)
    serve(pages_of(arguments.root), arguments.port, arguments.host, door=door).serve_forever()


if __name__ == "__main__":
    main()
