"""Random records of one person for Hypothesis.

Values come from small pools, so that purchases fall on one day, cancellations meet their lines and falls meet falls.
Sentinels of date columns are not here: flattening makes them null. As texts of the PMSI they reach the flat tables.
"""

import datetime as dt
from collections.abc import Iterable
from itertools import product as combinations
from typing import Any

from hypothesis import strategies as st

from tests.oracle.flat_rows import DISCHARGE_COLUMNS, Cells, blank, claim, flux, in_one, stay, visit
from tests.oracle.history import Records
from tests.oracle.rows import DAY

Strategy = st.SearchStrategy

PACK_CODES = range(3400930000001, 3400930000071, 10)
BISOPROLOL, ZOLPIDEM, ZOLPIDEM_LARGE, NO_ATC, SAME_CIP7, TWO_SUBFAMILIES, LEFT_OUT = PACK_CODES
UNKNOWN_CIP13, UNKNOWN_CIP7 = 3400939999991, 3999999
PACKS = {
    BISOPROLOL: (3000000, "C07AB07", False),
    ZOLPIDEM: (3000001, "N05CF02", False),
    ZOLPIDEM_LARGE: (3000002, "N05CF02", True),
    NO_ATC: (3000003, None, False),
    SAME_CIP7: (3000001, "N05BA06", False),
    TWO_SUBFAMILIES: (None, "N05BC51", False),
    LEFT_OUT: (3000006, "N05AL06", False),  # of no family: the list excludes it from its own
}
CIP7 = (None, None, None, 3000000, 3000001, 3000003, UNKNOWN_CIP7)
# Around the start of study, of follow-up and the end of a washout; a month, four months and a year after a day within
# follow-up; around the last days of studies.
EDGES = (
    *("2014-01-01", "2014-03-01", "2014-04-01", "2014-07-01", "2014-08-01", "2014-08-01"),
    *("2014-09-01", "2014-12-01", "2014-12-31", "2015-06-30", "2015-08-01"),
)
DISCHARGE_MODES = {"SSR": "SSR_B__SOR_MOD", "HAD": "HAD_B__SOR_MOD", "RIP": "RIP_RSA__SOR_MOD"}


def some(*values: Any) -> Strategy[Any]:
    """One of the values; repeat a value to see it more often."""
    return st.sampled_from(values)


def cells(**of_column: Strategy[Any]) -> Strategy[Cells]:
    """Cells of a row, each drawn by itself."""
    return st.fixed_dictionaries(of_column)


def seldom(*traps: Cells) -> Strategy[Cells]:
    """Mostly no cell; in one row of seven those of a trap."""
    return st.sampled_from([{}] * 6 * len(traps) + list(traps))


days = st.builds(lambda edge, more: dt.date.fromisoformat(edge) + more * DAY, some(*EDGES), some(0, 0, 0, 0, -1, 1))
dates = st.none() | days | days | days
pmsi_texts = days.map("{:%d%m%Y}".format) | some(None, "", "31022015", "01010001", "01011600")
nobody = {"person_id": None}

# --- claims -------------------------------------------------------------------------------------------------------

