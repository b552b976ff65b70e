"""Debian's Chromium without a screen and without a network: what it asks of other machines is written down."""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Chromium's own errands, which no page asks for; those that cannot be switched off go to a port where nobody listens.
QUIET = (
    *("--gaia-url=http://127.0.0.1:9", "--component-updater=url-source=http://127.0.0.1:9"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--disable-domain-reliability", "--disable-sync", "--no-first-run", "--no-default-browser-check"),
    "--disable-features=OptimizationHints,MediaRouter,Translate,NetworkTimeServiceQuerying,AutofillServerCommunication",
)
VIRTUAL_MILLISECONDS = 15_000


@dataclass
class Browser:
    """Opens pages; `asked` are the requests that left, in the order in which they did."""

    proxy: str
    asked: list[str] = field(default_factory=list)

    def open(self, address: str) -> str:
        """The page as it stands once its scripts have run (DOM as HTML)."""
        program = shutil.which("chromium")
        assert program, "Chromium is not here; as root: apt-get install chromium"
        with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
            machine = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
            network = (f"--proxy-server={self.proxy}", f"--user-data-dir={profile}", *QUIET)
            wanted = (f"--virtual-time-budget={VIRTUAL_MILLISECONDS}", "--dump-dom", address)
            done = subprocess.run(
                [program, *machine, *network, *wanted], capture_output=True, text=True, timeout=120, check=True
            )
        return done.stdout


@contextmanager
def browser_without_network() -> Iterator[Browser]:
    """A browser whose only way out is a proxy that refuses everything; this machine's own address needs no proxy."""
    browser = Browser("")

    class Refusal(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            browser.asked.append(self.path)
            self.send_error(502)

        do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = do_CONNECT = refuse

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser.proxy = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield browser
    finally:
        server.shutdown()
        server.server_close()


def row_about(page: str, word: str) -> list[str]:
    """The cells of the first table row that holds the word, as text."""
    rows = [row for row in re.findall(r"<tr[^>]*>.*?</tr>", page, re.DOTALL) if word in row]
    assert rows, f"no row of the page is about {word}"
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", rows[0], re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in cells]
