"""The self-controlled case series against a published data set and a day-by-day oracle in plain Python."""

import math
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from parcours.errors import InputError
from parcours.models import SCCS, CaseSeries, event_age_cuts

# Ages in days of ten children with aseptic meningitis after MMR vaccine (Oxford), observed from 366 to 730.
OXFORD_EVENT = [398, 399, 413, 449, 455, 472, 474, 485, 524, 700]
OXFORD_VACCINE = [458, 750, 392, 429, 433, 432, 395, 470, 496, 428]


def tables(persons, events, exposures):
    return (
        pd.DataFrame(persons, columns=["person_id", "start", "end"]),
        pd.DataFrame(events, columns=["person_id", "day"]),
        pd.DataFrame(exposures, columns=["person_id", "drug", "start", "end"]).astype({"start": int, "end": int}),
    )


def oxford():
    return (
        pd.DataFrame({"person_id": range(10), "start": 366, "end": 730}),
        pd.DataFrame({"person_id": range(10), "day": OXFORD_EVENT}),
        pd.DataFrame({"person_id": range(10), "drug": "mmr", "start": OXFORD_VACCINE}),
    )


def drawn_tables(seed, n=60):
    """Random cases, some with two events, recurrent and overlapping exposures, some before or after follow-up."""
    draw = random.Random(seed)
    persons, events, exposures = [], [], []
    for person in range(n):
        start = draw.randint(0, 30)
        end = start + draw.randint(60, 200)
        persons.append((person, start, end))
        events += [(person, draw.randint(start, end)) for _ in range(draw.choice([1, 1, 2]))]
        for drug in ("A", "B"):
            for _ in range(draw.choice([0, 1, 2])):
                first = draw.randint(start - 20, end + 10)
                exposures.append((person, drug, first, first + draw.randint(0, 40)))
    return persons, events, exposures


def oracle(persons, events, exposures, windows, age_cuts, gaps=None):
    """Estimates by spelling out each person's every day outside of their gap; days are ages."""
    names = [(drug, k) for drug in windows for k in range(len(windows[drug]))]
    width = len(names) + len(age_cuts)
    people = []
    for person, start, end in persons:
        first_out, last_out = (gaps or {}).get(person, (end + 1, end))
        rows = {day: [0.0] * width for day in range(start, end + 1) if not first_out <= day <= last_out}
        for drug in windows:
            label = {}
            for _, _, first, last in sorted(x for x in exposures if x[0] == person and x[1] == drug):
                for k, (a, b) in enumerate(windows[drug]):
                    for day in range(first + a, (last if b == "end" else first + b) + 1):
                        label[day] = k
            for day, k in label.items():
                if day in rows:
                    rows[day][names.index((drug, k))] = 1.0
        for day, row in rows.items():
            group = sum(day >= cut for cut in age_cuts)
            if group:
                row[len(names) + group - 1] = 1.0
        place = {day: row for row, day in enumerate(rows)}
        people.append((np.array(list(rows.values())), [place[day] for who, day in events if who == person]))

    def loss(b):
        total = 0.0
        for days, at in people:
            eta = days @ b
            total += len(at) * math.log(np.exp(eta).sum()) - eta[at].sum()
        return total

    return minimize(loss, np.zeros(width), method="BFGS", options={"gtol": 1e-7}).x