quantities = some(None, 0, 1, 1, 1, 2, -1)
claim_lines = cells(EXE_SOI_DTD=days, PRS_ACT_QTE=quantities, DPN_QLF=some(None, 0))
claim_traps = seldom(
    {"DPN_QLF": 71},
    {"DPN_QLF": 0, "PRS_DPN_QLP": 71, "CPL_AFF_COD": 16},
    {"PRS_DPN_QLP": 71},
    {"BSE_PRS_NAT": 0},
    {"CPL_MAJ_TOP": 2},
    {"CPL_AFF_COD": 16},
    {"RGM_COD": 888, "RGM_GRG_COD": 1},
    {"EXE_SOI_DTD": None},
    nobody,
)
deliveries = cells(
    ER_PHA_F__PHA_ORD_NUM=some(None, 1, 2),
    ER_PHA_F__PHA_PRS_C13=some(None, UNKNOWN_CIP13, ZOLPIDEM, ZOLPIDEM, *PACKS),
    ER_PHA_F__PHA_PRS_IDE=some(*CIP7),
    ER_PHA_F__PHA_ACT_QSN=quantities,
    ER_PHA_F__PHA_DEC_TOP=some(None, None, "D", ""),
    ER_PHA_F__PHA_DEC_QSU=some(None, 0, 7),
)
OUTPATIENT_ACTS = ("MBEB001", "MBEB001      ", "ndep001", "MGEP002000000", "YYYY001", "", None)
outpatient_acts = cells(ER_CAM_F__CAM_ORD_NUM=some(None, 1, 2), ER_CAM_F__CAM_PRS_IDE=some(*OUTPATIENT_ACTS))
places = cells(
    ER_ETE_F__PRS_PPU_SEC=some(None, None, 1),
    ER_ETE_F__ETE_GHS_NUM=some(None, 0, 0, 1234),
    ER_ETE_F__ETE_TYP_COD=some(None, 4, 4, 9),
    ER_ETE_F__ETE_IND_TAA=some(None, None, 0, 1),
)


@st.composite
def claims(draw: st.DrawFn, regular: bool = False) -> list[Cells]:
    """The flat rows of a claim: its lines beside each combination of their details, and perhaps its cancellation.

    Two lines may have one key, two deliveries one order number; not when `regular`.
    """
    lines = [draw(claim_lines) | draw(claim_traps) for _ in range(1 if regular else draw(some(1, 1, 1, 2)))]
    number = (lambda delivery: delivery["ER_PHA_F__PHA_ORD_NUM"]) if regular else None
    details = [
        draw(st.lists(deliveries, max_size=2, unique_by=number)),
        draw(st.lists(outpatient_acts, max_size=2)),
        draw(st.lists(places, max_size=1)),
        [{"ER_UCD_F__UCD_ORD_NUM": n} for n in range(draw(some(0, 0, 1, 2)))],
    ]
    month = draw(some(4, 5))
    rows = [row for line in lines for row in shown(line, details, month)]
    return rows + (cancelled(rows, month + 2) if draw(some(False, False, False, True)) else [])


# Days between two purchases: one, the days of a pack (1, 30) or a window (10, 60), and these with a tolerance (1, 15).
GAPS = (0, 1, 2, 10, 11, 16, 30, 31, 45, 46, 60, 61)


@st.composite
def courses(draw: st.DrawFn) -> list[list[Cells]]:
    """Claims for purchases that follow each other, of usual and large packs of one substance, some with another."""
    day, found = draw(days), []
    course = draw(some((ZOLPIDEM, ZOLPIDEM, ZOLPIDEM_LARGE), (BISOPROLOL,)))
    for gap in draw(st.lists(some(*GAPS), max_size=4)):
        day += gap * DAY
        packs = [draw(some(*course)), *draw(some((), (), (BISOPROLOL,), (SAME_CIP7, BISOPROLOL)))]
        found.append(
            [claim(EXE_SOI_DTD=day, ER_PHA_F__PHA_PRS_C13=pack, claim_row=n) for n, pack in enumerate(packs, 1)]
        )
    return found


def shown(line: Cells, details: list[list[Cells]], month: int) -> list[Cells]:
    """One flat row for each combination of details."""
    combined = combinations(*(found or [{}] for found in details))
    return [claim(**in_one([line, *some_of_each]), **flux_row(month, n)) for n, some_of_each in enumerate(combined, 1)]


def cancelled(rows: Iterable[Cells], month: int) -> list[Cells]:
    """The same lines in a later flux, with the opposite quantities."""
    return [row | opposite(row) | flux_row(month, row["claim_row"]) for row in rows]


def opposite(row: Cells) -> Cells:
    """The quantities of a line that cancels this one."""
    own = {name: row[name] and -row[name] for name in ("ER_PHA_F__PHA_ACT_QSN", "ER_PHA_F__PHA_DEC_QSU")}
    return {**own, "PRS_ACT_QTE": -1 if row["PRS_ACT_QTE"] is None else -row["PRS_ACT_QTE"]}


