"""Persons: sex and birth of each person_id, from the referentials, and everybody who has care without being in one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from parcours.engine.duck import query
from parcours.errors import InputError
from parcours.snds.person_columns import DEFAULT_RANK

PERSON_SOURCE_COLUMNS = frozenset({"BEN_SEX_COD", "BEN_NAI_ANN", "BEN_NAI_MOI"})
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


def linking(rows: str, identity: str, key: Key) -> str:
    """SQL: the rows of a referential that the identity gives to a person, with psa, rank, person_id and ambiguous.

    A row is its couple's. A pseudonym without a rank is of the one person of its identifier; one of several persons
    tells nothing of any of them. `rows` and `identity` are SQL that gives both.
    """
    known = f"SELECT psa, rank, person_id, ambiguous FROM ({identity}) WHERE rank IS NOT NULL"
    if key.unranked != DEFAULT_RANK:
        known += (
            f" UNION ALL SELECT psa, {NO_RANK}, any_value(person_id), false FROM ({identity}) "
            "WHERE NOT ambiguous GROUP BY psa"
        )
    rank = f'coalesce(r."{key.rank}", {key.unranked})' if key.rank else str(key.unranked)
    return (
        "SELECT r.*, k.psa, k.rank, k.person_id, k.ambiguous "
        f'FROM ({rows}) AS r JOIN ({known}) AS k ON r."{key.psa}" = k.psa AND {rank} = k.rank'
    )


def persons_told(rows: pa.Table) -> pa.Table:
    """One row per person of the referentials: person_id, certified, sex (1 man, 2 woman), birth, ambiguous.

    `rows` are the linked rows of all referentials, with `place` (0: IR_BEN_R, 1: IR_BEN_R_ARC) and `certified`
    (BEN_CDI_NIR 00). A couple that IR_BEN_R holds is told by it alone, whatever the archive says (CNAM, guide to the
    causes of death, annex 2); rows that are not certified tell nothing of a person.

    A person may have several couples. Sex and month of birth are those of most rows of IR_BEN_R, else of the archive;
    the smaller of equally many (CNAM and SpF rules). The day of birth is not in the SNDS: the 15th stands for it, and
    15 July for a birth month that is not known. Sex and birth may be null.
    """
    return query(
        f"""
        WITH counted AS (
          SELECT *, CASE WHEN BEN_SEX_COD IN (1, 2) THEN BEN_SEX_COD::INTEGER END AS sex, {_birth()} AS birth FROM rows
          QUALIFY place = min(place) OVER (PARTITION BY psa, rank)
        ), {_of_most_rows("sex")}, {_of_most_rows("birth")}
        SELECT person_id, bool_or(certified) AS certified, any_value(most_sex.sex) AS sex,
          any_value(most_birth.birth) AS birth, coalesce(bool_or(ambiguous) FILTER (certified), false) AS ambiguous
        FROM counted LEFT JOIN most_sex USING (person_id) LEFT JOIN most_birth USING (person_id)
        GROUP BY person_id ORDER BY person_id
        """,
        rows=rows,
    )


def _birth() -> str:
    """Date of birth: the 15th of the month, null for the placeholder years 0000, 0001 and 1600."""
    year, month = ("try_cast(BEN_NAI_ANN AS INTEGER)", "try_cast(BEN_NAI_MOI AS INTEGER)")
    known_month = f"CASE WHEN {month} BETWEEN 1 AND 12 THEN {month} ELSE 7 END"
    return f"CASE WHEN {year} >= {EARLIEST_BIRTH_YEAR} THEN TRY(make_date({year}, {known_month}, 15)) END"


def _of_most_rows(value: str) -> str:
    return f"""most_{value} AS (
          SELECT DISTINCT ON (person_id) person_id, {value}
          FROM (SELECT person_id, place, {value}, count(*) AS n FROM counted WHERE certified AND {value} IS NOT NULL
                GROUP BY ALL)
          ORDER BY person_id, place, n DESC, {value}
        )"""


def everybody(known: pa.Table, cared: pa.Table, deaths: pa.Table) -> pa.Table:
    """One row per person who is in a referential or has care, with the death that was decided.

    person_id, in_referential, certified, sex, birth, ambiguous, death, death_source, deaths_disagree. `known` is what
    `persons_told` gives, `cared` has the person_id of events, `deaths` is what `deaths.decided` gives.
    """
    return query(
        """
        SELECT person_id, known.person_id IS NOT NULL AS in_referential, coalesce(certified, false) AS certified,
          sex, birth, coalesce(ambiguous, false) AS ambiguous, death, death_source,
          coalesce(deaths_disagree, false) AS deaths_disagree
        FROM known FULL JOIN (SELECT DISTINCT person_id FROM cared) AS cared USING (person_id)
          LEFT JOIN deaths USING (person_id)
        ORDER BY person_id
        """,
        known=known,
        cared=cared,
        deaths=deaths,
    )
