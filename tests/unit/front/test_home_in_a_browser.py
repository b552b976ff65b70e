"""Home in a browser without a network: it is whole, asks nobody else, and its script tells what has begun since."""

import threading
from pathlib import Path

import pytest
from hand_made_root import hand_made_root
from headless import browser_without_network, row_about

from parcours.embedded.docs_pages import LocalPages
from parcours.embedded.docs_server import serve
from parcours.storage.progress import told_progress
from parcours.storage.root import open_root

pytestmark = pytest.mark.browser


class BeginsLater(LocalPages):
    """A root on which a job is seen from the second question on: the first is that of the page."""

    asked: list[str] = []  # noqa: RUF012 - a frozen dataclass has no other place for it

    def running(self) -> list[dict[str, object]]:
        self.asked.append("running")
        return super().running() if len(self.asked) > 1 else []


def test_home_needs_no_network_and_follows_what_begins(tmp_path: Path) -> None:
    root = hand_made_root(tmp_path / "root")
    server = serve(BeginsLater(root), 0, environment={})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with told_progress(open_root(root), "train fall") as tell, browser_without_network() as browser:
            tell(17, 96, "bootstrap")
            shown = browser.open(f"http://127.0.0.1:{server.server_address[1]}/")
            assert row_about(shown, "train fall")[1:3] == ["bootstrap", "17 of 96"]
            assert row_about(shown, "Escitalopram")[1] == "raises"
            assert browser.asked == [] and browser.complaints == []
    finally:
        server.shutdown()
        server.server_close()
