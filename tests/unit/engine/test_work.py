"""Work on slices: what is finished is kept, what is not is computed again, and gives the same bytes."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.engine.duck import batches, duck
from parcours.engine.slices import Slice
from parcours.engine.work import MARKS, Work, run_work, summed, write_table

BUCKETS = ("0", "1")
PER_BUCKET = 3


class Fault(Exception):
    pass


@pytest.fixture
def flat(tmp_path):
    """Files of two buckets with persons 0 to 29 of each, three rows each."""
    files = {}
    for bucket in BUCKETS:
        persons = [person for person in range(30) for _ in range(3)]
        files[bucket] = tmp_path / f"{bucket}.parquet"
        pq.write_table(pa.table({"person_id": persons, "n": range(90)}), files[bucket])
    return files


class Counting:
    """Counts rows by person in `counts`, has none in `empty`; fails once in the slices that `fails` names."""

    def __init__(self, files, fails=()):
        self.files, self.fails, self.computed = files, set(fails), []

    def work(self):
        return Work(list(self.files), self.cut, self.compute)

    def cut(self, bucket):
        bounds = [None, 10, 20, None]
        return [Slice(bucket, n, bounds[n], bounds[n + 1] and bounds[n + 1] - 1) for n in range(PER_BUCKET)]

    def compute(self, piece, write):
        self.computed.append(piece.name)
        with duck() as connection:
            rows = f"SELECT * FROM read_parquet('{self.files[piece.bucket]}') WHERE {piece.condition}"
            counted = f"SELECT person_id, count(*) AS rows FROM ({rows}) GROUP BY 1 ORDER BY 1"
            assert write("counts", connection.sql(counted).to_arrow_table()) == 10
            assert write("empty", batches(connection, f"FROM ({rows}) WHERE false")) == 0
            if piece.name in self.fails:
                self.fails.remove(piece.name)
                raise Fault(piece.name)
            write("rows", batches(connection, f"FROM ({rows})", rows=7))
        return {"rows": {"read": 30, piece.bucket: 30}}


def bytes_in(staged):
    return {str(file.relative_to(staged)): file.read_bytes() for file in sorted(staged.glob("*/*.parquet"))}


def marks(staged):
    return sorted(path.stem for path in (staged / MARKS).glob("*.json"))


def test_each_result_of_each_slice_is_a_file_and_one_without_rows_is_none(flat, tmp_path):
    reports = run_work(Counting(flat).work(), tmp_path / "staged", None, 2)
    names = [f"{bucket}-{n}" for bucket in BUCKETS for n in range(PER_BUCKET)]
    assert [report["slice"] for report in reports] == names == marks(tmp_path / "staged")
    found = bytes_in(tmp_path / "staged")
    assert list(found) == [f"{result}/{name}.parquet" for result in ("counts", "rows") for name in names]
    for report in reports:
        assert {result: told["rows"] for result, told in report["files"].items()} == {"counts": 10, "rows": 30}
        assert all(
            told["bytes"] == len(found[f"{name}/{report['slice']}.parquet"]) for name, told in report["files"].items()
        )
    written = pq.ParquetDataset(tmp_path / "staged" / "rows").read()
    assert written.num_rows == 180
    assert summed(reports) == {"rows": {"read": 180, "0": 90, "1": 90}}


def test_a_second_run_computes_only_what_a_failure_left_undone(flat, tmp_path):
    whole, staged = tmp_path / "whole", tmp_path / "staged"
    expected = run_work(Counting(flat).work(), whole, None, 1)
    task = Counting(flat, fails=["0-2"])
    with pytest.raises(Fault, match="0-2"):
        run_work(task.work(), staged, None, 1)
    done = marks(staged)
    assert done[:2] == ["0-0", "0-1"]
    assert "0-2" not in done
    before = {name: (staged / MARKS / f"{name}.json").read_bytes() for name in done}
    task.computed.clear()
    reports = run_work(task.work(), staged, None, 1)
    assert sorted(task.computed + done) == marks(staged) == marks(whole)
    # What was kept is as it was told, and the whole is what one run without a failure gives.
    assert {name: (staged / MARKS / f"{name}.json").read_bytes() for name in done} == before
    assert [{**report, "ended": None} for report in reports] == [{**report, "ended": None} for report in expected]
    assert bytes_in(staged) == bytes_in(whole)
    assert [json.loads((staged / MARKS / f"{report['slice']}.json").read_text()) for report in reports] == reports
    task.computed.clear()
    assert run_work(task.work(), staged, None, 1) == reports
    assert task.computed == []


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"half")])
def test_a_finished_slice_whose_file_is_lost_is_computed_again(flat, tmp_path, damage):
    """A run that is killed while it takes away the files of slices leaves their marks."""
    staged, given = tmp_path / "staged", Counting(flat)
    told = run_work(given.work(), staged, None, 1)
    before = bytes_in(staged)
    damage(staged / "rows" / "1-2.parquet")
    given.computed.clear()
    again = run_work(given.work(), staged, None, 1)
    assert given.computed == ["1-2"]
    assert bytes_in(staged) == before
    assert [{**report, "ended": None} for report in again] == [{**report, "ended": None} for report in told]


def test_a_slice_is_computed_again_for_a_result_that_it_was_not_finished_for(flat, tmp_path):
    staged, given = tmp_path / "staged", Counting(flat)
    run_work(replace(given.work(), results=["counts"]), staged, None, 1)
    given.computed.clear()
    # What a run commits before it is killed is no longer there, and nobody asks for it again.
    (staged / "rows").rename(tmp_path / "committed")
    run_work(replace(given.work(), results=["counts"]), staged, None, 1)
    assert given.computed == []
    run_work(replace(given.work(), results=["counts", "rows"]), staged, None, 1)
    assert len(given.computed) == len(BUCKETS) * PER_BUCKET
    assert (staged / "rows" / "0-0.parquet").is_file()


def test_results_are_the_same_bytes_however_many_threads(flat, tmp_path):
    for cores in (1, 3):
        run_work(Counting(flat).work(), tmp_path / str(cores), None, cores)
    assert bytes_in(tmp_path / "1") == bytes_in(tmp_path / "3")


def test_a_killed_write_leaves_nothing_that_has_the_name_of_a_result(flat, tmp_path):
    def some(piece, write):
        schema = pa.schema([("person_id", pa.int64())])

        def rows():
            yield pa.record_batch([[1, 2]], schema=schema)
            raise Fault("in the middle")

        write("rows", pa.RecordBatchReader.from_batches(schema, rows()))

    work = Work(["0"], lambda bucket: [Slice(bucket, 0)], some)
    with pytest.raises(Fault, match="in the middle"):
        run_work(work, tmp_path / "staged", None, 1)
    assert bytes_in(tmp_path / "staged") == {}
    assert marks(tmp_path / "staged") == []
    task = Counting(flat)
    run_work(task.work(), tmp_path / "staged", None, 1)
    assert len(task.computed) == len(BUCKETS) * PER_BUCKET


def test_a_table_is_written_be_it_without_a_row(tmp_path):
    empty = pa.schema([("care", pa.string())]).empty_table()
    write_table(tmp_path / "flux_lags" / "lags.parquet", empty)
    assert pq.read_table(tmp_path / "flux_lags" / "lags.parquet") == empty
    assert [path.name for path in (tmp_path / "flux_lags").iterdir()] == ["lags.parquet"]
