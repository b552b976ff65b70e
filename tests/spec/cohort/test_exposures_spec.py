"""Exposures: from which day to which day a medicine may act."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parcours.cohort.exposures import exposures_of, limited, mark_prevalent, unlimited
from parcours.cohort.study import Exposures

pytestmark = pytest.mark.spark

BOUGHT = "person_id bigint, drug string, day date, days int"
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
)
PURCHASES = """
    person_id | drug   | day        | days
    1         | usual  | 2014-01-08 | 30
    1         | usual  | 2014-02-05 | 30
    1         | usual  | 2014-03-12 | 30
    1         | usual  | 2014-04-20 | 30
    1         | usual  | 2014-06-03 | 30
    1         | pauses | 2014-01-01 | 30
    1         | pauses | 2014-02-14 | 30
    1         | pauses | 2014-03-31 | 30
    1         | large  | 2014-01-01 | 90
    1         | large  | 2014-02-01 | 30
    1         | large  | 2014-04-14 | 30
    2         | usual  | 2014-12-31 | 30
"""


def test_purchases_that_follow_each_other_make_one_exposure(table, rows, collected):
    # The first five purchases are SCALPEL's golden case: 2014-01-08 to 2014-06-07.
    # `pauses`: 14 days without the medicine join, 15 do not. `large`: 90 days are still running in April.
    runs = limited(table(PURCHASES, BOUGHT), replace(LIMITED, merge_tolerance_days=15))
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
    runs = limited(table(PURCHASES, BOUGHT), replace(LIMITED, limited_end="latest_purchase"))
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


def test_an_unlimited_exposure_starts_at_the_purchase_that_completes_a_run(table, rows, collected):
    bought = table(
        """
        person_id | drug | day        | days
        1         | a    | 2014-01-01 | 30
        1         | a    | 2014-09-01 | 30
        1         | a    | 2014-10-01 | 30
        1         | a    | 2014-11-01 | 30
        2         | a    | 2014-01-01 | 30
        3         | a    | 2014-01-01 | 30
        3         | a    | 2014-01-01 | 30
        """,
        BOUGHT,
    )
    two = unlimited(bought, replace(LIMITED, kind="unlimited", min_purchases=2, start_delay_days=3))
    one = unlimited(bought, replace(LIMITED, kind="unlimited", min_purchases=1))
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


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(histories=histories, setting=choices)
def test_spark_agrees_with_the_rule_told_in_plain_python(spark, histories, setting):
    origin = dt.date(2014, 1, 1)
    bought = [(p, "a", origin + dt.timedelta(d), n) for p, days in enumerate(histories) for d, n in days.items()]
    frame = spark.createDataFrame(bought, BOUGHT)
    runs = sorted(tuple(row) for row in limited(frame, setting).select("person_id", "start", "end").collect())
    starts = sorted(tuple(row) for row in unlimited(frame, setting).select("person_id", "start").collect())

    def day(n):
        return origin + dt.timedelta(n)

    expected = [
        (p, day(a), day(b)) for p, days in enumerate(histories) for a, b in oracle_limited(days.items(), setting)
    ]
    assert runs == sorted(expected)
    assert starts == [(p, day(a)) for p, days in enumerate(histories) for a in oracle_unlimited(days.items(), setting)]


MONTHLY = "".join(f"1 | chronic | {2014 + m // 12}-{m % 12 + 1:02d}-10 | 340\n" for m in range(23))
STEADY = "".join(f"3 | steady | {2014 + m // 12}-{m % 12 + 1:02d}-10 | 340\n" for m in range(7, 15))
HISTORIES = f"""
    person_id | drug | day | cip13
    {MONTHLY}{STEADY}2 | late | 2014-06-20 | 340
    4 | pause | 2014-02-03 | 340
    4 | pause | 2015-02-03 | 340
    5 | first | 2014-07-01 | 340
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
def test_whoever_bought_in_the_washout_is_prevalent_in_every_setting(spark, table, setting):
    # Study start 2014-01-01, washout of 6 months. `late` bought once, on 20 June; with a delay of 30 days its exposure
    # starts after the washout. `pause` bought in February 2014 and again a year later: the second run is no first use.
    bought = table(HISTORIES, "person_id bigint, drug string, day date, cip13 string")
    packs = spark.createDataFrame([(340, False)], "cip13 long, large boolean")
    followed = table(
        "\n".join(["person_id | end", *(f"{p} | 2015-12-31" for p in range(1, 6))]), "person_id bigint, end date"
    )
    made = mark_prevalent(exposures_of(bought, packs, followed, setting), dt.date(2014, 7, 1))
    found = {(row["drug"], row["prevalent"]) for row in made.collect()}
    expected = {("chronic", True), ("late", True), ("pause", True), ("steady", False), ("first", False)}
    enough = {"chronic", "steady"} if setting.min_purchases == 8 else {drug for drug, _ in expected}
    assert found == {(drug, prevalent) for drug, prevalent in expected if drug in enough}
