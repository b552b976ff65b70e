"""Which identifiers are of other persons than under an earlier identity.

An identifier that no referential holds is a person by itself, and one whose rank none knows is of the one person of its
PSA (see `resolve_persons`): what one row of a PSA says may change the person of all rows that have it.
"""

from pathlib import Path

import duckdb
import pyarrow as pa

from parcours.storage.place import Place

CHANGES = pa.schema([("key", pa.int64())])


def changed_identifiers(connection: duckdb.DuckDBPyConnection, before: Path, key: str) -> pa.Table:
    """(key): the PSAs of which some rows are of others than under identity.parquet `before`, sorted.

    `connection` has the new table `identity`; `key` is the SQL of the number that stands for a PSA.
    """
    was = str(before).replace("'", "''")
    old, new = (f"SELECT psa, rank, person_id FROM {table}" for table in (f"read_parquet('{was}')", "identity"))
    return (
        connection.sql(f"""
        SELECT DISTINCT {key} AS key FROM (
            (({old}) EXCEPT ({new})) UNION ALL (({new}) EXCEPT ({old}))
        ) ORDER BY key""")
        .to_arrow_table()
        .cast(CHANGES)
    )


def write_changes(path: Place, changes: pa.Table) -> None:
    """As `read_changes` reads them."""
    with path.open("wb") as target, pa.ipc.new_file(target, CHANGES) as writer:
        writer.write_table(changes)


def read_changes(path: Place) -> pa.Table:
    """(key) of one change."""
    with path.open("rb") as source:
        return pa.ipc.open_file(source).read_all()
