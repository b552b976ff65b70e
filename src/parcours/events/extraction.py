"""The events of a flat product as work on slices: one pass makes all categories that are asked for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from parcours.engine.duck import duck, reading
from parcours.engine.results import Files
from parcours.engine.slices import BUCKET, FLAT_BYTES, Slice, cut
from parcours.engine.work import Work, Write
from parcours.events.codelists import Lists
from parcours.events.columns import PERIOD
from parcours.events.extractors import extractors, passes
from parcours.events.flat_tables import FILE_ROW, flat_rows
from parcours.events.linked import NOBODY
from parcours.events.one_pass import count, events_of
from parcours.events.relevant import CLAIM, ROW_OF_CLAIM

FLUX_LAGS = "flux_lags"
LAG_COLUMNS = frozenset({"EXE_SOI_DTD", "claim_row"})


@dataclass(frozen=True)
class ProductPass:
    """What one pass over a product reads and makes; `lags`: whether it counts lines by month of care and of flux."""

    product: str
    files: Files
    categories: Sequence[str]
    lists: Lists
    references: Mapping[str, pa.Table] = field(default_factory=dict)
    lags: bool = False

    @property
    def columns(self) -> set[str]:
        """The flat columns that it reads."""
        of = passes()[self.product]
        own = of.columns(extractors()[category] for category in self.categories) if self.categories else {"person_id"}
        return own | (LAG_COLUMNS if self.lags else set())

    def work(self) -> Work:
        """The events of each category, slice by slice.

        Counts: {rows: {category: {rule: rows}}, flux_lags: {month of care: {month of flux: lines}}}.
        """
        results = [*self.categories, *([FLUX_LAGS] if self.lags else [])]
        return Work(list(self.files), self.slices, self.compute, results)

    def slices(self, bucket: str) -> Iterable[Slice]:
        """The slices of a bucket."""
        with duck() as connection:
            return cut(connection, bucket, self.files[bucket], FLAT_BYTES)

    def rows(self, connection: duckdb.DuckDBPyConnection, piece: Slice) -> str:
        """SQL that gives the flat rows of a slice."""
        columns = {*self.columns, "claim_row", FILE_ROW}
        rows = flat_rows(connection, self.product, self.files[piece.bucket], columns)
        # A file has the rows of a claim one after the other.
        claim = f"hash({PERIOD}, {FILE_ROW} - claim_row) AS {CLAIM}, claim_row AS {ROW_OF_CLAIM}"
        return f"SELECT *, {claim} FROM ({rows}) WHERE {piece.condition}"

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """The events of a slice."""
        of = passes()[self.product]
        wanted = [extractors()[category] for category in self.categories]
        counts: dict[str, Any] = {}
        with duck() as connection:
            rows = self.rows(connection, piece)
            if self.lags:
                counts[FLUX_LAGS], read = _lags(connection, rows)
            else:
                read = count(connection, rows)
            if wanted:
                told = counts["rows"] = {}
                made = events_of(connection, rows, read, of, wanted, self.references, self.lists())
                for category, events, rows_of in made:
                    write(category, events)
                    told[category] = rows_of
        return counts


@dataclass(frozen=True)
class LinkedPass(ProductPass):
    """One pass over a reference whose rows were given to persons: a bucket of persons is a slice of one file."""

    def slices(self, bucket: str) -> Iterable[Slice]:
        """The bucket itself: a reference has few rows of a person."""
        return [Slice(bucket, 0)]

    def rows(self, connection: duckdb.DuckDBPyConnection, piece: Slice) -> str:
        """SQL that gives the rows of a bucket."""
        told = reading(connection, self.files[piece.bucket])
        bucket = "NULL" if piece.bucket == NOBODY else piece.bucket
        return f"SELECT * FROM read_parquet({told}) WHERE {BUCKET} IS NOT DISTINCT FROM {bucket}"


def _lags(connection: Any, rows: str) -> tuple[dict[str, dict[str, int]], int]:
    """{month of care: {month of flux: lines}} of the first row of each line, and how many rows there are at all."""
    days = f"SELECT EXE_SOI_DTD, {PERIOD}, count(*) AS rows, count(*) FILTER (claim_row = 1) AS lines FROM ({rows})"
    found = connection.sql(
        f"""
        SELECT strftime(EXE_SOI_DTD, '%Y-%m') AS care, {PERIOD}, sum(lines)::BIGINT, sum(rows)::BIGINT
        FROM ({days} GROUP BY ALL) GROUP BY care, {PERIOD} ORDER BY ALL
        """
    ).fetchall()
    lags: dict[str, dict[str, int]] = {}
    for care, flux, lines, _ in found:
        if care is not None and lines:
            lags.setdefault(care, {})[flux] = lines
    return lags, sum(read for *_, read in found)
