"""All events of one slice of a flat product, in one pass over its rows; every row that is no event is counted."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from parcours.engine.duck import asked, duck
from parcours.engine.sql import text
from parcours.events.extractors import Extractor, Pass
from parcours.events.netting import Counted, netted
from parcours.events.relevant import CLAIM, ROW_OF_CLAIM, ROWS, present, relevant, relevant_rows, rule
from parcours.events.schema import EVENT_COLUMNS, EVENT_SCHEMA
from parcours.snds.contracts import load_product

NOT_ITS_OWN = "not_its_own"
READ, BECAME = "read", "became_events"


def events_of_rows(
    rows: pa.Table, of: Pass, extractors: Sequence[Extractor], references: Mapping[str, pa.Table], codelists: Path
) -> tuple[dict[str, pa.Table], dict[str, dict[str, int]]]:
    """{category: events} and {category: counts} of flat rows at hand, with the columns that `of` reads."""
    with duck() as connection:
        given = rows_at_hand(connection, rows, of, extractors)
        made = list(events_of(connection, given, len(rows), of, extractors, references, codelists))
    return {name: events.cast(EVENT_SCHEMA) for name, events, _ in made}, {name: counts for name, _, counts in made}


def rows_at_hand(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, of: Pass, extractors: Sequence[Extractor]
) -> str:
    """SQL that gives flat rows at hand as `events_of` reads them; a claim is known by its key."""
    connection.register("given_rows", rows)
    if not any(one.net for one in extractors):
        return "SELECT * FROM given_rows"
    claims = f"SELECT *, hash({', '.join(load_product(of.product).key)}) AS {CLAIM} FROM given_rows"
    return f"SELECT *, row_number() OVER (PARTITION BY {CLAIM}) AS {ROW_OF_CLAIM} FROM ({claims})"


def events_of(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    read: int,
    of: Pass,
    extractors: Sequence[Extractor],
    references: Mapping[str, pa.Table],
    codelists: Path,
) -> Iterator[tuple[str, pa.Table, dict[str, int]]]:
    """(category, events, sorted, {read, became_events, rule: rows left out}) of each extractor, one after the other.

    `rows`: SQL that gives the flat rows of whole persons, `read` of them; of products whose lines are netted, with the
    claim and the row of it.
    `references`: the tables that normal forms look codes up in. Texts of events are strings, or dictionaries of these.
    Rows read are those that became events and those left out by each rule.
    """
    for name, table in references.items():
        connection.register(name, table)
    for form in of.forms(extractors):
        arguments = ", ".join(form["arguments"])
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {form['name']}({arguments}) AS ({form['sql']})")
    with relevant_rows(connection, relevant(rows, of, extractors, codelists), read):
        for one in extractors:
            events, counted = netted(connection, rows, of, one) if one.net else _listed(connection, one)
            yield one.category, events, _counts(read, counted)


def count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    """How many rows some SQL gives."""
    return int(connection.sql(f"SELECT count(*) FROM ({rows})").fetchall()[0][0])


def _counts(read: int, counted: Counted) -> dict[str, int]:
    left_out = {rule: n for rule, n in counted.items() if rule is not None and n}
    here = sum(counted.values())
    left_out |= {NOT_ITS_OWN: read - here} if read > here else {}
    return {READ: read, BECAME: read - sum(left_out.values()), **left_out}


def _listed(connection: duckdb.DuckDBPyConnection, one: Extractor) -> tuple[pa.Table, Counted]:
    """Each event that a row tells, and {rule: rows left out, None: those of events}."""
    return _events(connection, one), dict(connection.sql(_left_out(one)).fetchall())


def _left_out(one: Extractor) -> str:
    return f"SELECT {_rule(one)} AS rule, count(*) FROM {ROWS} WHERE {present(one)} GROUP BY ALL"


def _rule(one: Extractor) -> str:
    return rule(one, code=one.code, undated=f"({one.start}) IS NULL")


def _events(connection: duckdb.DuckDBPyConnection, one: Extractor) -> pa.Table:
    types = {"person_id": "BIGINT", "start": "DATE", "end": "DATE", "weight": "DOUBLE"}
    expressions = {
        "person_id": "person_id",
        "category": text(one.category),
        "code": one.code,
        "group": one.group,
        "start": one.start,
        "end": one.end,
        "weight": one.weight,
        "source": one.source,
    }
    told = [f'({expressions[name] or "NULL"})::{types.get(name, "VARCHAR")} AS "{name}"' for name in EVENT_COLUMNS]
    # A total order: the same rows give the same bytes.
    order = 'person_id, start, code, source, "end", "group", weight'
    kept = f"SELECT DISTINCT {', '.join(told)} FROM {ROWS} WHERE {present(one)} AND ({_rule(one)}) IS NULL"
    return asked(connection, f"FROM ({kept}) ORDER BY {order}").cast(EVENT_SCHEMA)
