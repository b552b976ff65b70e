"""Identifiers -> person_id: one stable number per person, from the referential IR_BEN_R where there is one.

Rules (CNAM, Santé publique France; see docs/reference/flat-tables.md): the latest row of a (PSA, rank) counts; a
person is its BEN_IDT_ANO, else its PSA and rank; hospital stays know the PSA alone, and a PSA of several persons is
ambiguous for them. `person_id` is the first 63 bits of the MD5 of that text.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

IDENTITY_FILE = "identity.parquet"
LOOKUP_FILE = "lookup.arrow"
AMBIGUOUS = -1
DEFAULT_RANK = 1
HASH = "(('0x' || left(md5({}), 16))::UBIGINT >> 1)::BIGINT"


def person_id(text: str) -> int:
    """The person_id of one identifying text: a BEN_IDT_ANO, or "PSA|rank"."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class IdentityCounts:
    """Persons and (PSA, rank) couples; `dropped` are rows of a couple that a later row replaced."""

    couples: int
    persons: int
    merged: int
    ambiguous: int
    dropped: int


def build_identity(referential: list[Path], psa: str, rank: str | None, directory: Path) -> IdentityCounts:
    """Write identity.parquet (psa, rank, person_id, source, merged, ambiguous) and the look-up of tasks.

    `referential`: Parquet files of IR_BEN_R; `psa` and `rank` name its identifying columns (rank None: every rank 1).
    Of the rows of one (PSA, rank) the latest BEN_DTE_MAJ counts, then the greatest BEN_IDT_ANO.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.read_parquet([str(path) for path in referential]).create_view("rows")
        names = {name for name, *_ in connection.sql("DESCRIBE rows").fetchall()}
        total = _create_identity(connection, psa, rank, names)
        target = str(directory / IDENTITY_FILE).replace("'", "''")
        connection.sql(f"COPY (SELECT * FROM identity ORDER BY psa, rank) TO '{target}' (FORMAT parquet)")
        _write_lookup(connection, directory / LOOKUP_FILE)
        counts = connection.sql(
            "SELECT count(*), count(DISTINCT person_id), count(*) FILTER (merged), count(*) FILTER (ambiguous)"
            " FROM identity"
        ).fetchall()[0]
    couples, persons, merged, ambiguous = counts
    return IdentityCounts(couples, persons, merged, ambiguous, dropped=total - couples)


def _create_identity(connection: duckdb.DuckDBPyConnection, psa: str, rank: str | None, names: set[str]) -> int:
    """Table `identity`; returns the number of rows it was made of."""
    rank_sql = f'coalesce(try_cast("{rank}" AS BIGINT), {DEFAULT_RANK})' if rank in names else f"{DEFAULT_RANK}"
    # In a delivery whose one column stands for the person, that column is the person: BEN_IDT_ANO is not asked.
    idt = '"BEN_IDT_ANO"' if rank is not None and "BEN_IDT_ANO" in names else "NULL::VARCHAR"
    updated = '"BEN_DTE_MAJ"' if "BEN_DTE_MAJ" in names else "NULL::DATE"
    text = "psa || '|' || rank" if rank is not None else "psa"
    connection.sql(f"""
        CREATE TABLE couples AS
        SELECT "{psa}"::VARCHAR AS psa, {rank_sql} AS rank, {idt} AS idt, {updated} AS updated
        FROM rows WHERE "{psa}" IS NOT NULL""")
    connection.sql(f"""
        CREATE TABLE identity AS
        WITH latest AS (
            SELECT psa, rank, idt FROM couples
            QUALIFY row_number() OVER (PARTITION BY psa, rank ORDER BY updated DESC NULLS LAST, idt DESC NULLS LAST) = 1
        ), given AS (
            SELECT psa, rank::INTEGER AS rank, {HASH.format(f"coalesce(idt, {text})")} AS person_id,
                   CASE WHEN idt IS NULL THEN 'PSA' ELSE 'IDT' END AS source
            FROM latest
        )
        SELECT *, count(*) OVER (PARTITION BY person_id) > 1 AS merged,
               min(person_id) OVER (PARTITION BY psa) <> max(person_id) OVER (PARTITION BY psa) AS ambiguous
        FROM given""")
    return int(connection.sql("SELECT count(*) FROM couples").fetchall()[0][0])


def _write_lookup(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Hash of "PSA|rank" and of "PSA" -> person_id, sorted; read by memory map, so that tasks of a machine share it."""
    lookup = connection.sql(f"""
        SELECT {HASH.format("psa || '|' || rank")} AS key, person_id FROM identity
        UNION ALL
        SELECT {HASH.format("psa")}, CASE WHEN any_value(ambiguous) THEN {AMBIGUOUS} ELSE any_value(person_id) END
        FROM identity GROUP BY psa
        ORDER BY key""").to_arrow_table()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, lookup.schema) as writer:
        writer.write_table(lookup.combine_chunks())


@dataclass(frozen=True)
class PersonColumns:
    """The columns that say whose a row is; without `rank`, the PSA alone; `whole`: the column itself is the person."""

    psa: str
    rank: str | None
    whole: bool = False


def resolve_persons(table: pa.Table, columns: PersonColumns, lookup: Path | None) -> pa.Array:
    """person_id of each row (int64), null where there is no PSA or where a PSA alone is of several persons.

    Without a referential, or for identifiers that it does not hold, the person is the PSA and rank (1 when unknown).
    """
    if columns.psa not in table.column_names:
        return pa.nulls(table.num_rows, pa.int64())
    with duckdb.connect() as connection:
        connection.register("rows", table.select([columns.psa, *([columns.rank] if columns.rank else [])]))
        psa = f'"{columns.psa}"::VARCHAR'
        rank = f'coalesce(try_cast("{columns.rank}" AS BIGINT), {DEFAULT_RANK})' if columns.rank else str(DEFAULT_RANK)
        couple = psa if columns.whole else f"{psa} || '|' || {rank}"
        asked = couple if columns.rank else psa
        keys = connection.sql(
            f"SELECT {HASH.format(asked)} AS asked, {HASH.format(couple)} AS own FROM rows"
        ).to_arrow_table()
    own = keys["own"].combine_chunks()
    if columns.whole or lookup is None:
        return own
    return _look_up(keys["asked"].combine_chunks(), own, lookup)


def _look_up(asked: pa.Array, own: pa.Array, lookup: Path) -> pa.Array:
    with pa.memory_map(str(lookup)) as source:
        known = pa.ipc.open_file(source).read_all()
        keys = known["key"].to_numpy()
        persons = known["person_id"].to_numpy()
        wanted = asked.fill_null(0).to_numpy(zero_copy_only=False)
        if len(keys) == 0:
            return own
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = np.where(keys[at] == wanted, persons[at], own.fill_null(0).to_numpy(zero_copy_only=False))
    return pa.array(found, mask=(found == AMBIGUOUS) | own.is_null().to_numpy(zero_copy_only=False))
