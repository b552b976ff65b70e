"""Serves the verdicts of the gate and the reports of studies, and nothing else of the root, on this machine only.

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
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

SERVED = re.compile(
    r"^/((quality/[^/]+|studies/[^/]+/[^/]+/quality)/data_docs/.+"
    r"|studies/[^/]+/[^/]+/report/([^/]+/)*[^/]+\.(html|csv|png|svg))$"
)
LISTED = ("quality/*/data_docs/index.html", "studies/*/*/quality/data_docs/index.html", "studies/*/*/report/*.html")
LOCAL_NAMES = ("127.0.0.1", "localhost")


class DocsHandler(SimpleHTTPRequestHandler):
    """Answers for a list of what there is, and for the pages that `SERVED` names."""

    def send_head(self) -> BinaryIO | BytesIO | None:
        """Refuse whatever is not a page of the gate or of a report."""
        if (self.headers.get("Host") or "").split(":")[0] not in LOCAL_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "Only this machine is served")
            return None
        path = posixpath.normpath(unquote(urlsplit(self.path).path))
        if path == "/":
            self._send_list()
            return None
        if not SERVED.match(path) or not Path(self.translate_path(self.path)).is_file():
            self.send_error(HTTPStatus.NOT_FOUND, "No such page of the gate or of a report")
            return None
        return super().send_head()

    def _send_list(self) -> None:
        root = Path(self.directory)
        pages = sorted(str(page.relative_to(root)) for pattern in LISTED for page in root.glob(pattern))
        items = "".join(f'<li><a href="/{html.escape(page)}">{html.escape(page)}</a></li>' for page in pages)
        body = f"<!doctype html><title>Parcours</title><h1>Verdicts and reports</h1><ul>{items}</ul>".encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def serve(root: Path, port: int) -> ThreadingHTTPServer:
    """A server on 127.0.0.1 that is bound and not yet running; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(DocsHandler, directory=str(root)))


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(arguments.root, arguments.port).serve_forever()


if __name__ == "__main__":
    main()
