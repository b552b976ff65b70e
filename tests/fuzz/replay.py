"""Flatten one delivery in both ways and say what came of it; anything but two outcomes is a failure."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pyreadstat
from flat_here import flatten_here

from parcours.errors import InputError
from parcours.flatten import engine, source
from parcours.snds.delivery import load_delivery

LONGEST_SENTENCE = 500


class Failure(AssertionError):
    """A mutant did something that no input may do."""


def outcome(folder, product, block, secrets=frozenset()):
    """ "flat" or "refused". Raises Failure, or whatever flattening raised that is not an InputError."""
    with tempfile.TemporaryDirectory() as name, _blocks_of(block):
        try:
            flat = flatten_here(folder, product, Path(name) / "out")
        except InputError as error:
            _check_sentence(str(error), folder, secrets)
            return "refused"
        _check_rows(flat.summaries, folder)
        return "flat"


@contextmanager
def _blocks_of(size):
    """Blocks of `size` bytes; with small ones, many tasks and buckets too, even for a few lines."""
    bucket = 600 if size < 1000 else engine.BUCKET_BYTES
    task = min(3 * size, engine.TASK_BYTES)
    with mock.patch.multiple(engine, BUCKET_BYTES=bucket, TASK_BYTES=task), mock.patch.multiple(source, BLOCK=size):
        yield


def _check_sentence(sentence, folder, secrets):
    if (
        len(sentence.splitlines()) != 1
        or len(sentence) > LONGEST_SENTENCE + len(str(folder))
        or not sentence.isprintable()
    ):
        raise Failure("the error is not one sentence")
    if not any(file.name in sentence or file.name.split(".")[0] in sentence for file in folder.iterdir()):
        raise Failure("the error names no file and no table")
    if any(secret in sentence for secret in secrets):
        raise Failure("the error shows a value of a row")


def _check_rows(summaries, folder):
    """Rows read = joined + rejected + orphaned in each table, and as many as the file has lines, counted anew."""
    read = {}
    for summary in summaries.values():
        rows = summary["rows"]
        for table, number in rows["read"].items():
            if number != rows["joined"][table] + rows["rejected"][table] + rows["orphaned"][table]:
                raise Failure(f"rows of {table} are lost")
            read[table] = read.get(table, 0) + number
    for raw in load_delivery(folder).files:
        rows = _rows_of(raw.path)
        if raw.table in read and rows not in (None, read[raw.table]):
            raise Failure(f"{raw.table} has {rows} rows, and {read[raw.table]} were read")


def _rows_of(path):
    """The rows of a file, as its own format says; None for texts that only a reader of records can count."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        return pq.read_metadata(path).num_rows
    if path.suffix == ".sas7bdat":
        return pyreadstat.read_sas7bdat(path, metadataonly=True, output_format="dict")[1].number_rows
    if path.suffix == ".csv" and b'"' not in content:
        return sum(1 for line in content.split(b"\n")[1:] if line.removesuffix(b"\r"))
    return None
