"""Identifiers -> person_id: one stable number per person, from the referentials IR_BEN_R and IR_BEN_R_ARC.

Rules (CNAM, Santé publique France; see docs/reference/flat-tables.md): IR_BEN_R goes before its archive; the latest
row of a (PSA, rank) counts; a person is its BEN_IDT_ANO, else its PSA and rank; hospital stays know the PSA alone, and
a PSA of several persons is ambiguous for them. A project extraction has a pseudonym in the place of the PSA, and what
stands for BEN_IDT_ANO in its referential or in a table of correspondence. `person_id` is the first 63 bits of the MD5
of that text.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from parcours.errors import InputError
from parcours.snds.identity_changes import changed_identifiers
from parcours.snds.person_columns import (
    DEFAULT_RANK,
    UPDATED,
    PersonColumns,
    identifying_tables,
    placeholders,
    referential_tables,
)

PERSON = "person_id"
IDENTITY_FILE = "identity.parquet"
AMBIGUOUS = -1
HASH = "(('0x' || left(md5({}), 16))::UBIGINT >> 1)::BIGINT"
COUPLE = "psa || '|' || rank"
ALONE = "psa || '|'"  # in the look-up only, where no couple ends like this
Referentials = Mapping[str, Iterable[pa.Table]]


@dataclass(frozen=True)
class IdentityCounts:
    """Rows of the referentials and what became of them: rows = couples + dropped + unidentified.

    `couples` are (PSA, rank), `archived` those that IR_BEN_R_ARC alone holds, `merged` those whose person has several,
    `ambiguous` those whose PSA is of several persons. `dropped` are rows of a couple that another row goes before,
    `unidentified` rows without an identifier.
    """

    rows: int
    couples: int
    persons: int
    archived: int
    merged: int
    ambiguous: int
    dropped: int
    unidentified: int


@dataclass(frozen=True)
class Identity:
    """What the referentials say: counts, and `mapping`, the fingerprint of who each identifier is.

    Referentials with the same `mapping` give all rows to the same persons, whatever else changed in them. `changes`
    are those persons of an identity before whose identifiers are of others now (see `changed_persons`).
    """

    counts: IdentityCounts
    mapping: str
    changes: pa.Table | None


def person_id(text: str) -> int:
    """The person_id of one identifying text: a BEN_IDT_ANO, or "PSA|rank"."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big") >> 1


def lookup_name(mapping: str) -> str:
    """File name of a look-up: another mapping is another file, so that no task reads one in the place of the other."""
    return f"lookup-{mapping}.arrow"


# --- from the referentials ---------------------------------------------------------------------------------------


def build_identity(
    referentials: Referentials, columns: PersonColumns, directory: Path, before: Path | None = None
) -> Identity:
    """Write identity.parquet (psa, rank, person_id, source, merged, ambiguous) and the look-up of tasks.

    `referentials`: the rows of each referential table, in parts that need not have the same columns. Of the rows of
    one (PSA, rank) those of the first table count, then the latest BEN_DTE_MAJ, then the greatest BEN_IDT_ANO.
    `before` is the identity.parquet of another identity.
    Raises InputError when a table has rows and none of them has an identifier.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _resolved(referentials, columns) as connection:
        target = str(directory / IDENTITY_FILE).replace("'", "''")
        connection.sql(
            f"COPY (SELECT * EXCLUDE archived FROM identity ORDER BY psa, rank) TO '{target}' (FORMAT parquet)"
        )
        lookup = _lookup_table(connection)
        identity = _identity(connection, lookup, columns, before)
    with pa.ipc.new_file(str(directory / lookup_name(identity.mapping)), lookup.schema) as writer:
        writer.write_table(lookup)
    return identity


def foreseen_identity(referentials: Referentials, columns: PersonColumns, before: Path | None = None) -> Identity:
    """What `build_identity` would say; writes nothing."""
    with _resolved(referentials, columns) as connection:
        return _identity(connection, _lookup_table(connection), columns, before)


def _identity(
    connection: duckdb.DuckDBPyConnection, lookup: pa.Table, columns: PersonColumns, before: Path | None
) -> Identity:
    changes = None
    if before is not None:
        changes = changed_identifiers(connection, before, HASH.format(ALONE))
    return Identity(_counts(connection), _mapping(lookup), changes)


def own_text(columns: PersonColumns) -> str:
    """SQL of the text that a person is, whose PSA no referential holds: the pseudonym, or PSA and rank."""
    return "psa" if columns.pseudonym or columns.names_persons else COUPLE


@contextmanager
def _resolved(referentials: Referentials, columns: PersonColumns) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables `couples` (a row for each of the referentials') and `identity`."""
    with duckdb.connect() as connection:
        connection.sql("CREATE TABLE couples (place TINYINT, psa VARCHAR, rank BIGINT, idt VARCHAR, updated DATE)")
        for place, table in enumerate(identifying_tables()):
            for part in referentials.get(table, ()):
                _add_couples(connection, part, columns, place)
        _check_identified(connection, columns)
        connection.sql(f"CREATE TABLE identity AS {_identity_sql(columns)}")
        yield connection


