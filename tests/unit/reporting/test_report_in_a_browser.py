"""A report opened from a disk, without a network: every figure is drawn and nothing is asked for."""

import pytest
from headless import browser_without_network, row_about, widths_of_pictures

from parcours.reporting.report import write_report

pytestmark = pytest.mark.browser


def test_a_report_opens_anywhere(findings, tmp_path):
    write_report(findings, findings, tmp_path, {"passed": True})
    with browser_without_network() as browser:
        shown = browser.open((tmp_path / "report.html").as_uri())
        widths = widths_of_pictures(shown)
        assert len(widths) == len(list((tmp_path / "figures").glob("*.svg"))) and min(widths) > 500
        assert row_about(shown, "alprazolam")[0] == "alprazolam"
        assert browser.asked == [] and browser.complaints == []
