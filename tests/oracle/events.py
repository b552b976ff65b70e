"""From flat rows to events: purchases, acts, stays and their diagnoses of one person."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.rows import DAY, Row, calendar_day, cell, first_known, gathered, kept, pmsi_day, whole_number
from tests.oracle.statements import STATEMENT_KEY, name_of, number_of

# CIP13 -> (CIP7, ATC code, whether it is a large pack), as IR_PHA_R has them.
Packs = Mapping[int, tuple[int | None, str | None, bool]]

# What names a line of claims (snds.md A1), the same in each of its details.
CLAIM_KEY = (*STATEMENT_KEY, "PRS_ORD_NUM", "REM_TYP_AFF")
PRIVATE_HOSPITAL_TYPES = (4, 5, 6, 7)  # ETE_TYP_COD (fracture-rule.md)


@dataclass(frozen=True)
class Event:
    """Something that happened to the person.

    `group` is the stay of a hospital event and the sheet of a purchase, `source` the place of an act.
    """

    category: str
    code: str
    group: str | None
    start: dt.date
    end: dt.date | None = None
    weight: float | None = None
    source: str | None = None


def all_events(dcir: Iterable[Row], mco: Iterable[Row], mco_ce: Iterable[Row], packs: Packs) -> frozenset[Event]:
    """Every event of the flat rows of one person."""
    dcir = list(dcir)
    return purchases(dcir, packs) | outpatient_acts(dcir) | hospital_events(mco) | public_outpatient_acts(mco_ce)


# --- claims ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line of ER_PHA_F or ER_CAM_F as one flat row shows it.

    `number` is its order number in the claim. `beside`: the other details of that flat row, where these are needed to
    tell a second line from a second showing of one line.
    """

    day: dt.date
    code: str
    source: str | None
    quantity: int
    claim: tuple[Any, ...]
    number: int | None
    beside: tuple[Any, ...] | None = None


def purchases(dcir: Iterable[Row], packs: Packs) -> frozenset[Event]:
    """Day by day and pack by pack, the boxes that are left when cancellations are taken off; with their sheet, too."""
    lines = [purchase_line(row, code) for row in kept(dcir, "DCIR", "drug_purchase") if (code := pack_code(row, packs))]
    counted = counted_lines(lines)
    return frozenset(
        Event(category, code, sheet, day, weight=boxes)
        for (day, code, _), boxes in quantities_left(counted).items()
        for category, sheet in (("drug_purchase", None), ("prescribed_purchase", sheet_of(counted, day, code)))
    )


def sheet_of(counted: Mapping[tuple[Any, ...], int], day: dt.date, code: str) -> str:
    """The statement on which a pack was bought; only in the code: of several that brought boxes the smallest number."""
    brought = [line[3] for line, boxes in counted.items() if line[:2] == (day, code) and boxes > 0]
    return name_of(min(number_of(claim[: len(STATEMENT_KEY)]) for claim in brought))


def outpatient_acts(dcir: Iterable[Row]) -> frozenset[Event]:
    """Day by day, act by act and place by place, the quantity that is left when cancellations are taken off."""
    column, category = "ER_CAM_F__CAM_PRS_IDE", "dcir_ccam_act"
    rows = [(row, act_code(cell(row, column))) for row in kept(dcir, "DCIR", category)]
    left = quantities_left(counted_lines(act_line(row, code) for row, code in rows if code))
    return frozenset(
        Event(category, code, None, day, weight=quantity, source=source)
        for (day, code, source), quantity in left.items()
    )


def pack_code(row: Row, packs: Packs) -> str | None:
    """The CIP13 of the pack: by the line's CIP13, else by its CIP7; the code that the line has when no pack has it."""
    cip13, cip7 = cell(row, "ER_PHA_F__PHA_PRS_C13"), cell(row, "ER_PHA_F__PHA_PRS_IDE")
    if cip13 in packs:
        return str(cip13)
    of_cip7 = [pack for pack, (its_cip7, _, _) in packs.items() if cip7 is not None and its_cip7 == cip7]
    # Only in the code: of several packs with one CIP7 the smallest CIP13 stands for all.
    code = min(of_cip7) if of_cip7 else first_known(cip13, cip7)
    return None if code is None else str(code)


