"""The columns of flat rows that events and deaths are read from, and blank rows to fill."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from tests.oracle.events import CLAIM_KEY

Cells = dict[str, Any]


def named(table: str, *columns: str) -> tuple[str, ...]:
    """The flat names of columns of a joined table."""
    return tuple(f"{table}__{column}" for column in columns)


FLAT = ("person_id", "period", "claim_row")
CLAIM_COLUMNS = (
    *FLAT,
    *CLAIM_KEY,
    *("EXE_SOI_DTD", "PRS_ACT_QTE", "DPN_QLF", "PRS_DPN_QLP", "BSE_PRS_NAT"),
    *("CPL_MAJ_TOP", "CPL_AFF_COD", "RGM_COD", "RGM_GRG_COD"),
    *named("ER_PHA_F", "PHA_ORD_NUM", "PHA_PRS_C13", "PHA_PRS_IDE", "PHA_ACT_QSN", "PHA_DEC_TOP", "PHA_DEC_QSU"),
    *named("ER_CAM_F", "CAM_ORD_NUM", "CAM_PRS_IDE"),
    *named("ER_ETE_F", "ETE_IND_TAA", "ETE_GHS_NUM", "ETE_TYP_COD", "PRS_PPU_SEC"),
    *("ER_UCD_F__UCD_ORD_NUM", "ER_BIO_F__BIO_ORD_NUM", "ER_TIP_F__TIP_ORD_NUM", "ER_TRS_F__ITR_ORD_NUM"),
    *("ER_ARO_F__ARO_ORD_NUM", "ER_LOT_F__LOT_ORD_NUM"),
)
HOSPITAL = (*FLAT, "source_table", "ETA_NUM", "NIR_ANO_17", "EXE_SOI_DTD", "NIR_RET", "NAI_RET", "SEX_RET")
STAY_RETURN_CODES = ("SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET")
DISCHARGE_COLUMNS = (*HOSPITAL, *STAY_RETURN_CODES, "EXE_SOI_DTF", "SOR_DAT")
MCO_COLUMNS = (
    *DISCHARGE_COLUMNS,
    *("RSA_NUM", "ENT_DAT"),
    *named("MCO_B", "DGN_PAL", "DGN_REL", "GRG_GHM", "GHS_NUM", "SEJ_NBJ", "SEJ_TYP"),
    *named("MCO_B", "ENT_MOD", "SOR_MOD", "SOR_ANN", "SOR_MOI", "TYP_GEN_RSA"),
    *("MCO_A__CDC_ACT", "MCO_A__ENT_DAT_DEL", "MCO_D__ASS_DGN"),
)
MCO_CE_COLUMNS = (*HOSPITAL, "SEQ_NUM", "IAS_RET", "ENT_DAT_RET", "MCO_FMSTC__CCAM_COD")


def claim(**cells: Any) -> Cells:
    """A row of flat DCIR of person 1, which arrived in April 2014."""
    key = {**dict.fromkeys(CLAIM_KEY, 1), "ORG_CLE_NUM": "01C011111", **flux(4)}
    return {**blank(CLAIM_COLUMNS), **key, "claim_row": 1, **cells}


def stay(source_table: str = "MCO_A", **cells: Any) -> Cells:
    """A row of flat MCO of person 1, of the files of 2015."""
    own = {"ETA_NUM": "010780054", "RSA_NUM": "0000000001", "period": "2015", "source_table": source_table}
    return {**blank(MCO_COLUMNS), "claim_row": 1, **own, **cells}


def visit(source_table: str = "MCO_FMSTC", **cells: Any) -> Cells:
    """A row of flat MCO_CE of person 1, of the files of 2015."""
    own = {"ETA_NUM": "010780054", "SEQ_NUM": "00000001", "period": "2015", "source_table": source_table}
    return {**blank(MCO_CE_COLUMNS), "claim_row": 1, **own, **cells}


def of_referential(**cells: Any) -> Cells:
    """A row of IR_BEN_R: a woman born in June 1935, whose PSA is of nobody else."""
    row = {"person_id": 1, "BEN_NIR_PSA": "PSA1", "BEN_RNG_GEM": 1, "BEN_CDI_NIR": "00", "BEN_SEX_COD": 2}
    return {**row, "BEN_NAI_ANN": "1935", "BEN_NAI_MOI": "06", "ambiguous": False, **cells}


def flux(month: int) -> Cells:
    """The cells that say in which month of 2014 a claim arrived."""
    first = dt.date(2014, month, 1)
    return {"FLX_DIS_DTD": first, "FLX_TRT_DTD": first, "period": f"2014-{month:02}"}


def blank(columns: Iterable[str]) -> Cells:
    """A row of person 1 with nothing else in it."""
    return {**dict.fromkeys(columns), "person_id": 1}


def in_one(cells: Iterable[Cells]) -> Cells:
    """The cells of several parts of a row; of two for one column the later."""
    return {column: value for part in cells for column, value in part.items()}
