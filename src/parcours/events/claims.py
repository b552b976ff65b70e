"""Events of reimbursed claims (DCIR): purchases of medicines and outpatient acts, in one pass over the claims."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.events.schema import DCIR_CCAM_ACT, DRUG_PURCHASE, EVENT_COLUMNS
from parcours.snds.contracts import load_product

CLAIM_KEY = load_product("DCIR").key
PURCHASE_PRESENT, ACT_PRESENT = "ER_PHA_F__PHA_PRS_C13", "ER_CAM_F__CAM_PRS_IDE"
CLAIM_COLUMNS = frozenset(
    {
        "person_id",
        "EXE_SOI_DTD",
        *CLAIM_KEY,
        "PRS_ACT_QTE",
        PURCHASE_PRESENT,
        "ER_PHA_F__PHA_ORD_NUM",
        "ER_PHA_F__PHA_ACT_QSN",
        "ER_PHA_F__PHA_DEC_TOP",
        "ER_PHA_F__PHA_DEC_QSU",
        ACT_PRESENT,
        "ER_CAM_F__CAM_ORD_NUM",
        "ER_ETE_F__PRS_PPU_SEC",
        "ER_ETE_F__ETE_GHS_NUM",
        "ER_ETE_F__ETE_TYP_COD",
    }
)
PRIVATE_HOSPITAL_TYPES = (4, 5, 6, 7)  # ETE_TYP_COD, as in SCALPEL-Extraction


def claim_events(dcir: DataFrame, packs: DataFrame) -> DataFrame:
    """One event per person, day and pack (drug_purchase), and per person, day, act and provenance (dcir_ccam_act).

    A purchase has the ATC code (7 characters; null when `packs`, made by `packs_by_cip13`, has none) as value, the
    CIP13 as group and the boxes as weight. An act has its 7 CCAM characters, its provenance and its quantity.
    The boolean columns drug_purchase and dcir_ccam_act of `dcir` say which rows each may use.
    Cancellations are negative lines, perhaps of a later flux: quantities are summed over all lines of the day
    and the event counts when some is left (HDH OMOP mapping).
    """
    kept = _quantities(_detail_lines(dcir))
    bought = F.col("category") == DRUG_PURCHASE
    named = kept.join(F.broadcast(packs), bought & (F.col("code") == F.col("cip13").cast("string")), how="left")
    columns = {
        "group_id": F.when(bought, F.col("code")).otherwise(F.col("group")),
        "value": F.when(bought, F.col("atc")).otherwise(F.col("code")),
        "weight": F.col("quantity"),
        "start": F.col("day"),
        "end": F.lit(None).cast("date"),
    }
    return named.withColumns(columns).select(*EVENT_COLUMNS)


def packs_by_cip13(ir_pha_r: DataFrame) -> DataFrame:
    """One row per CIP13 of the reference IR_PHA_R: cip13, atc, large (whether PHA_CND_TOP is GC)."""
    atc = F.upper(F.trim("PHA_ATC_C07"))
    return (
        ir_pha_r.where(F.col("PHA_CIP_C13").isNotNull())
        .groupBy(F.col("PHA_CIP_C13").alias("cip13"))
        .agg(
            F.max(F.when(atc != "", atc)).alias("atc"),
            F.max(F.coalesce(F.trim("PHA_CND_TOP") == "GC", F.lit(False))).alias("large"),
        )
    )


def provenance() -> Column:
    """Where an act was done: public_ambulatory, liberal, private_ambulatory or unknown_source (SCALPEL-Extraction)."""
    return (
        F.when(F.col("ER_ETE_F__PRS_PPU_SEC") == 1, "public_ambulatory")
        .when(F.col("ER_ETE_F__ETE_GHS_NUM").isNull(), "liberal")
        .when(
            (F.col("ER_ETE_F__ETE_GHS_NUM") == 0) & F.col("ER_ETE_F__ETE_TYP_COD").isin(*PRIVATE_HOSPITAL_TYPES),
            "private_ambulatory",
        )
        .otherwise("unknown_source")
    )


def _boxes() -> Column:
    """Signed boxes of a line; of a box sold in parts (PHA_DEC_TOP = D), any parts make one purchase of that sign."""
    parts = F.signum(F.coalesce("ER_PHA_F__PHA_DEC_QSU", "ER_PHA_F__PHA_ACT_QSN"))
    return F.when(F.col("ER_PHA_F__PHA_DEC_TOP") == "D", parts).otherwise(F.col("ER_PHA_F__PHA_ACT_QSN"))


def _line(category: str, code: Column, group: Column, ordinal: str, quantity: Column) -> Column:
    return F.struct(
        F.lit(category).alias("category"),
        F.when(F.col(category), code).cast("string").alias("code"),
        group.cast("string").alias("group"),
        F.col(ordinal).cast("long").alias("ordinal"),
        quantity.cast("double").alias("quantity"),
    )


def _detail_lines(dcir: DataFrame) -> DataFrame:
    """Each detail line once: a flat claim repeats it for every other detail of the claim."""
    act = F.upper(F.substring(F.trim(ACT_PRESENT), 1, 7))
    made = F.array(
        _line(DRUG_PURCHASE, F.col(PURCHASE_PRESENT), F.lit(None), "ER_PHA_F__PHA_ORD_NUM", _boxes()),
        _line(
            DCIR_CCAM_ACT,
            F.when(act != "", act),
            provenance(),
            "ER_CAM_F__CAM_ORD_NUM",
            F.coalesce("PRS_ACT_QTE", F.lit(1)),
        ),
    )
    present = F.filter(made, lambda line: line["code"].isNotNull())
    lines = dcir.select("person_id", F.col("EXE_SOI_DTD").alias("day"), *CLAIM_KEY, F.explode(present).alias("line"))
    # Spread by person once, so that neither this step nor the sum after it moves the rows again.
    spread = lines.select("person_id", "day", "line.*", *CLAIM_KEY).repartition("person_id")
    keys = ("person_id", "day", "category", "code", "group", "ordinal", *CLAIM_KEY)
    return spread.groupBy(*keys).agg(F.max("quantity").alias("quantity"))


def _quantities(lines: DataFrame) -> DataFrame:
    keys = ("person_id", "day", "category", "code", "group")
    summed = lines.groupBy(*keys).agg(F.sum("quantity").alias("quantity"))
    return summed.where(F.col("quantity") > 0)
