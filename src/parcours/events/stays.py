"""Events of hospital stays (MCO) and of outpatient acts at public hospitals (MCO_CE)."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.events.schema import (
    MCO_ASSOCIATED_DIAGNOSIS,
    MCO_CCAM_ACT,
    MCO_CE_CCAM_ACT,
    MCO_HOSPITAL_STAY,
    MCO_LINKED_DIAGNOSIS,
    MCO_MAIN_DIAGNOSIS,
    event,
)

STAY_COLUMNS = frozenset(
    {
        "person_id",
        "claim_row",
        "source_table",
        "ETA_NUM",
        "RSA_NUM",
        "EXE_SOI_DTD",
        "EXE_SOI_DTF",
        "ENT_DAT",
        "SOR_DAT",
        "MCO_B__SOR_ANN",
        "MCO_B__SOR_MOI",
        "MCO_B__SEJ_NBJ",
        "MCO_B__SOR_MOD",
        "MCO_B__GRG_GHM",
        "MCO_B__DGN_PAL",
        "MCO_B__DGN_REL",
        "MCO_A__CDC_ACT",
        "MCO_A__ENT_DAT_DEL",
        "MCO_D__ASS_DGN",
    }
)
OUTPATIENT_COLUMNS = frozenset({"person_id", "EXE_SOI_DTD", "MCO_FMSTC__CCAM_COD"})
PMSI_DATE = "ddMMyyyy"


def hospital_events(mco: DataFrame) -> DataFrame:
    """Every event of the stays of flat MCO: stays, three kinds of diagnoses, acts; group the stay, no event twice.

    A stay starts on EXE_SOI_DTD, else on ENT_DAT, else its length before SOR_DAT or before the first day of its
    month of exit. Diagnoses are dated by the stay, acts by their day in it. A stay's weight is its mode of exit
    (9: death), its value the GHM.
    """
    stays = mco.withColumns({"stay": stay_id(), "first_day": stay_start(), "last_day": stay_end()})
    # Each flat row carries the stay, and one act, diagnosis or unit: one pass makes all kinds of events.
    made = stays.select("person_id", F.explode(F.array(*_events_of_row())).alias("event")).select(
        "person_id", "event.*"
    )
    return made.where(F.col("start").isNotNull() & F.col("value").isNotNull()).repartition("person_id").distinct()


def outpatient_hospital_acts(mco_ce: DataFrame) -> DataFrame:
    """CCAM acts of outpatients of public hospitals: value the act, group the provenance, without repeats."""
    acts = mco_ce.where(F.col("EXE_SOI_DTD").isNotNull()).select(
        *event(MCO_CE_CCAM_ACT, act_code("MCO_FMSTC__CCAM_COD"), F.col("EXE_SOI_DTD"), F.lit("public_ambulatory"))
    )
    return acts.where(F.col("value").isNotNull()).distinct()


def stay_id() -> Column:
    """Hospital, number of the stay within hospital and year, and the year of the file."""
    return F.concat_ws("_", "ETA_NUM", "RSA_NUM", F.substring("period", 1, 4))


def stay_start() -> Column:
    """First day of the stay, by the best date there is."""
    length = F.coalesce("MCO_B__SEJ_NBJ", F.lit(0)).cast("int")
    by_length = F.date_sub(F.coalesce(pmsi_date("SOR_DAT"), _exit_month()), length)
    return F.coalesce(F.col("EXE_SOI_DTD"), pmsi_date("ENT_DAT"), by_length)


def stay_end() -> Column:
    """Last day of the stay, or its first day plus its length."""
    length = F.coalesce("MCO_B__SEJ_NBJ", F.lit(0)).cast("int")
    return F.coalesce(F.col("EXE_SOI_DTF"), pmsi_date("SOR_DAT"), F.date_add(stay_start(), length))


def diagnosis_code(column: str) -> Column:
    """An ICD-10 code as the PMSI writes it: upper case, no dot, no blank; null when empty."""
    code = F.upper(F.regexp_replace(F.col(column), "[. ]", ""))
    return F.when(code != "", code)


def act_code(column: str) -> Column:
    """A CCAM act: its 7 characters, null when empty."""
    code = F.upper(F.substring(F.trim(column), 1, 7))
    return F.when(code != "", code)


def _events_of_row() -> list[Column]:
    once = F.col("claim_row") == 1
    start, stay = F.col("first_day"), F.col("stay")
    act_day = F.date_add(start, F.coalesce("MCO_A__ENT_DAT_DEL", F.lit(0)).cast("int"))
    act = F.when(F.col("source_table") == "MCO_A", act_code("MCO_A__CDC_ACT"))
    associated = F.when(F.col("source_table") == "MCO_D", diagnosis_code("MCO_D__ASS_DGN"))
    exit_mode = F.col("MCO_B__SOR_MOD").try_cast("double")
    ghm = F.coalesce("MCO_B__GRG_GHM", F.lit("unknown"))
    events = [
        event(MCO_HOSPITAL_STAY, F.when(once, ghm), start, stay, exit_mode, F.col("last_day")),
        event(MCO_MAIN_DIAGNOSIS, F.when(once, diagnosis_code("MCO_B__DGN_PAL")), start, stay),
        event(MCO_LINKED_DIAGNOSIS, F.when(once, diagnosis_code("MCO_B__DGN_REL")), start, stay),
        event(MCO_ASSOCIATED_DIAGNOSIS, associated, start, stay),
        event(MCO_CCAM_ACT, act, act_day, stay),
    ]
    return [F.struct(*columns[1:]) for columns in events]


def pmsi_date(column: str) -> Column:
    """The day that a text of the PMSI (31122015) is; null when it is none."""
    return F.try_to_timestamp(F.col(column), F.lit(PMSI_DATE)).cast("date")


def _exit_month() -> Column:
    text = F.concat_ws("", F.lit("01"), F.lpad("MCO_B__SOR_MOI", 2, "0"), "MCO_B__SOR_ANN")
    return F.try_to_timestamp(text, F.lit(PMSI_DATE)).cast("date")
