"""Slices of a bucket: every row is of one of them, and no person of two."""

import random
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.engine.duck import duck
from parcours.engine.slices import Slice, cut

SCHEMA = pa.schema([("person_id", pa.int64()), ("claim", pa.int64()), ("label", pa.string())])
GROUP_BYTES = 2000  # more or less, of a row group of 100 rows


@pytest.fixture
def bucket(tmp_path):
    """`bucket([[1, 1], [2]], [[1]])` writes two files, of two row groups and of one, and gives their paths."""
    rng = random.Random(1)

    def written(*files):
        paths = [tmp_path / f"period={number}" / "7.parquet" for number in range(len(files))]
        for path, groups in zip(paths, files, strict=True):
            path.parent.mkdir()
            with pq.ParquetWriter(path, SCHEMA) as writer:
                for persons in groups:
                    claims = [rng.randrange(1 << 60) for _ in persons]
                    writer.write_table(pa.table([persons, claims, ["x" * 40] * len(persons)], schema=SCHEMA))
        return paths

    return written


def pieces(files, limit):
    with duck() as connection:
        return cut(connection, "7", files, limit)


def rows_of_each(files, found):
    with duck() as connection:
        source = f"read_parquet({[str(file) for file in files]})"
        return [
            connection.sql(f"SELECT person_id, claim FROM {source} WHERE {piece.condition}").fetchall()
            for piece in found
        ]


def check_whole(files, found):
    """Every row is in one slice, no person is in two, and slices are in the order of persons."""
    rows = rows_of_each(files, found)
    there = pa.concat_tables([pq.ParquetFile(file).read(["person_id", "claim"]) for file in files])
    expected = sorted(zip(there["person_id"].to_pylist(), there["claim"].to_pylist(), strict=True))
    assert sorted(row for some in rows for row in some) == expected
    persons = [{person for person, _ in some} for some in rows if some]
    assert all(max(some) < min(later) for some, later in pairwise(persons))
    assert [piece.name for piece in found] == [f"7-{number}" for number in range(len(found))]
    return rows


def sorted_groups(rng, persons, rows):
    drawn = sorted(rng.choices(persons, k=rows))
    return [drawn[start : start + 100] for start in range(0, rows, 100)]


@pytest.mark.parametrize("seed", range(8))
def test_every_row_is_in_one_slice_and_no_person_in_two(bucket, seed):
    rng = random.Random(seed)
    persons = [rng.randrange(1 << 62) for _ in range(rng.choice([1, 2, 5, 300]))]
    files = bucket(*(sorted_groups(rng, persons, rng.choice([100, 1000, 1700])) for _ in range(3)))
    limit = GROUP_BYTES * rng.choice([1, 3, 10])
    found = pieces(files, limit)
    check_whole(files, found)
    # The same whatever the order of the files: a run that goes on finds its slices again.
    assert pieces(files[::-1], limit) == found


def test_slices_are_about_as_large_as_they_should_be(bucket):
    files = bucket(*([list(range(start, start + 100)) for start in range(0, 2000, 100)] for _ in range(3)))
    rows = check_whole(files, pieces(files, GROUP_BYTES * 10))
    assert 5 <= len(rows) <= 8
    assert max(map(len, rows)) <= 1.5 * min(map(len, rows))


def test_months_that_are_one_row_group_of_all_persons_are_cut_into_slices_too(bucket):
    rng = random.Random(1)
    files = bucket(*([sorted(rng.choices(range(1 << 62), k=100))] for _ in range(30)))
    rows = check_whole(files, pieces(files, GROUP_BYTES * 5))
    assert 5 <= len(rows) <= 8
    assert max(map(len, rows)) <= 1.5 * min(map(len, rows))


def test_a_bucket_of_one_person_is_one_slice_however_large(bucket):
    files = bucket([[5] * 100] * 6, [[5] * 100] * 6)
    assert pieces(files, GROUP_BYTES) == [Slice("7", 0)]


def test_a_person_of_more_row_groups_than_a_slice_has_stays_whole(bucket):
    files = bucket([list(range(100)), *[[100] * 100] * 6, list(range(101, 201))], [[99] * 50 + [100] * 50])
    found = pieces(files, 2 * GROUP_BYTES)
    rows = check_whole(files, found)
    assert len(found) > 1
    assert all(rows)


def test_a_bucket_without_a_row_or_a_file_is_one_slice(bucket):
    assert pieces(bucket([]), 1) == [Slice("7", 0)]
    assert pieces([], 1) == [Slice("7", 0)]
    assert Slice("7", 0).condition == "true"


def test_rows_of_nobody_are_one_slice(bucket):
    files = bucket([[None] * 100] * 5)
    assert pieces(files, GROUP_BYTES) == [Slice("7", 0)]


def test_a_small_bucket_is_not_asked_where_its_persons_are(bucket):
    files = bucket([list(range(100))] * 5)
    assert len(pieces(files, 100)) > 1
    files[0].write_bytes(b"of which nothing is read")
    assert pieces(files, 1 << 20) == [Slice("7", 0)]
