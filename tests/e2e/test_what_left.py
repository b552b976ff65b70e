"""The search for small counts and identifiers finds what is planted, in each kind of place, and nothing else."""

import gzip
import json
import pickle
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from what_left import differences, leaks, numbers

PSA = "RXGI488FS2ZBC8W87"
SUMMARY = '{"status": "done", "cases": 8}'


def database(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE kept (key TEXT, value)")
    connection.execute(f"INSERT INTO kept VALUES ({statement})", values)
    connection.commit()
    connection.close()


def table(path: Path, **columns: list[object]) -> None:
    pq.write_table(pa.table(columns), path)


COUNTS: dict[str, Callable[[Path], object]] = {
    "an XCom": lambda folder: database(folder / "airflow.db", "?, ?", "return_value", SUMMARY),
    "an XCom that is JSON in JSON": lambda folder: database(folder / "a.db", "'x', ?", json.dumps(SUMMARY)),
    "a compressed cell": lambda folder: database(folder / "a.db", "'x', ?", zlib.compress(SUMMARY.encode())),
    "a metric": lambda folder: database(folder / "mlflow.db", "?, ?", "cases", 8.0),
    "a log line": lambda folder: (folder / "attempt=1.log").write_text(f"26/11/24 INFO ran\nINFO - {SUMMARY}\n"),
    "a log line of Airflow": lambda folder: (folder / "a.log").write_text(json.dumps({"event": SUMMARY, "level": "i"})),
    "a sentence in a log": lambda folder: (folder / "a.log").write_text("DCIR key is not unique: 8 rows in 2015-02"),
    "a sentence with a plural": lambda folder: (folder / "a.log").write_text("Doubled: 8 row(s) (rule x)"),
    "a list of counts": lambda folder: (folder / "a.log").write_text("identity: couples 8, persons 2500"),
    "a sum": lambda folder: (folder / "a.log").write_text("cases: 8"),
    "a JSON file": lambda folder: (folder / "a.json").write_text('{"drugs": {"A02": {"exposed_cases": 8}}}'),
    "a table of MLflow": lambda folder: (folder / "t.json").write_text('{"columns": ["lost"], "data": [[0], [8]]}'),
    "a CSV file": lambda folder: (folder / "t.csv").write_text("step,persons,lost\nage,500,8\n"),
    "a Parquet file": lambda folder: table(folder / "t.parquet", rows=[8, 400]),
    "a cell of a page": lambda folder: (folder / "p.html").write_text(
        "<table><tr><th>drug</th><th>exposed cases</th></tr><tr><td>A02</td><td>8</td></tr></table>"
    ),
    "words of a page": lambda folder: (folder / "p.html").write_text("<p>There are <b>8</b> cases.</p>"),
    "an element of Data Docs": lambda folder: (folder / "v.json").write_text('{"result": {"unexpected_count": 8}}'),
}

IDENTIFIERS: dict[str, Callable[[Path], object]] = {
    "a text of a database": lambda folder: database(folder / "a.db", "'x', ?", f"person {PSA}|1 twice"),
    "a pickle in a database": lambda folder: database(folder / "a.db", "'x', ?", pickle.dumps({"psa": PSA})),
    "a log": lambda folder: (folder / "a.log").write_text(f"KeyError: '{PSA}'"),
    "an event log of Spark": lambda folder: (folder / "e.zstd").write_bytes(
        zstandard.compress(b"a frame before it") + zstandard.compress(f'{{"plan": "(BEN_NIR_PSA = {PSA})"}}'.encode())
    ),
    "a compressed log": lambda folder: (folder / "a.log.gz").write_bytes(gzip.compress(PSA.encode())),
    "a value of Data Docs": lambda folder: (folder / "p.html").write_text(f"<td>{PSA}</td>"),
    "a Parquet file": lambda folder: table(folder / "t.parquet", drug=[PSA]),
}


@pytest.mark.parametrize("place", COUNTS)
def test_a_small_count_is_found_in(place: str, tmp_path: Path) -> None:
    COUNTS[place](tmp_path)
    assert any("8" in leak.what for leak in leaks([tmp_path], frozenset()))


@pytest.mark.parametrize("place", IDENTIFIERS)
def test_an_identifier_is_found_in(place: str, tmp_path: Path) -> None:
    IDENTIFIERS[place](tmp_path)
    assert {leak.what for leak in leaks([tmp_path], frozenset({PSA}))} == {PSA}


@pytest.mark.parametrize("told", ["2016-05-17", "5412345678901234567"])
def test_dates_and_numbers_of_persons_are_found(told: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"died on {told}, of")
    assert leaks([tmp_path], frozenset({told})) != []


def test_what_may_leave_is_no_leak(tmp_path: Path) -> None:
    database(tmp_path / "a.db", "?, ?", "return_value", '{"cases": "<11", "events": 0, "rows": 11, "periods": 3}')
    (tmp_path / "a.log").write_text(
        "fewer than 11 rows in 2015-02\n3/12 DCIR 2015-03\n1 critical rule(s) failed\nfewer than 20 cases\n"
        "2016-11-29 06:31:52 INFO 1.5 rows\nCounts of 1 to 10 persons show as <11\n120 events\n"
    )
    (tmp_path / "t.csv").write_text("drug,exposed_cases,peak_lag\nA02,<11,3\n")
    (tmp_path / "run.json").write_text('{"model": {"min_exposed_cases": 10, "cv_folds": 2}}')
    assert leaks([tmp_path], frozenset({PSA})) == []


def test_two_numbers_that_give_a_small_one_back_are_found() -> None:
    told = [("persons", 1003), ("persons_followed", 1000), ("cases", 100)]
    assert [leak.what for leak in differences(told)] == ["1003 - 1000 = 3"]
    assert differences([("cases", 100), ("events", 100), ("persons", 2000)]) == []


def test_numbers_keep_their_names_however_deep() -> None:
    assert dict(numbers({"a": [{"cases": 8}], "b": '{"rows": 9}'})) == {"cases": 8, "rows": 9}
