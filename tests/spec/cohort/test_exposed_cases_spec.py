"""Exposed cases: counted as the model counts them, also where each person's follow-up starts on a day of its own."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.cohort.study import load_study
from parcours.features.case_series import exposed_cases
from parcours.features.cases import PERSONS, STARTED
from parcours.models import CaseSeries
from parcours.models.buckets import Baseline, bucket_series

STUDY = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml")
TWO_WEEKS = replace(STUDY, model=replace(STUDY.model, bucket_days=14, lags=2))
# Person 1 is followed from day 1000, and 2 from day 1010: both within the bucket of days 1000 to 1013.
FOLLOWED = "person_id bigint, start int, end int, birth int"
EXPOSED = "person_id bigint, drug string, start int, end int"


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [
        (957, 1500, 0),  # bucket -4: its lags end in bucket -2
        (972, 1500, 1),  # bucket -2: its last lag is the bucket in which follow-up starts
        (1005, 1005, 1),  # before the person's first day, and in the same bucket
        (986, 999, 0),  # over in the bucket before
        (1200, 1300, 1),
        (1406, 1500, 0),  # after the bucket of the last day
    ],
)
def test_a_case_is_exposed_by_the_buckets_that_all_cases_share(table, start, end, counted):
    persons = table("person_id | start | end | birth\n1 | 1000 | 1399 | 0\n2 | 1010 | 1399 | 0", FOLLOWED)
    exposed = table(f"person_id | drug | start | end\n2 | A | {start} | {end}", EXPOSED)
    assert exposed_cases(exposed, persons, TWO_WEEKS) == {"A": counted}


spans = st.tuples(st.integers(900, 1100), st.integers(0, 200))
exposures = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("AB"), spans), min_size=1, max_size=12)
grids = {"days": st.integers(1, 30), "lags": st.integers(0, 6)}


@settings(max_examples=80, deadline=None, derandomize=True)
@given(people=st.lists(spans, min_size=4, max_size=4), taken=exposures, **grids)
def test_the_design_and_the_model_count_the_same_cases(people, taken, days, lags):
    persons = [{"person_id": n, "start": a, "end": a + long, "birth": 0} for n, (a, long) in enumerate(people)]
    events = [{"person_id": row["person_id"], "day": row["start"]} for row in persons]
    started = [{"person_id": n, "drug": drug, "start": a, "end": a + long} for n, drug, (a, long) in taken]
    tables = (pa.Table.from_pylist(persons, PERSONS), pa.Table.from_pylist(started, STARTED))
    series = CaseSeries(tables[0], pa.Table.from_pylist(events), tables[1])
    model = bucket_series(series, days, lags, Baseline()).exposed_cases()
    study = replace(STUDY, model=replace(STUDY.model, bucket_days=days, lags=lags))
    assert exposed_cases(tables[1], tables[0], study) == dict(zip(series.drugs, model.tolist(), strict=True))
