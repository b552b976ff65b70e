"""Follow-up and exposures on the grid of buckets that the convolutional model is written on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parcours.errors import InputError
from parcours.models.case_series import CaseSeries

#: Day 0 of the calendar terms: days since 1970-01-01.
_EPOCH = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class Baseline:
    """Cuts of the unpenalised baseline: first days of the groups after the first.

    age: ages in days; calendar: days on the axis of the series; season: days of the year 1..365, for which the days of
    the series are days since 1970-01-01 (the part of the year before the first cut belongs to the last group).
    """

    age: tuple[int, ...] = ()
    calendar: tuple[int, ...] = ()
    season: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, cuts in (("age", self.age), ("calendar", self.calendar), ("season", self.season)):
            if list(cuts) != sorted(set(cuts)):
                raise InputError(f"The {name} cuts are not increasing: give each first day of a group once, in order.")


@dataclass(frozen=True)
class Buckets:
    """Cells (a person's own buckets) and exposures of all persons, person by person.

    Bucket number = floor((day - first day of any case) / bucket): one grid for all persons, which moves with the data.
    A cell exists only if the person is observed in it; `log_days` is the log of the days observed there, so the first
    and last cell of a person may be short. `event_cell` has one entry an event.
    """

    lags: int
    n_drugs: int
    cell_ptr: np.ndarray  # (persons + 1,)
    log_days: np.ndarray  # (cells,)
    baseline: np.ndarray  # (cells, kinds of baseline term) column of the term, -1 for the reference group
    n_baseline: int
    baseline_terms: tuple[str, ...]
    count: np.ndarray  # (cells,) events
    event_cell: np.ndarray  # (events,)
    exposure_ptr: np.ndarray  # (persons + 1,)
    exposure_drug: np.ndarray  # (exposures,)
    exposure_at: np.ndarray  # (exposures,) bucket of the start, from the person's first cell; negative before it
    exposure_reach: np.ndarray  # (exposures,) last lag: that of the bucket in which the exposure ends, `lags` at most

    @property
    def n_persons(self) -> int:
        """Number of cases."""
        return len(self.cell_ptr) - 1

    @property
    def n_coefficients(self) -> int:
        """Lagged coefficients, drug after drug, then the baseline terms."""
        return self.n_drugs * (self.lags + 1) + self.n_baseline

    def exposed_cases(self) -> np.ndarray:
        """Number of persons with a lag of each drug inside their follow-up, shape (drugs,)."""
        person = np.repeat(np.arange(self.n_persons), np.diff(self.exposure_ptr))
        pairs = np.unique(np.stack([self.exposure_drug, person]), axis=1)
        return np.bincount(pairs[0], minlength=self.n_drugs)

    def with_counts(self, count: np.ndarray) -> Buckets:
        """The same follow-up and exposures with other events, shape (cells,)."""
        cells = np.repeat(np.arange(len(count)), count.astype(np.int64))
        return _replace(self, count=count.astype(np.float64), event_cell=cells)

    def sample(self, persons: np.ndarray) -> Buckets:
        """The series made of the given persons, who may come several times."""
        cells, cell_ptr = _gather(self.cell_ptr, persons)
        rows, exposure_ptr = _gather(self.exposure_ptr, persons)
        count = self.count[cells]
        return _replace(
            self,
            cell_ptr=cell_ptr,
            log_days=self.log_days[cells],
            baseline=self.baseline[cells],
            count=count,
            event_cell=np.repeat(np.arange(len(count)), count.astype(np.int64)),
            exposure_ptr=exposure_ptr,
            exposure_drug=self.exposure_drug[rows],
            exposure_at=self.exposure_at[rows],
            exposure_reach=self.exposure_reach[rows],
        )


def _replace(buckets: Buckets, **values: object) -> Buckets:
    return Buckets(**{**buckets.__dict__, **values})


def _gather(ptr: np.ndarray, persons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = np.diff(ptr)[persons]
    new_ptr = np.concatenate([[0], np.cumsum(length)])
    rows = np.repeat(ptr[persons] - new_ptr[:-1], length) + np.arange(new_ptr[-1])
    return rows, new_ptr


def bucket_series(series: CaseSeries, bucket: int, lags: int, baseline: Baseline) -> Buckets:
    """Put a case series on the grid of buckets of `bucket` days, with effects over lags 0..`lags`.

    Two starts of one drug in one bucket count once (x is 0 or 1), until the later end; starts in different buckets add
    their curves. A curve ends with its exposure: the bucket that holds the last day is the last with an effect.
    """
    origin = int(series.start.min())
    first = (series.start - origin) // bucket
    last = (series.end - origin) // bucket
    cell_ptr = np.concatenate([[0], np.cumsum(last - first + 1)])
    person = np.repeat(np.arange(series.n_persons), last - first + 1)
    number = np.arange(cell_ptr[-1]) - cell_ptr[person] + first[person]
    opened = np.maximum(number * bucket + origin, series.start[person])
    closed = np.minimum((number + 1) * bucket + origin - 1, series.end[person])
    event_cell = cell_ptr[series.event_person] + (series.event_day - origin) // bucket - first[series.event_person]
    count = np.bincount(event_cell, minlength=len(person)).astype(np.float64)
    middle = (opened + closed) // 2
    columns, terms = _baseline_columns(baseline, middle, middle - series.age_origin()[person], count)
    exposure_ptr, drug, at, reach = _exposures(series, bucket, lags, origin, first, last)
    return Buckets(
        lags=lags,
        n_drugs=len(series.drugs),
        cell_ptr=cell_ptr,
        log_days=np.log((closed - opened + 1).astype(np.float64)),
        baseline=columns,
        n_baseline=len(terms),
        baseline_terms=terms,
        count=count,
        event_cell=event_cell,
        exposure_ptr=exposure_ptr,
        exposure_drug=drug,
        exposure_at=at,
        exposure_reach=reach,
    )


def _exposures(
    series: CaseSeries, bucket: int, lags: int, origin: int, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Exposures with a lag inside the follow-up: where each person's begin, drug, bucket of the start, last lag."""
    person = series.exposure_person
    began = (series.exposure_start - origin) // bucket
    at, reach = began - first[person], np.minimum((series.exposure_end - origin) // bucket - began, lags)
    near = (at + reach >= 0) & (at <= (last - first)[person])
    starts = np.stack([person[near], series.exposure_drug[near], at[near]])
    rows, place = np.unique(starts, axis=1, return_inverse=True)
    longest = np.zeros(rows.shape[1], dtype=np.int64)
    np.maximum.at(longest, place.ravel(), reach[near])
    ptr = np.searchsorted(rows[0], np.arange(series.n_persons + 1))
    return ptr, rows[1], rows[2], longest


def _baseline_columns(
    baseline: Baseline, day: np.ndarray, age: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Column of the baseline term of each cell, one kind of term after another, by the middle of the observed days."""
    kinds = [("age", baseline.age, np.searchsorted(np.asarray(baseline.age, dtype=np.int64), age, side="right"))]
    calendar = np.searchsorted(np.asarray(baseline.calendar, dtype=np.int64), day, side="right")
    kinds.append(("calendar", baseline.calendar, calendar))
    kinds.append(("season", baseline.season, _season_group(baseline.season, day)))
    columns: list[np.ndarray] = []
    terms: list[str] = []
    for name, cuts, group in kinds:
        if cuts:
            merged, labels = _merge_empty(group, count, [f"{name} {cut}" for cut in ("start", *cuts)])
            columns.append(np.where(merged == 0, -1, merged - 1 + len(terms)))
            terms += labels[1:]
    if not columns:
        return np.zeros((len(day), 0), dtype=np.int64), ()
    return np.ascontiguousarray(np.stack(columns, axis=1).astype(np.int64)), tuple(terms)


def _season_group(cuts: Sequence[int], day: np.ndarray) -> np.ndarray:
    if not cuts:
        return np.zeros(len(day), dtype=np.int64)
    date = _EPOCH + day.astype("timedelta64[D]")
    of_year = (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
    group = np.searchsorted(np.asarray(cuts, dtype=np.int64), of_year, side="right")
    return np.where(group == 0, len(cuts), group)


def _merge_empty(group: np.ndarray, count: np.ndarray, labels: list[str]) -> tuple[np.ndarray, list[str]]:
    """Join each group without an event to the one before it (leading ones to the first with an event).

    A group without an event has its estimate at minus infinity, which an unpenalised term must not chase.
    """
    events = np.bincount(group, count, minlength=len(labels))
    target = np.maximum(np.cumsum(events > 0) - 1, 0)
    kept = [label for label, held in zip(labels, events > 0, strict=True) if held]
    return target[group], kept
