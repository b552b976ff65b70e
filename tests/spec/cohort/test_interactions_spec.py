"""Several medicines at once: when a person takes them together, and what is left of each alone."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.cohort.exposures import exposures_of
from parcours.cohort.interactions import with_interactions
from parcours.cohort.study import Exposures

EXPOSED = "person_id bigint, drug string, start date, end date, prevalent boolean"
PERIODS = "drug string, start date, end date"
BOUGHT = "person_id bigint, drug string, day date, large boolean"
TWO = Exposures(
    kind="limited",
    min_purchases=1,
    purchases_window_days=180,
    washout_months=6,
    start_delay_days=0,
    small_pack_days=30,
    large_pack_days=90,
    merge_tolerance_days=15,
    limited_end="purchase_count",
    interaction_level=2,
    interaction_minimum_days=30,
)
THREE, FOUR, FIVE = (replace(TWO, interaction_level=level) for level in (3, 4, 5))


@pytest.fixture
def together(table, collected):
    """(medicines, start, end) of one person whose exposures are those of a table without person and prevalence."""

    def of(text, setting):
        exposed = table(text, PERIODS)
        person, known = pa.array([1] * len(exposed), pa.int64()), pa.array([False] * len(exposed))
        exposed = exposed.append_column("person_id", person).append_column("prevalent", known)
        return collected(with_interactions(exposed, setting), "drug", "start", "end")

    return of


OVERLAP = """
    drug | start      | end
    A    | 2015-01-01 | 2015-04-10
    B    | 2015-03-01 | 2015-06-30
