"""Slices: the rows of a person bucket and a range of person_id, over all periods and products, about 200 MB of them.

Flat files of a bucket are sorted by person, so that the minima and maxima of their row groups tell where each range is;
a slice reads the row groups that reach into it, and no person is in two slices.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from parcours.engine.duck import reading
from parcours.storage.place import Place, file_size

PERSON = "person_id"
BUCKET = "bucket"  # of person_id, in files that hold the persons of several
# Bytes of flat files, of all their columns, that a slice has: some three million rows, of which the columns that
# extractors read are half a gigabyte. Events are a tenth as wide.
FLAT_BYTES = 200 << 20
EVENT_BYTES = 16 << 20


@dataclass(frozen=True)
class Slice:
    """Persons of one bucket from `first` to `last`, both included; None: however small or great, or nobody at all."""

    bucket: str
    number: int
    first: int | None = None
    last: int | None = None

    @property
    def name(self) -> str:
        """A name for its files: `17-0`."""
        return f"{self.bucket}-{self.number}"

    @property
    def condition(self) -> str:
        """Which rows are of it, in SQL."""
        bounds = [f"{PERSON} >= {self.first}"] if self.first is not None else []
        bounds += [f"{PERSON} <= {self.last}"] if self.last is not None else []
        return " AND ".join(bounds) or "true"


def cut(connection: duckdb.DuckDBPyConnection, bucket: str, files: Sequence[Place], limit: int) -> list[Slice]:
    """The slices of a bucket, of about `limit` bytes of its files; one where these name no persons."""
    if sum(file_size(file) for file in files) <= limit:
        return [Slice(bucket, 0)]
    groups = _row_groups(connection, files)
    persons = sorted((first, last, size) for first, last, size in groups if first is not None and last is not None)
    pieces = -(-sum(size for *_, size in persons) // limit)
    bounds = _bounds(persons, pieces) if persons else []
    firsts: list[int | None] = [None, *bounds]
    lasts: list[int | None] = [*(bound - 1 for bound in bounds), None]
    return [Slice(bucket, n, first, last) for n, (first, last) in enumerate(zip(firsts, lasts, strict=True))]


def _row_groups(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Place]
) -> list[tuple[int | None, int | None, int]]:
    """(smallest person_id, greatest, bytes) of each row group."""
    found: list[tuple[int | None, int | None, int]] = connection.sql(
        f"""
        SELECT max(CASE WHEN path_in_schema = '{PERSON}' THEN stats_min_value::BIGINT END),
          max(CASE WHEN path_in_schema = '{PERSON}' THEN stats_max_value::BIGINT END),
          sum(total_compressed_size)::BIGINT
        FROM parquet_metadata({reading(connection, files)}) GROUP BY file_name, row_group_id
        """
    ).fetchall()
    return found


def _bounds(groups: Sequence[tuple[int, int, int]], pieces: int) -> list[int]:
    """The first person_id of each piece but the first, at equal bytes.

    Those of a row group are spread evenly from its first person to its last: each month of a small bucket is one row
    group, of nearly all its persons.
    """

    first, last, size = (np.array(column, np.int64) for column in zip(*groups, strict=True))

    def before(person: int) -> float:
        spread = np.clip(person - first, 0, None) / (last - first + 1)
        return float(np.sum(size * np.minimum(spread, 1)))  # of a group of one person, all or nothing

    persons = range(int(first.min()) + 1, int(last.max()) + 1)
    places = [bisect_left(persons, float(size.sum()) * n / pieces, key=before) for n in range(1, pieces)]
    return sorted({persons[min(place, len(persons) - 1)] for place in places}) if persons else []
