"""Claim lines of DCIR: from purchases, fractures and everyday care to lines ordered by flux month."""

from dataclasses import dataclass, fields

import numpy as np

from parcours.synth.days import YEAR, Calendar, month_index, month_start
from parcours.synth.facts import column, prior
from parcours.synth.fractures import Fractures
from parcours.synth.items import KINDS, items
from parcours.synth.medication import Purchases
from parcours.synth.population import Population

NO_ETE, PRIVATE_AMBULATORY, PUBLIC, PRIVATE_STAY = range(4)  # rows of the institution attributes, 0 = none
PLAIN, INFORMATION, CANCELLATION = range(3)  # status of a line
PHA, BIO, CAM, UCD, ETE = (KINDS.index(kind) for kind in ("pha", "bio", "cam", "ucd", "ete"))


@dataclass
class Lines:
    """One row a claim line. quantity is negative on cancellations; protected lines are never lost."""

    person: np.ndarray
    day: np.ndarray
    item: np.ndarray
    quantity: np.ndarray
    ete: np.ndarray
    status: np.ndarray
    protected: np.ndarray
    flux: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray | slice) -> "Lines":
        """Rows by index or mask."""
        return Lines(*(getattr(self, field.name)[rows] for field in fields(self)))


def concatenate(parts: list[Lines]) -> Lines:
    """Lines of several parts, one after the other."""
    return Lines(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Lines)))


def _lines(
    person: np.ndarray, day: np.ndarray, item: np.ndarray, ete: np.ndarray | int, protected: np.ndarray | bool
) -> Lines:
    count = len(person)
    return Lines(
        person=person.astype(np.int32),
        day=day.astype(np.int32),
        item=item.astype(np.int16),
        quantity=np.ones(count, np.int16),
        ete=np.broadcast_to(np.asarray(ete, np.int8), count).copy(),
        status=np.zeros(count, np.int8),
        protected=np.broadcast_to(np.asarray(protected), count).copy(),
        flux=np.zeros(count, np.int32),
    )


def purchase_lines(purchases: Purchases) -> Lines:
    """One line a purchase; first purchases are protected."""
    return _lines(purchases.person, purchases.day, purchases.medicine * 2 + purchases.pack, NO_ETE, purchases.first)


def fracture_lines(rng: np.random.Generator, fractures: Fractures) -> Lines:
    """The CCAM act of fractures treated outside hospital: liberal, or private ambulatory for a third."""
    outside = fractures.keep(fractures.outpatient)
    acts = column("fractures.csv", "outpatient_act", str)
    item = np.array([items().act(act) if act else -1 for act in acts])[outside.type]
    ete = np.where(rng.random(len(outside)) < 1 / 3, PRIVATE_AMBULATORY, NO_ETE)
    return _lines(outside.person, outside.day, item, ete, True)


