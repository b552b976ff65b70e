"""A comparison opened from a disk, without a network: both figures are drawn and nothing is asked for."""

import re

import pytest
from headless import browser_without_network, row_about

from parcours.comparison.compare import compare
from parcours.comparison.figures import draw, svg
from parcours.comparison.page import comparison_page
from tests.spec.comparison.reports import another, finished

pytestmark = pytest.mark.browser


def test_a_comparison_opens_anywhere(tmp_path):
    comparison = compare(finished(tmp_path / "a"), finished(tmp_path / "b", another()))
    pictures = {name: svg(figure) for name, figure in draw(comparison).items()}
    # Widths are known only of pictures that were decoded.
    asked = "onload = () => document.body.append([...document.images].map(i => `drawn:${i.naturalWidth}`))"
    page = tmp_path / "comparison.html"
    page.write_text(f"{comparison_page(comparison, pictures, {})}<script>{asked}</script>", "utf-8")
    with browser_without_network() as browser:
        shown = browser.open(page.as_uri())
        widths = [int(width) for width in re.findall(r"drawn:(\d+)", shown)]
        assert len(widths) == 2 and min(widths) > 500
        assert row_about(shown, "Zolpidem")[-4:-1] == ["2.00 (1.40 to 2.90)", "2.00 (1.40 to 2.90)", "400 → 400"]
        assert browser.asked == []
