"""DCIR tables of one block of persons: the columns of each table and the rows of one flux month."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from parcours.snds.contracts import load_table
from parcours.synth.claims import BIO, CAM, CANCELLATION, INFORMATION, PHA, PUBLIC, UCD, Lines
from parcours.synth.days import Calendar, month_start
from parcours.synth.facts import codes, medicines, prior
from parcours.synth.filler import POOL, constant, filler
from parcours.synth.items import items
from parcours.synth.people_texts import person_texts
from parcours.synth.population import Population
from parcours.synth.text import Texts, cents, lines_of, merge, row_by_row, texts

CHILD_KIND = {"ER_PHA_F": PHA, "ER_CAM_F": CAM, "ER_UCD_F": UCD, "ER_BIO_F": BIO}
TABLES = ("ER_PRS_F", "ER_PHA_F", "ER_CAM_F", "ER_ETE_F", "ER_UCD_F", "ER_BIO_F")
QUANTITY_ZERO = 64  # the quantity dictionary holds -64 .. 64
BEFORE_DAYS, AFTER_DAYS = 400, 4400


def columns_of(table: str, year: int) -> list[str]:
    """Columns that a delivery of that year holds, in the portal's order; optional ones are left out."""
    return [name for name, column in load_table(table).columns_of(year).items() if not column.optional]


@dataclass(frozen=True)
class DayTexts:
    """Dictionaries of day texts; a day outside them, or a negative one, is a sentinel."""

    first: int
    iso: list[str]
    year_month: list[str]

    def place(self, day: np.ndarray) -> np.ndarray:
        """Row of the dictionaries for days."""
        return day - self.first

    @property
    def sentinels(self) -> tuple[int, int]:
        """Rows of the two sentinels, 0001-01-01 and 1600-01-01."""
        return len(self.iso) - 2, len(self.iso) - 1


def day_texts(span: Calendar) -> DayTexts:
    """Texts of every day that a delivery can hold, the sentinels last."""
    first = span.first - BEFORE_DAYS
    iso = np.arange(first, span.last + AFTER_DAYS).astype("datetime64[D]").astype("U10").tolist()
    iso += ["0001-01-01", "1600-01-01"]
    return DayTexts(first, iso, [text[:4] + text[5:7] for text in iso])


def _person_and_day_columns(people: Population, dates: DayTexts, span: Calendar) -> dict[str, Texts]:
    flux = month_start(np.array(span.flux_months)).astype("datetime64[D]").astype("U10").tolist()
    days = {
        "EXE_SOI_DTD": ("care", dates.iso), "EXE_SOI_DTF": ("care", dates.iso),
        "EXE_SOI_AMD": ("care", dates.year_month),
        "EXE_SOI_AMF": ("care", dates.year_month), "PRE_PRE_DTD": ("prescribed", dates.iso),
        "PRE_PRE_AMD": ("prescribed", dates.year_month), "FLX_TRT_DTD": ("treated", dates.iso),
        "BEN_DCD_DTE": ("death", dates.iso), "BEN_DCD_AME": ("death", dates.year_month),
    }  # fmt: skip
    return {
        **person_texts(people),
        **{name: texts(values, index) for name, (index, values) in days.items()},
        "FLX_DIS_DTD": texts(flux, "flux"),
        "DCT_ORD_NUM": row_by_row("statement"),
        "PRS_ORD_NUM": row_by_row("position"),
        "PRS_GRS_DTD": constant("0001-01-01"),
        "PRS_HOS_DTD": constant("0001-01-01"),
        "PRS_HOS_AMD": constant("000101"),
        "BEN_AMA_COD": texts([str(age) for age in range(131)], "age"),
    }


def _item_columns() -> dict[str, Texts]:
    listed = items()
    price = cents(listed.price)
    cip7 = [str(code) for m in medicines() for code in m.cip7] + [""] * (len(listed.code) - 2 * len(medicines()))
    code = listed.code.tolist()
    quantity = [str(value) for value in range(-QUANTITY_ZERO, QUANTITY_ZERO + 1)]
    by_item = {
        "PRS_NAT_REF": listed.nature, "BSE_PRS_NAT": listed.nature, "PSE_SPE_COD": listed.specialty,
        "PSE_ACT_NAT": listed.activity, "BSE_REM_PRU": price, "PHA_PRS_C13": code, "PHA_PRS_IDE": cip7,
        "PHA_ACT_PRU": price, "CAM_PRS_IDE": code, "CAM_ACT_PRU": price, "BIO_PRS_IDE": code, "UCD_UCD_COD": code,
        "UCD_FAC_PRU": price, "RGO_REM_TAU": [f"{rate * 100:.0f}" for rate in listed.rate],
        "RGO_THE_TAU": [f"{rate * 100:.0f}" for rate in listed.rate],
    }  # fmt: skip
    by_quantity = ("PRS_ACT_QTE", "PRS_ACT_NBR", "PHA_ACT_QSN", "BIO_ACT_QSN", "UCD_DLV_NBR")
    return {
        **{name: texts(values, "item") for name, values in by_item.items()},
        **{name: texts(quantity, "quantity") for name in by_quantity},
        **{name: row_by_row("base") for name in ("BSE_REM_BSE", "CAM_REM_BSE", "UCD_TTF_MNT")},
        "PRS_PAI_MNT": row_by_row("paid"),
        "BSE_REM_MNT": row_by_row("reimbursed"),
        "CPL_REM_MNT": constant("0.00"),
        "DPN_QLF": texts(["0", "71", "0"], "status"),
        "PRS_DPN_QLP": texts(["0", "71", "0"], "status"),
        "PHA_ORD_NUM": texts(["1", "2"], "row"),
        "CAM_ORD_NUM": constant("1"), "BIO_ORD_NUM": constant("1"), "UCD_ORD_NUM": constant("1"),
        "ETE_GHS_NUM": texts(["", "0", "0", "5281"], "ete"),
        "ETE_TYP_COD": texts(["", "4", "1", "3"], "ete"),
        "PRS_PPU_SEC": texts(["", "2", "1", "2"], "ete"),
        "ETE_IND_TAA": texts(["0", "1"], "public_activity"),
    }  # fmt: skip


