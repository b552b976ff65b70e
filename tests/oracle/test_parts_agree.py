"""Parts of the fast path that random histories reach too seldom: gaps between purchases, and medicines at once."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parcours.cohort.interactions import with_interactions
from parcours.cohort.observation import Known
from parcours.cohort.observation import observed as observed_by_slices
from tests.oracle.interactions import at_once
from tests.oracle.observation import observed
from tests.oracle.rows import DAY
from tests.oracle.small_studies import STUDY

SOME = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
DATED = [("person_id", pa.int64()), ("day", pa.date32())]
EXPOSED = [("person_id", pa.int64()), ("drug", pa.string()), ("start", pa.date32()), ("end", pa.date32())]
FIRST = dt.date(2013, 12, 1)
# Ends of months among them, and the first and the last day of the study and of follow-up.
days = st.integers(0, 600).map(lambda n: FIRST + n * DAY) | st.sampled_from(
    [dt.date(2014, 1, 1), dt.date(2014, 1, 31), dt.date(2014, 4, 1), dt.date(2014, 8, 31), dt.date(2015, 6, 30)]
)
people = st.lists(st.tuples(*[st.lists(days, max_size=6)] * 3), min_size=1, max_size=20)
spans = st.tuples(st.sampled_from("ABCDE"), st.integers(0, 70), st.integers(0, 60))


def dated(some: list[list[dt.date]], name: str = "day") -> pa.Table:
    """person_id and a day; persons are numbered from 0."""
    rows = [{"person_id": number, "day": day} for number, own in enumerate(some) for day in own]
    return pa.Table.from_pylist(rows, pa.schema(DATED)).rename_columns(["person_id", name])


@SOME
@given(
    people,
    st.sampled_from(["study_start", "first_purchase"]),
    st.sampled_from([0, 1, 3, 4]),
    st.integers(0, 4),
    st.integers(0, 3),
)
def test_observation(people, origin, months, after, gap):
    population = replace(
        STUDY.population,
        observation_from=origin,
        trackloss_months=months,
        trackloss_after_months=after,
        start_gap_months=gap,
    )
    bought, purchases, outcomes = ([one[n] for one in people] for n in range(3))
    known = Known(dated(bought), dated(purchases), dated(outcomes, "date"))
    persons = pa.table({"person_id": pa.array(range(len(people)), pa.int64())})
    rows = {row["person_id"]: row for row in observed_by_slices(persons, known, population).to_pylist()}
    for number, own in enumerate(people):
        seen, row = observed(*own, population), rows[number]
        assert (row["first_purchase"], row["start"]) == (seen.first_purchase, seen.start)
        if seen.start is not None:
            early = row["first_outcome"] is not None and row["first_outcome"] < row["start"]
            assert (row["lost"], early) == (seen.lost, seen.had_outcome)


@SOME
@given(
    st.lists(st.lists(spans, max_size=7), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.integers(1, 5),
    st.sampled_from([1, 10, 30]),
)
def test_medicines_at_once(people, prevalent, level, shortest):
    setting = replace(STUDY.exposures, interaction_level=level, interaction_minimum_days=shortest)
    known = {drug for drug, holds in zip("ABCDE", prevalent, strict=True) if holds}
    exposed = [{(d, (FIRST + first * DAY, FIRST + (first + more) * DAY)) for d, first, more in own} for own in people]
    rows = [
        {"person_id": number, "drug": drug, "start": start, "end": end, "prevalent": drug in known}
        for number, own in enumerate(exposed)
        for drug, (start, end) in sorted(own)
    ]
    table = pa.Table.from_pylist(rows, pa.schema([*EXPOSED, ("prevalent", pa.bool_())]))
    found = [tuple(row.values()) for row in with_interactions(table, setting).to_pylist()]
    expected = {
        (number, "_".join(drugs), *span, known >= set(drugs))
        for number, own in enumerate(exposed)
        for drugs, span in at_once(own, setting)
    }
    assert sorted(found) == sorted(expected)
