"""The browser of these tests sees what it should: a page's scripts run, and a request that leaves is noticed."""

from pathlib import Path

import pytest
from headless import browser_without_network

pytestmark = pytest.mark.browser


def test_scripts_run_and_what_leaves_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<link rel="stylesheet" href="https://styles.example/a.css"><img src="http://pictures.example/b.png">'
        "<p id=p>before</p><script>document.getElementById('p').textContent = 'after'</script>",
        "utf-8",
    )
    with browser_without_network() as browser:
        assert '<p id="p">after</p>' in browser.open(page.as_uri())
        assert {"styles.example:443", "http://pictures.example/b.png"} <= set(browser.asked)


def test_a_page_that_asks_for_nothing_asks_nobody(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>alone", "utf-8")
    with browser_without_network() as browser:
        assert "alone" in browser.open(page.as_uri())
        assert browser.asked == []
