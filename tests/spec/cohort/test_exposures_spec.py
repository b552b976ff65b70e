"""Exposures: from which day to which day a medicine may act."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.cohort.exposures import exposures_of, limited, unlimited
from parcours.cohort.study import Exposures
from parcours.engine.duck import query

BOUGHT = "person_id bigint, drug string, day date, large boolean"
LIMITED = Exposures(
    kind="limited",
    min_purchases=1,
    purchases_window_days=180,
    washout_months=6,
    start_delay_days=0,
    small_pack_days=30,
    large_pack_days=90,
    merge_tolerance_days=15,
    limited_end="purchase_count",
    interaction_level=1,
    interaction_minimum_days=30,
)
# A large pack covers 90 days, another 30.
PURCHASES = """
    person_id | drug   | day        | large
    1         | usual  | 2014-01-08 | false
    1         | usual  | 2014-02-05 | false
    1         | usual  | 2014-03-12 | false
    1         | usual  | 2014-04-20 | false
    1         | usual  | 2014-06-03 | false
    1         | pauses | 2014-01-01 | false
    1         | pauses | 2014-02-14 | false
    1         | pauses | 2014-03-31 | false
    1         | large  | 2014-01-01 | true
    1         | large  | 2014-02-01 | false
    1         | large  | 2014-04-14 | false
    2         | usual  | 2014-12-31 | false
"""


def test_purchases_that_follow_each_other_make_one_exposure(table, rows, collected):
    # The first five purchases are SCALPEL's golden case: 2014-01-08 to 2014-06-07.
    # `pauses`: 14 days without the medicine join, 15 do not. `large`: 90 days are still running in April.
    runs = query(limited(replace(LIMITED, merge_tolerance_days=15)), bought=table(PURCHASES, BOUGHT))
    assert collected(runs, "person_id", "drug", "start", "end") == rows(
        """
        person_id | drug   | start      | end
        1         | usual  | 2014-01-08 | 2014-06-07
        1         | pauses | 2014-01-01 | 2014-03-02
        1         | pauses | 2014-03-31 | 2014-04-30
        1         | large  | 2014-01-01 | 2014-05-31
        2         | usual  | 2014-12-31 | 2015-01-30
        """,
        "person_id bigint, drug string, start date, end date",
    )


def test_an_exposure_may_end_when_the_last_purchase_is_used_up(table, rows, collected):
    runs = query(limited(replace(LIMITED, limited_end="latest_purchase")), bought=table(PURCHASES, BOUGHT))
    assert collected(runs, "person_id", "drug", "start", "end") == rows(
        """
        person_id | drug   | start      | end
        1         | usual  | 2014-01-08 | 2014-07-03
        1         | pauses | 2014-01-01 | 2014-03-16
        1         | pauses | 2014-03-31 | 2014-04-30
        1         | large  | 2014-01-01 | 2014-05-14
        2         | usual  | 2014-12-31 | 2015-01-30
        """,
        "person_id bigint, drug string, start date, end date",
    )


def test_of_two_packs_of_one_day_the_larger_counts(table, rows, collected):
    bought = table(
        """
        person_id | drug | day        | large
        1         | a    | 2014-01-01 | false
        1         | a    | 2014-01-01 | true
        1         | a    | 2014-01-01 | false
        """,
        BOUGHT,
    )
    assert collected(query(limited(LIMITED), bought=bought), "person_id", "start", "end") == rows(
        """
        person_id | start      | end
        1         | 2014-01-01 | 2014-04-01
        """,
        "person_id bigint, start date, end date",
    )


def test_an_unlimited_exposure_starts_at_the_purchase_that_completes_a_run(table, rows, collected):
    bought = table(
        """
        person_id | drug | day        | large
        1         | a    | 2014-01-01 | false
        1         | a    | 2014-09-01 | false
        1         | a    | 2014-10-01 | false
        1         | a    | 2014-11-01 | false
        2         | a    | 2014-01-01 | false
        3         | a    | 2014-01-01 | false
        3         | a    | 2014-01-01 | false
        """,
        BOUGHT,
    )
    two = query(unlimited(replace(LIMITED, kind="unlimited", min_purchases=2, start_delay_days=3)), bought=bought)
    one = query(unlimited(replace(LIMITED, kind="unlimited", min_purchases=1)), bought=bought)
    types = "person_id bigint, drug string, start date"
    assert collected(two, "person_id", "drug", "start") == rows(
        """
        person_id | drug | start
        1         | a    | 2014-10-04
        """,
        types,
    )
    assert collected(one, "person_id", "drug", "start") == rows(
        """
        person_id | drug | start
        1         | a    | 2014-01-01
        2         | a    | 2014-01-01
        3         | a    | 2014-01-01
        """,
        types,
    )


def oracle_limited(days_bought, setting):
    """The rule of SCALPEL told day by day, for one person and medicine: [(start, end)]."""
    runs = []
    for day, days in sorted(days_bought):
        start = day + setting.start_delay_days
        until = start + days + setting.merge_tolerance_days
        if runs and start < runs[-1]["until"]:
            runs[-1]["days"] += days
            runs[-1]["until"] = max(runs[-1]["until"], until)
        else:
            runs.append({"start": start, "days": days, "until": until})
    if setting.limited_end == "purchase_count":
        return [(run["start"], run["start"] + run["days"]) for run in runs]
    return [(run["start"], run["until"] - setting.merge_tolerance_days) for run in runs]


def oracle_unlimited(days_bought, setting):
    days = sorted({day for day, _ in days_bought})
    k = setting.min_purchases
    ends = [
        last for first, last in zip(days, days[k - 1 :], strict=False) if last - first <= setting.purchases_window_days
    ]
    return [ends[0] + setting.start_delay_days] if ends else []


histories = st.lists(
    st.dictionaries(st.integers(0, 400), st.sampled_from([30, 90]), min_size=1, max_size=8), min_size=15, max_size=30
)
choices = st.builds(
    replace,
    st.just(LIMITED),
    merge_tolerance_days=st.integers(0, 40),
    start_delay_days=st.integers(0, 10),
    min_purchases=st.integers(1, 3),
    purchases_window_days=st.integers(1, 200),
    limited_end=st.sampled_from(["purchase_count", "latest_purchase"]),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(histories=histories, setting=choices)
def test_exposures_agree_with_the_rule_told_in_plain_python(histories, setting):
    origin = dt.date(2014, 1, 1)
    bought = [
        {"person_id": p, "drug": "a", "day": origin + dt.timedelta(d), "large": n == setting.large_pack_days}
        for p, days in enumerate(histories)
        for d, n in days.items()
    ]
    table = pa.Table.from_pylist(bought)
    runs = sorted(
        (row["person_id"], row["start"], row["end"]) for row in query(limited(setting), bought=table).to_pylist()
    )
    starts = sorted((row["person_id"], row["start"]) for row in query(unlimited(setting), bought=table).to_pylist())

    def day(n):
        return origin + dt.timedelta(n)

    expected = [
        (p, day(a), day(b)) for p, days in enumerate(histories) for a, b in oracle_limited(days.items(), setting)
    ]
    assert runs == sorted(expected)
    assert starts == [(p, day(a)) for p, days in enumerate(histories) for a in oracle_unlimited(days.items(), setting)]


MONTHLY = "".join(f"1 | chronic | {2014 + m // 12}-{m % 12 + 1:02d}-10 | false\n" for m in range(23))
STEADY = "".join(f"3 | steady | {2014 + m // 12}-{m % 12 + 1:02d}-10 | false\n" for m in range(7, 15))
HISTORIES = f"""
    person_id | drug | day | large
    {MONTHLY}{STEADY}2 | late | 2014-06-20 | false
    4 | pause | 2014-02-03 | false
    4 | pause | 2015-02-03 | false
    5 | first | 2014-07-01 | false