def flux_row(month: int, number: int) -> Cells:
    """When a row arrived, and its number within its claim."""
    return {**flux(month), "claim_row": number}


# --- hospital -----------------------------------------------------------------------------------------------------

return_codes = seldom({"NIR_RET": "1"}, {"NAI_RET": "0"}, {"SEX_RET": "2"}, {"NIR_ANO_17": "XXXXXXXXXXXXXXXXD"})
hospitals = cells(ETA_NUM=some(*["010780054"] * 5, "130780521"), period=some("2014", "2015", "2018"))
DIAGNOSES = ("S7200", "S720", "s72.0", "S52 5", "S525", "S525", "S525", "S525", "M8006", "S22", "I10", "", None)
stay_cells = cells(
    RSA_NUM=some("0000000001", "0000000002", "0000000003"),
    EXE_SOI_DTD=dates,
    EXE_SOI_DTF=dates,
    ENT_DAT=pmsi_texts,
    SOR_DAT=pmsi_texts,
    MCO_B__DGN_PAL=some(*DIAGNOSES),
    MCO_B__DGN_REL=some(None, "S525", "S42.0"),
    MCO_B__GRG_GHM=some(None, "08C471", "08C471"),
    MCO_B__SEJ_NBJ=some(None, 0, 2),
    MCO_B__SOR_MOD=some(None, "", *["8"] * 8, "9"),
    MCO_B__SOR_ANN=some(None, "2014", "2015"),
    MCO_B__SOR_MOI=some(None, "3", "03", "12", "13"),
)
stay_traps = seldom(
    {"MCO_B__GRG_GHM": "90Z00Z"},
    {"MCO_B__GRG_GHM": "05M090"},
    {"MCO_B__GRG_GHM": "14Z08Z"},
    {"MCO_B__GHS_NUM": "9999"},
    {"MCO_B__TYP_GEN_RSA": "1"},
    {"MCO_B__SEJ_TYP": "B"},
    {"MCO_B__SEJ_TYP": "B", "MCO_B__GRG_GHM": "28Z14Z"},
    {"MCO_B__ENT_MOD": "0", "MCO_B__SOR_MOD": "0"},
    {"COH_SEX_RET": "1"},
    nobody,
)
stay_acts = cells(
    MCO_A__CDC_ACT=some("NBCA010", "nbca010", "NBGA007", "YYYY001", "", None), MCO_A__ENT_DAT_DEL=some(None, 0, 1)
)


@st.composite
def stays(draw: st.DrawFn) -> list[Cells]:
    """The flat rows of a stay: one for each act and each associated diagnosis, or one of the stay alone."""
    own = in_one(draw(part) for part in (hospitals, stay_cells, stay_traps, return_codes))
    acts = draw(st.lists(stay_acts, max_size=2)) or [{}]
    diagnoses = draw(st.lists(some(*DIAGNOSES), max_size=2)) or [None]
    details: list[Cells] = [{"source_table": "MCO_A", **act} for act in acts]
    details += [{"source_table": "MCO_D", "MCO_D__ASS_DGN": code} for code in diagnoses]
    if draw(some(False, False, False, True)):
        details = [{"source_table": "MCO_B"}]
    return [stay(**own, **detail, claim_row=n) for n, detail in enumerate(details, start=1)]


@st.composite
def visits(draw: st.DrawFn) -> list[Cells]:
    """The flat rows of a visit to a public hospital: one for each act, one for what it was paid for."""
    traps = seldom({"IAS_RET": "1"}, {"ENT_DAT_RET": "2"}, nobody)
    own = in_one([{"EXE_SOI_DTD": draw(dates)}, draw(hospitals), draw(return_codes), draw(traps)])
    details: list[Cells] = [{"MCO_FMSTC__CCAM_COD": act} for act in draw(st.lists(some(*OUTPATIENT_ACTS), max_size=2))]
    details = [*(details or [{}]), {"source_table": "MCO_FBSTC"}]
    return [visit(**own, **detail, claim_row=n) for n, detail in enumerate(details, start=1)]


