"""A report opened from a disk, without a network: every figure is drawn and nothing is asked for."""

import re

import pytest
from headless import browser_without_network, row_about

from parcours.reporting.report import write_report

pytestmark = pytest.mark.browser


def test_a_report_opens_anywhere(findings, tmp_path):
    write_report(findings, findings, tmp_path, {"passed": True})
    page = tmp_path / "report.html"
    # Widths are known only of pictures that were decoded.
    asked = "onload = () => document.body.append([...document.images].map(i => `drawn:${i.naturalWidth}`))"
    page.write_text(f"{page.read_text('utf-8')}<script>{asked}</script>", "utf-8")
    with browser_without_network() as browser:
        shown = browser.open(page.as_uri())
        widths = [int(width) for width in re.findall(r"drawn:(\d+)", shown)]
        assert len(widths) == len(list((tmp_path / "figures").glob("*.svg"))) and min(widths) > 500
        assert row_about(shown, "alprazolam")[0] == "alprazolam"
        assert browser.asked == []
