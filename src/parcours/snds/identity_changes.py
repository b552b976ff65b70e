"""Who was somebody else under an earlier identity.

An identifier that no referential holds is a person by itself (see `resolve_persons`), so that a new identifier is a
change too: of rows that were delivered before the referential knew it.
"""

from pathlib import Path

import duckdb
import pyarrow as pa

from parcours.storage.place import Place

COUPLES, ALONE = "couples", "alone"
CHANGES = pa.schema([("how", pa.string()), ("person_id", pa.int64())])


def changed_persons(connection: duckdb.DuckDBPyConnection, before: Path, couple: str) -> pa.Table:
    """(how, person_id): the persons under identity.parquet `before` whose identifiers are of others now.

    `connection` has the new table `identity`; `couple` is the SQL of the person of a (psa, rank) that nobody knows.
    `how` is COUPLES for rows that find their person by PSA and rank, ALONE for those that have the PSA only; person_id
    is null where a PSA alone was of several persons.
    """
    was = str(before).replace("'", "''")
    person = "CASE WHEN NOT any_value(ambiguous) THEN any_value(person_id) END"
    alone = f"SELECT psa, 1 AS rank, {person} AS person_id, true AS known"
    each = "SELECT psa, rank, person_id, true AS known"
    found = " UNION ALL ".join(
        f"""
        SELECT DISTINCT '{how}' AS how, CASE WHEN w.known THEN w.person_id ELSE {couple} END AS person_id
        FROM ({select} FROM read_parquet('{was}') {group}) w
        FULL JOIN ({select} FROM identity {group}) n USING (psa, rank)
        WHERE CASE WHEN w.known THEN w.person_id ELSE {couple} END
            IS DISTINCT FROM CASE WHEN n.known THEN n.person_id ELSE {couple} END"""
        for how, select, group in ((COUPLES, each, ""), (ALONE, alone, "GROUP BY psa"))
    )
    return connection.sql(f"{found} ORDER BY how, person_id").to_arrow_table().cast(CHANGES)


def write_changes(path: Place, changes: pa.Table) -> None:
    """As `read_changes` reads them."""
    with path.open("wb") as target, pa.ipc.new_file(target, CHANGES) as writer:
        writer.write_table(changes)


def read_changes(path: Place) -> pa.Table:
    """(how, person_id) of one change."""
    with path.open("rb") as source:
        return pa.ipc.open_file(source).read_all()
