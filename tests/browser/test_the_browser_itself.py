"""The browser of these tests sees what it should: a page's scripts run, and a request that leaves is noticed."""

from pathlib import Path

import pytest
from headless import NARROW, WIDE, browser_without_network
from whole_page import grave_faults, keyboard_faults, width_faults

pytestmark = pytest.mark.browser


def test_scripts_run_and_what_leaves_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<link rel="stylesheet" href="https://styles.example/a.css"><img src="http://pictures.example/b.png">'
        "<p id=p>before</p><script>document.getElementById('p').textContent = 'after'</script>",
        "utf-8",
    )
    with browser_without_network() as browser:
        assert browser.open(page.as_uri()).locator("#p").inner_text() == "after"
        assert {"styles.example:443", "http://pictures.example/b.png"} <= set(browser.asked)
        assert "not there: https://styles.example/a.css" in browser.complaints


def test_a_page_that_asks_for_nothing_asks_nobody(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>alone", "utf-8")
    with browser_without_network() as browser:
        assert browser.open(page.as_uri()).locator("p").inner_text() == "alone"
        assert browser.asked == [] and browser.complaints == []


FAULTY = """<!doctype html><html lang="en"><title>Faults</title><style>#b:focus { outline: none }</style>
<p><a href="#a" tabindex="-1">passed over</a> <a id="b" href="#b">without a ring</a> <a href="#c">in order</a></p>
<details><summary>folded</summary><a href="#d">within</a></details>
<p style="color: #bbb; background: #fff">pale</p><div style="width: 700px; background: #eee">wide</div>
<div style="overflow-x: auto" tabindex="0"><div style="width: 900px">scrolls by itself</div></div>
<script>console.warn("careful"); missing()</script>"""


def test_what_is_wrong_with_a_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(FAULTY, "utf-8")
    with browser_without_network() as browser:
        keys = keyboard_faults(browser, page.as_uri())
        assert [fault.partition("<")[0] for fault in keys] == ["focus is not seen on ", "Tab does not reach "]
        assert "without a ring" in keys[0] and "passed over" in keys[1]
        jutting, whole = width_faults(browser, page.as_uri(), NARROW)
        assert "wide</div>" in jutting and whole == "the page is 708 pixels wide"
        assert width_faults(browser, page.as_uri(), WIDE) == []
        (pale,) = grave_faults(browser, page.as_uri(), WIDE, "light")
        assert pale.startswith("color-contrast (serious)") and "pale" in pale
        assert {"careful", "missing is not defined"} == set(browser.complaints)
