"""Identifiers -> person_id: one stable number per person, from the referentials IR_BEN_R and IR_BEN_R_ARC.

Rules (CNAM, Santé publique France; see docs/reference/flat-tables.md): IR_BEN_R goes before its archive; the latest
row of a (PSA, rank) counts; a person is its BEN_IDT_ANO, else its PSA and rank; hospital stays know the PSA alone, and
a PSA of several persons is ambiguous for them. `person_id` is the first 63 bits of the MD5 of that text.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import yaml

from parcours.errors import InputError, RetryableFault
from parcours.snds.identity_changes import changed_persons

PERSON = "person_id"
IDENTITY_FILE = "identity.parquet"
AMBIGUOUS = -1
DEFAULT_RANK = 1
IDT, UPDATED = "BEN_IDT_ANO", "BEN_DTE_MAJ"
HASH = "(('0x' || left(md5({}), 16))::UBIGINT >> 1)::BIGINT"
COUPLE = "psa || '|' || rank"
ALONE = "psa || '|'"  # in the look-up only, where no couple ends like this
Referentials = Mapping[str, Iterable[pa.Table]]


@dataclass(frozen=True)
class PersonColumns:
    """The columns that say whose a row is; without `rank`, the PSA alone; `whole`: the column itself is the person."""

    psa: str
    rank: str | None
    whole: bool = False

    @property
    def of_referential(self) -> tuple[str, ...]:
        """Columns of a referential that the identity is made of."""
        return (self.psa, *((self.rank,) if self.rank else ()), IDT, UPDATED)


@dataclass(frozen=True)
class IdentityCounts:
    """Rows of the referentials and what became of them: rows = couples + dropped + unidentified.

    `couples` are (PSA, rank), `archived` those that IR_BEN_R_ARC alone holds, `merged` those whose person has several,
    `ambiguous` those whose PSA is of several persons. `dropped` are rows of a couple that another row goes before,
    `unidentified` rows without an identifier.
    """

    rows: int
    couples: int
    persons: int
    archived: int
    merged: int
    ambiguous: int
    dropped: int
    unidentified: int


@dataclass(frozen=True)
class Identity:
    """What the referentials say: counts, and `mapping`, the fingerprint of who each identifier is.

    Referentials with the same `mapping` give all rows to the same persons, whatever else changed in them. `changes`
    are those persons of an identity before whose identifiers are of others now (see `changed_persons`).
    """

    counts: IdentityCounts
    mapping: str
    changes: pa.Table | None


@cache
def referential_tables() -> tuple[str, ...]:
    """The tables that say which person a (PSA, rank) is; the first that holds a couple counts."""
    return tuple(_rules()["referentials"])


@cache
def placeholders() -> tuple[str, ...]:
    """Texts that stand where an identifier should; they are no person."""
    return tuple(_rules()["placeholders"])


def _rules() -> dict[str, list[str]]:
    rules: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    return rules


def person_id(text: str) -> int:
    """The person_id of one identifying text: a BEN_IDT_ANO, or "PSA|rank"."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big") >> 1


def lookup_name(mapping: str) -> str:
    """File name of a look-up: another mapping is another file, so that no task reads one in the place of the other."""
    return f"lookup-{mapping}.arrow"


# --- from the referentials ---------------------------------------------------------------------------------------


def build_identity(
    referentials: Referentials, columns: PersonColumns, directory: Path, before: Path | None = None
) -> Identity:
    """Write identity.parquet (psa, rank, person_id, source, merged, ambiguous) and the look-up of tasks.

    `referentials`: the rows of each referential table, in parts that need not have the same columns. Of the rows of
    one (PSA, rank) those of the first table count, then the latest BEN_DTE_MAJ, then the greatest BEN_IDT_ANO.
    `before` is the identity.parquet of another identity.
    Raises InputError when a table has rows and none of them has an identifier.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _resolved(referentials, columns) as connection:
        target = str(directory / IDENTITY_FILE).replace("'", "''")
        connection.sql(
            f"COPY (SELECT * EXCLUDE archived FROM identity ORDER BY psa, rank) TO '{target}' (FORMAT parquet)"
        )
        lookup = _lookup_table(connection)
        identity = _identity(connection, lookup, columns, before)
    with pa.ipc.new_file(str(directory / lookup_name(identity.mapping)), lookup.schema) as writer:
        writer.write_table(lookup)
    return identity


def foreseen_identity(referentials: Referentials, columns: PersonColumns, before: Path | None = None) -> Identity:
    """What `build_identity` would say; writes nothing."""
    with _resolved(referentials, columns) as connection:
        return _identity(connection, _lookup_table(connection), columns, before)


def _identity(
    connection: duckdb.DuckDBPyConnection, lookup: pa.Table, columns: PersonColumns, before: Path | None
) -> Identity:
    changes = None
    if before is not None:
        changes = changed_persons(connection, before, HASH.format(_text(columns)))
    return Identity(_counts(connection), _mapping(lookup), changes)


def _text(columns: PersonColumns) -> str:
    """The text that a person is, whom no BEN_IDT_ANO names."""
    return "psa" if columns.whole else COUPLE


@contextmanager
def _resolved(referentials: Referentials, columns: PersonColumns) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables `couples` (a row for each of the referentials') and `identity`."""
    with duckdb.connect() as connection:
        connection.sql("CREATE TABLE couples (place TINYINT, psa VARCHAR, rank BIGINT, idt VARCHAR, updated DATE)")
        for place, table in enumerate(referential_tables()):
            for part in referentials.get(table, ()):
                _add_couples(connection, part, columns, place)
        _check_identified(connection, columns)
        connection.sql(f"CREATE TABLE identity AS {_identity_sql(columns)}")
        yield connection


