"""Debian's Chromium without a screen and without a network: what it asks of other machines is written down."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect, sync_playwright

# Chromium's own errands, which no page asks for; those that cannot be switched off go to a port where nobody listens.
QUIET = (
    *("--gaia-url=http://127.0.0.1:9", "--component-updater=url-source=http://127.0.0.1:9"),
    *("--disable-background-networking", "--disable-domain-reliability", "--disable-gpu", "--disable-dev-shm-usage"),
    # With the last ones Playwright would have switched off less: the switch that comes last holds alone.
    "--disable-features=OptimizationHints,MediaRouter,Translate,NetworkTimeServiceQuerying,AutofillServerCommunication",
)
WIDE, NARROW = 1440, 360
HEIGHT = 900
PATIENCE_MILLISECONDS = 60_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)
ROW = """
word => {
  const texts = part => {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) found.push(walker.currentNode.data);
    return found;
  };
  const about = new RegExp(word);
  const row = [...document.querySelectorAll("tr")].find(each => texts(each).some(text => about.test(text)));
  return row ? [...row.cells].map(cell => texts(cell).join(" ")) : null;
}
"""


@dataclass
class Browser:
    """Opens pages; `asked` are the requests that left, `complaints` the errors and warnings of the pages' consoles."""

    chromium: Chromium
    asked: list[str]
    complaints: list[str] = field(default_factory=list)

    def page(self, width: int = WIDE, colours: Any = "light", script: str = "") -> Page:
        """An empty page of a browser that nobody has used yet; `script` is JavaScript that every page of it has."""
        context = self.chromium.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme=colours, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("console", lambda told: told.type in ("error", "warning") and self.complaints.append(told.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"not there: {request.url}"))
        return page

    def open(self, address: str) -> Page:
        """A page once all that it names has come; what its scripts fetch later is waited for by whoever looks at it.

        Not until it asks for nothing more: the script of MLflow's telemetry worker, which ends at once where telemetry
        is off, is often never told to have come (9 of 18 times on a busy machine).
        """
        page = self.page()
        page.goto(address)
        return page


@contextmanager
def browser_without_network() -> Iterator[Browser]:
    """A browser whose only way out is a proxy that refuses everything; this machine's own address needs no proxy."""
    program = shutil.which("chromium")
    if program is None:
        pytest.exit("Pages are tested in Debian's package chromium; as root: apt-get install chromium", returncode=2)
    with refusing_proxy() as (proxy, asked), sync_playwright() as playwright:
        # As a switch, not as Playwright's own setting, which would send 127.0.0.1 through the proxy too.
        chromium = playwright.chromium.launch(
            executable_path=program, chromium_sandbox=False, args=[f"--proxy-server={proxy}", *QUIET]
        )
        try:
            yield Browser(chromium, asked)
        finally:
            chromium.close()


@contextmanager
def refusing_proxy() -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy that lets nothing through, and what it was asked for, in that order."""
    asked: list[str] = []

    class Refusal(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = do_CONNECT = refuse

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def row_about(page: Page, word: str) -> list[str]:
    """The cells of the first table row that holds the word, as text, once there is one; its table may be folded.

    A word that ends with `$` is the end of what it stands in.
    """
    deadline = time.monotonic() + PATIENCE_MILLISECONDS / 1000
    while (found := page.evaluate(ROW, word)) is None:
        assert time.monotonic() < deadline, f"no row of the page is about {word}"
        page.wait_for_timeout(200)
    return [" ".join(cell.split()) for cell in found]


def widths_of_pictures(page: Page) -> list[int]:
    """The widths of a page's pictures, known only of those that were decoded."""
    found: list[int] = page.locator("img").evaluate_all(
        "images => Promise.all(images.map(async image => (await image.decode(), image.naturalWidth)))"
    )
    return found
