"""The input of every model: cases with their follow-up, events and exposures, on whole days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parcours.errors import InputError
from parcours.leaving import ROWS, in_words
from parcours.models.columns import check_columns, columns_of, read_days, read_doses, read_keys, read_names

PERSONS = "person(s)"

#: `exposure_end` of an exposure whose table gives no end: a day that no follow-up reaches.
OPEN_END = np.int64(2**40)


@dataclass(frozen=True, init=False)
class CaseSeries:
    """Cases only: each person kept has at least one event inside the follow-up.

    Built as `CaseSeries(persons, events, exposures)` from pandas or Arrow tables, or mappings of numpy arrays by
    column. Days are integers on any common origin (days since 1970-01-01, or ages in days) and ends are inclusive.

    - persons: person_id, start, end [, birth]; several rows a person are its observed spans, with gaps between them;
    - events: person_id, day (several a person are allowed, each is its own stratum);
    - exposures: person_id, drug, start [, end] [, dose]; may be empty, may lie before the follow-up. The dose
      multiplies the curve (1 where there is none).

    Rows are put in a canonical order (person, then day), so that no result depends on the order of the tables.
    Without `birth` a day is itself the age in days. Raises `InputError` with one sentence when the tables disagree.
    """

    start: np.ndarray  # (persons,) first observed day
    end: np.ndarray  # (persons,) last observed day
    gap_ptr: np.ndarray  # (persons + 1,) gaps of each person
    gap_first: np.ndarray  # (gaps,) first day that is not observed
    gap_last: np.ndarray  # (gaps,) last day that is not observed
    birth: np.ndarray | None  # (persons,) day of birth
    event_person: np.ndarray  # (events,) row of the person
    event_day: np.ndarray  # (events,)
    exposure_person: np.ndarray  # (exposures,) row of the person
    exposure_drug: np.ndarray  # (exposures,) row of `drugs`
    exposure_start: np.ndarray
    exposure_end: np.ndarray
    exposure_dose: np.ndarray | None
    drugs: tuple[str, ...]
    persons_without_event: int

    def __init__(self, persons: Any, events: Any, exposures: Any) -> None:
        check_columns(persons, "persons", ("person_id", "start", "end"))
        check_columns(events, "events", ("person_id", "day"))
        check_columns(exposures, "exposures", ("person_id", "drug", "start"))
        people = _read_persons(persons)
        event_person, event_day = _read_events(events, people)
        kept = np.zeros(len(people["key"]), dtype=bool)
        kept[event_person] = True
        if not kept.any():
            raise InputError("The table events is empty: a case series needs at least one person with an event.")
        row_of = np.cumsum(kept) - 1
        order = np.lexsort((event_day, event_person))
        exposure = _read_exposures(exposures, people, kept)
        gap = kept[people["gap_person"]]
        _set(
            self,
            start=people["start"][kept],
            end=people["end"][kept],
            gap_ptr=np.searchsorted(row_of[people["gap_person"][gap]], np.arange(int(kept.sum()) + 1)),
            gap_first=people["gap_first"][gap],
            gap_last=people["gap_last"][gap],
            birth=None if people["birth"] is None else people["birth"][kept],
            event_person=row_of[event_person[order]],
            event_day=event_day[order],
            persons_without_event=int((~kept).sum()),
            **(exposure | {"exposure_person": row_of[exposure["exposure_person"]]}),
        )

    @property
    def n_persons(self) -> int:
        """Number of cases kept."""
        return len(self.start)

    @property
    def n_events(self) -> int:
        """Number of events of the cases."""
        return len(self.event_day)

    def age_origin(self) -> np.ndarray:
        """Day at which each person has age zero, shape (persons,)."""
        return np.zeros(self.n_persons, dtype=np.int64) if self.birth is None else self.birth

    def gaps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Person, first and last day of each gap in the observation, shape (gaps,) each."""
        return np.repeat(np.arange(self.n_persons), np.diff(self.gap_ptr)), self.gap_first, self.gap_last

    def exposed_cases(self) -> np.ndarray:
        """Number of cases with at least one exposure to each drug that starts by their last day, shape (drugs,)."""
        reached = self.exposure_start <= self.end[self.exposure_person]
        pairs = np.unique(np.stack([self.exposure_drug[reached], self.exposure_person[reached]]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.drugs))


def event_age_cuts(series: CaseSeries, groups: int) -> list[int]:
    """First ages of the groups 2..`groups`, in days, at quantiles of the ages at event: groups hold like counts."""
    if groups < 2:
        raise InputError(f"The number of age groups is {groups}: ask for 2 or more, or give no age cuts.")
    ages = series.event_day - series.age_origin()[series.event_person]
    steps = np.arange(1, groups) / groups
    return sorted({int(cut) for cut in np.floor(np.quantile(ages, steps))})