@st.composite
def discharges(draw: st.DrawFn, product: str, dying: bool) -> Cells:
    """A flat row of a stay in rehabilitation, at home or in psychiatry, with its mode of discharge."""
    ends = {"EXE_SOI_DTF": draw(dates), "SOR_DAT": draw(pmsi_texts), **draw(return_codes)}
    mode, modes = DISCHARGE_MODES[product], (None, "9") if dying else (None, "9", *["8"] * 12)
    return {**blank((*DISCHARGE_COLUMNS, mode)), "period": "2015", **ends, mode: draw(some(*modes))}


# --- persons ------------------------------------------------------------------------------------------------------

MONTHS_OF_DEATH = (None, "201408", "201412", "201506", "160001", "201513")


def deaths(dying: bool) -> dict[str, Strategy[Any]]:
    """What a row tells of a death: often something of somebody `dying`, seldom of others."""
    day = some(*[st.none()] * (1 if dying else 12), days, st.just(dt.date(1850, 1, 1))).flatmap(lambda one: one)
    return {"BEN_DCD_DTE": day, "BEN_DCD_AME": some(*[None] * (1 if dying else 50), *MONTHS_OF_DEATH)}


def referential_rows(dying: bool) -> Strategy[Cells]:
    """A row of IR_BEN_R or its archive."""
    return cells(
        person_id=st.just(1),
        BEN_NIR_PSA=some(*["PSA1"] * 5, *["PSA2"] * 4, "TWINS"),
        BEN_RNG_GEM=some(None, 1, 1, 2),
        BEN_IDT_ANO=st.just("IDT1"),
        BEN_NIR_ANO=st.just("NIR1"),
        BEN_CDI_NIR=some(*["00"] * 5, None, "03"),
        BEN_SEX_COD=some(0, 1, 1, 2, 2, 2),
        BEN_NAI_ANN=some(*["1935"] * 25, "1948", "1949", "1600", "2015", "2014"),
        BEN_NAI_MOI=some("12", "01", "06", "00", None),
        BEN_DTE_MAJ=some(None, dt.date(2015, 1, 1), dt.date(2016, 1, 1)),
        **deaths(dying),
    ).map(lambda row: {**row, "ambiguous": row["BEN_NIR_PSA"] == "TWINS"})


def certificates(dying: bool) -> Strategy[Cells]:
    """A row of KI_CCI_R."""
    whose = {"BEN_IDT_ANO": st.just("IDT1"), "BEN_NIR_ANO": st.just("NIR1"), "DCD_IDT_TOP": some(None, 0, 1)}
    return cells(**whose, **deaths(dying))


@st.composite
def records(draw: st.DrawFn, most: int = 6) -> Records:
    """The rows of person 1 (and some of nobody), with at most so many claims and stays."""
    dying = draw(some(False, False, True))
    numbered = enumerate(draw(st.lists(claims(), max_size=most)) + draw(courses()) + draw(courses()), start=1)
    known = draw(st.lists(referential_rows(dying), min_size=draw(some(0, 1, 1, 1)), max_size=3))
    archived = draw(st.lists(referential_rows(dying), max_size=2))
    ends = {product: tuple(draw(st.lists(discharges(product, dying), max_size=1))) for product in DISCHARGE_MODES}
    return Records(
        # Two claims are lines of one statement.
        dcir=tuple({**row, "DCT_ORD_NUM": n // 2, "PRS_ORD_NUM": n % 2} for n, rows in numbered for row in rows),
        mco=tuple(row for rows in draw(st.lists(stays(), max_size=most)) for row in rows),
        mco_ce=tuple(row for rows in draw(st.lists(visits(), max_size=2)) for row in rows),
        referentials={"IR_BEN_R": tuple(known), "IR_BEN_R_ARC": tuple(archived)},
        certificates=tuple(draw(st.lists(certificates(dying), max_size=2))),
        discharges=ends,
    )