def _add_couples(connection: duckdb.DuckDBPyConnection, part: pa.Table, columns: PersonColumns, place: int) -> None:
    connection.register("part", part)
    named = ", ".join(_identifier_sql(part, name) for name in columns.names)
    # A table without ranks does not say that all its persons have rank 1.
    ranked = columns.rank in part.column_names and not columns.unranked
    rank = f"coalesce({read_rank_sql(part, columns)}, {DEFAULT_RANK})" if ranked else read_rank_sql(part, columns)
    connection.sql(f"""
        INSERT INTO couples
        SELECT {place}, {psa_sql(part, columns)}, {rank}, coalesce({named}),
               try_cast({_column(part, UPDATED)} AS DATE)
        FROM part""")
    connection.unregister("part")


def _column(table: pa.Table, name: str | None) -> str:
    return f'"{name}"' if name in table.column_names else "NULL"


def psa_sql(table: pa.Table, columns: PersonColumns) -> str:
    """The identifier of each row, null when it is none."""
    return _identifier_sql(table, columns.psa)


def _identifier_sql(table: pa.Table, name: str) -> str:
    """An identifier as it is compared: without the blanks that pad it, null when it is empty or a placeholder."""
    none = ", ".join(f"'{text}'" for text in ("", *placeholders()))
    trimmed = f"rtrim({_column(table, name)}::VARCHAR, ' ')"
    return f"CASE WHEN {trimmed} NOT IN ({none}) THEN {trimmed} END"


def read_rank_sql(table: pa.Table, columns: PersonColumns) -> str:
    """A rank as a number, whatever the type of its column; null when it is not known or not a whole number."""
    number = _column(table, columns.rank)
    if columns.rank in table.column_names and not pa.types.is_integer(table.schema.field(columns.rank).type):
        number = f"regexp_extract({number}::VARCHAR, '^\\s*([+-]?\\d{{1,18}})(\\.0*)?\\s*$', 1)"
    return f"try_cast({number} AS BIGINT)"


def _check_identified(connection: duckdb.DuckDBPyConnection, columns: PersonColumns) -> None:
    found = connection.sql("SELECT place FROM couples GROUP BY place HAVING count(psa) = 0").fetchall()
    for (place,) in found:
        raise InputError(
            f"No row of {identifying_tables()[place]} has an identifier in column {columns.psa}, which `person` of the "
            "delivery names; deliver the table with it, mend `person`, or use another root."
        )


