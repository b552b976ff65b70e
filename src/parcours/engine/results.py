"""Results of work on slices: which files of a committed directory hold a bucket, and their rows as Arrow tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from parcours.engine.duck import asked, reading
from parcours.engine.slices import Slice
from parcours.storage.place import Place, file_size, found

Files = Mapping[str, Sequence[Place]]


def by_bucket(files: Sequence[Place]) -> dict[str, list[Place]]:
    """Files by the bucket that their names begin with: 17-0.parquet is of bucket 17."""
    named: dict[str, list[Place]] = {}
    for file in sorted(files):
        named.setdefault(file.stem.rpartition("-")[0], []).append(file)
    return named


def files_in(directory: Place) -> dict[str, list[Place]]:
    """The files of a result by bucket; none where the result is empty."""
    return by_bucket(found(directory, "*.parquet"))


def rows_of(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Place], piece: Slice, schema: pa.Schema, where: str = "true"
) -> pa.Table:
    """The rows of a slice, with the columns and types of a schema, in the order of the files."""
    if not files:
        return schema.empty_table()
    return asked(connection, _selecting(connection, files, piece, schema, where)).cast(schema)


def values_of(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Place], piece: Slice, schema: pa.Schema
) -> pa.Table:
    """Each combination of values of the columns of a schema that a slice has, once."""
    if not files:
        return schema.empty_table()
    return asked(connection, f"SELECT DISTINCT * FROM ({_selecting(connection, files, piece, schema)})").cast(schema)


def _selecting(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Place], piece: Slice, schema: pa.Schema, where: str = "true"
) -> str:
    columns = ", ".join(f'"{name}"' for name in schema.names)
    return f"SELECT {columns} FROM read_parquet({reading(connection, files)}) WHERE {piece.condition} AND ({where})"


def listed_files(directory: Place) -> list[dict[str, Any]]:
    """[{path, bytes}] of a directory, for its manifest."""
    files = [
        path for path in found(directory, "**/*") if path.is_file() and not _hidden(path.relative_to(directory).parts)
    ]
    return [{"path": str(path.relative_to(directory)), "bytes": file_size(path)} for path in files]


def _hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith((".", "_")) for part in parts)