def _set(series: CaseSeries, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(series, name, value)


def _read_persons(table: Any) -> dict[str, Any]:
    key = read_keys(table, "persons", "person_id")
    start, end = read_days(table, "persons", "start"), read_days(table, "persons", "end")
    reversed_rows = int((start > end).sum())
    if reversed_rows:
        rows = in_words(reversed_rows, ROWS)
        raise InputError(f"The table persons has {rows} with start after end: both are inclusive days.")
    order = np.lexsort((start, key))
    key, start, end = key[order], start[order], end[order]
    birth = read_days(table, "persons", "birth")[order] if _has(table, "birth") else None
    _check_spans(key, start, end, birth)
    opens = np.append(True, key[1:] != key[:-1])[: len(key)]
    closes = np.append(opens[1:], True)[: len(key)]
    between = np.flatnonzero(~opens)
    between = between[start[between] > end[between - 1] + 1]
    return {
        "key": key[opens],
        "start": start[opens],
        "end": end[closes],
        "birth": None if birth is None else birth[opens],
        "gap_person": (np.cumsum(opens) - 1)[between],
        "gap_first": end[between - 1] + 1,
        "gap_last": start[between] - 1,
    }


def _has(table: Any, column: str) -> bool:
    return column in (columns_of(table) or ())


def _check_spans(key: np.ndarray, start: np.ndarray, end: np.ndarray, birth: np.ndarray | None) -> None:
    """Raise `InputError` where spans of one person overlap, or give two births."""
    again = key[1:] == key[:-1]
    twice = key[1:][again & (start[1:] <= end[:-1])]
    if len(twice):
        persons = in_words(len(np.unique(twice)), PERSONS)
        raise InputError(
            f"The table persons has a person_id seen before on the same days, for {persons}: give one row a person, or "
            "one row for each span that is observed."
        )
    births = 0 if birth is None else int((again & (birth[1:] != birth[:-1])).sum())
    if births:
        rows = in_words(births, ROWS)
        raise InputError(f"The table persons has {rows} with another birth than an earlier row of the person.")


def _rows_of(keys: np.ndarray, people: dict[str, Any], name: str) -> np.ndarray:
    if not len(keys):
        return np.zeros(0, dtype=np.int64)
    if not len(people["key"]):
        raise InputError(f"The table persons is empty but {name} has rows: every person needs a follow-up.")
    if keys.dtype.kind != people["key"].dtype.kind:
        raise InputError(f"The column person_id has another type in {name} than in persons: use one type for all.")
    row = np.minimum(np.searchsorted(people["key"], keys), len(people["key"]) - 1)
    unknown = int((people["key"][row] != keys).sum())
    if unknown:
        rows = in_words(unknown, ROWS)
        raise InputError(f"The table {name} has {rows} of persons that are not in persons: add or remove them.")
    return row


def _read_events(table: Any, people: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    person = _rows_of(read_keys(table, "events", "person_id"), people, "events")
    day = read_days(table, "events", "day")
    outside = ~_observed(people, person, day)
    if outside.any():
        persons = in_words(len(np.unique(person[outside])), PERSONS)
        raise InputError(
            f"The table events has events of {persons} outside their follow-up (before its start, after its end, or in "
            "a gap): remove these events, or widen the follow-up of these persons in the table persons."
        )
    return person, day


def _observed(people: dict[str, Any], person: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Whether each day lies in the follow-up of its person, and in no gap of it."""
    inside = (day >= people["start"][person]) & (day <= people["end"][person])
    first, last, owner = people["gap_first"], people["gap_last"], people["gap_person"]
    low = min(int(people["start"].min(initial=0)), 0)
    width = int(people["end"].max(initial=0)) - low + 2
    clipped = np.clip(day - low, 0, width - 1)
    row = np.searchsorted(owner * width + first - low, person * width + clipped, side="right") - 1
    if len(owner):
        inside &= ~((row >= 0) & (owner[row] == person) & (last[row] >= day))
    return inside


def _read_exposures(table: Any, people: dict[str, Any], kept: np.ndarray) -> dict[str, Any]:
    person = _rows_of(read_keys(table, "exposures", "person_id"), people, "exposures")
    code, drugs = read_names(table, "exposures", "drug")
    start = read_days(table, "exposures", "start")
    if _has(table, "end"):
        end = read_days(table, "exposures", "end")
        reversed_rows = int((start > end).sum())
        if reversed_rows:
            rows = in_words(reversed_rows, ROWS)
            raise InputError(f"The table exposures has {rows} with start after end: both are inclusive.")
    else:
        end = np.full(len(start), OPEN_END)
    order = _in_order(person, code, start, end)
    order = order[kept[person[order]]]
    dose = read_doses(table, "exposures", "dose") if _has(table, "dose") else None
    return {
        "exposure_dose": None if dose is None else dose[order],
        "exposure_person": person[order],
        "exposure_drug": code[order].astype(np.int64),
        "exposure_start": start[order],
        "exposure_end": end[order],
        "drugs": tuple(str(name) for name in drugs),
    }


def _in_order(person: np.ndarray, code: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rows by person, drug, start and end; tables that are nearly sorted, as most are, take linear time."""
    if not len(person):
        return np.zeros(0, dtype=np.int64)
    drugs, low = int(code.max()) + 1, int(start.min())
    span = int(start.max()) - low + 1
    if (int(person.max()) + 1) * drugs * span >= 2**62:
        return np.lexsort((end, start, code, person))
    by_end = np.argsort(end, kind="stable")
    key = ((person * drugs + code) * span + start - low)[by_end]
    return by_end[np.argsort(key, kind="stable")]
