"""A medicine that is bought because of the event (an opioid after a fracture) is never told as raising the risk.

After OHDSI/SelfControlledCaseSeries #32: reverse causality.
"""

import numpy as np
import pandas as pd
import pytest

from parcours.models import CaseSeries, ConvSCCS
from parcours.models.baseline import Baseline
from parcours.models.likelihood import likelihood_of
from parcours.models.observed_days import LagAxis, observe

DAYS = 1096


def bought_after(longest_delay, share, persons=200, seed=7):
    """A share of the cases buys AFTER within so many days of the event, the others at random; NULL all at random."""
    rng = np.random.default_rng(seed)
    event = rng.integers(60, DAYS - 60, persons)
    moved = np.arange(persons) < share * persons
    start = np.where(moved, event + rng.integers(1, longest_delay + 1, persons), rng.integers(0, DAYS, persons))
    people = pd.DataFrame({"person_id": range(persons), "start": 0, "end": DAYS - 1, "birth": -25_000})
    after = pd.DataFrame({"person_id": range(persons), "drug": "AFTER", "start": start})
    at_random = after.assign(drug="NULL", start=rng.integers(0, DAYS, persons))
    return CaseSeries(people, pd.DataFrame({"person_id": range(persons), "day": event}), pd.concat([after, at_random]))


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("longest_delay", [5, 13, 30, 60])
@pytest.mark.parametrize("pre_lags", [0, 7])
def test_a_medicine_bought_after_the_event_is_not_flagged_as_raising(longest_delay, share, pre_lags):
    series = bought_after(longest_delay, share)
    given = {"lags": 13, "bucket": 14, "pre_lags": pre_lags, "tv": [0.02, 0.005], "group": [0.02, 0.005]}
    peaks = ConvSCCS.cross_validate(series, folds=3, seed=1, **given).bootstrap(0).peaks().set_index("drug")
    assert peaks.before["AFTER"] == "raised"
    assert peaks.before_lower["AFTER"] > 0
    assert peaks.flag["AFTER"] != "raised"
    assert peaks.flag["NULL"] == ""
    assert peaks.before["NULL"] == ""


@pytest.mark.parametrize("bucket", [1, 14])
def test_events_before_the_purchase_never_meet_the_curve(bucket):
    series = bought_after(13, 1.0)
    axis = LagAxis(13, bucket)
    likelihood = likelihood_of(observe(series, axis, Baseline()), Baseline())
    assert likelihood.observed_lags.reshape(2, -1)[0].tolist() == [0] * 14
    with_before = likelihood_of(observe(series, LagAxis(13, bucket, 14), Baseline()), Baseline())
    curve = with_before.observed_lags.reshape(2, -1)[0]
    assert curve[:14].sum() == series.n_persons
    assert curve[14:].sum() == 0


def test_a_medicine_that_raises_the_risk_is_flagged_though_it_is_also_bought_more_often_before():
    """Its flag then says so: what rises on both sides of the purchase is not told as an effect."""
    series = bought_after(13, 0.5)
    rng = np.random.default_rng(1)
    both = np.flatnonzero(series.exposure_drug == series.drugs.index("AFTER"))[:60]
    series.exposure_start[both] = np.maximum(
        series.event_day[series.exposure_person[both]] - rng.integers(0, 13, 60), 0
    )
    model = ConvSCCS(lags=13, bucket=14, tv=0.01, group=0.01).fit(series).bootstrap(0)
    row = model.peaks().set_index("drug").loc["AFTER"]
    assert (row.flag, row.before) == ("rise before exposure", "raised")
    assert row.lower > 0
