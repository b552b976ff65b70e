"""The person of each row of a table, by the look-up that an identity wrote, and how each was found."""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from parcours.errors import RetryableFault
from parcours.snds.identity import ALONE, AMBIGUOUS, COUPLE, HASH, own_text, psa_sql, read_rank_sql
from parcours.snds.person_columns import DEFAULT_RANK, PersonColumns


@dataclass(frozen=True)
class HowFound:
    """Rows by how their person was found; the sum is all rows.

    `known`: the referentials hold what the row has, its PSA and rank or, where it has none, its PSA alone, of one
    person. `by_psa`: they do not know the rank, and the PSA is of one person, whose the row is. `ambiguous`: the PSA
    is of several persons and no known rank tells them apart; nobody's. `unknown`: no referential holds the PSA, which
    is taken for a person of its own. `unidentified`: the row has no identifier; nobody's.
    """

    known: int = 0
    by_psa: int = 0
    ambiguous: int = 0
    unknown: int = 0
    unidentified: int = 0

    def counts(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One a process: to connect takes longer than to resolve a small table."""
    return duckdb.connect(config={"threads": 1})


def resolve_persons(table: pa.Table, columns: PersonColumns, lookup: Path | None) -> tuple[pa.Array, HowFound]:
    """person_id of each row (int64), null where no PSA or one of several persons is; and how they were found.

    A rank that no referential knows (of another scheme, of another year) leaves the PSA: the row is of the one person
    of the PSA. Without a referential, or for a PSA that none holds, the person is what the row says (see `own_text`).
    Raises RetryableFault when the look-up was replaced by another.
    """
    if columns.psa not in table.column_names:
        return pa.nulls(table.num_rows, pa.int64()), HowFound(unidentified=table.num_rows)
    pairs, places = _distinct(table, columns)
    if lookup is None or columns.names_persons:
        persons, how = _own(pairs, columns)
    else:
        persons, how = _look_up(pairs, columns, lookup)
    counts = np.bincount(how[places.to_numpy()], minlength=len(HOW))
    return persons.take(places), HowFound(**dict(zip(HOW, counts.tolist(), strict=True)))


HOW = ("known", "by_psa", "ambiguous", "unknown", "unidentified")
KNOWN, BY_PSA, SEVERAL, UNKNOWN, UNIDENTIFIED = range(len(HOW))


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


def keys_of(table: pa.Table, columns: PersonColumns) -> np.ndarray:
    """The numbers that stand for the PSAs of a table in an identity, each once (int64)."""
    pairs, _ = _distinct(table.select([columns.psa]), columns)
    return np.unique(_keys(pairs, columns, "alone")["alone"].drop_null().to_numpy())


def _keys(pairs: pa.Table, columns: PersonColumns, *wanted: str) -> pa.Table:
    """Of each pair what is wanted of: `own`, its person when no referential knows it (null without a PSA); its keys in
    the look-up, `couple` (null without a rank) and `alone`.
    """
    given = read_rank_sql(pairs, columns)
    unranked = columns.unranked or columns.rank is None
    made = {
        "own": HASH.format(own_text(columns)),
        "couple": f"CASE WHEN given IS NOT NULL OR NOT {unranked} THEN {HASH.format(COUPLE)} END",
        "alone": HASH.format(ALONE),
    }
    with _connection().cursor() as cursor:
        cursor.register("pairs", pairs)
        return cursor.sql(f"""
            WITH read AS (SELECT {psa_sql(pairs, columns)} AS psa, {given} AS given FROM pairs),
                 ranked AS (SELECT psa, given, coalesce(given, {DEFAULT_RANK}) AS rank FROM read)
            SELECT {", ".join(f"{made[name]} AS {name}" for name in wanted)} FROM ranked""").to_arrow_table()


def _own(pairs: pa.Table, columns: PersonColumns) -> tuple[pa.Array, np.ndarray]:
    own = _keys(pairs, columns, "own")["own"].combine_chunks()
    found = KNOWN if columns.names_persons else UNKNOWN
    return own, np.where(own.is_null().to_numpy(zero_copy_only=False), UNIDENTIFIED, found)


def _look_up(pairs: pa.Table, columns: PersonColumns, lookup: Path) -> tuple[pa.Array, np.ndarray]:
    try:
        source = pa.memory_map(str(lookup))
    except FileNotFoundError:
        raise RetryableFault(f"{lookup} was replaced while rows were given to persons; run again.") from None
    couples = _keys(pairs, columns, "couple")["couple"]
    with source:
        known = pa.ipc.open_file(source).read_all()
        persons, of_couple = _found(known, couples)
        # Few are left: referentials know most couples.
        rest = np.flatnonzero(~of_couple)
        others = _keys(pairs.take(pa.array(rest)), columns, "own", "alone")
        alone, of_psa = _found(known, others["alone"])
    ranked, identified = couples.is_valid().to_numpy()[rest], others["own"].is_valid().to_numpy()
    several = of_psa & (alone == AMBIGUOUS)
    by_rule = [~identified, several, of_psa & ~ranked, of_psa]
    how = np.full(len(persons), KNOWN)
    how[rest] = np.select(by_rule, [UNIDENTIFIED, SEVERAL, KNOWN, BY_PSA], UNKNOWN)
    persons[rest] = np.where(of_psa, alone, _numbers(others["own"]))
    return pa.array(persons, mask=np.isin(how, (UNIDENTIFIED, SEVERAL))), how


def _found(known: pa.Table, asked: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The person of each key, and whether the look-up has the key."""
    keys, persons, wanted = known["key"].to_numpy(), known["person_id"].to_numpy(), _numbers(asked)
    if len(keys) == 0:
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return persons[at], (keys[at] == wanted) & asked.is_valid().to_numpy()


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    found: np.ndarray = column.fill_null(0).to_numpy()
    return found
