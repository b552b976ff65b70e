"""Whether and when somebody died: what the sources tell, what is believed of it, and the one day that counts.

The rules are those of docs/reference/studies.md ("Death") and ADR 7; sources and limits those of deaths.yaml.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tests.oracle.events import Event
from tests.oracle.rows import (
    DAY,
    Row,
    calendar_day,
    cell,
    facts,
    first_known,
    gathered,
    kept,
    months_later,
    pmsi_day,
    whole_number,
)

Span = tuple[dt.date, dt.date]
Rows = Mapping[str, Iterable[Row]]  # by product
DIED = 9  # mode of discharge


@dataclass(frozen=True)
class Telling:
    """What one source says: the person died from `first` to `last`, both included (one day, or a month)."""

    source: str
    first: dt.date
    last: dt.date


@dataclass(frozen=True)
class Death:
    """The day that counts, the source that gives it, and whether sources disagree."""

    day: dt.date
    source: str
    disagree: bool


def death_of(tellings: Iterable[Telling], birth: dt.date | None, events: Iterable[Event]) -> Death | None:
    """The earliest credible death; None for somebody who is not known to be dead."""
    told, care = set(tellings), {event.start for event in events}
    credible = {one for one in told if verdict(one, told, birth, care) == "credible"}
    if not credible:
        return None
    # A month gives way to a day in it that another source tells; else its first day stands for it.
    dated = [one for one in credible if not any(is_day_of(day, one) for day in credible)]
    earliest = min(dated, key=lambda one: (one.first, precedence().index(one.source)))
    return Death(earliest.first, earliest.source, disagree(credible))


def verdict(one: Telling, told: Iterable[Telling], birth: dt.date | None, care: Iterable[dt.date]) -> str:
    """ "credible", or why the telling is not."""
    limits = facts("events/deaths.yaml")
    if birth and one.last.year < birth.year:
        return "before_birth"
    stays = [other.first for other in told if other.source in discharge_columns().values()]
    # Only in the code and its specification: stays that end within a day of each other (agreement_days) are one death.
    if one.source in discharge_columns().values() and max(stays) > one.last + DAY * limits["agreement_days"]:
        return "died_later_in_hospital"
    too_late = one.last + DAY * limits["care_after"]["more_than_days"]
    days_of_care = {day for day in care if day > too_late}
    return "care_after" if len(days_of_care) >= limits["care_after"]["care_days"] else "credible"


def is_day_of(day: Telling, month: Telling) -> bool:
    """Whether a telling of one day lies in a telling of a month."""
    return day.first == day.last and month.first < month.last and month.first <= day.first <= month.last


def disagree(credible: Iterable[Telling]) -> bool:
    """Whether no day, give or take one, is in all tellings."""
    limit = DAY * facts("events/deaths.yaml")["agreement_days"]
    return max(one.first for one in credible) > min(one.last for one in credible) + limit


# --- what the sources tell ---------------------------------------------------------------------------------------


def told_of(
    events: Iterable[Event], referentials: Rows, certificates: Iterable[Row], discharges: Rows
) -> frozenset[Telling]:
    """All tellings of one person: `certificates` are the person's own, `discharges` flat rows of SSR, HAD and RIP."""
    told = told_by_stays(events) | told_by_certificates(certificates)
    for product, rows in referentials.items():
        told |= told_by_referential(rows, product)
    for product, rows in discharges.items():
        told |= told_by_discharges(rows, product)
    return told


def told_by_referential(rows: Iterable[Row], product: str) -> frozenset[Telling]:
    """Couple by couple of (PSA, rank), what the row updated last tells.

    The archive tells of couples that IR_BEN_R holds as well: "Death" says so of each couple in a referential, while
    "Persons" says that the archive tells of the others only. Only in the specification tests: a later row that tells
    no death does not take back what an earlier one told. Only in the code: of rows updated on one day the latest death
    counts.
    """
    told = [
        ((source, row["BEN_NIR_PSA"], rank(row)), (updated(row), *span))
        for row in rows
        for source, span in dated(row, product)
    ]
    return frozenset(Telling(key[0], *max(found)[1:]) for key, found in gathered(told).items())


def rank(row: Row) -> int:
    """The rank of a row; 1 where it has none (flat-tables.md, "Persons")."""
    return int(first_known(cell(row, "BEN_RNG_GEM"), 1))


def updated(row: Row) -> dt.date:
    """When the row was updated; before all others where it does not say."""
    return cell(row, "BEN_DTE_MAJ") or dt.date.min


