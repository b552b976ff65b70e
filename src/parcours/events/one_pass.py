"""All events of one slice of a flat product, in one pass over its rows; every row that is no event is counted."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from parcours.engine.duck import asked, duck
from parcours.engine.sql import text
from parcours.events.extractors import Extractor, Pass
from parcours.events.filters import left_out_by
from parcours.events.schema import EVENT_COLUMNS, EVENT_SCHEMA
from parcours.snds.contracts import load_product

ROWS = "flat_rows"
NOT_ITS_OWN, NO_CODE, NO_DATE, NETTED = "not_its_own", "no_code", "no_date", "netted"
STATEMENTS = "ER_DCT_F"  # one row a statement, which has several lines
READ, BECAME = "read", "became_events"
Counts = dict[str, dict[str, int]]


def events_of_rows(
    rows: pa.Table, of: Pass, extractors: Sequence[Extractor], references: Mapping[str, pa.Table], codelists: Path
) -> tuple[dict[str, pa.Table], Counts]:
    """As `events_of`, of flat rows at hand with the columns that `of` reads."""
    with duck() as connection:
        connection.register("given_rows", rows)
        return events_of(connection, "SELECT * FROM given_rows", of, extractors, references, codelists)


def events_of(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    of: Pass,
    extractors: Sequence[Extractor],
    references: Mapping[str, pa.Table],
    codelists: Path,
) -> tuple[dict[str, pa.Table], Counts]:
    """{category: events}, each sorted, and {category: {read, became_events, rule: rows left out}}.

    `rows`: SQL that gives the flat rows of whole persons. `references`: the tables that normal forms look codes up in.
    Rows read are those that became events and those left out by each rule.
    """
    for name, table in references.items():
        connection.register(name, table)
    for form in of.forms(extractors):
        arguments = ", ".join(form["arguments"])
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {form['name']}({arguments}) AS ({form['sql']})")
    read = connection.sql(f"SELECT count(*) FROM ({rows})").fetchall()[0][0]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {ROWS} AS {_prepared(rows, of, extractors, codelists)}")
    found, counts = {}, {}
    for one in extractors:
        kept = _kept(of, one)
        counted = dict(connection.sql(_left_out(one)).fetchall())
        left_out = {rule: n for rule, n in counted.items() if rule is not None}
        if one.net:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE summed AS {_summed(kept, one)}")
            netted = connection.sql("SELECT sum(rows)::BIGINT FROM summed WHERE quantity <= 0").fetchall()[0][0]
            left_out |= {NETTED: netted} if netted else {}
            kept = _left(one)
        found[one.category] = _events(connection, one, kept)
        here = sum(counted.values())
        left_out |= {NOT_ITS_OWN: read - here} if read > here else {}
        counts[one.category] = {READ: read, BECAME: read - sum(left_out.values()), **left_out}
    connection.execute(f"DROP TABLE {ROWS}")
    return found, counts


def _prepared(rows: str, of: Pass, extractors: Sequence[Extractor], codelists: Path) -> str:
    """The rows of some extractor, with named expressions, and for each set of filters the one that removes a row."""
    sets = {_removed(one.filters): one.filters for one in extractors}
    removed = [f"{left_out_by(some, codelists)} AS {name}" for name, some in sorted(sets.items())]
    defined = [f"{expression} AS {name}" for name, expression in of.defined(extractors).items()]
    claim = _claims(of.product) if any(one.net for one in extractors) else []
    relevant = " OR ".join(f"({_present(one)})" for one in extractors)
    return f"SELECT *, {', '.join([*defined, *removed, *claim])} FROM ({rows}) WHERE {relevant}"


def _removed(filters: Iterable[Any]) -> str:
    return "removed_" + "_".join(each.id for each in filters)


def _claims(product: str) -> list[str]:
    """A claim, and the statement of which it is a line, as numbers.

    A person has far too few of either that two would share one.
    """
    declared = load_product(product)
    keys = {"claim": declared.key, "statement": declared.key_of(STATEMENTS)}
    return [f"hash({', '.join(key)}) AS {name}" for name, key in keys.items()]


def _present(one: Extractor) -> str:
    told = [one.where] if one.where else []
    told += (
        [f"coalesce({', '.join(f'{column}::VARCHAR' for column in one.columns)}) IS NOT NULL"] if one.columns else []
    )
    return " AND ".join(f"({each})" for each in told) or "true"


def _rule(one: Extractor) -> str:
    """The rule that leaves a row out; null where none does."""
    return (
        f"CASE WHEN {_removed(one.filters)} IS NOT NULL THEN {_removed(one.filters)} "
        f"WHEN ({one.code}) IS NULL THEN {text(NO_CODE)} WHEN ({one.start}) IS NULL THEN {text(NO_DATE)} END"
    )


def _left_out(one: Extractor) -> str:
    return f"SELECT {_rule(one)} AS rule, count(*) FROM {ROWS} WHERE {_present(one)} GROUP BY ALL"


def _kept(of: Pass, one: Extractor) -> str:
    """The columns of events of the rows that no rule leaves out; of netted ones, what tells their lines apart."""
    columns = {
        "code": one.code,
        "start": one.start,
        '"end"': one.end,
        "weight": one.weight,
        "source": one.source,
        '"group"': "NULL" if one.net else one.group,
    }
    told = [f"({expression or 'NULL'}) AS {name}" for name, expression in columns.items()]
    told += _line(of, one)
    return f"SELECT person_id, {', '.join(told)} FROM {ROWS} WHERE ({_present(one)}) AND {_rule(one)} IS NULL"


def _line(of: Pass, one: Extractor) -> list[str]:
    if not one.net:
        return []
    told = ["claim", f"{one.group or 'NULL'} AS grouped"]
    told += [f"{one.net.item or 'NULL'} AS item", f"{one.net.each or 'NULL'} AS each"]
    if one.net.line is None:
        return [*told, "0 AS line", "NULL AS beside"]
    others = [column for table, names in of.details.items() if table != one.net.table for column in names]
    beside = f"CASE WHEN {one.net.line} IS NULL THEN hash({', '.join(others)}) END AS beside"
    return [*told, f"{one.net.line} AS line", beside]


def _summed(kept: str, one: Extractor) -> str:
    """What is left of each code, and of each item of it, on each day, over all lines, with the flat rows behind it.

    Each line once: a flat claim repeats it for every other detail of the claim. Two without an order number are two:
    they are counted beside the same other details. Cancellations are negative lines, perhaps of a later flux month.
    """
    keys = 'person_id, start, "end", code, source, item, each'
    group = "lpad(format('{:x}', min(grouped) FILTER (quantity > 0) % 4294967296), 8, '0')" if one.group else "NULL"
    return f"""
        WITH beside_others AS (
          SELECT {keys}, claim, any_value(grouped) AS grouped, count(*) AS rows, sum(coalesce(weight, 1)) AS quantity
          FROM ({kept}) WHERE line IS NULL GROUP BY {keys}, claim, beside
        ), lines AS (
          SELECT {keys}, claim, any_value(grouped) AS grouped, count(*) AS rows, max(coalesce(weight, 1)) AS quantity
          FROM ({kept}) WHERE line IS NOT NULL GROUP BY {keys}, claim, line
          UNION ALL
          SELECT {keys}, claim, any_value(grouped) AS grouped, sum(rows) AS rows, max(quantity) AS quantity
          FROM beside_others GROUP BY {keys}, claim
        )
        SELECT {keys}, sum(quantity) AS quantity, {group} AS "group", sum(rows) AS rows FROM lines
        GROUP BY {keys}
    """


def _left(one: Extractor) -> str:
    """What is left of each code; of items, all that they hold."""
    if one.net is None or one.net.item is None:
        return "SELECT *, quantity AS weight FROM summed WHERE quantity > 0"
    keys = 'person_id, start, "end", code, source'
    held = "CASE WHEN count(*) = count(each) THEN fsum(quantity * each) END"
    return f'SELECT {keys}, {held} AS weight, min("group") AS "group" FROM summed WHERE quantity > 0 GROUP BY {keys}'


def _events(connection: duckdb.DuckDBPyConnection, one: Extractor, kept: str) -> pa.Table:
    types = {"person_id": "BIGINT", "start": "DATE", "end": "DATE", "weight": "DOUBLE"}
    told = [
        f"{text(one.category)} AS category"
        if name == "category"
        else f'"{name}"::{types.get(name, "VARCHAR")} AS "{name}"'
        for name in EVENT_COLUMNS
    ]
    # A total order: the same rows give the same bytes.
    order = 'person_id, start, code, "group", "end", weight, source'
    once = "" if one.net else "DISTINCT"  # what is netted is one already
    return asked(connection, f"SELECT {once} {', '.join(told)} FROM ({kept}) ORDER BY {order}").cast(EVENT_SCHEMA)