def _add_couples(connection: duckdb.DuckDBPyConnection, part: pa.Table, columns: PersonColumns, place: int) -> None:
    connection.register("part", part)
    # Where one column stands for the person, that column is the person: BEN_IDT_ANO is not asked.
    idt = "NULL" if columns.whole else f"nullif(rtrim({_column(part, IDT)}::VARCHAR, ' '), '')"
    connection.sql(f"""
        INSERT INTO couples
        SELECT {place}, {_psa_sql(part, columns)}, {_rank_sql(part, columns)}, {idt},
               try_cast({_column(part, UPDATED)} AS DATE)
        FROM part""")
    connection.unregister("part")


def _column(table: pa.Table, name: str | None) -> str:
    return f'"{name}"' if name in table.column_names else "NULL"


def _psa_sql(table: pa.Table, columns: PersonColumns) -> str:
    """An identifier as it is compared: without the blanks that pad it, null when it is empty or a placeholder."""
    none = ", ".join(f"'{text}'" for text in ("", *placeholders()))
    trimmed = f"rtrim({_column(table, columns.psa)}::VARCHAR, ' ')"
    return f"CASE WHEN {trimmed} NOT IN ({none}) THEN {trimmed} END"


def _rank_sql(table: pa.Table, columns: PersonColumns) -> str:
    """A rank as a number, whatever the type of its column; 1 when it is not known or not a whole number."""
    number = _column(table, columns.rank)
    if columns.rank in table.column_names and not pa.types.is_integer(table.schema.field(columns.rank).type):
        number = f"regexp_extract({number}::VARCHAR, '^\\s*([+-]?\\d{{1,18}})(\\.0*)?\\s*$', 1)"
    return f"coalesce(try_cast({number} AS BIGINT), {DEFAULT_RANK})"


def _check_identified(connection: duckdb.DuckDBPyConnection, columns: PersonColumns) -> None:
    found = connection.sql("SELECT place FROM couples GROUP BY place HAVING count(psa) = 0").fetchall()
    for (place,) in found:
        raise InputError(
            f"No row of {referential_tables()[place]} has an identifier in column {columns.psa}, which `person` of the "
            "delivery names; deliver the table with it, mend `person`, or use another root."
        )


def _identity_sql(columns: PersonColumns) -> str:
    return f"""
        WITH latest AS (
            SELECT place > 0 AS archived, psa, rank, idt FROM couples WHERE psa IS NOT NULL
            QUALIFY row_number() OVER (
                PARTITION BY psa, rank ORDER BY place, updated DESC NULLS LAST, idt DESC NULLS LAST) = 1
        ), given AS (
            SELECT psa, rank, {HASH.format(f"coalesce(idt, {_text(columns)})")} AS person_id,
                   CASE WHEN idt IS NULL THEN 'PSA' ELSE 'IDT' END AS source, archived
            FROM latest
        )
        SELECT *, count(*) OVER (PARTITION BY person_id) > 1 AS merged,
               min(person_id) OVER (PARTITION BY psa) <> max(person_id) OVER (PARTITION BY psa) AS ambiguous
        FROM given"""


