"""Events that later lines may take back: each line of a claim once, summed over all flux months."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from parcours.engine.duck import asked
from parcours.events.extractors import Extractor, Pass, columns_in
from parcours.events.relevant import CLAIM, ROW_OF_CLAIM, ROWS, expanded, naming, present, removed, rule
from parcours.events.schema import EVENT_SCHEMA

NETTED = "netted"
LABELS = """
    SELECT DISTINCT label, event, code::VARCHAR AS code, source::VARCHAR AS source, each::DOUBLE AS each
    FROM told ORDER BY label
"""
GROUPS = np.uint64(1 << 32)  # a claim or statement is told from others of its person and day by so much of its number
LAST = 2**63 - 1
SUMS = {"quantity": np.add, "rows": np.add, "grouped": np.minimum}
Counted = dict[str | None, int]
Columns = dict[str, np.ndarray]


def netted(connection: duckdb.DuckDBPyConnection, rows: str, of: Pass, one: Extractor) -> tuple[pa.Table, Counted]:
    """What is left of each code, and of each item of it, on each day; {rule: rows left out, None: those of events}.

    `rows`: SQL that gives all rows with all columns, of which those of some extractor are prepared.
    """
    inputs = _inputs(of, one)
    _make(connection, "told", _told(of, one, inputs))
    counted: Counted = dict(connection.sql("SELECT rule, sum(rows)::BIGINT FROM told GROUP BY ALL").fetchall())
    labels = asked(connection, LABELS)
    lines = asked(connection, _lines(connection, rows, of, one, inputs))
    left = _left(lines)
    became = int(left["rows"].sum())
    events = _events(_of_codes(left, labels, one), labels, one)
    return events, {**counted, NETTED: counted.get(None, 0) - became, None: became}


def _make(connection: duckdb.DuckDBPyConnection, table: str, rows: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {rows}")


def _inputs(of: Pass, one: Extractor) -> list[str]:
    """The flat columns that tell what an event is of: few values, so that each is looked up once."""
    return sorted({column for each in expanded(of, naming(one).values()) for column in columns_in(of.product, each)})


def _told(of: Pass, one: Extractor, inputs: Sequence[str]) -> str:
    """What each combination of these columns tells, with its number of rows and the rule that leaves them out.

    `label` numbers what is netted by itself, `event` what is one event, in their order.
    """
    defined = [f"{expression} AS {name}" for name, expression in of.used(naming(one).values()).items()]
    named = [f"({expression}) AS {name}" for name, expression in naming(one).items()]
    columns = [*inputs, removed(one), "undated", "rows"]
    return f"""
        WITH combinations AS (
          SELECT {", ".join([*inputs, removed(one)])}, ({one.start}) IS NULL AS undated, count(*) AS rows
          FROM {ROWS} WHERE {present(one)} GROUP BY ALL
        ), defined AS (SELECT {", ".join(["*", *defined])} FROM combinations),
        named AS (SELECT {", ".join([*columns, *named])} FROM defined)
        SELECT *, {rule(one, code="code", undated="undated")} AS rule,
          dense_rank() OVER (ORDER BY code, source, item, each)::INTEGER AS label,
          dense_rank() OVER (ORDER BY code, source)::INTEGER AS event
        FROM named
    """


def _kept(some: str, one: Extractor, inputs: Sequence[str]) -> str:
    """Of some of the rows those that no rule leaves out, with their label and what tells their lines apart."""
    told = [f"{column} AS told_{column}" for column in inputs]
    labels = f"SELECT DISTINCT {', '.join([*told, 'label'])} FROM told WHERE rule IS NULL"
    same = [f"{column} IS NOT DISTINCT FROM told_{column}" for column in inputs]
    line = one.net.line if one.net and one.net.line else "0"
    return f"""
        SELECT person_id, ({one.start}) AS start, label, {CLAIM}, {ROW_OF_CLAIM}, {line} AS line,
          coalesce({one.weight or "NULL"}, 1)::DOUBLE AS quantity, ({one.group or "0"})::UBIGINT AS grouped
        FROM ({some}) JOIN ({labels}) ON {" AND ".join(same) or "true"}
        WHERE {present(one)} AND {removed(one)} IS NULL AND ({one.start}) IS NOT NULL
    """


def _lines(connection: duckdb.DuckDBPyConnection, rows: str, of: Pass, one: Extractor, inputs: Sequence[str]) -> str:
    """SQL: each line once, with the flat rows behind it.

    A flat claim repeats a line for every other detail of the claim, so that only claims of several rows can hold one
    twice. Two lines without an order number are two: they are counted beside the same other details.
    """
    keys = f"person_id, start, label, {CLAIM}"
    alone = "SELECT person_id, start, label, grouped, quantity, 1::BIGINT AS rows"
    several = f"SELECT DISTINCT {CLAIM} FROM {ROWS} WHERE {ROW_OF_CLAIM} > 1 AND {present(one)}"
    _make(connection, "several", several)
    if not connection.sql("FROM several LIMIT 1").fetchall():
        return f"{alone} FROM ({_kept(f'FROM {ROWS}', one, inputs)})"
    _make(connection, "repeated", _kept(f"FROM {ROWS} SEMI JOIN several USING ({CLAIM})", one, inputs))
    _make(connection, "unnumbered", _unnumbered(connection, rows, of, one))
    return f"""
        {alone} FROM ({_kept(f"FROM {ROWS} ANTI JOIN several USING ({CLAIM})", one, inputs)})
        UNION ALL
        SELECT person_id, start, label, min(grouped) AS grouped, max(quantity) AS quantity, count(*) AS rows
        FROM repeated WHERE line IS NOT NULL GROUP BY {keys}, line
        UNION ALL
        SELECT person_id, start, label, min(grouped) AS grouped, max(quantity) AS quantity, sum(rows)::BIGINT AS rows
        FROM (
          SELECT {keys}, min(grouped) AS grouped, sum(quantity) AS quantity, count(*) AS rows
          FROM repeated JOIN unnumbered USING ({CLAIM}, {ROW_OF_CLAIM}) WHERE line IS NULL GROUP BY {keys}, beside
        ) GROUP BY {keys}
    """


def _unnumbered(connection: duckdb.DuckDBPyConnection, rows: str, of: Pass, one: Extractor) -> str:
    """SQL: of the rows of lines without an order number, a number of the other details of the claim.

    They are read from the flat files once more, and only where there are such lines.
    """
    without = f"SELECT {CLAIM}, {ROW_OF_CLAIM} FROM repeated WHERE line IS NULL"
    if not connection.sql(f"{without} LIMIT 1").fetchall():
        return f"SELECT *, 0 AS beside FROM ({without})"
    table = one.net.table if one.net else None
    others = [column for name, columns in of.details.items() if name != table for column in columns]
    return f"""
        SELECT {CLAIM}, {ROW_OF_CLAIM}, hash({", ".join(others)}) AS beside FROM ({rows})
        SEMI JOIN ({without}) USING ({CLAIM}, {ROW_OF_CLAIM})
    """


def _left(lines: pa.Table) -> Columns:
    """What is left of each label of a person and day: person_id, start, label, quantity, rows, and the least `grouped`.

    Cancellations are negative lines, perhaps of a later flux month; of lines that bring nothing no group is told.
    """
    columns = {name: lines[name].to_numpy() for name in lines.column_names}
    columns["grouped"] = np.where(columns["quantity"] > 0, columns["grouped"], np.iinfo(np.uint64).max)
    left = _summed(columns, "label")
    some = left["quantity"] > 0
    return {name: values[some] for name, values in left.items()}


def _of_codes(left: Columns, labels: pa.Table, one: Extractor) -> Columns:
    """The same by `event`; the quantity of items is what all of them hold, NaN where one does not tell it."""
    place = left["label"] - 1
    by_event = {**left, "event": labels["event"].to_numpy()[place]}
    if one.net is None or one.net.item is None:
        return by_event
    each = labels["each"].to_numpy()[place]
    return _summed({**by_event, "quantity": left["quantity"] * each}, "event")


def _summed(columns: Columns, what: str) -> Columns:
    """Quantities and rows of each person, day and `what`, added up in their order, and the least `grouped`."""
    keys = ("person_id", "start", what)
    number = _numbered([columns[name] for name in keys])
    order = np.argsort(number, kind="stable")
    if not len(order):
        return {name: columns[name] for name in (*keys, *SUMS)}
    firsts = np.flatnonzero(np.diff(number[order], prepend=number[order[0]] - 1))
    sums = {name: how.reduceat(columns[name][order], firsts) for name, how in SUMS.items()}
    return {**{name: columns[name][order[firsts]] for name in keys}, **sums}


def _numbered(keys: Sequence[np.ndarray]) -> np.ndarray:
    """One number for each combination of some keys, in their order: sorted in half the time of the three."""
    number = np.zeros(len(keys[0]), np.int64)
    for key in keys if len(number) else ():
        values = key.astype(np.int64)
        span = int(values.max()) - int(values.min()) + 1
        if span > LAST // (int(number.max()) + 1):
            number, values = _ranked(number), _ranked(values)
            span = int(values.max()) + 1
        number = number * span + (values - values.min())
    return number


def _ranked(values: np.ndarray) -> np.ndarray:
    """The place of each value among all, from 0."""
    return np.unique(values, return_inverse=True)[1]


def _events(left: Columns, labels: pa.Table, one: Extractor) -> pa.Table:
    """Events as tables have them, of which each text is held once."""
    texts = {row["event"]: (row["code"], row["source"]) for row in labels.to_pylist()}
    codes, sources = zip(*texts.values(), strict=True) if texts else ((), ())
    event = left["event"] - 1
    groups = pa.array(left["grouped"] % GROUPS) if one.group else pa.nulls(len(event))
    arrays = {
        "person_id": pa.array(left["person_id"]),
        "category": _chosen([one.category], np.zeros_like(event)),
        "code": _chosen(codes, event),
        "group": groups.cast(pa.string()),
        "start": pa.array(left["start"], pa.date32()),
        "end": pa.nulls(len(event), pa.date32()),
        "weight": pa.array(left["quantity"], from_pandas=True),
        "source": _chosen(sources, event),
    }
    fields = [field.with_type(arrays[field.name].type) for field in EVENT_SCHEMA]
    return pa.Table.from_arrays([arrays[field.name] for field in fields], schema=pa.schema(fields))


def _chosen(texts: Sequence[str | None], places: np.ndarray) -> pa.DictionaryArray:
    """The text at each place; none where that is null. A dictionary that holds a text twice is written at random."""
    known = {text: number for number, text in enumerate(dict.fromkeys(text for text in texts if text is not None))}
    numbers = np.array([0 if text is None else known[text] for text in texts], np.int32)
    absent = np.array([text is None for text in texts], bool)
    chosen = pa.array(numbers[places], mask=absent[places])
    return pa.DictionaryArray.from_arrays(chosen, pa.array(list(known), pa.string()))