def purchase_line(row: Row, code: str) -> Line:
    """The line of ER_PHA_F in a flat row."""
    number = cell(row, "ER_PHA_F__PHA_ORD_NUM")
    day, claim = cell(row, "EXE_SOI_DTD"), tuple(row.get(name) for name in CLAIM_KEY)
    return Line(day, code, None, boxes(row), claim, number, None if number is not None else beside(row, "ER_PHA_F"))


def beside(row: Row, table: str) -> tuple[Any, ...]:
    """The other details of a flat row: two lines without order number are two, then these tell what is shown again."""
    return tuple(sorted((name, str(row[name])) for name in row if "__" in name and not name.startswith(table)))


def boxes(row: Row) -> int:
    """Signed number of boxes: of the line, else of its claim."""
    # Only in the code: one box where neither says a number.
    bought = int(first_known(cell(row, "ER_PHA_F__PHA_ACT_QSN"), cell(row, "PRS_ACT_QTE"), 1))
    if cell(row, "ER_PHA_F__PHA_DEC_TOP") != "D":
        return bought
    # Only in the code: a box sold in parts (PHA_DEC_QSU) is one purchase, or one cancellation, whatever the parts.
    parts = first_known(cell(row, "ER_PHA_F__PHA_DEC_QSU"), bought)
    return (parts > 0) - (parts < 0)


def act_line(row: Row, code: str) -> Line:
    """The line of ER_CAM_F in a flat row; acts have no quantity of their own, the claim has it (snds.md A2)."""
    claim, quantity = tuple(row.get(name) for name in CLAIM_KEY), int(first_known(cell(row, "PRS_ACT_QTE"), 1))
    day, number = cell(row, "EXE_SOI_DTD"), cell(row, "ER_CAM_F__CAM_ORD_NUM")
    others = None if number is not None else beside(row, "ER_CAM_F")
    return Line(day, code, place_of_act(row), quantity, claim, number, others)


def quantities_left(counted: Mapping[tuple[Any, ...], int]) -> dict[tuple[dt.date, str, str | None], float]:
    """{(day, code, source): quantity} where something is left of all lines of the day, of whatever flux month."""
    summed = gathered((line[:3], quantity) for line, quantity in counted.items())
    return {key: float(sum(quantities)) for key, quantities in summed.items() if sum(quantities) > 0}


def counted_lines(lines: Iterable[Line]) -> dict[tuple[Any, ...], int]:
    """{(day, code, source, claim, number): quantity}.

    A flat claim shows each of its lines once for every other detail it has; each line is counted once. Lines without
    order number beside the same other details are several lines.
    """
    shown = gathered(((w.day, w.code, w.source, w.claim, w.number, w.beside), w.quantity) for w in lines)
    told = gathered((key[:5], sum(found) if key[5] is not None else max(found)) for key, found in shown.items())
    # Only in the code: should showings of one line differ, the largest counts.
    return {key: max(quantities) for key, quantities in told.items()}


def place_of_act(row: Row) -> str:
    """Where an act of DCIR was done (fracture-rule.md)."""
    if cell(row, "ER_ETE_F__PRS_PPU_SEC") == 1:
        return "public_ambulatory"
    if cell(row, "ER_ETE_F__ETE_GHS_NUM") is None:
        return "liberal"
    private = cell(row, "ER_ETE_F__ETE_TYP_COD") in PRIVATE_HOSPITAL_TYPES
    return "private_ambulatory" if cell(row, "ER_ETE_F__ETE_GHS_NUM") == 0 and private else "unknown_source"


def act_code(text: str | None) -> str | None:
    """The 7 characters of a CCAM act; ER_CAM_F writes 13."""
    return (text or "").strip()[:7].upper() or None


# --- hospital ----------------------------------------------------------------------------------------------------


def hospital_events(mco: Iterable[Row]) -> frozenset[Event]:
    """Stays, their diagnoses and their acts; each once, although flat rows repeat the stay for every detail."""
    rows = [(row, first_day(row)) for row in kept(mco, "MCO", "mco_hospital_stay")]
    # Only in the code: a stay that no date can be found for gives no event.
    return frozenset(event for row, first in rows if first for event in events_of_row(row, first))


