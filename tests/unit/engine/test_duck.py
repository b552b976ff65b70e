"""The DuckDB of a process: one, whatever begins at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import duckdb

from parcours.engine.duck import duck


def test_threads_that_begin_together_share_one_database(monkeypatch):
    opened, connect, together = [], duckdb.connect, Barrier(8)
    monkeypatch.setattr("parcours.engine.duck.os.getpid", lambda: -1)  # as a process that has none yet
    monkeypatch.setattr(duckdb, "connect", lambda **how: opened.append(how) or connect(**how))

    def ask(_):
        together.wait()
        with duck() as connection:
            return connection.sql("SELECT 1").fetchall()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [[(1,)]] * 8
    assert len(opened) == 1


def test_what_one_connection_registers_another_does_not_see():
    with duck() as one, duck() as other:
        one.execute("CREATE TEMP TABLE own AS SELECT 1 AS n; CREATE TEMP MACRO twice(x) AS 2 * x")
        assert other.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'own'").fetchall() == [(0,)]
        other.execute("CREATE TEMP MACRO twice(x) AS x || x")
        assert one.sql("SELECT twice(n) FROM own").fetchall() == [(2,)]