class DcirWriter:
    """Turns the lines of one block of persons into rows of text, table by table, flux month by flux month."""

    def __init__(self, people: Population, span: Calendar):
        self.people, self.span, self.dates = people, span, day_texts(span)
        self._known = {**_person_and_day_columns(people, self.dates, span), **_item_columns()}
        self._merged: dict[tuple[str, ...], list[Texts]] = {}

    def learn(self, columns: Mapping[str, Texts]) -> None:
        """Take these columns as known, in every table that has them."""
        self._known |= columns

    def _columns(self, table: str, year: int) -> list[Texts]:
        names = columns_of(table, year)
        key = (table, *names)
        if key not in self._merged:
            contract = load_table(table).columns_of(year)
            self._merged[key] = merge([self._known.get(name) or filler(contract[name]) for name in names])
        return self._merged[key]

    def rows(self, table: str, year: int, indices: Mapping[str, object]) -> pa.Array:
        """Rows of one table for prepared indices."""
        return lines_of(self._columns(table, year), indices)

    def prepare(
        self, rng: np.random.Generator, lines: Lines, treated: np.ndarray, rates: dict[str, float]
    ) -> dict[str, np.ndarray]:
        """Index arrays of the lines of one flux month, and their amounts in cents."""
        dates, people, count = self.dates, self.people, len(lines)
        day = lines.day.astype(np.int64)
        person = lines.person.astype(np.int64)
        never, old = dates.sentinels
        care = dates.place(day)
        lost = ~lines.protected & (rng.random(count) < rates["sentinel_care_date"])
        begin = month_start(lines.flux[:1])[0] if count else 0
        known_dead = people.death[person] < begin
        base = items().price[lines.item] * lines.quantity
        base = np.where(lines.status == INFORMATION, 0, base)
        return {
            "version": people.version(person, day),
            "care": np.where(lost, never, care),
            "prescribed": np.where(rng.random(count) < 0.02, never, care - rng.integers(0, 20, count)),
            "treated": dates.place(treated),
            "death": np.where(known_dead, dates.place(np.where(known_dead, people.death[person], 0)), old),
            "age": np.clip(people.age(person, day), 0, 130).astype(np.int64),
            "flux": lines.flux.astype(np.int64) - self.span.first_flux,
            "pool": rng.integers(0, POOL, count, dtype=np.int32),
            "item": lines.item.astype(np.int32),
            "quantity": lines.quantity + np.int16(QUANTITY_ZERO),
            "status": lines.status,
            "ete": lines.ete,
            "paid_cents": base,
            "base_cents": base,
            "reimbursed_cents": np.rint(base * items().rate[lines.item]).astype(np.int64),
        }


def number_statements(lines: Lines, treated: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Statement number, position in it (from 1) and the statement's day of entry; lines come in order."""
    count = len(lines)
    if not count:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    starts = np.ones(count, bool)
    starts[1:] = (lines.person[1:] != lines.person[:-1]) | (lines.day[1:] != lines.day[:-1])
    statement = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)[statement]
    return offset + statement + 1, np.arange(count) - first + 1, treated[first]


def child_rows(
    rng: np.random.Generator, table: str, lines: Lines, indices: Mapping[str, np.ndarray], rates: dict[str, float]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Lines that have a row in a detail table, as positions, and the indices that belong to the row itself."""
    if table == "ER_ETE_F":
        rows = np.flatnonzero(lines.ete > 0)
        share = codes()["public_activity_share"]
        year = lines.day[rows].astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
        public = np.array([share.get(int(y), 0.02) for y in range(2009, 2021)])[np.clip(year - 2009, 0, 11)]
        chosen = (lines.ete[rows] == PUBLIC) & (rng.random(len(rows)) < public)
        return rows, {"public_activity": chosen.astype(np.int8)}
    rows = np.flatnonzero(items().kind[lines.item] == CHILD_KIND[table])
    if table != "ER_PHA_F":
        return rows, {}
    twice = (rng.random(len(rows)) < prior("lines.pha_two_rows_share")) & (lines.status[rows] != CANCELLATION)
    second = rows[twice]
    item = np.concatenate([lines.item[rows], lines.item[second] ^ 1])
    row = np.concatenate([np.zeros(len(rows), np.int8), np.ones(len(second), np.int8)])
    return np.concatenate([rows, second]), {"item": item.astype(np.int32), "row": row}
