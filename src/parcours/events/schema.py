"""The one schema of events, and their categories."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, DoubleType, LongType, StringType, StructField, StructType

DRUG_PURCHASE = "drug_purchase"
DCIR_CCAM_ACT = "dcir_ccam_act"
MCO_MAIN_DIAGNOSIS = "mco_main_diagnosis"
MCO_LINKED_DIAGNOSIS = "mco_linked_diagnosis"
MCO_ASSOCIATED_DIAGNOSIS = "mco_associated_diagnosis"
MCO_CCAM_ACT = "mco_ccam_act"
MCO_HOSPITAL_STAY = "mco_hospital_stay"
MCO_CE_CCAM_ACT = "mco_ce_ccam_act"
MCO_DIAGNOSES = (MCO_MAIN_DIAGNOSIS, MCO_LINKED_DIAGNOSIS, MCO_ASSOCIATED_DIAGNOSIS)
CATEGORIES = (DRUG_PURCHASE, DCIR_CCAM_ACT, *MCO_DIAGNOSES, MCO_CCAM_ACT, MCO_HOSPITAL_STAY, MCO_CE_CCAM_ACT)

DEATH_EXIT = 9.0  # mode of exit of a hospital stay (SOR_MOD)

# group_id is never an identifier of a person: the pack of a purchase, the provenance of an outpatient act,
# or the stay (hospital, number within its year, year) of a hospital event.
EVENT_SCHEMA = StructType(
    [
        StructField("person_id", LongType(), nullable=False),
        StructField("category", StringType(), nullable=False),
        StructField("group_id", StringType()),
        StructField("value", StringType()),
        StructField("weight", DoubleType()),
        StructField("start", DateType(), nullable=False),
        StructField("end", DateType()),
    ]
)
EVENT_COLUMNS = tuple(EVENT_SCHEMA.names)


def event(
    category: str, value: Column, start: Column, group: Column, weight: Column | None = None, end: Column | None = None
) -> list[Column]:
    """The columns of an event, in the order and types of the schema, beside an existing `person_id`."""
    return [
        F.col("person_id"),
        F.lit(category).alias("category"),
        group.cast("string").alias("group_id"),
        value.cast("string").alias("value"),
        (F.lit(None) if weight is None else weight).cast("double").alias("weight"),
        start.cast("date").alias("start"),
        (F.lit(None) if end is None else end).cast("date").alias("end"),
    ]


def union(frames: list[DataFrame]) -> DataFrame:
    """All events of several frames, matched by column name."""
    first, *others = frames
    for other in others:
        first = first.unionByName(other)
    return first