def _counts(connection: duckdb.DuckDBPyConnection) -> IdentityCounts:
    rows, identified = connection.sql("SELECT count(*), count(psa) FROM couples").fetchall()[0]
    couples, persons, archived, merged, ambiguous = connection.sql(
        "SELECT count(*), count(DISTINCT person_id), count(*) FILTER (archived), count(*) FILTER (merged),"
        " count(*) FILTER (ambiguous) FROM identity"
    ).fetchall()[0]
    return IdentityCounts(
        rows=rows,
        couples=couples,
        persons=persons,
        archived=archived,
        merged=merged,
        ambiguous=ambiguous,
        dropped=identified - couples,
        unidentified=rows - identified,
    )


def _lookup_table(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Hash of "PSA|rank" and of "PSA|" -> person_id, sorted; tasks of a machine share it by memory map."""
    lookup = connection.sql(f"""
        SELECT {HASH.format(COUPLE)} AS key, person_id FROM identity
        UNION ALL
        SELECT {HASH.format(ALONE)}, CASE WHEN any_value(ambiguous) THEN {AMBIGUOUS} ELSE any_value(person_id) END
        FROM identity GROUP BY psa
        ORDER BY key, person_id""")
    return lookup.to_arrow_table().combine_chunks()


def _mapping(lookup: pa.Table) -> str:
    digest = hashlib.sha256()
    for name in ("key", "person_id"):
        digest.update(lookup[name].to_numpy().tobytes())
    return digest.hexdigest()[:16]


# --- to the rows of a table --------------------------------------------------------------------------------------


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One a process: to connect takes longer than to resolve a small table."""
    return duckdb.connect(config={"threads": 1})


def resolve_persons(table: pa.Table, columns: PersonColumns, lookup: Path | None) -> pa.Array:
    """person_id of each row (int64), null where there is no PSA or where a PSA alone is of several persons.

    Without a referential, or for identifiers that it does not hold, the person is the PSA and rank (1 when unknown).
    Raises RetryableFault when the look-up was replaced by another.
    """
    if columns.psa not in table.column_names:
        return pa.nulls(table.num_rows, pa.int64())
    pairs, places = _distinct(table, columns)
    own, asked = _keys(pairs, columns)
    persons = own if columns.whole or lookup is None else _look_up(asked, own, lookup)
    return persons.take(places)


def _distinct(table: pa.Table, columns: PersonColumns) -> tuple[pa.Table, pa.Array]:
    """The distinct (psa, rank) of a table as they are written, and which of them each row has."""
    names = [name for name in (columns.psa, columns.rank) if name in table.column_names]
    encoded = [_encoded(table[name]) for name in names]
    codes = np.zeros(table.num_rows, np.int64)
    for column in encoded:
        codes = codes * len(column.dictionary) + column.indices.to_numpy()
    once = pa.array(codes).dictionary_encode()
    values, rest = {}, once.dictionary.to_numpy()
    for name, column in zip(reversed(names), reversed(encoded), strict=True):
        rest, at = np.divmod(rest, max(len(column.dictionary), 1))
        values[name] = column.dictionary.take(pa.array(at))
    return pa.table(values), once.indices


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    values = column.combine_chunks()
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    return plain.dictionary_encode(null_encoding="encode")


def _keys(pairs: pa.Table, columns: PersonColumns) -> tuple[pa.Array, pa.Array]:
    """Person of each pair when no referential knows it, and its key in the look-up."""
    own = HASH.format(_text(columns))
    asked = "own" if columns.rank else HASH.format(ALONE)
    with _connection().cursor() as cursor:
        cursor.register("pairs", pairs)
        found = cursor.sql(f"""
            WITH read AS (SELECT {_psa_sql(pairs, columns)} AS psa, {_rank_sql(pairs, columns)} AS rank FROM pairs),
                 named AS (SELECT psa, {own} AS own FROM read)
            SELECT own, {asked} AS asked FROM named""").to_arrow_table()
    return found["own"].combine_chunks(), found["asked"].combine_chunks()


def _look_up(asked: pa.Array, own: pa.Array, lookup: Path) -> pa.Array:
    try:
        source = pa.memory_map(str(lookup))
    except FileNotFoundError:
        raise RetryableFault(f"{lookup} was replaced while rows were given to persons; run again.") from None
    with source:
        known = pa.ipc.open_file(source).read_all()
        keys = known["key"].to_numpy()
        persons = known["person_id"].to_numpy()
        wanted = asked.fill_null(0).to_numpy(zero_copy_only=False)
        if len(keys) == 0:
            return own
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = np.where(keys[at] == wanted, persons[at], own.fill_null(0).to_numpy(zero_copy_only=False))
    return pa.array(found, mask=(found == AMBIGUOUS) | own.is_null().to_numpy(zero_copy_only=False))
