"""Data Docs in a browser without a network: a rule's result is read, from a disk and from the docs server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headless import NARROW, WIDE, Browser, browser_without_network, row_about
from planted_faults import BATCHES
from playwright.sync_api import Page
from quality_roots import clean_tables, write_root
from whole_page import grave_faults, keyboard_faults, width_faults

from parcours.embedded.docs_pages import LocalPages
from parcours.embedded.docs_server import serve
from parcours.errors import GateRefused
from parcours.quality.gate import check_root

pytestmark = [pytest.mark.browser, pytest.mark.spark]
FIRST_PAGE = "quality/planted/data_docs/index.html"


@pytest.fixture(scope="module")
def root(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that the gate has refused."""
    tables = clean_tables()
    for fault in BATCHES["scattered"]:
        fault.plant(tables, fault.period)
    folder = tmp_path_factory.mktemp("refused")
    with pytest.raises(GateRefused):
        check_root(lambda: spark, write_root(folder, tables), None, "planted")
    return folder


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[str]:
    server = serve(LocalPages(root), 0, environment={})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with browser_without_network() as opened:
        yield opened
        assert opened.asked == [] and opened.complaints == []


def read_a_rule(page: Page) -> None:
    """The result of a rule on the first page, and more of it on the page of its table."""
    assert page.locator("h1").inner_text().startswith("Refused:")
    result, rule, found, severity, where = row_about(page, "mco_main_diagnosis$")
    assert (result, found, severity) == ("✗ failed", "20 rows in 2015", "critical")
    assert rule == "Main diagnoses are undotted ICD-10 codes (99 % of stays). mco_main_diagnosis"
    assert where.startswith("MCO_B__DGN_PAL in ")
    page.get_by_role("link", name="More of each rule of MCO_stays").click()
    assert row_about(page, "mco_age$")[2] == "fewer than 11 rows in 2014"


def test_a_rule_is_read_from_the_disk(browser: Browser, root: Path) -> None:
    read_a_rule(browser.open((root / FIRST_PAGE).as_uri()))


def test_a_rule_is_read_from_the_docs_server(browser: Browser, served: str) -> None:
    page = browser.open(served)
    page.get_by_role("link", name="rule by rule").first.click()
    read_a_rule(page)


def test_a_refusal_is_reached_by_keyboard_and_right_on_a_telephone(browser: Browser, served: str) -> None:
    address = f"{served}{FIRST_PAGE}"
    assert keyboard_faults(browser, address) == []
    assert {width: width_faults(browser, address, width) for width in (NARROW, WIDE)} == {NARROW: [], WIDE: []}
    assert grave_faults(browser, address, WIDE, "light") == []