"""


@pytest.mark.parametrize(
    "setting",
    [
        replace(LIMITED, kind="unlimited"),
        replace(LIMITED, kind="unlimited", start_delay_days=30),
        LIMITED,
        replace(LIMITED, start_delay_days=30),
        replace(LIMITED, kind="unlimited", min_purchases=8, purchases_window_days=365),
    ],
)
def test_whoever_bought_in_the_washout_is_prevalent_in_every_setting(table, setting):
    # Study start 2014-01-01, washout of 6 months. `late` bought once, on 20 June; with a delay of 30 days its exposure
    # starts after the washout. `pause` bought in February 2014 and again a year later: the second run is no first use.
    bought = table(HISTORIES, BOUGHT)
    followed = table(
        "\n".join(["person_id | end", *(f"{p} | 2015-12-31" for p in range(1, 6))]), "person_id bigint, end date"
    )
    made = exposures_of(bought, followed, setting, washout_end=dt.date(2014, 7, 1))
    found = {(row["drug"], row["prevalent"]) for row in made.to_pylist()}
    expected = {("chronic", True), ("late", True), ("pause", True), ("steady", False), ("first", False)}
    enough = {"chronic", "steady"} if setting.min_purchases == 8 else {drug for drug, _ in expected}
    assert found == {(drug, prevalent) for drug, prevalent in expected if drug in enough}


@pytest.mark.parametrize("kind", ["unlimited", "limited"])
def test_exposures_are_those_of_follow_up_and_keep_a_start_before_it(table, rows, collected, kind):
    # `before` starts a year before follow-up. `lasts` would last beyond it. `after` starts when it is over; person 2 is
    # not followed.
    bought = table(
        """
        person_id | drug   | day        | large
        1         | before | 2014-01-01 | true
        1         | lasts  | 2015-12-20 | true
        1         | after  | 2016-01-01 | true
        2         | before | 2014-01-01 | true
        """,
        BOUGHT,
    )
    followed = table("person_id | start | end\n1 | 2015-01-01 | 2015-12-31", "person_id bigint, start date, end date")
    made = exposures_of(bought, followed, replace(LIMITED, kind=kind), washout_end=dt.date(2014, 7, 1))
    ends = {"unlimited": "2015-12-31", "limited": "2014-04-01"}
    assert collected(made, "person_id", "drug", "start", "end", "prevalent") == rows(
        f"""
        person_id | drug   | start      | end          | prevalent
        1         | before | 2014-01-01 | {ends[kind]} | true
        1         | lasts  | 2015-12-20 | 2015-12-31   | false
        """,
        "person_id bigint, drug string, start date, end date, prevalent boolean",
    )
