"""DCIR tables that are written when DCIR is asked for whole: devices, transport, statements and others."""

from collections.abc import Mapping

import numpy as np

from parcours.snds.contracts import load_product
from parcours.synth.claims import PHA, Lines
from parcours.synth.dcir import DayTexts
from parcours.synth.facts import details, prior
from parcours.synth.filler import value_set
from parcours.synth.items import KINDS, items
from parcours.synth.text import Texts, row_by_row, texts

TABLES = tuple(name for name in load_product("DCIR").where_present if name in details())
STATEMENTS = "ER_DCT_F"
RENTED_DAYS = 28
MOST_ROWS = 60  # rows of one table under one line


def columns(dates: DayTexts) -> dict[str, Texts]:
    """Columns of these tables that the simulation fills; every line of a statement has one emitter."""
    days = {
        "TRS_DTD_DTE": "care", "TRS_DTF_DTE": "care", "TIP_ACL_DTD": "rented_from", "TIP_ACL_DTF": "rented_to",
        "DCT_ARR_DTE": "treated", "DCT_REM_DTD": "treated", "DCT_MAN_DTD": "treated",
    }  # fmt: skip
    order = [str(place + 1) for place in range(MOST_ROWS)]
    numbers = ("TIP_ORD_NUM", "ITR_ORD_NUM", "ARO_ORD_NUM", "LOT_ORD_NUM", "PRS_ENT_NUM")
    return {
        **{name: texts(dates.iso, index) for name, index in days.items()},
        **{name: texts(dates.year_month, "care") for name in ("TRS_DTD_AME", "TRS_DTF_AME")},
        **{name: texts(order, "place") for name in numbers},
        "ARO_PRS_NAT": texts(items().nature, "item"),
        "ARO_REM_BSE": row_by_row("base"),
        "ARO_REM_MNT": row_by_row("reimbursed"),
        "TIP_ACT_QSN": texts([str(value) for value in range(-64, 65)], "quantity"),
        "TIP_PRS_TYP": texts(["1", "2"], "rented"),
        "FLX_EMT_NUM": texts(value_set("FLX_EMT_NUM"), "emitter"),
    }


def number_statements(lines: Lines, treated: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As in dcir.py, but the lines of one person in a flux month are one statement, entered on its last day."""
    _, statement = np.unique(lines.person, return_inverse=True)
    order = np.argsort(statement, kind="stable")
    position = np.empty(len(lines), np.int64)
    position[order] = np.arange(len(lines)) - np.searchsorted(statement[order], statement[order]) + 1
    entered = np.zeros(len(lines), np.int64)
    np.maximum.at(entered, statement, treated)
    return offset + statement + 1, position, entered[statement]


def emitter(statement: np.ndarray) -> np.ndarray:
    """The index of the emitter of each line."""
    return statement % len(value_set("FLX_EMT_NUM"))


def detail_rows(
    rng: np.random.Generator, table: str, lines: Lines, indices: Mapping[str, np.ndarray], sentinel: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Lines that have rows in a table, as positions, and the indices that belong to the row itself."""
    found = details()[table]
    eligible = _eligible(found.of, lines, indices)
    share = found.share if table == STATEMENTS else found.share * len(lines) / max(len(eligible), 1)
    rows = found.places(rng, eligible, share)
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    own = {"place": np.minimum(place, MOST_ROWS - 1), "row": np.zeros(len(rows), np.int8)}
    return rows, {**own, **_rentals(rng, indices["care"][rows], sentinel)} if table == "ER_TIP_F" else own


def _eligible(of: str, lines: Lines, indices: Mapping[str, np.ndarray]) -> np.ndarray:
    """Positions of the lines of a kind; of statements, that of the first line."""
    if of == "statement":
        return np.flatnonzero(indices["position"] == 1)
    kind = items().kind[lines.item]
    kinds = {"all": kind >= 0, "plain": kind == KINDS.index("plain"), "pha": kind == PHA}
    return np.flatnonzero(kinds[of])


def _rentals(rng: np.random.Generator, care: np.ndarray, sentinel: int) -> dict[str, np.ndarray]:
    """First and last day of devices that are rented; those that are bought, and unknown days, have sentinels."""
    rented = (rng.random(len(care)) < prior("claims.tip_rented_share")) & (care < sentinel)
    return {
        "rented": rented.astype(np.int8),
        "rented_from": np.where(rented, care, sentinel),
        "rented_to": np.where(rented, care + RENTED_DAYS, sentinel),
    }
