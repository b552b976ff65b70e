"""Persons: sex and birth of each person_id, from the referentials, and everybody who has care without being in one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from parcours.errors import InputError
from parcours.snds.person_columns import DEFAULT_RANK

PERSON_SOURCE_COLUMNS = frozenset({"BEN_SEX_COD", "BEN_NAI_ANN", "BEN_NAI_MOI"})
CERTIFIED = "certified"
EARLIEST_BIRTH_YEAR = 1880
NO_RANK = -1


@dataclass(frozen=True)
class Key:
    """The columns of a referential that say whose a row is: identifier and rank; `unranked` is the rank of none."""

    psa: str
    rank: str | None
    unranked: int = DEFAULT_RANK

    @property
    def columns(self) -> set[str]:
        """Those to read."""
        return {column for column in (self.psa, self.rank) if column}


def identifying_columns(name: str, names: Collection[str], stated: Mapping[str, Any]) -> Key:
    """The columns of a flat referential that say whose a row is.

    `stated` are those by which flattening made the identity. Raises InputError when the identifier is not there.
    """
    psa, rank = str(stated["psa"]), stated["rank"]
    if psa not in names:
        raise InputError(
            f"Flat {name} has no column {psa}, by which persons were identified; deliver {name} with it and flatten it."
        )
    if rank not in names:
        return Key(psa, None, NO_RANK)
    return Key(psa, rank, NO_RANK if stated["unranked"] else DEFAULT_RANK)


def linked(referential: DataFrame, identity: DataFrame, key: Key) -> DataFrame:
    """The rows of a referential that the identity gives to a person, with its psa, rank, person_id and ambiguous.

    A row is its couple's. A pseudonym without a rank is of the one person of its identifier; one of several persons
    tells nothing of any of them.
    """
    couples = identity.select("psa", "rank", "person_id", "ambiguous").where(F.col("rank").isNotNull())
    alone = identity.where(~F.col("ambiguous")).groupBy("psa").agg(F.first("person_id").alias("person_id"))
    of_one = alone.select("psa", F.lit(NO_RANK).alias("rank"), "person_id", F.lit(False).alias("ambiguous"))
    known = couples if key.unranked == DEFAULT_RANK else couples.unionByName(of_one)
    rank = F.coalesce(key.rank, F.lit(key.unranked)) if key.rank else F.lit(key.unranked)
    return referential.join(known, (F.col(key.psa) == F.col("psa")) & (rank == F.col("rank")), how="inner")


def persons(rows: DataFrame) -> DataFrame:
    """One row per person of the referentials: person_id, certified, sex (1 man, 2 woman), birth, ambiguous.

    `rows` are the linked rows of all referentials, with `place` (0: IR_BEN_R, 1: IR_BEN_R_ARC) and `certified`
    (BEN_CDI_NIR 00). A couple that IR_BEN_R holds is told by it alone, whatever the archive says (CNAM, guide to the
    causes of death, annex 2); rows that are not certified tell nothing of a person.

    A person may have several couples. Sex and month of birth are those of most rows of IR_BEN_R, else of the archive
    (CNAM and SpF rules; snds.md C). The day of birth is not in the SNDS: the 15th stands for it, and 15 July for a
    birth month that is not known. Sex and birth may be null.
    """
    couple = Window.partitionBy("psa", "rank")
    counted = rows.withColumn("first_place", F.min("place").over(couple)).where(F.col("place") == F.col("first_place"))
    sex = F.when(F.col("BEN_SEX_COD").isin(1, 2), F.col("BEN_SEX_COD")).cast("int")
    return counted.groupBy("person_id").agg(
        F.max(CERTIFIED).alias(CERTIFIED),
        _of_most_rows(sex).alias("sex"),
        _of_most_rows(birth()).alias("birth"),
        F.coalesce(F.max(F.when(F.col(CERTIFIED), F.col("ambiguous"))), F.lit(False)).alias("ambiguous"),
    )


def everybody(known: DataFrame, events: DataFrame, deaths: DataFrame) -> DataFrame:
    """One row per person who is in a referential or has care, with the death that was decided.

    person_id, in_referential, certified, sex, birth, ambiguous, death, death_source, deaths_disagree. `known` is what
    `persons` gives, `deaths` what `deaths.decided` gives.
    """
    cared = events.select("person_id").distinct().withColumn("cared", F.lit(True))
    marked = known.withColumn("in_referential", F.lit(True)).join(cared, on="person_id", how="full")
    no = F.lit(False)
    return marked.join(deaths, on="person_id", how="left").select(
        "person_id",
        F.coalesce("in_referential", no).alias("in_referential"),
        F.coalesce(CERTIFIED, no).alias(CERTIFIED),
        "sex",
        "birth",
        F.coalesce("ambiguous", no).alias("ambiguous"),
        "death",
        "death_source",
        F.coalesce("deaths_disagree", no).alias("deaths_disagree"),
    )


def birth() -> Column:
    """Date of birth: the 15th of the month, null for the placeholder years 0000, 0001 and 1600."""
    year = F.col("BEN_NAI_ANN").try_cast("int")
    month = F.col("BEN_NAI_MOI").try_cast("int")
    known_month = F.when(month.between(1, 12), month).otherwise(7)
    return F.when(year >= EARLIEST_BIRTH_YEAR, F.make_date(year, known_month, F.lit(15)))


def _of_most_rows(value: Column) -> Column:
    """The value of most certified rows of IR_BEN_R, else of the archive; the smaller of equally many."""
    of_place = [F.when(F.col(CERTIFIED) & (F.col("place") == place), value) for place in (0, 1)]
    return F.coalesce(*[F.mode(one, True) for one in of_place])