"""
CASES = {
    "of one medicine at a time nothing changes": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-02-28
        B    | 2015-03-01 | 2015-06-30
        """,
        THREE,
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-02-28
        B    | 2015-03-01 | 2015-06-30
        """,
    ),
    "41 days of two medicines at once are taken off each of them": (
        OVERLAP,
        TWO,
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-02-28
        A_B  | 2015-03-01 | 2015-04-10
        B    | 2015-04-11 | 2015-06-30
        """,
    ),
    "41 days are not 42": (OVERLAP, replace(TWO, interaction_minimum_days=42), OVERLAP),
    "41 days are 41, the first and the last among them": (
        OVERLAP,
        replace(TWO, interaction_minimum_days=41),
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-02-28
        A_B  | 2015-03-01 | 2015-04-10
        B    | 2015-04-11 | 2015-06-30
        """,
    ),
    "at level 1 each medicine is by itself": (OVERLAP, replace(TWO, interaction_level=1), OVERLAP),
    "a medicine within another cuts it in two": (
        """
        drug | start      | end
        B    | 2015-01-01 | 2015-12-31
        A    | 2015-03-01 | 2015-04-30
        """,
        TWO,
        """
        drug | start      | end
        B    | 2015-01-01 | 2015-02-28
        A_B  | 2015-03-01 | 2015-04-30
        B    | 2015-05-01 | 2015-12-31
        """,
    ),
    "medicines taken on the same days are only taken together": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-03-31
        B    | 2015-01-01 | 2015-03-31
        """,
        TWO,
        """
        drug | start      | end
        A_B  | 2015-01-01 | 2015-03-31
        """,
    ),
    "three at once, of which two are looked at, are three pairs": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-03-31
        B    | 2015-01-01 | 2015-03-31
        C    | 2015-01-01 | 2015-03-31
        """,
        TWO,
        """
        drug | start      | end
        A_B  | 2015-01-01 | 2015-03-31
        A_C  | 2015-01-01 | 2015-03-31
        B_C  | 2015-01-01 | 2015-03-31
        """,
    ),
    "three at once are taken off the pairs, and pairs off the single ones": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-12-31
        B    | 2015-03-01 | 2015-10-31
        C    | 2015-05-01 | 2015-08-31
        """,
        THREE,
        """
        drug  | start      | end
        A     | 2015-01-01 | 2015-02-28
        A_B   | 2015-03-01 | 2015-04-30
        A_B_C | 2015-05-01 | 2015-08-31
        A_B   | 2015-09-01 | 2015-10-31
        A     | 2015-11-01 | 2015-12-31
        """,
    ),
    "what is left of a pair for less than 30 days stays with the single ones": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-12-31
        B    | 2015-05-11 | 2015-12-31
        C    | 2015-06-01 | 2015-12-31
        """,
        THREE,
        """
        drug  | start      | end
        A     | 2015-01-01 | 2015-05-31
        B     | 2015-05-11 | 2015-05-31
        A_B_C | 2015-06-01 | 2015-12-31
        """,
    ),
    "three at once for less than 30 days stay with the pairs": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-06-30
        B    | 2015-01-01 | 2015-06-30
        C    | 2015-06-10 | 2015-06-30
        """,
        THREE,
        """
        drug | start      | end
        A_B  | 2015-01-01 | 2015-06-30
        C    | 2015-06-10 | 2015-06-30
        """,
    ),
    "four at once are looked at where four are asked for": (
        """
        drug | start      | end
        D    | 2015-01-01 | 2015-03-31
        C    | 2015-01-01 | 2015-03-31
        B    | 2015-01-01 | 2015-03-31
        A    | 2015-01-01 | 2015-04-30
        """,
        FOUR,
        """
        drug    | start      | end
        A_B_C_D | 2015-01-01 | 2015-03-31
        A       | 2015-04-01 | 2015-04-30
        """,
    ),
    "five asked for and two taken are two": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-03-31
        B    | 2015-01-01 | 2015-03-31
        """,
        FIVE,
        """
        drug | start      | end
        A_B  | 2015-01-01 | 2015-03-31
        """,
    ),
    "two exposures to one medicine are no interaction": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-04-30
        A    | 2015-03-01 | 2015-06-30
        """,
        TWO,
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-04-30
        A    | 2015-03-01 | 2015-06-30
        """,
    ),
    "exposures that touch are one time of taking it": (
        """
        drug | start      | end
        A    | 2015-01-01 | 2015-01-20
        A    | 2015-01-21 | 2015-02-28
        B    | 2015-01-01 | 2015-02-28
        """,
        TWO,
        """
        drug | start      | end
        A_B  | 2015-01-01 | 2015-02-28
        """,
    ),
}


@pytest.mark.parametrize(("exposed", "setting", "expected"), CASES.values(), ids=CASES)
def test_medicines_at_once(together, rows, exposed, setting, expected):
    assert together(exposed, setting) == rows(expected, PERIODS)


def test_persons_do_not_share_their_medicines(table, collected, rows):
    text = """
        person_id | drug | start      | end        | prevalent
        1         | A    | 2015-01-01 | 2015-06-30 | false
        2         | B    | 2015-01-01 | 2015-06-30 | false
    """
    found = with_interactions(table(text, EXPOSED), TWO)
    assert collected(found, *found.column_names) == rows(text, EXPOSED)


def test_a_prevalent_user_of_several_is_one_of_each(table, collected, rows):
    # 1 took A for years and starts B: both together are new. 2 took both for years.
    text = """
        person_id | drug | start      | end        | prevalent
        1         | A    | 2014-01-01 | 2015-12-31 | true
        1         | B    | 2015-01-01 | 2015-12-31 | false
        2         | A    | 2014-01-01 | 2015-12-31 | true
        2         | B    | 2014-02-01 | 2015-12-31 | true
    """
    found = with_interactions(table(text, EXPOSED), TWO)
    assert collected(found, "person_id", "drug", "start", "end", "prevalent") == rows(
        """
        person_id | drug | start      | end        | prevalent
        1         | A    | 2014-01-01 | 2014-12-31 | true
        1         | A_B  | 2015-01-01 | 2015-12-31 | false
        2         | A    | 2014-01-01 | 2014-01-31 | true
        2         | A_B  | 2014-02-01 | 2015-12-31 | true
        """,
        EXPOSED,
    )


def test_unlimited_exposures_interact_until_follow_up_ends(table, collected, rows):
    bought = table(
        """
        person_id | drug | day        | large
        1         | A    | 2014-09-01 | false
        1         | B    | 2015-02-01 | false
        2         | A    | 2014-09-01 | false
        2         | B    | 2015-12-10 | false
        """,
        BOUGHT,
    )
    followed = table(
        "person_id | end\n1 | 2015-12-31\n2 | 2015-12-31",
        "person_id bigint, end date",
    )
    found = exposures_of(bought, followed, replace(TWO, kind="unlimited"), washout_end=dt.date(2014, 7, 1))
    # 2 takes both for 22 days only.
    assert collected(found, "person_id", "drug", "start", "end", "prevalent") == rows(
        """
        person_id | drug | start      | end        | prevalent
        1         | A    | 2014-09-01 | 2015-01-31 | false
        1         | A_B  | 2015-02-01 | 2015-12-31 | false
        2         | A    | 2014-09-01 | 2015-12-31 | false
        2         | B    | 2015-12-10 | 2015-12-31 | false
        """,
        EXPOSED,
    )


SPANS = st.tuples(st.sampled_from("ABCD"), st.integers(0, 60), st.integers(0, 50))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(spans=st.lists(SPANS, max_size=7), level=st.integers(2, 5), shortest=st.sampled_from([1, 5, 20]))
def test_no_day_of_an_exposure_is_lost_and_none_is_made(spans, level, shortest):
    origin = dt.date(2015, 1, 1)
    times = [(drug, origin + dt.timedelta(first), dt.timedelta(long)) for drug, first, long in spans]
    exposed = [{"person_id": 1, "drug": drug, "start": start, "end": start + long} for drug, start, long in times]
    schema = pa.schema([("person_id", pa.int64()), ("drug", pa.string()), ("start", pa.date32()), ("end", pa.date32())])
    table = pa.Table.from_pylist(exposed, schema).append_column("prevalent", pa.array([False] * len(exposed)))
    setting = replace(TWO, interaction_level=level, interaction_minimum_days=shortest)
    found = with_interactions(table, setting).to_pylist()

    def days(rows, drug):
        own = [row for row in rows if drug in row["drug"].split("_")]
        return {row["start"] + dt.timedelta(n) for row in own for n in range((row["end"] - row["start"]).days + 1)}

    assert all(days(found, drug) == days(exposed, drug) for drug in "ABCD")
    assert all((row["end"] - row["start"]).days + 1 >= shortest for row in found if "_" in row["drug"])
    assert all(row["drug"].count("_") < level for row in found)
