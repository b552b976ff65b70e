"""Results on the disk: which files are of a bucket, and the rows of a slice."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.engine.duck import duck
from parcours.engine.results import files_in, listed_files, rows_of
from parcours.engine.slices import Slice

SCHEMA = pa.schema([("person_id", pa.int64()), ("code", pa.string())])


@pytest.fixture
def result(tmp_path):
    """A result of two buckets; one has two slices."""
    for name, persons in {"7-0": [7, 7, 15], "7-1": [23], "17-0": [17], "unidentified-0": [None]}.items():
        codes = [f"c{name}"] * len(persons)
        table = pa.table({"person_id": pa.array(persons, pa.int32()), "more": codes, "code": codes})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    return tmp_path


def test_files_are_of_the_bucket_that_their_name_begins_with(result):
    found = {bucket: [file.name for file in files] for bucket, files in files_in(result).items()}
    assert found == {
        "7": ["7-0.parquet", "7-1.parquet"],
        "17": ["17-0.parquet"],
        "unidentified": ["unidentified-0.parquet"],
    }
    assert files_in(result / "of_no_row") == {}


def test_rows_of_a_slice_have_the_columns_and_types_that_are_asked_for(result):
    files = files_in(result)
    with duck() as connection:
        found = rows_of(connection, files["7"], Slice("7", 0, None, 15), SCHEMA)
        assert found == pa.table({"person_id": [7, 7, 15], "code": ["c7-0"] * 3}, SCHEMA)
        rest = rows_of(connection, files["7"], Slice("7", 1, 16, None), SCHEMA)
        assert rest.to_pylist() == [{"person_id": 23, "code": "c7-1"}]
        both = rows_of(connection, files["7"], Slice("7", 0), SCHEMA, where="person_id > 7")
        assert both["person_id"].to_pylist() == [15, 23]
        assert rows_of(connection, files["unidentified"], Slice("unidentified", 0), SCHEMA).num_rows == 1
        assert rows_of(connection, [], Slice("8", 0), SCHEMA) == SCHEMA.empty_table()


def test_a_manifest_lists_files_and_nothing_that_work_left(result):
    for name in (".7-2.parquet.0a1b2c3d", "_MANIFEST.json", "_slices/7-0.json", "persons/7-0.parquet"):
        (result / name).parent.mkdir(exist_ok=True)
        (result / name).write_bytes(b"1234")
    listed = listed_files(result)
    assert [one["path"] for one in listed] == [
        "17-0.parquet",
        "7-0.parquet",
        "7-1.parquet",
        "persons/7-0.parquet",
        "unidentified-0.parquet",
    ]
    assert listed[3]["bytes"] == 4
    assert all(one["bytes"] == (result / one["path"]).stat().st_size for one in listed)
