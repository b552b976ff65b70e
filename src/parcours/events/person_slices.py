"""Who there is and who died, decided once for all stages, as work on slices of persons."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from parcours.engine.duck import duck, query
from parcours.engine.results import Files, rows_of
from parcours.engine.slices import BUCKET, EVENT_BYTES, Slice, cut
from parcours.engine.work import Work, Write
from parcours.events.deaths import (
    CREDIBLE,
    care_after_death,
    decided,
    judged,
    told_by_referential,
    told_by_stays,
)
from parcours.events.linked import CERTIFICATES
from parcours.events.persons import everybody, persons_told
from parcours.events.schema import EVENT_SCHEMA
from parcours.snds.person_columns import referential_tables
from parcours.storage.place import Place

PERSONS, DEATHS = "persons.parquet", "deaths.parquet"
CARE = pa.schema([EVENT_SCHEMA.field(name) for name in ("person_id", "category", "start")])
STAY = pa.schema([EVENT_SCHEMA.field(name) for name in ("person_id", "category", "start", "end", "weight")])
TOLD = pa.schema([("person_id", pa.int64()), ("source", pa.string()), ("first", pa.date32()), ("last", pa.date32())])
REFERENTIAL = pa.schema(
    [
        ("person_id", pa.int64()),
        ("psa", pa.string()),
        ("rank", pa.int64()),
        ("ambiguous", pa.bool_()),
        ("place", pa.int32()),
        ("certified", pa.bool_()),
        ("BEN_SEX_COD", pa.int64()),
        ("BEN_NAI_ANN", pa.string()),
        ("BEN_NAI_MOI", pa.string()),
        ("BEN_DCD_DTE", pa.date32()),
        ("BEN_DCD_AME", pa.string()),
        ("BEN_DTE_MAJ", pa.date32()),
    ]
)


@dataclass(frozen=True)
class Persons:
    """What tells of persons: linked references, events of care, and events of stays, {category: files by bucket}."""

    linked: Mapping[str, Place]
    care: Mapping[str, Files]
    stays: Mapping[str, Files]
    buckets: int

    def work(self) -> Work:
        """persons.parquet and deaths.parquet, slice by slice, and the counts of `counts_of`."""
        return Work([str(number) for number in range(self.buckets)], self.slices, self.compute)

    def slices(self, bucket: str) -> Iterable[Slice]:
        """The slices of a bucket: it has as many persons as have care."""
        files = [file for by_bucket in self.care.values() for file in by_bucket.get(bucket, ())]
        with duck() as connection:
            return cut(connection, bucket, files, EVENT_BYTES)

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """The persons of a slice."""
        with duck() as connection:
            referential = self._linked(connection, piece, referential_tables(), REFERENTIAL)
            certified = self._linked(connection, piece, [CERTIFICATES], TOLD)
            care = _events(connection, self.care, piece, CARE)
            stays = _events(connection, self.stays, piece, STAY)
        told = [told_by_stays(stays), certified, *_told_by(referential)]
        known = persons_told(referential)
        deaths = judged(pa.concat_tables([table.cast(TOLD) for table in told]), known, care)
        persons = everybody(known, care, decided(deaths))
        write(DEATHS, deaths)
        write(PERSONS, persons)
        return {**counts_of(deaths, persons), "events_after_death": care_after_death(care, persons)}

    def _linked(
        self, connection: duckdb.DuckDBPyConnection, piece: Slice, names: Iterable[str], schema: pa.Schema
    ) -> pa.Table:
        """Rows of linked references of a slice: each is sorted by bucket, so that few row groups are read."""
        of_bucket = f"{BUCKET} = {piece.bucket}"
        files = [[self.linked[name]] for name in names if name in self.linked]
        parts = [rows_of(connection, some, piece, schema, of_bucket) for some in files]
        return pa.concat_tables([schema.empty_table(), *parts])


def _events(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, Files], piece: Slice, schema: pa.Schema
) -> pa.Table:
    files = [file for by_bucket in sources.values() for file in by_bucket.get(piece.bucket, ())]
    return rows_of(connection, files, piece, schema)


def _told_by(referential: pa.Table) -> list[pa.Table]:
    return [
        told_by_referential(query(f"SELECT * FROM referential WHERE place = {place}", referential=referential), name)
        for place, name in enumerate(referential_tables())
    ]


def counts_of(deaths: pa.Table, persons: pa.Table) -> dict[str, Any]:
    """{told: {source: persons it tells credibly}, not_credible: {reason: persons}, by_source, disagree} of tables."""
    told = query(
        f"""
        SELECT verdict, CASE WHEN verdict = '{CREDIBLE}' THEN source END AS source, count(DISTINCT person_id) AS n
        FROM deaths GROUP BY ALL ORDER BY ALL
        """,
        deaths=deaths,
    ).to_pylist()
    died = query(
        """
        SELECT death_source, count(*) AS n, count(*) FILTER (deaths_disagree) AS disagree
        FROM persons WHERE death IS NOT NULL GROUP BY 1 ORDER BY 1
        """,
        persons=persons,
    ).to_pylist()
    return {
        "told": {row["source"]: row["n"] for row in told if row["source"]},
        "not_credible": {row["verdict"]: row["n"] for row in told if not row["source"]},
        "by_source": {row["death_source"]: row["n"] for row in died},
        "disagree": sum(row["disagree"] for row in died),
    }
