"""Exposed cases: counted as the model counts them, also whatever days before the exposure it looks at."""

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
from parcours.models.baseline import Baseline
from parcours.models.observed_days import LagAxis, observe

STUDY = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml")
TWO_WEEKS = replace(STUDY, model=replace(STUDY.model, bucket_days=14, lags=2))
FOLLOWED = "person_id bigint, start int, end int, birth int"
EXPOSED = "person_id bigint, drug string, start int, end int"


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [
        (968, 1500, 0),  # its 42 days of lags end the day before follow-up starts
        (969, 1500, 1),  # its last day of a lag is the person's first
        (1005, 1010, 1),  # ends on the person's first day
        (986, 1009, 0),  # is over the day before
        (1200, 1300, 1),
        (1399, 1500, 1),
        (1400, 1500, 0),  # starts after the last day: only days before it are followed
    ],
)
def test_a_case_is_exposed_when_a_lag_from_the_start_on_falls_on_a_followed_day(table, start, end, counted):
    persons = table("person_id | start | end | birth\n1 | 1000 | 1399 | 0\n2 | 1010 | 1399 | 0", FOLLOWED)
    exposed = table(f"person_id | drug | start | end\n2 | A | {start} | {end}", EXPOSED)
    assert exposed_cases(exposed, persons, TWO_WEEKS) == {"A": counted}


spans = st.tuples(st.integers(900, 1100), st.integers(0, 200))
exposures = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("AB"), spans), min_size=1, max_size=12)
grids = {"days": st.integers(1, 30), "lags": st.integers(0, 6), "before": st.integers(0, 4)}


@settings(max_examples=80, deadline=None, derandomize=True)
@given(people=st.lists(spans, min_size=4, max_size=4), taken=exposures, **grids)
def test_the_design_and_the_model_count_the_same_cases(people, taken, days, lags, before):
    persons = [{"person_id": n, "start": a, "end": a + long, "birth": 0} for n, (a, long) in enumerate(people)]
    events = [{"person_id": row["person_id"], "day": row["start"]} for row in persons]
    started = [{"person_id": n, "drug": drug, "start": a, "end": a + long} for n, drug, (a, long) in taken]
    tables = (pa.Table.from_pylist(persons, PERSONS), pa.Table.from_pylist(started, STARTED))
    series = CaseSeries(tables[0], pa.Table.from_pylist(events), tables[1])
    model = observe(series, LagAxis(lags, days, before), Baseline()).exposed_persons().astype(int)
    study = replace(STUDY, model=replace(STUDY.model, bucket_days=days, lags=lags))
    assert exposed_cases(tables[1], tables[0], study) == dict(zip(series.drugs, model.tolist(), strict=True))
