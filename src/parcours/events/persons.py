"""Persons: sex, birth and death of each person_id, from the referential of persons."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

PERSON_SOURCE_COLUMNS = frozenset(
    {
        "BEN_NIR_PSA",
        "BEN_RNG_GEM",
        "BEN_SEX_COD",
        "BEN_NAI_ANN",
        "BEN_NAI_MOI",
        "BEN_DCD_DTE",
        "BEN_DTE_MAJ",
    }
)
EARLIEST_BIRTH_YEAR = 1880


def persons(ir_ben_r: DataFrame, identity: DataFrame) -> DataFrame:
    """One row per person: person_id, sex (1 man, 2 woman), birth, death, ambiguous (shares an identifier).

    A person may have several rows of the referential, one per identifier. Sex and month of birth are those of most
    rows, death the date of the row updated last (CNAM and SpF rules; snds.md C). The day of birth is not in the
    SNDS: the 15th stands for it, and 15 July for a birth month that is not known. Sex and birth may be null.
    """
    linked = ir_ben_r.join(
        identity.select("psa", "rank", "person_id", "ambiguous"),
        (F.col("BEN_NIR_PSA") == F.col("psa")) & (F.coalesce("BEN_RNG_GEM", F.lit(1)) == F.col("rank")),
        how="inner",
    )
    death = F.when(F.col("BEN_DCD_DTE").isNotNull(), F.struct("BEN_DTE_MAJ", "BEN_DCD_DTE"))
    return linked.groupBy("person_id").agg(
        F.mode(F.when(F.col("BEN_SEX_COD").isin(1, 2), F.col("BEN_SEX_COD")), True).cast("int").alias("sex"),
        F.mode(birth(), True).alias("birth"),
        F.max(death)["BEN_DCD_DTE"].alias("death"),
        F.max(F.coalesce("ambiguous", F.lit(False))).alias("ambiguous"),
    )


def birth() -> Column:
    """Date of birth: the 15th of the month, null for the placeholder years 0000, 0001 and 1600."""
    year = F.col("BEN_NAI_ANN").try_cast("int")
    month = F.col("BEN_NAI_MOI").try_cast("int")
    known_month = F.when(month.between(1, 12), month).otherwise(7)
    return F.when(year >= EARLIEST_BIRTH_YEAR, F.make_date(year, known_month, F.lit(15)))
