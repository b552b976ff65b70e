"""One violating example for every rule of the catalogue: what is planted where, and what the gate must count."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from quality_roots import Tables, stays_of_year

DAY = dt.date


@dataclass(frozen=True)
class Fault:
    """`rule` must fail in `period` with `rows` failing rows; `also` fail because of the same fault."""

    rule: str
    period: str
    rows: int
    plant: Callable[[Tables, str], None]
    also: tuple[str, ...] = ()


def dcir(column: str, value: Any, rows: int, first: int = 0, step: int = 1) -> Callable[[Tables, str], None]:
    """Write `value` into `rows` claim lines of the month, from line `first`, every `step`."""

    def plant(tables: Tables, period: str) -> None:
        _write(tables.flat["DCIR"][period], list(range(first, first + rows * step, step)), column, value)

    return plant


def stays(column: str, value: Any, rows: int, first: int = 0) -> Callable[[Tables, str], None]:
    """Write `value` into the first row of `rows` stays of the year, from stay `first`."""

    def plant(tables: Tables, period: str) -> None:
        _write(tables.flat["MCO"][period], list(range(2 * first, 2 * (first + rows), 2)), column, value)

    return plant


def details(column: str, value: Any, rows: int) -> Callable[[Tables, str], None]:
    """Write `value` into the second row of `rows` stays of the year."""

    def plant(tables: Tables, period: str) -> None:
        _write(tables.flat["MCO"][period], list(range(1, 1 + 2 * rows, 2)), column, value)

    return plant


def _write(frame: pd.DataFrame, positions: list[int], column: str, value: Any) -> None:
    values = frame[column].astype(object)
    values.iloc[positions] = value
    frame[column] = values


def repeat(product: str, positions: slice) -> Callable[[Tables, str], None]:
    """Deliver some rows a second time."""

    def plant(tables: Tables, period: str) -> None:
        frame = tables.flat[product][period]
        again = frame.iloc[positions]
        tables.flat[product][period] = pd.concat([frame, again[again.claim_row == 1]], ignore_index=True)

    return plant


def keep(product: str, kept: Callable[[pd.DataFrame], pd.Series]) -> Callable[[Tables, str], None]:
    """Deliver only some rows."""

    def plant(tables: Tables, period: str) -> None:
        frame = tables.flat[product][period]
        tables.flat[product][period] = frame[kept(frame)].reset_index(drop=True)

    return plant


def lose(product: str, rows: int) -> Callable[[Tables, str], None]:
    """Lose the last rows after the manifest was written."""

    def plant(tables: Tables, period: str) -> None:
        tables.after_writing[product, period] = rows

    return plant


def remove(product: str) -> Callable[[Tables, str], None]:
    """Leave a period out."""

    def plant(tables: Tables, period: str) -> None:
        del tables.flat[product][period]

    return plant


def state(**changes: Any) -> Callable[[Tables, str], None]:
    """Make the manifest of a month state something else."""

    def plant(tables: Tables, period: str) -> None:
        product, _, month = period.partition(" ")
        tables.manifest_changes.setdefault((product, month), {}).update(changes)

    return plant


def found_persons(how: str, rows: int, identity: str | None) -> Callable[[Tables, str], None]:
    """So many claims of a month found their person so, by this identity."""
    none = dict.fromkeys(("known", "by_psa", "ambiguous", "unknown", "unidentified"), 0)
    return state(persons={**none, how: rows}, config={"identity": identity})


def counted(table: str, read: int, joined: int, rejected: int = 0, orphaned: int = 0) -> dict[str, Any]:
    """`rows` of a manifest of a DCIR month, with these counts for one table."""
    rows: dict[str, Any] = {"read": {"ER_PRS_F": 120}, "joined": {"ER_PRS_F": 120}, "rejected": {}, "orphaned": {}}
    rows["read"][table], rows["joined"][table] = read, joined
    rows["rejected"][table], rows["orphaned"][table] = rejected, orphaned
    return {**rows, "written": 121}


def amounts(paid: float = 1480.8, paid_flat: float = 1480.8) -> dict[str, Any]:
    """`amounts` of a manifest of a DCIR month, with another sum of what was paid."""
    others = {"BSE_REM_BSE": 1212.0, "BSE_REM_MNT": 787.2, "CPL_REM_MNT": 0.0}
    same = {name: {"source": total, "flat": total} for name, total in others.items()}
    return {"PRS_PAI_MNT": {"source": paid, "flat": paid_flat}, **same}


def _add_2017(tables: Tables, period: str) -> None:
    tables.flat["MCO"]["2017"] = stays_of_year("2017")


def _june_nearly_lost(frame: pd.DataFrame) -> pd.Series:
    june = frame.MCO_B__SOR_MOI == "06"
    return ~june | (june.cumsum() <= 20)


SCATTERED = [
    Fault("dcir_key_not_null", "2015-01", 3, dcir("ORG_CLE_NUM", None, 3)),
    Fault("dcir_key_unique", "2015-02", 5, repeat("DCIR", slice(100, 105))),
    Fault("dcir_claim_row", "2015-03", 1, dcir("claim_row", 0, 1, first=110)),
    Fault("dcir_claim_row_present", "2015-04", 2, dcir("claim_row", None, 2, first=110)),
    Fault("dcir_period_is_flux_month", "2015-05", 1, dcir("FLX_DIS_DTD", DAY(2015, 6, 1), 1)),
    Fault("dcir_sentinel_dates_nulled", "2015-06", 4, dcir("PRE_PRE_DTD", DAY(1600, 1, 1), 4)),
    Fault("dcir_care_date_present", "2015-07", 20, dcir("EXE_SOI_DTD", None, 20)),
    Fault("dcir_care_not_after_flux", "2015-08", 3, dcir("EXE_SOI_DTD", DAY(2016, 12, 1), 3)),
    Fault("dcir_flux_lag", "2015-09", 20, dcir("EXE_SOI_DTD", DAY(2010, 1, 1), 20)),
    Fault("dcir_care_before_death", "2015-10", 5, dcir("BEN_DCD_DTE", DAY(2014, 1, 1), 5)),
    Fault("dcir_person_id_positive", "2015-11", 2, dcir("person_id", -5, 2)),
    Fault("dcir_unidentified", "2015-12", 6, dcir("person_id", None, 6)),
    Fault("dcir_sex_domain", "2016-01", 20, dcir("BEN_SEX_COD", 7, 20), also=("dcir_sex_known",)),
    Fault("dcir_birth_year", "2016-02", 20, dcir("BEN_NAI_ANN", "1600", 20)),
    Fault("dcir_age", "2015-01", 20, dcir("BEN_AMA_COD", 9999, 20)),
    Fault("dcir_act_nature_present", "2015-02", 20, dcir("PRS_NAT_REF", None, 20)),
    Fault("dcir_supplement_domain", "2015-03", 20, dcir("CPL_MAJ_TOP", 9, 20)),
    Fault("dcir_amount_plausible", "2015-04", 1, dcir("PRS_PAI_MNT", 5e6, 1)),
    Fault("dcir_cip13", "2015-05", 10, dcir("ER_PHA_F__PHA_PRS_C13", 3400930, 10, step=2)),
    Fault("dcir_medicine_code_present", "2015-06", 10, dcir("ER_PHA_F__PHA_PRS_C13", None, 10, step=2)),
    Fault("dcir_medicine_quantity", "2015-07", 3, dcir("ER_PHA_F__PHA_ACT_QSN", 9999, 3, step=2)),
    Fault("dcir_ccam_code", "2015-08", 10, dcir("ER_CAM_F__CAM_PRS_IDE", "MBEB001,", 10, first=1, step=2)),
    Fault("dcir_ucd_code", "2015-09", 3, dcir("ER_UCD_F__UCD_UCD_COD", "3400912", 3)),
    Fault("dcir_public_activity_domain", "2015-10", 3, dcir("ER_ETE_F__ETE_IND_TAA", 7, 3)),
    Fault("dcir_information_lines", "2015-11", 20, dcir("DPN_QLF", 71, 20)),
    Fault("dcir_cancellations", "2015-12", 10, dcir("PRS_ACT_QTE", -1, 10)),
    Fault("dcir_rows_written", "2016-01", 1, lose("DCIR", 1)),
    Fault("dcir_amounts_measured", "DCIR 2016-02", 1, state(amounts=amounts(1481.8, 1481.8))),
    Fault("mco_key_not_null", "2014", 1, details("RSA_NUM", None, 1)),
    Fault("mco_key_unique", "2014", 4, repeat("MCO", slice(1000, 1008))),
    Fault("mco_claim_row", "2014", 1, details("claim_row", 0, 1)),
    Fault("mco_claim_row_present", "2015", 1, details("claim_row", None, 1)),
    Fault("mco_source_table", "2015", 1, details("source_table", "MCO_X", 1)),
    Fault("mco_establishment", "2014", 20, stays("ETA_NUM", "50000001", 20)),
    Fault("mco_period_is_discharge_year", "2014", 20, stays("MCO_B__SOR_ANN", "201A", 20)),
    Fault("mco_discharge_month", "2015", 20, stays("MCO_B__SOR_MOI", "1A", 20)),
    Fault("mco_dates_present", "2015", 80, stays("EXE_SOI_DTD", None, 80)),
    Fault("mco_sentinel_dates_nulled", "2014", 2, stays("EXE_SOI_DTD", DAY(1600, 1, 1), 2)),
    Fault("mco_dates_in_order", "2014", 3, stays("EXE_SOI_DTF", DAY(1900, 1, 1), 3, first=10)),
    Fault("mco_length_of_stay", "2014", 3, stays("MCO_B__SEJ_NBJ", -1, 3)),
    Fault("mco_main_diagnosis_present", "2014", 20, stays("MCO_B__DGN_PAL", None, 20)),
    Fault("mco_main_diagnosis", "2015", 20, stays("MCO_B__DGN_PAL", "S72.0", 20)),
    Fault("mco_related_diagnosis", "2014", 20, stays("MCO_B__DGN_REL", "Z50.1", 20)),
    Fault("mco_secondary_diagnosis", "2014", 20, details("MCO_D__ASS_DGN", "I10.0", 20)),
    Fault("mco_act", "2014", 20, stays("MCO_A__CDC_ACT", "NBCA", 20)),
    Fault("mco_group", "2014", 20, stays("MCO_B__GRG_GHM", "8C47", 20)),
    Fault("mco_error_groups", "2015", 30, stays("MCO_B__GRG_GHM", "90Z00Z", 30)),
    Fault("mco_age", "2014", 3, stays("MCO_B__AGE_ANN", 150, 3)),
    Fault("mco_age_filled", "2014", 20, stays("MCO_B__AGE_JOU", 5, 20)),
    Fault("mco_sex_domain", "2014", 20, stays("MCO_B__COD_SEX", "7", 20)),
    Fault("mco_entry_mode", "2014", 20, stays("MCO_B__ENT_MOD", "3", 20)),
    Fault("mco_discharge_mode", "2014", 20, stays("MCO_B__SOR_MOD", "1", 20)),
    Fault("mco_person_id_positive", "2014", 2, stays("person_id", -1, 2)),
    Fault("mco_unidentified", "2015", 90, stays("person_id", None, 90)),
    Fault("mco_fictive_persons", "2015", 50, stays("NIR_ANO_17", "x" * 17, 50)),
    Fault("mco_return_codes", "2014", 50, stays("SEJ_RET", "1", 50)),
    Fault("mco_rows_written", "2015", 1, lose("MCO", 1)),
    Fault("mco_amounts_measured", "MCO 2015", 1, state(amounts={"SEJ_NBJ": {"source": 2881.0, "flat": 2881.0}})),
]

WHOLE_PERIODS = [
    Fault("dcir_unidentified_high", "2015-02", 20, dcir("person_id", None, 20), also=("dcir_unidentified",)),
    Fault("dcir_sex_known", "2015-04", 20, dcir("BEN_SEX_COD", 0, 20)),
    Fault("dcir_information_lines_high", "2015-04", 70, dcir("DPN_QLF", 71, 70), also=("dcir_information_lines",)),
    Fault("dcir_cancellations_high", "2015-05", 40, dcir("PRS_ACT_QTE", -1, 40), also=("dcir_cancellations",)),
    Fault("dcir_volume", "2015-06", 30, keep("DCIR", lambda frame: frame.index < 30)),
    Fault("dcir_month_missing", "2015-09", 1, remove("DCIR")),
    Fault("mco_error_groups_high", "2015", 100, stays("MCO_B__GRG_GHM", "90Z00Z", 100), also=("mco_error_groups",)),
    Fault("mco_length_matches_dates", "2015", 130, stays("MCO_B__SEJ_NBJ", 30, 130)),
    Fault("mco_unidentified_high", "2015", 200, stays("person_id", None, 200), also=("mco_unidentified",)),
    Fault("mco_return_codes_high", "2015", 150, stays("SEJ_RET", "1", 150), also=("mco_return_codes",)),
    Fault("mco_year_missing", "2016", 1, _add_2017),
    Fault("mco_volume", "2014-06", 10, lambda tables, _: keep("MCO", _june_nearly_lost)(tables, "2014")),
    Fault("persons_by_psa", "DCIR 2015-01", 12, found_persons("by_psa", 12, "identity")),
    Fault("persons_ambiguous", "DCIR 2015-02", 13, found_persons("ambiguous", 13, "identity")),
    Fault("persons_unknown", "DCIR 2015-03", 14, found_persons("unknown", 14, "identity")),
    Fault("persons_without_referential", "DCIR 2015-07", 15, found_persons("unknown", 15, None)),
    Fault("reconciliation_counted", "DCIR 2015-01", 1, state(rows=counted("ER_PHA_F", 60, None))),  # type: ignore[arg-type]
    Fault("reconciliation_rows", "DCIR 2015-02", 3, state(rows=counted("ER_PRS_F", 123, 120))),
    Fault("reconciliation_amounts", "DCIR 2015-03", 1, state(amounts=amounts(paid_flat=1481.8))),
    Fault("reconciliation_amounts_counted", "DCIR 2015-07", 4, state(amounts={})),
    Fault(
        "rejects_high", "DCIR 2015-08", 20, state(rows=counted("ER_PRS_F", 140, 120, rejected=20)), also=("rejects",)
    ),
    Fault("rejects", "DCIR 2015-10", 11, state(rows=counted("ER_BIO_F", 5011, 5000, rejected=11))),
    Fault(
        "orphans_high", "DCIR 2015-11", 20, state(rows=counted("ER_PHA_F", 200, 180, orphaned=20)), also=("orphans",)
    ),
    Fault("orphans", "DCIR 2015-12", 11, state(rows=counted("ER_PHA_F", 1011, 1000, orphaned=11))),
]

BATCHES = {"scattered": SCATTERED, "whole_periods": WHOLE_PERIODS}