def events_of_row(row: Row, first: dt.date) -> Iterator[Event]:
    """The events of one flat row of a stay: those of the stay, and its one act or associated diagnosis."""
    stay = "_".join((row["ETA_NUM"], row["RSA_NUM"], row["period"][:4]))
    mode = whole_number(cell(row, "MCO_B__SOR_MOD"))
    # Only in the code: a stay without a GHM has the code "unknown".
    ghm = cell(row, "MCO_B__GRG_GHM") or "unknown"
    yield Event("mco_hospital_stay", ghm, stay, first, last_day(row, first), None if mode is None else float(mode))
    diagnoses = {"mco_main_diagnosis": "MCO_B__DGN_PAL", "mco_linked_diagnosis": "MCO_B__DGN_REL"}
    if row["source_table"] == "MCO_D":
        diagnoses["mco_associated_diagnosis"] = "MCO_D__ASS_DGN"
    for category, column in diagnoses.items():
        if code := diagnosis_code(cell(row, column)):
            yield Event(category, code, stay, first)
    if row["source_table"] == "MCO_A" and (act := act_code(cell(row, "MCO_A__CDC_ACT"))):
        yield Event("mco_ccam_act", act, stay, first + DAY * (whole_number(cell(row, "MCO_A__ENT_DAT_DEL")) or 0))


def public_outpatient_acts(mco_ce: Iterable[Row]) -> frozenset[Event]:
    """Acts of outpatients of public hospitals."""
    category, place = "mco_ce_ccam_act", "public_ambulatory"
    # Only in the code: the day is EXE_SOI_DTD or none (no ENT_DAT), and an act's own delay, DEL_DAT_ENT, is not read.
    rows = [(row, cell(row, "EXE_SOI_DTD")) for row in kept(mco_ce, "MCO_CE", category)]
    acts = {(act_code(cell(row, "MCO_FMSTC__CCAM_COD")), day) for row, day in rows if day}
    return frozenset(Event(category, act, None, day, source=place) for act, day in acts if act)


def first_day(row: Row) -> dt.date | None:
    """First day of a stay: EXE_SOI_DTD, else ENT_DAT, else its length before its last day or its month of exit."""
    known = cell(row, "EXE_SOI_DTD") or pmsi_day(cell(row, "ENT_DAT"))
    out = pmsi_day(cell(row, "SOR_DAT")) or exit_month(row)
    return known or (out and out - length(row))


def last_day(row: Row, first: dt.date) -> dt.date:
    """Last day of a stay (only in the code): EXE_SOI_DTF, else SOR_DAT, else its length after its first day."""
    known: dt.date | None = cell(row, "EXE_SOI_DTF") or pmsi_day(cell(row, "SOR_DAT"))
    return known or first + length(row)


def length(row: Row) -> dt.timedelta:
    """Days of a stay; none where they are not known."""
    return DAY * (cell(row, "MCO_B__SEJ_NBJ") or 0)


def exit_month(row: Row) -> dt.date | None:
    """First day of the month of exit."""
    year, month = whole_number(cell(row, "MCO_B__SOR_ANN")), whole_number(cell(row, "MCO_B__SOR_MOI"))
    return None if year is None or month is None else calendar_day(year, month, 1)


def diagnosis_code(text: str | None) -> str | None:
    """An ICD-10 code as the PMSI writes it: capitals, no dot, no blank."""
    return re.sub("[. ]", "", text or "").upper() or None


# --- packs -------------------------------------------------------------------------------------------------------


def packs_of(ir_pha_r: Iterable[Row]) -> Packs:
    """The packs of the reference; only in the code: of several rows of one CIP13 the greatest values count."""
    by_cip13 = gathered((row["PHA_CIP_C13"], row) for row in ir_pha_r if cell(row, "PHA_CIP_C13") is not None)
    return {cip13: pack_of(cip13, rows) for cip13, rows in by_cip13.items()}


def pack_of(cip13: int, rows: list[Row]) -> tuple[int | None, str | None, bool]:
    """CIP7 (of the reference, else digits 6 to 12 of a CIP13 that begins with 34009), ATC code, whether it is large."""
    inside = int(str(cip13)[5:12]) if re.fullmatch(r"34009\d{8}", str(cip13)) else None
    cip7 = [number for row in rows if (number := first_known(cell(row, "PHA_PRS_IDE"), inside)) is not None]
    atc = [code.strip().upper() for row in rows if (code := cell(row, "PHA_ATC_C07"))]
    large = any((cell(row, "PHA_CND_TOP") or "").strip() == "GC" for row in rows)
    return max(cip7, default=None), max(atc, default=None), large
