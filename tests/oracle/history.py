"""The history of one person as a study sees it, from the flat rows to the case series.

    history(records, packs, study) -> History

docs/reference/studies.md says the rules; where a comment says "only in the code" no document does.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from parcours.cohort.study import Population, Study
from tests.oracle.deaths import Death, death_of, rank, told_of
from tests.oracle.events import Event, Packs, all_events
from tests.oracle.exposures import Exposure, exposures, purchases
from tests.oracle.fractures import Fracture, fractures
from tests.oracle.observation import Observed, observed
from tests.oracle.rows import Row, calendar_day, cell, months_later, removed_by, whole_number

REFERENTIALS = ("IR_BEN_R", "IR_BEN_R_ARC")  # the first goes before the second
EARLIEST_BIRTH_YEAR = 1880  # only in the code: the documents name the years 0000, 0001 and 1600
SEX_CODES = {"men": 1, "women": 2}
Known = TypeVar("Known", int, dt.date)


@dataclass(frozen=True)
class Records:
    """All flat rows of one person; `referentials` and `discharges` (SSR, HAD, RIP) by product.

    A row of a referential has one cell beside its own: `ambiguous`, whether its PSA is of several persons.
    `certificates` are those of the person (`deaths.holders`).
    """

    dcir: tuple[Row, ...] = ()
    mco: tuple[Row, ...] = ()
    mco_ce: tuple[Row, ...] = ()
    referentials: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    certificates: tuple[Row, ...] = ()
    discharges: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """What the referentials say of the person; `sex` 1 man, 2 woman."""

    in_referential: bool
    certified: bool
    sex: int | None
    birth: dt.date | None
    ambiguous: bool


@dataclass(frozen=True)
class FollowUp:
    """The first and the last day on which the person is followed, both included, and why it ends."""

    start: dt.date
    end: dt.date
    end_reason: str
    death_source: str | None


@dataclass(frozen=True)
class Case:
    """What the models read of a person with an outcome."""

    days: frozenset[dt.date]
    exposures: frozenset[Exposure]


@dataclass(frozen=True)
class History:
    """Everything of one person; `lost_at` is the step of the attrition at which the person is lost, None for a case."""

    events: frozenset[Event]
    person: Person
    death: Death | None
    lost_at: str | None
    follow_up: FollowUp | None
    exposures: frozenset[Exposure]
    fractures: Mapping[str, frozenset[Fracture]]  # before, during and after follow-up
    case: Case | None


def history(records: Records, packs: Packs, study: Study) -> History:
    """The history of one person in one study."""
    events = all_events(records.dcir, records.mco, records.mco_ce, packs)
    person = person_of(records.referentials)
    told = told_of(events, records.referentials, records.certificates, records.discharges)
    death = death_of(told, person.birth, events)
    broken = fractures(events, study.outcomes, study.codelists)
    bought = [one.day for one in purchases(events, packs, study)]
    any_bought = [event.start for event in events if event.category == "drug_purchase"]
    seen = observed(bought, any_bought, [one.day for one in broken], study.population)
    lost_at = step_lost(person, death, bool(events), seen, study.population)
    if lost_at:
        return History(events, person, death, lost_at, None, frozenset(), {}, None)
    followed = follow_up(death, seen, study.population)
    exposed = exposures(events, packs, followed.end, study)
    found = by_time(broken, followed)
    case = case_of(found["during"], exposed, study.outcomes.outcome_events)
    return History(events, person, death, None if case else "cases", followed, exposed, found, case)


# --- population --------------------------------------------------------------------------------------------------


def step_lost(
    person: Person, death: Death | None, has_care: bool, seen: Observed, population: Population
) -> str | None:
    """The first step of the attrition that the person does not pass, None when the person is followed.

    At `persons` is lost who has neither care nor a referential: no table of persons has them, even if a stay in
    rehabilitation, at home or in psychiatry tells their death (only in the code).
    """
    start, first = seen.start or dt.date.max, seen.first_purchase
    from_purchase, within = population.observation_from == "first_purchase", population.first_purchase_within_months
    early = first is not None and first < months_later(population.study_start, within)
    age = completed_years(person.birth, population.study_start)
    passed = {
        "persons": has_care or person.in_referential,
        "referential": person.in_referential,
        "certified": person.certified,
        "known": person.sex is not None and person.birth is not None,
        "age": age is not None and population.age_minimum <= age <= population.age_maximum,
        "sex": population.sex == "all" or person.sex == SEX_CODES[population.sex],
        "identity": population.ambiguous_identity == "keep" or not person.ambiguous,
        "purchase": not from_purchase or first is not None,
        "early_purchase": not within or early,
        "begins": not from_purchase or start <= population.study_end,
        "alive": death is None or death.day >= start,
        "tracked": seen.lost is None or seen.lost >= start,
        "prior_outcome": population.prior_outcome == "keep" or not seen.had_outcome,
    }
    return next((step for step, passes in passed.items() if not passes), None)


def completed_years(birth: dt.date | None, day: dt.date) -> int | None:
    """Age in completed years; None without a birth."""
    if birth is None:
        return None
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def follow_up(death: Death | None, seen: Observed, population: Population) -> FollowUp:
    """From the first day of observation to the earliest of death, trackloss and study end; on one day in this order."""
    assert seen.start
    ends = [(death.day, "death", death.source)] if death else []
    ends += [(seen.lost, "trackloss", None)] if seen.lost else []
    ends += [(population.study_end, "study_end", None)]
    return FollowUp(seen.start, *min(ends, key=lambda end: end[0]))


def person_of(referentials: Mapping[str, Iterable[Row]]) -> Person:
    """Sex and birth are those of most certified rows of IR_BEN_R, else of the archive.

    The archive tells only of couples of (PSA, rank) that IR_BEN_R does not hold.
    """
    first, archive = ([*referentials.get(product, ())] for product in REFERENTIALS)
    couples = {couple(row) for row in first}
    archive = [row for row in archive if couple(row) not in couples]
    certified = [[row for row in rows if is_certified(row)] for rows in (first, archive)]
    return Person(
        in_referential=bool(first or archive),
        certified=any(certified),
        sex=most_frequent(map(sex_of, certified[0])) or most_frequent(map(sex_of, certified[1])),
        birth=most_frequent(map(birth_of, certified[0])) or most_frequent(map(birth_of, certified[1])),
        ambiguous=any(row["ambiguous"] for rows in certified for row in rows),
    )


def couple(row: Row) -> tuple[str, int]:
    """PSA and rank."""
    return row["BEN_NIR_PSA"], rank(row)


def is_certified(row: Row) -> bool:
    """Whether no filter says that the identifier is provisional or fictive."""
    return removed_by(row, "IR_BEN_R", "persons") is None


def sex_of(row: Row) -> int | None:
    """1 man, 2 woman, None for anything else."""
    sex = cell(row, "BEN_SEX_COD")
    return sex if sex in (1, 2) else None


def birth_of(row: Row) -> dt.date | None:
    """The 15th of the month of birth; 15 July where the month is not known."""
    year, month = whole_number(cell(row, "BEN_NAI_ANN")), whole_number(cell(row, "BEN_NAI_MOI")) or 0
    if year is None or year < EARLIEST_BIRTH_YEAR:
        return None
    return calendar_day(year, month if 1 <= month <= 12 else 7, 15)


def most_frequent(values: Iterable[Known | None]) -> Known | None:
    """The value of most rows; only in the code: the smaller of equally many."""
    known = sorted(value for value in values if value is not None)
    return max(known, key=known.count, default=None)


# --- case series -------------------------------------------------------------------------------------------------


def by_time(found: Iterable[Fracture], followed: FollowUp) -> dict[str, frozenset[Fracture]]:
    """Fractures before, during and after follow-up: falls are told apart on all the data first."""
    return {
        "before": frozenset(one for one in found if one.day < followed.start),
        "during": frozenset(one for one in found if followed.start <= one.day <= followed.end),
        "after": frozenset(one for one in found if one.day > followed.end),
    }


def case_of(during: Iterable[Fracture], exposed: Iterable[Exposure], outcome_events: str) -> Case | None:
    """The days of outcomes (the first, or all of them) and the exposures to medicines that were new to the person."""
    days = {one.day for one in during}
    if not days:
        return None
    counted = {min(days)} if outcome_events == "first" else days
    return Case(frozenset(counted), frozenset(one for one in exposed if not one.prevalent))