def test_the_oxford_children_give_the_published_estimate():
    summary = SCCS({"mmr": [(15, 35)]}, age_cuts=[548]).fit(CaseSeries(*oxford())).summary()
    assert summary.term.tolist() == ["mmr 15-35", "age 548+"]
    assert summary.estimate[0] == pytest.approx(2.487975, abs=1e-4)
    assert summary.se[0] == pytest.approx(0.708488, abs=1e-4)
    assert summary.lower[0] == pytest.approx(2.487975 - 1.959964 * 0.708488, abs=1e-4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_estimates_equal_those_of_a_day_by_day_oracle(seed):
    persons, events, exposures = drawn_tables(seed)
    windows = {"A": [(-5, -1), (0, 14), (10, "end")], "B": [(0, 20)]}
    cuts = [80, 150]
    series = CaseSeries(*tables(persons, events, exposures))
    fitted = SCCS(windows, age_cuts=cuts).fit(series)
    assert fitted.coef_ == pytest.approx(oracle(persons, events, exposures, windows, cuts), abs=1e-4)


def test_wash_outs_are_counted_from_the_end_of_the_exposure():
    persons, events, exposures = drawn_tables(7)
    by_washout = SCCS({"A": [(0, "end")]}, washouts={"A": [(1, 30)]})
    summary = by_washout.fit(CaseSeries(*tables(persons, events, exposures))).summary()
    # The same model for persons with one exposure, spelled as a second drug that starts the day after each end.
    shifted = [(p, "after", last + 1, last + 30) for p, drug, _, last in exposures if drug == "A"]
    assert summary.term.tolist() == ["A 0-end", "A wash-out 1-30"]
    single = [row for row in exposures if row[1] == "A" and sum(x[:2] == row[:2] for x in exposures) == 1]
    lone = {row[0] for row in single}
    keep = [row for row in persons if row[0] in lone]
    days = [row for row in events if row[0] in lone]
    left = by_washout.fit(CaseSeries(*tables(keep, days, single)))
    both = single + [row for row in shifted if row[0] in lone]
    right = SCCS({"A": [(0, "end")], "after": [(0, "end")]}).fit(CaseSeries(*tables(keep, days, both)))
    assert left.coef_ == pytest.approx(right.coef_, abs=1e-8)


def test_a_term_without_an_event_has_no_finite_estimate_and_changes_no_other():
    persons, events, exposures = oxford()
    one = SCCS({"mmr": [(15, 35), (36, 36)]}).fit(CaseSeries(persons, events, exposures)).summary()
    assert one.estimate[1] == -math.inf
    assert math.isnan(one.se[1])
    assert math.isfinite(one.estimate[0])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), shift=st.integers(-20_000, 20_000))
def test_shifting_every_day_and_shuffling_every_row_change_nothing(seed, shift):
    persons, events, exposures = tables(*drawn_tables(seed, n=30))
    model = SCCS({"A": [(0, 30)]}, age_cuts=[100])
    expected = model.fit(CaseSeries(persons.assign(birth=0), events, exposures)).coef_
    people = persons.assign(start=persons.start + shift, end=persons.end + shift, birth=shift)
    moved = CaseSeries(
        people.sample(frac=1, random_state=1),
        events.assign(day=events.day + shift).sample(frac=1, random_state=2),
        exposures.assign(start=exposures.start + shift, end=exposures.end + shift).sample(frac=1, random_state=3),
    )
    assert model.fit(moved).coef_ == pytest.approx(expected, abs=1e-9)


def test_days_in_a_gap_of_the_observation_do_not_exist():
    persons, events, exposures = drawn_tables(21)
    gaps = {person: (start + 20, start + 34) for person, start, _ in persons}
    spans = [row for p, start, end in persons for row in ((p, start, gaps[p][0] - 1), (p, gaps[p][1] + 1, end))]
    events = [(p, day) for p, day in events if not gaps[p][0] <= day <= gaps[p][1]]
    windows = {"A": [(-5, -1), (0, 14)], "B": [(0, 20)]}
    found = SCCS(windows, age_cuts=[80]).fit(CaseSeries(*tables(spans, events, exposures)))
    one = SCCS({"B": [(0, 20)]}, age_cuts=[80]).fit(CaseSeries(*tables(spans, events, exposures)))
    known = {p for p, _ in events}
    people = [row for row in persons if row[0] in known]
    expected = oracle(people, events, exposures, windows, [80], gaps)
    assert found.coef_ == pytest.approx(expected, abs=1e-4)
    assert one.coef_ == pytest.approx(oracle(people, events, exposures, {"B": [(0, 20)]}, [80], gaps), abs=1e-4)


def test_each_event_is_its_own_stratum():
    persons, events, exposures = tables(*drawn_tables(11))
    split = events.assign(person_id=np.arange(len(events)))
    owner = events.person_id.to_numpy()
    copies = persons.set_index("person_id").loc[owner].reset_index(drop=True)
    copies["person_id"] = np.arange(len(events))
    pairs = pd.DataFrame({"new": np.arange(len(events)), "person_id": owner})
    repeated = exposures.merge(pairs, on="person_id").drop(columns="person_id").rename(columns={"new": "person_id"})
    model = SCCS({"A": [(0, 30)]}, age_cuts=[100])
    whole = model.fit(CaseSeries(persons, events, exposures)).coef_
    assert model.fit(CaseSeries(copies, split, repeated)).coef_ == pytest.approx(whole, abs=1e-9)


