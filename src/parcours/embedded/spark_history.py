"""Spark's history server behind the docs server: it asks nobody for a password, so only the docs server reaches it."""

import urllib.request
from http.client import HTTPResponse
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

FOLDER = "/spark"
# The first look at an application makes the server read its whole event log.
SECONDS_TO_ANSWER = 600
KEPT_HEADERS = (
    *("Content-Type", "Content-Length", "Content-Disposition", "Cache-Control"),
    *("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options"),
)


class _AsItCame(urllib.request.HTTPErrorProcessor):
    """Errors and redirections are for the browser."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:
        """See HTTPErrorProcessor."""
        return response


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AsItCame())


def is_of_history(path: str) -> bool:
    """Whether a page of the docs server is one of the history server."""
    return path == FOLDER or path.startswith(f"{FOLDER}/")


def asked(server: str, address: str, path: str) -> HTTPResponse:
    """What the history server answers to a request of `address`, whose path is `path` once it is made plain.

    Raises OSError when it does not answer.
    """
    raw = urlsplit(address)
    end = "/" if raw.path.endswith("/") or path == FOLDER else ""
    target = f"{quote(path.removeprefix(FOLDER))}{end}?{quote(raw.query, safe='=&%+/:;,@')}"
    # Spark then begins its links with this folder.
    request = urllib.request.Request(f"{server}{target}", headers={"X-Forwarded-Context": FOLDER})
    answer: HTTPResponse = _direct.open(request, timeout=SECONDS_TO_ANSWER)
    return answer


def headers_of(answer: HTTPResponse) -> dict[str, str]:
    """The headers that the browser gets too."""
    kept = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    there = answer.headers.get("Location")
    return kept if there is None else {**kept, "Location": _in_folder(urljoin(answer.url, there))}


def _in_folder(address: str) -> str:
    """An address of the history server as one of the docs server."""
    parts = urlsplit(address)
    path = parts.path if is_of_history(parts.path) else f"{FOLDER}{parts.path}"
    return urlunsplit(("", "", path, parts.query, parts.fragment))
