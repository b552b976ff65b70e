"""Random histories: the fast path says of every person what the oracle says.

HISTORIES persons in all (400 unless told; `make test-oracle` takes 5,000), each in several random studies.
"""

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from parcours.cohort.study import Study
from tests.oracle import fast_path
from tests.oracle.histories import PACKS, records
from tests.oracle.history import History, Records, history
from tests.oracle.small_studies import STUDY, studies

HISTORIES = int(os.environ.get("HISTORIES", "400"))
BATCH, STUDIES = 50, 4
SEED = int(os.environ.get("HISTORY_SEED", "2014"))
EPOCH = dt.date(1970, 1, 1)


def drawn(strategy: st.SearchStrategy[Any], number: int, start: int) -> list[Any]:
    """So many examples of a strategy, the same for the same start."""
    found: list[Any] = []

    @seed(start)
    @settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found[:number]


def tuples(table: pa.Table, *columns: str) -> dict[int, set[tuple[Any, ...]]]:
    """The values of some columns, by person."""
    by_person: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for row in table.select(["person_id", *columns]).to_pylist():
        by_person[row["person_id"]].add(tuple(row[name] for name in columns))
    return by_person


def check_events(told: pa.Table, expected: Sequence[History]) -> None:
    # The claim of an act within its day is a hash, which the oracle does not have.
    grouped = {*fast_path.CATEGORIES["MCO"], "prescribed_purchase"}
    found = tuples(told, "category", "code", "group", "start", "end", "weight", "source")
    for number, one in enumerate(expected, start=1):
        mine = {(c, code, g if c in grouped else None, *rest) for c, code, g, *rest in found[number]}
        theirs = {(c, code, g if c in grouped else None, *rest) for c, code, g, *rest in map(astuple, one.events)}
        assert mine == theirs, number


def check_persons(who: pa.Table, expected: Sequence[History]) -> None:
    found = {row["person_id"]: row for row in who.to_pylist()}
    for number, one in enumerate(expected, start=1):
        row = found.get(number)
        if row is None:
            assert one.lost_at == "persons", number
            continue
        names = ("in_referential", "certified", "sex", "birth", "ambiguous")
        assert tuple(row[name] for name in names) == astuple(one.person), number
        death = (row["death"], row["death_source"], row["deaths_disagree"]) if row["death"] else None
        assert death == (astuple(one.death) if one.death else None), number


def check_study(study: Study, made: dict[str, pa.Table], expected: Sequence[History]) -> None:
    followed = tuples(made["follow_up"], "start", "end", "end_reason", "death_source")
    exposed = tuples(made["exposures"], "drug", "start", "end", "prevalent")
    found = tuples(made["outcomes"], "date", "site", "category", "severity", "when")
    days = tuples(made["case_days"], "day")
    started = tuples(made["case_exposures"], "drug", "start", "end")
    for number, one in enumerate(expected, start=1):
        assert followed[number] == ({astuple(one.follow_up)} if one.follow_up else set()), (number, study)
        assert exposed[number] == set(map(astuple, one.exposures)), (number, study)
        told = {(*astuple(each), when) for when, some in one.fractures.items() for each in some}
        assert found[number] == told, (number, study)
        case_days = {((day - EPOCH).days,) for day in one.case.days} if one.case else set()
        assert days[number] == case_days, (number, study)
        cases = one.case.exposures if one.case else ()
        assert started[number] == {(e.drug, (e.start - EPOCH).days, (e.end - EPOCH).days) for e in cases}, (
            number,
            study,
        )


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(-(-HISTORIES // BATCH)))
def test_random_histories(batch: int) -> None:
    found: list[Records] = drawn(records(), BATCH, SEED * 1000 + batch)
    packs = fast_path.packs_table(PACKS)
    told, beside = fast_path.events(found, packs)
    expected = [history(one, PACKS, STUDY) for one in found]
    check_events(told, expected)
    who = fast_path.persons(found, told, beside)
    check_persons(who, expected)
    for study in drawn(studies(), STUDIES, SEED * 1000 + batch):
        check_study(study, fast_path.cohort(study, who, told, packs), [history(one, PACKS, study) for one in found])
