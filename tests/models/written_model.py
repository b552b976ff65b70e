"""The likelihood of the model as its formula is written: plain Python, person by person and day by day."""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import date, timedelta

import numpy as np
import pandas as pd

from parcours.models import CaseSeries
from parcours.models.baseline import Baseline
from parcours.models.observed_days import LagAxis

EPOCH = date(1970, 1, 1)


def random_tables(seed: int, persons: int = 30, drugs: int = 3):
    """Follow-ups cut on both sides and with gaps, recurrent exposures with ends and doses, up to three events."""
    rng = np.random.default_rng(seed)
    spans, events, exposures = [], [], []
    for person in range(persons):
        day, birth = int(rng.integers(0, 30)), -int(rng.integers(0, 200))
        observed = []
        for _ in range(rng.integers(1, 4)):
            last = day + int(rng.integers(0, 50))
            spans.append((person, day, last, birth))
            observed += range(day, last + 1)
            day = last + int(rng.integers(1, 20))
        events += [(person, int(each)) for each in rng.choice(observed, rng.integers(0, 4))]
        for _ in range(rng.integers(0, 7)):
            start = int(rng.integers(-30, 130))
            drug, last = f"D{rng.integers(drugs)}", start + int(rng.integers(0, 60))
            exposures.append((person, drug, start, last, float(rng.choice([0.5, 1.0, 2.0]))))
            if rng.random() < 0.2:
                exposures.append((person, drug, start, last + 3, 1.0))
    exposures += [(0, f"D{number}", 500, 500, 1.0) for number in range(drugs)]  # every drug exists; it meets no day
    events.append((0, spans[0][1]))
    return (
        pd.DataFrame(spans, columns=["person_id", "start", "end", "birth"]),
        pd.DataFrame(events, columns=["person_id", "day"]),
        pd.DataFrame(exposures, columns=["person_id", "drug", "start", "end", "dose"]),
    )


def series_of(persons, events, exposures) -> CaseSeries:
    """A case series from rows: (person, start, end), (person, day), (person, drug, start[, end])."""
    columns = ["person_id", "drug", "start", "end"][: len(exposures[0]) if exposures else 3]
    return CaseSeries(
        pd.DataFrame(persons, columns=["person_id", "start", "end"]),
        pd.DataFrame(events, columns=["person_id", "day"]),
        pd.DataFrame(exposures, columns=columns).astype({"start": int}),
    )


def written_loss(tables, axis: LagAxis, baseline: Baseline, curves: np.ndarray, levels: np.ndarray) -> float:
    """The loss of tables; curves (drugs, width), drugs in the order of their names; levels of all baseline groups."""
    persons, events, exposures = tables
    total, cases = 0.0, sorted(set(events.person_id))
    number = {drug: place for place, drug in enumerate(sorted(set(exposures.drug)))}
    for person in cases:
        spans = persons[persons.person_id == person]
        own = [day for first, last in zip(spans.start, spans.end, strict=True) for day in range(first, last + 1)]
        taken = merged(exposures[exposures.person_id == person])
        eta = {
            day: level_of(day, spans.birth.iloc[0], baseline, levels)
            + sum(effect(day, number[drug], *rest, axis, curves) for drug, *rest in taken)
            for day in own
        }
        log_total = math.log(sum(math.exp(value) for value in eta.values()))
        total += sum(log_total - eta[day] for day in events[events.person_id == person].day)
    return total / len(cases)


def merged(exposures):
    """(drug, start, end, dose): starts of one drug on one day are one exposure."""
    grouped = exposures.groupby(["drug", "start"]).agg({"end": "max", "dose": "sum"})
    return [(drug, start, row.end, row.dose) for (drug, start), row in grouped.iterrows()]


def effect(day, drug, start, end, dose, axis, curves):
    """What one exposure adds on a day."""
    lag = math.floor((day - start) / axis.bucket)
    return dose * curves[drug, lag + axis.before] if -axis.before <= lag <= axis.lags and day <= end else 0.0


def level_of(day, birth, baseline, levels):
    """What age, calendar and season add on a day."""
    ages, calendars, _ = baseline.sizes()
    age, calendar = bisect_right(baseline.age, day - birth), bisect_right(baseline.calendar, day)
    of_year = (EPOCH + timedelta(days=int(day))).timetuple().tm_yday
    season = (bisect_right(baseline.season, of_year) - 1) % len(baseline.season) if baseline.season else 0
    return levels[age] + levels[ages + calendar] + levels[ages + calendars + season]
