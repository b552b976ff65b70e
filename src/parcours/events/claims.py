"""Events of reimbursed claims (DCIR): purchases of medicines and outpatient acts, in one pass over the claims."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.events.schema import DCIR_CCAM_ACT, DRUG_PURCHASE, EVENT_COLUMNS
from parcours.snds.contracts import load_product

CLAIM_KEY = load_product("DCIR").key
CIP13, CIP7, ACT_PRESENT = "ER_PHA_F__PHA_PRS_C13", "ER_PHA_F__PHA_PRS_IDE", "ER_CAM_F__CAM_PRS_IDE"
PURCHASE_PRESENT = (CIP13, CIP7)  # the first is almost always missing in 2006 and 2007
CIP7_IN_CIP13 = r"^34009(\d{7})\d$"
# What tells apart the flat rows that repeat one delivery, beside its own columns.
OTHER_DETAILS = (
    "ER_CAM_F__CAM_ORD_NUM",
    ACT_PRESENT,
    "ER_ETE_F__ETE_GHS_NUM",
    "ER_ETE_F__ETE_TYP_COD",
    "ER_UCD_F__UCD_ORD_NUM",
    "ER_BIO_F__BIO_ORD_NUM",
    "ER_TIP_F__TIP_ORD_NUM",
    "ER_TRS_F__ITR_ORD_NUM",
    "ER_ARO_F__ARO_ORD_NUM",
    "ER_LOT_F__LOT_ORD_NUM",
)
CLAIM_COLUMNS = frozenset(
    {
        "person_id",
        "EXE_SOI_DTD",
        *CLAIM_KEY,
        "PRS_ACT_QTE",
        *PURCHASE_PRESENT,
        "ER_PHA_F__PHA_ORD_NUM",
        "ER_PHA_F__PHA_ACT_QSN",
        "ER_PHA_F__PHA_DEC_TOP",
        "ER_PHA_F__PHA_DEC_QSU",
        "ER_ETE_F__PRS_PPU_SEC",
        *OTHER_DETAILS,
    }
)
PRIVATE_HOSPITAL_TYPES = (4, 5, 6, 7)  # ETE_TYP_COD, as in SCALPEL-Extraction


def claim_events(dcir: DataFrame, packs: DataFrame) -> DataFrame:
    """One event per person, day and pack (drug_purchase), and per person, day, act and provenance (dcir_ccam_act).

    A purchase has the ATC code (7 characters; null when `packs`, made by `packs_by_cip13`, has none) as value, the
    CIP13 as group and the boxes as weight; a line with the old code alone (CIP7) is of the pack that has it, or keeps
    the CIP7 as group where the reference has none. An act has its 7 CCAM characters, its provenance and its quantity.
    The boolean columns drug_purchase and dcir_ccam_act of `dcir` say which rows each may use.
    Cancellations are negative lines, perhaps of a later flux: quantities are summed over all lines of the day
    and the event counts when some is left (HDH OMOP mapping).
    """
    kept = _quantities(_detail_lines(with_pack(dcir, packs)))
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
    """One row per CIP13 of the reference IR_PHA_R: cip13, cip7, atc, large (whether PHA_CND_TOP is GC)."""
    atc = F.upper(F.trim("PHA_ATC_C07"))
    inside = F.regexp_extract(F.col("PHA_CIP_C13").cast("string"), CIP7_IN_CIP13, 1).try_cast("long")
    return (
        ir_pha_r.where(F.col("PHA_CIP_C13").isNotNull())
        .groupBy(F.col("PHA_CIP_C13").alias("cip13"))
        .agg(
            F.max(F.coalesce("PHA_PRS_IDE", inside)).alias("cip7"),
            F.max(F.when(atc != "", atc)).alias("atc"),
            F.max(F.coalesce(F.trim("PHA_CND_TOP") == "GC", F.lit(False))).alias("large"),
        )
    )


def with_pack(dcir: DataFrame, packs: DataFrame) -> DataFrame:
    """Add `pack` (text): the CIP13 of a line that the reference knows, else that of its CIP7, else the code it has.

    Of several packs with one CIP7 the smallest CIP13 stands for all.
    """
    known = packs.select(F.col("cip13").alias("known13"))
    old = packs.where(F.col("cip7").isNotNull()).groupBy("cip7").agg(F.min("cip13").alias("of_cip7"))
    joined = dcir.join(F.broadcast(known), F.col(CIP13) == F.col("known13"), how="left")
    joined = joined.join(F.broadcast(old), F.col(CIP7) == F.col("cip7"), how="left")
    pack = F.coalesce("known13", "of_cip7", CIP13, CIP7).cast("string")
    return joined.withColumn("pack", pack).drop("known13", "of_cip7", "cip7")


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
    """Signed boxes of a line, else the quantity of its claim, else one.

    Of a box sold in parts (PHA_DEC_TOP = D), any parts make one purchase of that sign.
    """
    boxes = F.coalesce("ER_PHA_F__PHA_ACT_QSN", "PRS_ACT_QTE", F.lit(1))
    parts = F.signum(F.coalesce("ER_PHA_F__PHA_DEC_QSU", boxes))
    return F.when(F.col("ER_PHA_F__PHA_DEC_TOP") == "D", parts).otherwise(boxes)


def _line(category: str, code: Column, group: Column, ordinal: str, beside: Column, quantity: Column) -> Column:
    return F.struct(
        F.lit(category).alias("category"),
        F.when(F.col(category), code).cast("string").alias("code"),
        group.cast("string").alias("group"),
        F.col(ordinal).cast("long").alias("ordinal"),
        beside.cast("long").alias("beside"),
        quantity.cast("double").alias("quantity"),
    )


def _detail_lines(dcir: DataFrame) -> DataFrame:
    """Each detail line once: a flat claim repeats it for every other detail of the claim.

    Two deliveries without an order number are two: they are counted beside the same other details.
    """
    act = F.upper(F.substring(F.trim(ACT_PRESENT), 1, 7))
    made = F.array(
        _line(
            DRUG_PURCHASE,
            F.col("pack"),
            F.lit(None),
            "ER_PHA_F__PHA_ORD_NUM",
            F.when(F.col("ER_PHA_F__PHA_ORD_NUM").isNull(), F.xxhash64(*OTHER_DETAILS)),
            _boxes(),
        ),
        _line(
            DCIR_CCAM_ACT,
            F.when(act != "", act),
            provenance(),
            "ER_CAM_F__CAM_ORD_NUM",
            F.lit(None),
            F.coalesce("PRS_ACT_QTE", F.lit(1)),
        ),
    )
    present = F.filter(made, lambda line: line["code"].isNotNull())
    lines = dcir.select("person_id", F.col("EXE_SOI_DTD").alias("day"), *CLAIM_KEY, F.explode(present).alias("line"))
    # Spread by person once, so that neither this step nor the sum after it moves the rows again.
    spread = lines.select("person_id", "day", "line.*", *CLAIM_KEY).repartition("person_id")
    keys = ("person_id", "day", "category", "code", "group", "ordinal", *CLAIM_KEY)
    once = F.when(F.col("beside").isNotNull(), F.sum("quantity")).otherwise(F.max("quantity"))
    beside = spread.groupBy(*keys, "beside").agg(once.alias("quantity"))
    return beside.groupBy(*keys).agg(F.max("quantity").alias("quantity"))


def _quantities(lines: DataFrame) -> DataFrame:
    keys = ("person_id", "day", "category", "code", "group")
    summed = lines.groupBy(*keys).agg(F.sum("quantity").alias("quantity"))
    return summed.where(F.col("quantity") > 0)
