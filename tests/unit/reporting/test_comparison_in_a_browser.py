"""A comparison opened from a disk, without a network: both figures are drawn and nothing is asked for."""

import pytest
from headless import browser_without_network, row_about, widths_of_pictures

from parcours.comparison.compare import compare
from parcours.comparison.figures import draw, svg
from parcours.comparison.page import comparison_page
from tests.spec.comparison.reports import another, finished

pytestmark = pytest.mark.browser


def test_a_comparison_opens_anywhere(tmp_path):
    comparison = compare(finished(tmp_path / "a"), finished(tmp_path / "b", another()))
    pictures = {name: svg(figure) for name, figure in draw(comparison).items()}
    page = tmp_path / "comparison.html"
    page.write_text(comparison_page(comparison, pictures, {}), "utf-8")
    with browser_without_network() as browser:
        shown = browser.open(page.as_uri())
        widths = widths_of_pictures(shown)
        assert len(widths) == 2 and min(widths) > 500
        assert row_about(shown, "Zolpidem")[-4:-1] == ["2.00 (1.40 to 2.90)", "2.00 (1.40 to 2.90)", "400 → 400"]
        assert browser.asked == [] and browser.complaints == []
