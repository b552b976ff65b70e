"""Rows that flattening lost, by period, as they may leave."""

import pytest

from parcours.quality.losses import loss_charts, losses


def manifest(rejected, orphaned, read=1000):
    return {"rows": {"read": {"ER_PRS_F": read}, "rejected": rejected, "orphaned": orphaned}}


@pytest.mark.parametrize(
    ("rejected", "orphaned", "share"),
    [
        ({}, {}, 0.0),
        ({"ER_PRS_F": 20}, {}, 0.02),
        ({"ER_PRS_F": 20}, {"ER_PHA_F": 30}, 0.05),
        ({"ER_PRS_F": 10}, {}, "withheld"),
        ({"ER_PRS_F": 20}, {"ER_PHA_F": 3}, "withheld"),  # 20 rejected rows are told elsewhere: 3 would follow
        ({"ER_PRS_F": 11}, {"ER_PHA_F": 0}, 0.011),
    ],
)
def test_the_share_of_rows_lost_does_not_give_a_few_rows_back(rejected, orphaned, share):
    told = losses({"DCIR": {"2016-01": manifest({"ER_PRS_F": 500}, {}), "2016-02": manifest(rejected, orphaned)}})
    assert told == {"DCIR": {"2016-01": 0.5, "2016-02": pytest.approx(share) if share != "withheld" else share}}


def test_a_product_that_lost_nothing_has_no_chart():
    told = losses({"DCIR": {"2016-01": manifest({}, {})}, "MCO": {"2016": manifest({"MCO_B": 100}, {})}})
    assert list(told) == ["MCO"]
    assert loss_charts({}) == ""


def test_a_chart_has_a_bar_a_period_that_lost_rows_and_says_all_in_words():
    chart = loss_charts({"DCIR": {"2016-01": 0.5, "2016-02": "withheld", "2016-03": 0.0, "2016-04": 0.25}})
    assert chart.count("<rect class=bar") == 2 and chart.count("<rect class=hollow") == 1
    assert "Highest: 50 %. 2016-01 50 %, 2016-02 withheld, 2016-04 25 %" in chart
    assert "2016-01 to 2016-04; highest bar 50 %, empty bar: withheld, few rows" in chart
