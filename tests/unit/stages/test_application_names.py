"""What Spark's pages call a job: study, run and stage, or product, year and delivery."""

import pytest

from parcours.cohort.titles import application_name
from parcours.stages.flatten import flatten_name


def test_a_job_of_a_run_carries_its_name_and_stage():
    run = {"cohort": "fall", "name": "fall · 75 and over · data to 2018-06"}
    assert application_name(run, "train") == "fall · 75 and over · data to 2018-06 · train"
    run["changes"] = {"age_minimum": {"file": 65, "run": 75}}
    assert application_name(run, "gate") == (
        "fall · 75 and over · data to 2018-06 · what-if: youngest age 75, was 65 · gate"
    )


@pytest.mark.parametrize(
    ("products", "years", "periods", "says"),
    [
        (["DCIR"], [2016], None, "flatten · DCIR · 2016 · december"),
        (None, None, None, "flatten · all products · december"),
        (
            ["DCIR"],
            None,
            ["2016-01", "2016-02", "2016-03", "2016-04"],
            "flatten · DCIR · 2016-01, 2016-02, 2016-03, ... · december",
        ),
    ],
)
def test_a_flattening_job_carries_product_year_and_delivery(products, years, periods, says):
    assert flatten_name("december", products, years, periods) == says