def _identity_sql(columns: PersonColumns) -> str:
    """(psa, rank, person_id, source, archived, merged, ambiguous), rank null where no table has it.

    A correspondence goes before what a referential says: it is found by PSA and rank, else by a PSA of one person.
    """
    first = len(referential_tables())
    return f"""
        WITH told AS (
            SELECT psa, rank, idt FROM couples WHERE place >= {first} AND psa IS NOT NULL AND idt IS NOT NULL
        ), told_by_couple AS (
            SELECT psa, rank, max(idt) AS idt FROM told WHERE rank IS NOT NULL GROUP BY ALL
        ), told_by_psa AS (
            SELECT psa, max(idt) AS idt FROM told GROUP BY psa HAVING min(idt) = max(idt)
        ), named AS (
            SELECT place, psa, c.rank, coalesce(b.idt, p.idt, c.idt) AS idt, updated
            FROM couples c LEFT JOIN told_by_couple b USING (psa, rank) LEFT JOIN told_by_psa p USING (psa)
            WHERE psa IS NOT NULL
        ), latest AS (
            SELECT place BETWEEN 1 AND {first - 1} AS archived, psa, rank, idt FROM named
            QUALIFY row_number() OVER (
                PARTITION BY psa, rank, CASE WHEN rank IS NULL THEN idt END
                ORDER BY place, updated DESC NULLS LAST, idt DESC NULLS LAST) = 1
        ), given AS (
            SELECT psa, rank, {HASH.format(f"coalesce(idt, {_text_of_couple(columns)})")} AS person_id,
                   CASE WHEN idt IS NULL THEN 'PSA' ELSE 'IDT' END AS source, archived
            FROM latest
            -- A row without rank adds a person that it names, and none where it names nobody beside others.
            QUALIFY rank IS NOT NULL OR (
                count(rank) OVER (PARTITION BY psa, coalesce(idt, '')) = 0
                AND (idt IS NOT NULL OR count(*) OVER (PARTITION BY psa) = 1))
        )
        SELECT *, count(*) OVER (PARTITION BY person_id) > 1 AS merged,
               min(person_id) OVER (PARTITION BY psa) <> max(person_id) OVER (PARTITION BY psa) AS ambiguous
        FROM given"""


def _text_of_couple(columns: PersonColumns) -> str:
    """The text that a person of the referentials is, whom they do not name; two ranks are two persons."""
    without_rank = "psa" if columns.pseudonym else f"psa || '|{DEFAULT_RANK}'"
    return f"coalesce({COUPLE}, {without_rank})"


def _counts(connection: duckdb.DuckDBPyConnection) -> IdentityCounts:
    rows, identified = connection.sql("SELECT count(*), count(psa) FROM couples").fetchall()[0]
    couples, persons, archived, merged, ambiguous = connection.sql(
        "SELECT count(*), count(DISTINCT person_id), count(*) FILTER (archived), count(*) FILTER (merged),"
        " count(*) FILTER (ambiguous) FROM identity"
    ).fetchall()[0]
    return IdentityCounts(
        rows=rows,
        couples=couples,
        persons=persons,
        archived=archived,
        merged=merged,
        ambiguous=ambiguous,
        dropped=identified - couples,
        unidentified=rows - identified,
    )


def _lookup_table(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Hash of "PSA|rank" and of "PSA|" -> person_id, sorted; tasks of a machine share it by memory map."""
    lookup = connection.sql(f"""
        SELECT {HASH.format(COUPLE)} AS key, person_id FROM identity WHERE rank IS NOT NULL
        UNION ALL
        SELECT {HASH.format(ALONE)}, CASE WHEN any_value(ambiguous) THEN {AMBIGUOUS} ELSE any_value(person_id) END
        FROM identity GROUP BY psa
        ORDER BY key, person_id""")
    return lookup.to_arrow_table().combine_chunks()


def _mapping(lookup: pa.Table) -> str:
    digest = hashlib.sha256()
    for name in ("key", "person_id"):
        digest.update(lookup[name].to_numpy().tobytes())
    return digest.hexdigest()[:16]