def told_by_certificates(rows: Iterable[Row]) -> frozenset[Telling]:
    """What each certificate tells that was matched to a person."""
    matched = [row for row in rows if cell(row, "DCD_IDT_TOP") != 0]
    return frozenset(Telling(source, *span) for row in matched for source, span in dated(row, "KI_CCI_R"))


def told_by_stays(events: Iterable[Event]) -> frozenset[Telling]:
    """The last day of each acute stay that ended in death."""
    ended = {one.end or one.start for one in events if one.category == "mco_hospital_stay" and one.weight == DIED}
    return on_days(ended, "MCO")


def told_by_discharges(rows: Iterable[Row], product: str) -> frozenset[Telling]:
    """The last day of each flat stay of SSR, HAD or RIP that ended in death, of those that the filters leave."""
    mode = discharge_columns()[product].replace(".", "__")
    own = kept(rows, product, f"{product.lower()}_discharge")
    ended = {last_day(row) for row in own if whole_number(cell(row, mode)) == DIED}
    # Only in the code: a stay whose last day is not known tells nothing.
    return on_days({day for day in ended if day}, product)


def on_days(days: Iterable[dt.date], product: str) -> frozenset[Telling]:
    """Tellings of the discharges of a product."""
    return frozenset(Telling(discharge_columns()[product], day, day) for day in days if is_late_enough(day))


def last_day(row: Row) -> dt.date | None:
    """The last day of a flat stay."""
    return first_known(cell(row, "EXE_SOI_DTF"), pmsi_day(cell(row, "SOR_DAT")))


def dated(row: Row, product: str) -> Iterator[tuple[str, Span]]:
    """Each source of the product that tells a day or a month in this row, with its first and its last day."""
    for source in facts("events/deaths.yaml")["sources"]:
        if source["product"] == product and source["gives"] != "discharge":
            value = cell(row, source["column"].partition(".")[2])
            span = month_span(value) if source["gives"] == "month" else value and (value, value)
            if span and is_late_enough(span[0]):
                yield source["column"], span


def month_span(text: str | None) -> Span | None:
    """First and last day of a month written 201508."""
    found = re.fullmatch(r"(\d{4})(\d\d)", (text or "").strip())
    first = calendar_day(int(found[1]), int(found[2]), 1) if found else None
    return (first, months_later(first, 1) - DAY) if first else None


def is_late_enough(day: dt.date) -> bool:
    """Whether the day is of a year in which somebody may have died."""
    return bool(day.year >= facts("events/deaths.yaml")["earliest_year"])


# --- whose a certificate is --------------------------------------------------------------------------------------


def holders(certificate: Row, referentials: Mapping[int, Iterable[Row]]) -> set[int]:
    """The persons whom a certificate is of: by BEN_IDT_ANO, else by BEN_NIR_ANO when it is of one person alone.

    `referentials`: the rows of IR_BEN_R and its archive by person. `DCD_IDT_TOP` 0 is of nobody; only in the code: an
    empty one may be of somebody.
    """
    if cell(certificate, "DCD_IDT_TOP") == 0:
        return set()
    held = [(person, row) for person, rows in referentials.items() for row in rows]
    idt, nir = identifier(certificate, "BEN_IDT_ANO"), identifier(certificate, "BEN_NIR_ANO")
    by_idt = {person for person, row in held if idt and idt == own_idt(row)}
    by_nir = {person for person, row in held if nir and nir == identifier(row, "BEN_NIR_ANO")}
    return by_idt or (by_nir if len(by_nir) == 1 else set())


def own_idt(row: Row) -> str:
    """BEN_IDT_ANO of a row of a referential; where there is none the PSA followed by the rank."""
    return identifier(row, "BEN_IDT_ANO") or f"{row['BEN_NIR_PSA']}{rank(row)}"


def identifier(row: Row, column: str) -> str | None:
    """An identifier; None for a text that stands where one should be."""
    text = (cell(row, column) or "").rstrip()
    return None if text in ("", *facts("snds/identity.yaml")["placeholders"]) else text


# --- the table of sources ----------------------------------------------------------------------------------------


@cache
def precedence() -> tuple[str, ...]:
    """Every source, the most trusted first."""
    return tuple(source["column"] for source in facts("events/deaths.yaml")["sources"])


@cache
def discharge_columns() -> dict[str, str]:
    """The mode of discharge of each product."""
    modes = [source for source in facts("events/deaths.yaml")["sources"] if source["gives"] == "discharge"]
    return {mode["product"]: mode["column"] for mode in modes}
