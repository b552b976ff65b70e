"""Rows of flat tables in DuckDB: only the columns asked for, with the types of their contracts, of all periods."""

from collections.abc import Collection, Mapping, Sequence

import duckdb

from parcours.engine.duck import reading
from parcours.engine.sql import quoted
from parcours.events.columns import PERIOD, column_type
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place

FILE_ROW = "file_row_number"
Files = dict[str, tuple[Place, ...]]


def files_by_bucket(periods: Mapping[str, Place]) -> Files:
    """The files of some periods of a flat product, by bucket, as their manifests list them."""
    files: dict[str, list[Place]] = {}
    for directory in periods.values():
        manifest = read_manifest(directory)
        for file in (manifest or {}).get("files", []):
            path = directory / file["path"]
            files.setdefault(path.stem, []).append(path)
    return {bucket: tuple(some) for bucket, some in sorted(files.items())}


def flat_rows(
    connection: duckdb.DuckDBPyConnection,
    product: str,
    files: Sequence[Place],
    columns: Collection[str],
    delivered: Collection[str] = (),
) -> str:
    """SQL that reads columns of some flat files, and `period`; a column that none or some of them lack is null there.

    `file_row_number`, where it is asked for, counts the rows of each file.

    A column whose type changed over the years has the latest type. Of those `delivered` some may be in no contract,
    such as the pseudonym of a project extraction: they are strings.
    """
    own = sorted({*columns} - {PERIOD, FILE_ROW})
    wanted = {column: column_type(product, column, delivered) for column in own}
    wanted |= {FILE_ROW: "BIGINT"} if FILE_ROW in columns else {}
    if not files:
        return f"SELECT {_listed([], wanted)}, NULL::VARCHAR AS {PERIOD} WHERE false"
    source = (
        f"read_parquet({reading(connection, files)}, union_by_name = true, {FILE_ROW} = {FILE_ROW in columns}, "
        f"hive_partitioning = true, hive_types = {{'{PERIOD}': VARCHAR}})"
    )
    there = [row[0] for row in connection.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    period = PERIOD if PERIOD in there else f"NULL::VARCHAR AS {PERIOD}"
    return f"SELECT {_listed(there, wanted)}, {period} FROM {source}"


def _listed(there: Collection[str], wanted: Mapping[str, str]) -> str:
    return ", ".join(
        f"CAST({quoted(column) if column in there else 'NULL'} AS {kind}) AS {quoted(column)}"
        for column, kind in wanted.items()
    )
