"""Persons: sex, birth and death of each person_id, from the referential of persons."""

from collections.abc import Collection

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.errors import InputError
from parcours.events.flat_tables import PROJECT_PERSON

PERSON_SOURCE_COLUMNS = frozenset(
    {
        "BEN_SEX_COD",
        "BEN_NAI_ANN",
        "BEN_NAI_MOI",
        "BEN_DCD_DTE",
        "BEN_DTE_MAJ",
    }
)
EARLIEST_BIRTH_YEAR = 1880
DEFAULT_RANK = 1


def identifying_columns(names: Collection[str]) -> tuple[str, str | None]:
    """The columns of the referential that say whose a row is: identifier, and rank where there is one.

    Raises InputError when it has neither BEN_NIR_PSA nor the NUM_ENQ of a project extraction.
    """
    if PROJECT_PERSON in names:
        return PROJECT_PERSON, None
    if "BEN_NIR_PSA" in names:
        return "BEN_NIR_PSA", "BEN_RNG_GEM"
    raise InputError("Flat IR_BEN_R has neither BEN_NIR_PSA nor NUM_ENQ: deliver the table with its identifier.")


def persons(ir_ben_r: DataFrame, identity: DataFrame, key: tuple[str, str | None]) -> DataFrame:
    """One row per person: person_id, sex (1 man, 2 woman), birth, death, ambiguous (shares an identifier).

    `key` is what `identifying_columns` gives; a row without a rank has rank 1.

    A person may have several rows of the referential, one per identifier. Sex and month of birth are those of most
    rows, death the date of the row updated last (CNAM and SpF rules; snds.md C). The day of birth is not in the
    SNDS: the 15th stands for it, and 15 July for a birth month that is not known. Sex and birth may be null.
    """
    psa, rank = key
    row_rank = F.coalesce(rank, F.lit(DEFAULT_RANK)) if rank else F.lit(DEFAULT_RANK)
    linked = ir_ben_r.join(
        identity.select("psa", "rank", "person_id", "ambiguous"),
        (F.col(psa) == F.col("psa")) & (row_rank == F.col("rank")),
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
