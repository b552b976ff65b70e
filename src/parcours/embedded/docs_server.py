"""Serves the verdicts of the gate and the reports of studies, and nothing else of the root, to this machine only.

The root holds rows about persons: a plain file server over it would hand them to every local user.
"""

import argparse
import html
import posixpath
import re
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from parcours.embedded.docs_pages import Pages, pages_of
from parcours.reporting.web_page import header, section, table, web_page

SERVED = re.compile(
    r"^/((quality/[^/]+|studies/[^/]+/[^/]+/quality)/data_docs/.+"
    r"|studies/[^/]+/[^/]+/report/([^/]+/)*[^/]+\.(html|csv|png|svg))$"
)
LISTED = ("quality/*/data_docs/index.html", "studies/*/*/quality/data_docs/index.html", "studies/*/*/report/*.html")
# Browsers then ask nobody else for a script, a style or a font, whatever a page says.
NOTHING_FROM_OUTSIDE = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
LOCAL_NAMES = ("127.0.0.1", "localhost")


class DocsHandler(SimpleHTTPRequestHandler):
    """Answers for a list of what there is, and for the pages that `SERVED` names."""

    def __init__(self, *args: Any, pages: Pages, **kwargs: Any) -> None:
        self.pages = pages
        super().__init__(*args, **kwargs)

    def send_head(self) -> BytesIO | None:
        """Refuse whatever is not a page of the gate or of a report."""
        if (self.headers.get("Host") or "").split(":")[0] not in LOCAL_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "Only this machine is served")
            return None
        path = posixpath.normpath(unquote(urlsplit(self.path).path))
        try:
            content = self._list() if path == "/" else self._page(path)
        except OSError:
            self.send_error(HTTPStatus.BAD_GATEWAY, "The root cannot be read now")
            return None
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND, "No such page of the gate or of a report")
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8" if path == "/" else self.guess_type(path))
        self.send_header("Content-Security-Policy", NOTHING_FROM_OUTSIDE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return BytesIO(content)

    def _page(self, path: str) -> bytes | None:
        return self.pages.read(path.lstrip("/")) if SERVED.match(path) else None

    def _list(self) -> bytes:
        found = sorted(page for pattern in LISTED for page in self.pages.find(pattern))
        return _list_page(found).encode()


def _list_page(found: list[str]) -> str:
    """The first page: the gate's verdicts on the data, then study by study its gate and its reports."""
    rows = "".join(f"<tr>{_list_row(page)}</tr>" for page in found)
    opening = header("Parcours", "Verdicts and reports", "What the gate said of the data and of each study's features.")
    listed = table(("about", "run", "page"), rows) if found else "<p>Nothing yet: check a root or run a study.</p>"
    return web_page("Verdicts and reports", [opening, section("Pages", listed)])


def _list_row(page: str) -> str:
    parts = page.split("/")
    about, run = ("data", parts[1]) if parts[0] == "quality" else (f"study {parts[1]}", parts[2])
    name = "quality gate" if page.endswith("data_docs/index.html") else parts[-1].removesuffix(".html")
    cells = (html.escape(about), html.escape(run), f'<a href="/{html.escape(page)}">{html.escape(name)}</a>')
    return "".join(f"<td>{cell}</td>" for cell in cells)


def serve(pages: Pages, port: int, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """A server that is bound and not yet running; port 0 takes a free one.

    A `host` other than this machine's own address is for a container, whose port is published on 127.0.0.1 alone.
    """
    return ThreadingHTTPServer((host, port), partial(DocsHandler, pages=pages))


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(pages_of(arguments.root), arguments.port, arguments.host).serve_forever()


if __name__ == "__main__":
    main()
