"""References whose rows are of persons but are not clustered by them: each row is given to its person, once for all.

A reference is read whole by one task, beside the identity, and written in the order of person buckets; what does not
fit in memory is on the disk of that machine. Nothing else joins across persons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from parcours.engine.duck import batches, duck, reading
from parcours.engine.results import Files
from parcours.engine.slices import BUCKET, Slice
from parcours.engine.work import Work, Write
from parcours.events.codelists import Lists
from parcours.events.deaths import (
    CERTIFICATE_COLUMNS,
    DEATH_COLUMNS,
    HOLDER_COLUMNS,
    MATCHED,
    UPDATED,
    holders,
    told_by_certificates,
    with_holder,
)
from parcours.events.filters import columns_of, filters_of, left_out_by
from parcours.events.flat_tables import flat_rows
from parcours.events.persons import PERSON_SOURCE_COLUMNS, Key, identifying_columns, linking
from parcours.snds.contracts import load_product
from parcours.snds.identity import lookup_name
from parcours.snds.person_columns import PersonColumns, referential_tables
from parcours.snds.persons_of_rows import resolve_persons
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, local_copy

KINDS = {"IR_BEN_R": "persons", "IR_BEN_R_ARC": "archived_persons"}
CERTIFICATES = "KI_CCI_R"
NOBODY = "unidentified"  # the bucket of rows without a person, as in flat tables


@dataclass(frozen=True)
class Linking:
    """References to link: {reference: its files}, the identity, and how many person buckets there are."""

    files: Files
    identity: Place
    stated: Mapping[str, Any]
    buckets: int
    lists: Lists

    def work(self) -> Work:
        """A task for each referential and the certificates; result `<reference>`, sorted by bucket and person."""
        return Work(list(self.files), _whole, self.compute)

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """One reference; its counts are {rows: {kind: {read, filter: rows}}} or {certificates: {what: rows}}."""
        with duck() as connection:
            if piece.bucket == CERTIFICATES:
                return self._certificates(connection, write)
            return self._referential(connection, piece.bucket, write)

    def _referential(self, connection: duckdb.DuckDBPyConnection, name: str, write: Write) -> Mapping[str, Any]:
        filters = filters_of(name)
        columns = PERSON_SOURCE_COLUMNS | DEATH_COLUMNS | {UPDATED}
        rows, key = self._rows(connection, name, columns | columns_of(filters))
        place, removed = list(referential_tables()).index(name), left_out_by(filters, self.lists())
        counted = connection.sql(f"SELECT {removed} AS rule, count(*) FROM ({rows}) GROUP BY ALL").fetchall()
        marked = f"SELECT *, {place} AS place, ({removed}) IS NULL AS certified FROM ({rows})"
        told = ", ".join(("person_id", "psa", "rank", "ambiguous", "place", "certified", *sorted(columns)))
        self._write(connection, f"SELECT {told} FROM ({linking(marked, self._couples(connection), key)})", name, write)
        read = {"read": sum(n for _, n in counted), **{rule: n for rule, n in counted if rule}}
        return {"rows": {KINDS[name]: read}}

    def _certificates(self, connection: duckdb.DuckDBPyConnection, write: Write) -> Mapping[str, Any]:
        rows = flat_rows(connection, CERTIFICATES, self.files[CERTIFICATES], CERTIFICATE_COLUMNS)
        connection.execute(f"CREATE TEMP TABLE certificates AS {with_holder(rows, self.held(connection))}")
        self._write(connection, told_by_certificates("SELECT * FROM certificates"), CERTIFICATES, write)
        of_a_person, not_matched, of_nobody = connection.sql(
            """
            SELECT count(*) FILTER (person_id IS NOT NULL), count(*) FILTER (NOT matched),
              count(*) FILTER (matched AND person_id IS NULL) FROM certificates
            """
        ).fetchall()[0]
        connection.execute("DROP TABLE certificates")
        counts = {"of_a_person": of_a_person, "not_matched": not_matched, "of_nobody_known": of_nobody}
        return {"certificates": counts}

    def held(self, connection: duckdb.DuckDBPyConnection) -> str:
        """SQL: who holds each identifier of the referentials (see `holders`)."""
        told = [
            f"SELECT person_id, psa, rank, BEN_IDT_ANO, BEN_NIR_ANO FROM ({linking(*self._holding(connection, name))})"
            for name in referential_tables()
            if name in self.files
        ]
        return holders(" UNION ALL ".join(told))

    def _holding(self, connection: duckdb.DuckDBPyConnection, name: str) -> tuple[str, str, Key]:
        rows, key = self._rows(connection, name, HOLDER_COLUMNS)
        return rows, self._couples(connection), key

    def _rows(self, connection: duckdb.DuckDBPyConnection, name: str, columns: Iterable[str]) -> tuple[str, Key]:
        key = identifying_columns(name, _names(connection, self.files[name]), self.stated)
        return flat_rows(connection, name, self.files[name], {*columns, *key.columns}, key.columns), key

    def _couples(self, connection: duckdb.DuckDBPyConnection) -> str:
        return f"SELECT * FROM read_parquet({reading(connection, [self.identity / 'identity.parquet'])})"

    def _write(self, connection: duckdb.DuckDBPyConnection, rows: str, name: str, write: Write) -> None:
        write(name, by_person(connection, rows, self.buckets))


@dataclass(frozen=True)
class LinkingRows:
    """One reference of which each row is to have its person: `columns` are read; `linking` has its files.

    Rows with PSA and rank find their person as claims do; those that name the person's own identity, as death
    certificates do, through who holds it. A row that leads to nobody stays, without a person.
    """

    name: str
    columns: frozenset[str]
    linking: Linking

    def work(self) -> Work:
        """One task; result `<reference>`, sorted by bucket and person."""
        return Work([self.name], _whole, self.compute)

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """The reference; counts nothing, for extraction counts its rows."""
        named = "identity" in load_product(self.name).person
        with duck() as connection:
            rows = self._held(connection) if named else self._owned(connection)
            told = ", ".join(("person_id", *sorted(self.columns - {"person_id"})))
            write(self.name, by_person(connection, f"SELECT {told} FROM ({rows})", self.linking.buckets))
        return {}

    def _held(self, connection: duckdb.DuckDBPyConnection) -> str:
        columns = self.columns - {"person_id"}
        rows = flat_rows(connection, self.name, self.linking.files[self.name], {*columns, *HOLDER_COLUMNS, MATCHED})
        return with_holder(rows, self.linking.held(connection), columns)

    def _owned(self, connection: duckdb.DuckDBPyConnection) -> str:
        """A table of the rows with their persons, made some at a time."""
        files, stated = self.linking.files[self.name], self.linking.stated
        key = identifying_columns(self.name, _names(connection, files), stated)
        owners = PersonColumns(**{**stated, "rank": key.rank, "names": tuple(stated["names"])})
        mapping = (read_manifest(self.linking.identity) or {}).get("mapping")
        with local_copy(self.linking.identity / lookup_name(str(mapping))) as lookup, duck() as source:
            columns = {*(self.columns - {"person_id"}), *key.columns}
            rows = flat_rows(source, self.name, files, columns, key.columns)
            connection.execute(f"CREATE TEMP TABLE owned AS SELECT NULL::BIGINT AS person_id, * FROM ({rows}) LIMIT 0")
            for batch in batches(source, rows):
                part = pa.Table.from_batches([batch])
                persons, _ = resolve_persons(part, owners, lookup)
                connection.register("part", part.append_column("person_id", persons))
                connection.execute("INSERT INTO owned BY NAME SELECT * FROM part")
        return "SELECT * FROM owned"


def by_person(connection: duckdb.DuckDBPyConnection, rows: str, buckets: int) -> pa.RecordBatchReader:
    """Rows with their person bucket, in its order; those of nobody come last, without a bucket."""
    bucketed = f"SELECT (person_id % {buckets})::INTEGER AS {BUCKET}, * FROM ({rows})"
    return batches(connection, f"{bucketed} ORDER BY ALL")  # the bucket first, and a total order


def _whole(name: str) -> list[Slice]:
    return [Slice(name, 0)]


def _names(connection: duckdb.DuckDBPyConnection, files: Sequence[Place]) -> list[str]:
    """The columns of the first file of a reference."""
    listed = connection.sql(f"DESCRIBE SELECT * FROM read_parquet({reading(connection, files[:1])})").fetchall()
    return [row[0] for row in listed]