def _person_days(
    rng: np.random.Generator, people: Population, span: Calendar, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """`count` person-days drawn among the days lived in the period."""
    lived = np.minimum(people.death, span.last) - span.first + 1
    total = np.cumsum(lived)
    place = rng.integers(0, total[-1], count)
    person = np.searchsorted(total, place, side="right")
    return person, span.first + place - (total - lived)[person]


def lived_years(people: Population, span: Calendar) -> float:
    """Person-years lived in the period."""
    return float((np.minimum(people.death, span.last) - span.first + 1).sum() / YEAR)


def everyday_lines(rng: np.random.Generator, people: Population, span: Calendar, count: int) -> Lines:
    """`count` lines of consultations, biology, acts, hospital medicines and institution fees."""
    rest = 1 - prior("lines.pha_share")
    names = ("bio", "cam", "ucd", "ete_only")
    shares = [prior(f"lines.{name}_share") / rest for name in names]
    kind = rng.choice(5, count, p=[*shares, 1 - sum(shares)])
    person, day = _person_days(rng, people, span, count)
    item = np.zeros(count, np.int64)
    for index, name in enumerate(("bio", "cam", "ucd", "ete", "plain")):
        rows = np.flatnonzero(kind == index)
        chosen, share = items().of_kind(name)
        item[rows] = rng.choice(chosen, len(rows), p=share)
    draw = rng.random(count)
    with_ete = (kind == 3) | ((kind == 0) & (draw < prior("lines.ete_share_of_bio")))
    with_ete |= (kind == 1) & (draw < prior("lines.ete_share_of_cam"))
    place = np.where(kind == 3, PRIVATE_STAY, np.where(rng.random(count) < 0.5, PUBLIC, PRIVATE_AMBULATORY))
    return _lines(person, day, item, np.where(with_ete, place, NO_ETE), False)


def information_lines(rng: np.random.Generator, people: Population, span: Calendar, count: int) -> Lines:
    """Lines that only inform (DPN_QLF 71): any item, also packs the person never bought."""
    person, day = _person_days(rng, people, span, count)
    chosen, _ = items().of_kind("pha")
    plain, share = items().of_kind("plain")
    item = np.where(
        rng.random(count) < prior("lines.pha_share"), rng.choice(chosen, count), rng.choice(plain, count, p=share)
    )
    lines = _lines(person, day, item, NO_ETE, False)
    lines.status[:] = INFORMATION
    return lines


def draw_flux(rng: np.random.Generator, day: np.ndarray) -> np.ndarray:
    """Flux month of each care day: the month after it, or later by the lag distribution of the priors."""
    last = int(prior("flux.last_month"))
    months = np.array([1, 2, 3, 6, last])
    cumulated = [prior(f"flux.within_{m}_month{'s' if m > 1 else ''}") for m in (1, 2, 3, 6)] + [1.0]
    every = np.interp(np.arange(0, last + 1), np.append(0, months), np.append(0, cumulated))
    lag = np.searchsorted(every, rng.random(len(day)), side="left")
    return (month_index(day) + np.maximum(lag, 1)).astype(np.int32)


def cancel(rng: np.random.Generator, lines: Lines, rates: dict[str, float]) -> tuple[Lines, dict[str, int]]:
    """Add cancellation lines (negative) and, for most, a replacement; protected lines are always replaced.

    Returns the lines with the added ones, and the counts of what was planted.
    """
    chosen = np.flatnonzero((rng.random(len(lines)) < rates["cancellation"]) & (lines.status == PLAIN))
    negative = lines.take(chosen)
    later = rng.random(len(chosen)) < rates["cancellation_later"]
    negative.flux = (negative.flux + np.where(later, rng.integers(1, 7, len(chosen)), 0)).astype(np.int32)
    negative.quantity = -negative.quantity
    negative.status[:] = CANCELLATION
    again = negative.protected | (rng.random(len(chosen)) < rates["cancellation_replaced"])
    replacement = negative.take(again)
    replacement.quantity = -replacement.quantity
    replacement.status[:] = PLAIN
    counts = {
        "cancellation_lines": len(chosen),
        "cancellations_in_a_later_flux_month": int(later.sum()),
        "cancellations_replaced": int(again.sum()),
    }
    return concatenate([lines, negative, replacement]), counts


def order_lines(lines: Lines, span: Calendar) -> tuple[Lines, int]:
    """Lines delivered, by flux month, then by statement (one person, one day); and how many came too late.

    Statements are in no order of persons, as in the portal.
    """
    delivered = (lines.flux >= span.first_flux) & (lines.flux <= span.last_flux)
    late = int((lines.flux > span.last_flux).sum())
    lines = lines.take(delivered)
    mixed = (lines.person.astype(np.uint64) << np.uint64(32)) | lines.day.astype(np.uint64)
    mixed = (mixed * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)
    key = (lines.flux.astype(np.uint64) << np.uint64(44)) | mixed
    return lines.take(np.argsort(key, kind="stable")), late


def treatment_day(rng: np.random.Generator, lines: Lines) -> np.ndarray:
    """Day the line was entered (FLX_TRT_DTD): in the month before the flux month, after the care day."""
    end = month_start(lines.flux)
    begin = np.maximum(month_start(lines.flux - 1), lines.day + 1)
    return np.minimum(begin + (rng.random(len(lines)) * (end - begin)).astype(np.int64), end)
