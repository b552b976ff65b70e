"""Events of reimbursed claims (DCIR): purchases of medicines and outpatient acts."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.events.schema import DCIR_CCAM_ACT, DRUG_PURCHASE, event
from parcours.snds.contracts import load_product

CLAIM_KEY = load_product("DCIR").key
PURCHASE_COLUMNS = frozenset(
    {
        "person_id",
        "EXE_SOI_DTD",
        *CLAIM_KEY,
        "ER_PHA_F__PHA_ORD_NUM",
        "ER_PHA_F__PHA_PRS_C13",
        "ER_PHA_F__PHA_ACT_QSN",
        "ER_PHA_F__PHA_DEC_TOP",
        "ER_PHA_F__PHA_DEC_QSU",
    }
)
ACT_COLUMNS = frozenset(
    {
        "person_id",
        "EXE_SOI_DTD",
        *CLAIM_KEY,
        "PRS_ACT_QTE",
        "ER_CAM_F__CAM_ORD_NUM",
        "ER_CAM_F__CAM_PRS_IDE",
        "ER_ETE_F__PRS_PPU_SEC",
        "ER_ETE_F__ETE_GHS_NUM",
        "ER_ETE_F__ETE_TYP_COD",
    }
)
PRIVATE_HOSPITAL_TYPES = (4, 5, 6, 7)  # ETE_TYP_COD, as in SCALPEL-Extraction


def drug_purchases(dcir: DataFrame, packs: DataFrame) -> DataFrame:
    """One event per person, day and pack: value the ATC code (7 characters), group the CIP13, weight the boxes.

    `packs` is what `packs_by_cip13` makes. A pack without an ATC code keeps a null value.
    Cancellations are negative lines, perhaps of a later flux: boxes are summed over all lines of the day
    and the purchase counts when some are left (HDH OMOP mapping; snds.md D).
    """
    lines = _detail_lines(dcir, "ER_PHA_F__PHA_ORD_NUM", "ER_PHA_F__PHA_PRS_C13", _boxes())
    bought = _kept(lines)
    named = bought.join(F.broadcast(packs), F.col("code") == F.col("cip13"), how="left")
    return named.select(*event(DRUG_PURCHASE, F.col("atc"), F.col("day"), F.col("code"), F.col("quantity")))


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


def outpatient_acts(dcir: DataFrame) -> DataFrame:
    """One event per person, day, CCAM act and provenance; value the 7 characters of the act, group the provenance.

    The portal pads the act to 13 characters. Cancelled acts are removed as cancelled purchases are.
    """
    code = F.upper(F.substring(F.trim("ER_CAM_F__CAM_PRS_IDE"), 1, 7))
    acts = dcir.withColumns({"act": F.when(code != "", code), "provenance": provenance()})
    quantity = F.coalesce("PRS_ACT_QTE", F.lit(1))
    lines = _detail_lines(acts, "ER_CAM_F__CAM_ORD_NUM", "act", quantity, F.col("provenance"))
    return _kept(lines).select(*event(DCIR_CCAM_ACT, F.col("code"), F.col("day"), F.col("group"), F.col("quantity")))


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


def _detail_lines(dcir: DataFrame, ordinal: str, code: str, quantity: Column, group: Column | None = None) -> DataFrame:
    """Each detail line once: a flat claim repeats it for every other detail of the claim."""
    lines = dcir.where(F.col(code).isNotNull()).select(
        "person_id",
        F.col("EXE_SOI_DTD").alias("day"),
        F.col(code).alias("code"),
        (F.lit(None).cast("string") if group is None else group).alias("group"),
        quantity.cast("double").alias("quantity"),
        F.col(ordinal).alias("ordinal"),
        *CLAIM_KEY,
    )
    # Spread by person once, so that neither this step nor the sum after it moves the rows again.
    keys = ("person_id", "day", "code", "group", "ordinal", *CLAIM_KEY)
    return lines.repartition("person_id").groupBy(*keys).agg(F.max("quantity").alias("quantity"))


def _kept(lines: DataFrame) -> DataFrame:
    summed = lines.groupBy("person_id", "day", "code", "group").agg(F.sum("quantity").alias("quantity"))
    return summed.where(F.col("quantity") > 0)