def test_persons_without_event_are_dropped_and_counted_and_arrow_tables_are_read():
    persons, events, exposures = oxford()
    persons = pd.concat([persons, pd.DataFrame({"person_id": [98, 99], "start": 0, "end": 9})])
    arrow = [pa.Table.from_pandas(table, preserve_index=False) for table in (persons, events, exposures)]
    series = CaseSeries(*arrow)
    assert (series.n_persons, series.n_events, series.persons_without_event) == (10, 10, 2)
    assert series.drugs == ("mmr",)
    assert series.exposed_cases().tolist() == [9]  # one child was vaccinated after the follow-up


def test_a_series_without_any_exposure_is_a_series():
    persons, events, exposures = oxford()
    series = CaseSeries(persons, events, exposures.iloc[:0])
    assert series.drugs == ()
    assert SCCS({}, age_cuts=[548]).fit(series).summary().term.tolist() == ["age 548+"]


def test_columns_of_arrays_are_the_table_that_they_make():
    def columns(table):
        return {name: table[name].to_numpy() for name in table}

    tables = oxford()
    told, same = CaseSeries(*tables), CaseSeries(*map(columns, tables))
    assert same.drugs == told.drugs
    for name in ("start", "end", "event_person", "event_day", "exposure_person", "exposure_drug", "exposure_start"):
        assert np.array_equal(getattr(same, name), getattr(told, name))


def _broken(name):
    persons, events, exposures = oxford()
    return {
        "lacks the column end": (persons.drop(columns="end"), events, exposures),
        "start after end": (persons.assign(end=365), events, exposures),
        "events of fewer than 11 persons outside": (
            persons,
            events.assign(day=731),
            exposures,
        ),
        "not in persons": (persons, events, exposures.assign(person_id=77)),
        "seen before": (pd.concat([persons, persons]), events, exposures),
        "missing values": (persons, events.assign(day=np.nan), exposures),
        "not whole days": (persons, events.assign(day=events.day + 0.5), exposures),
        "events is empty": (persons, events.iloc[:0], exposures),
        "another type": (persons, events.assign(person_id=events.person_id.astype(str)), exposures),
        "give a pandas DataFrame": ([1, 2], events, exposures),
        "exposures has missing values in fewer than 11 row": (
            persons,
            events,
            {**dict(exposures), "drug": np.array([None, *exposures.drug.to_numpy()[1:]], dtype=object)},
        ),
        "not of one length": (persons, {"person_id": events.person_id.to_numpy(), "day": np.array([1])}, exposures),
        "not numeric": (persons.assign(start="x"), events, exposures),
    }[name]


@pytest.mark.parametrize(
    "sentence",
    [
        "lacks the column end",
        "start after end",
        "events of fewer than 11 persons outside",
        "not in persons",
        "seen before",
        "missing values",
        "not whole days",
        "events is empty",
        "another type",
        "give a pandas DataFrame",
        "exposures has missing values in fewer than 11 row",
        "not of one length",
        "not numeric",
    ],
)
def test_tables_that_disagree_are_refused_in_one_sentence(sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        CaseSeries(*_broken(sentence))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"windows": {"mmr": [(5, 1)]}}, "ends before it starts"),
        ({"windows": {"mmr": []}}, "empty list of windows"),
        ({"windows": {"mmr": [(0.5, 1)]}}, "not made of whole days"),
        ({"windows": {}, "washouts": {"mmr": [(1, 2)]}}, "no windows"),
        ({"windows": {"mmr": [(0, 1)]}, "age_cuts": [9, 8]}, "not increasing"),
        ({"windows": {"mmr": [(0, 1)]}, "confidence": 95}, "share between 0 and 1"),
    ],
)
def test_impossible_settings_are_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        SCCS(**arguments)


def test_age_cuts_at_the_quantiles_of_events_split_them_evenly():
    series = CaseSeries(*oxford())
    assert event_age_cuts(series, 2) == [463]
