"""The DuckDB of a process: one thread a query, because each task has one core, and a bounded memory."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

import duckdb
import pyarrow as pa

from parcours.engine.sql import text
from parcours.storage.hdfs import HdfsPath
from parcours.storage.place import Place

# What does not fit is spilled to the disk of this machine.
MEMORY = "1GB"
_opening = Lock()


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    spill = Path(tempfile.gettempdir()) / f"parcours-duckdb-{process}"
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
    }
    database = duckdb.connect(config=settings)
    # Footers are read once a process: no file is changed after it has its name.
    database.execute("LOAD parquet; SET GLOBAL parquet_metadata_cache = true")
    return database


@contextmanager
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own on the DuckDB of this process."""
    with _opening:  # threads that begin together would open one each, and spill into the same files
        database = _database(os.getpid())
    with database.cursor() as connection:
        yield connection


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """The rows that a query gives, of some Arrow tables by their names."""
    with duck() as connection:
        return asked(connection, sql, **tables)


def asked(connection: duckdb.DuckDBPyConnection, sql: str, **tables: pa.Table) -> pa.Table:
    """As `query`, on a connection that has tables or macros of its own."""
    for name, table in tables.items():
        connection.register(name, table)
    return connection.sql(sql).to_arrow_table()


def batches(connection: duckdb.DuckDBPyConnection, sql: str, rows: int = 128 * 1024) -> pa.RecordBatchReader:
    """The rows of a query, some at a time; they are read while the connection is open."""
    return connection.sql(sql).to_arrow_reader(rows)


def reading(connection: duckdb.DuckDBPyConnection, files: Sequence[Place]) -> str:
    """The list of some Parquet files for `read_parquet`; files of HDFS are read by its own client."""
    if any(isinstance(file, HdfsPath) for file in files):
        _reach_hdfs(connection)
    return "[" + ", ".join(text(file) for file in files) + "]"


def _reach_hdfs(connection: duckdb.DuckDBPyConnection) -> None:
    """The file systems of a database are those of all its connections."""
    from parcours.engine.hdfs_files import HdfsFiles

    with _opening:
        if not connection.filesystem_is_registered("hdfs"):
            connection.register_filesystem(HdfsFiles())
