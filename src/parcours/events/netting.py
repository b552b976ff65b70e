"""Events that later lines may take back: each line of a claim once, summed over all flux months."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.engine.arrays import column, combined, order_of, ranked
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
READ_OF_LINES = ("person_id", "start", CLAIM, ROW_OF_CLAIM, "line", "quantity", "grouped")
LAST = 2**63 - 1
NARROW = 1 << 24  # keys that are spread wider are numbered first
SUMS = {"quantity": np.add, "rows": np.add, "grouped": np.minimum}
Counted = dict[str | None, int]
Columns = dict[str, np.ndarray]


def netted(connection: duckdb.DuckDBPyConnection, rows: str, of: Pass, one: Extractor) -> tuple[pa.Table, Counted]:
    """What is left of each code, and of each item of it, on each day; {rule: rows left out, None: those of events}.

    `rows`: SQL that gives all rows with all columns, of which those of some extractor are prepared.
    """
    inputs = _inputs(of, one)
    here = asked(connection, _here(one, inputs))
    combinations, number = combined(here.select([*inputs, removed(one), "undated"]))
    told = asked(connection, _told(of, one), combinations=combinations)
    labels = asked(connection, LABELS, told=told)
    counted: Counted = dict(connection.sql("SELECT rule, sum(rows)::BIGINT FROM told GROUP BY ALL").fetchall())
    kept = _kept(here, told["kept"].to_numpy()[number])
    left = _left(_lines(connection, rows, of, one, kept))
    became = int(left["rows"].sum())
    events = _events(_of_codes(left, labels, one), labels, one)
    return events, {**counted, NETTED: counted.get(None, 0) - became, None: became}


def _inputs(of: Pass, one: Extractor) -> list[str]:
    """The flat columns that tell what an event is of: few values, so that each is looked up once."""
    return sorted({column for each in expanded(of, naming(one).values()) for column in columns_in(of.product, each)})


def _here(one: Extractor, inputs: Sequence[str]) -> str:
    """SQL: the rows that hold something of an extractor, with what tells lines apart and what is added up."""
    line = one.net.line if one.net and one.net.line else "0"
    group = [f"({one.group})::UBIGINT AS grouped"] if one.group else []
    told = [
        *inputs,
        removed(one),
        f"({one.start}) IS NULL AS undated",
        "person_id",
        f"({one.start}) AS start",
        CLAIM,
        ROW_OF_CLAIM,
        f"{line} AS line",
        f"coalesce({one.weight or 'NULL'}, 1)::DOUBLE AS quantity",
        *group,
    ]
    return f"SELECT {', '.join(told)} FROM {ROWS} WHERE {present(one)}"


def _told(of: Pass, one: Extractor) -> str:
    """SQL: what each combination of these columns tells, with its number of rows and the rule that leaves them out.

    `label` numbers what is netted by itself, `event` what is one event, in their order; `kept` is the label, or 0 where
    a rule leaves the rows out.
    """
    defined = [f"{expression} AS {name}" for name, expression in of.used(naming(one).values()).items()]
    named = [f"({expression}) AS {name}" for name, expression in naming(one).items()]
    return f"""
        WITH defined AS (SELECT {", ".join(["*", *defined])} FROM combinations),
        named AS (SELECT {", ".join(["number", "rows", removed(one), "undated", *named])} FROM defined),
        ruled AS (
          SELECT *, {rule(one, code="code", undated="undated")} AS rule,
            dense_rank() OVER (ORDER BY code, source, item, each)::INTEGER AS label,
            dense_rank() OVER (ORDER BY code, source)::INTEGER AS event
          FROM named
        )
        SELECT *, CASE WHEN rule IS NULL THEN label ELSE 0 END AS kept FROM ruled ORDER BY number
    """


def _kept(here: pa.Table, labels: np.ndarray) -> pa.Table:
    """The rows with a label, and what is read of them."""
    names = [name for name in here.column_names if name in READ_OF_LINES]
    labelled = here.select(names).append_column("label", column(labels))
    return labelled if labels.all() else labelled.filter(column(labels).cast(pa.bool_()))


def _lines(connection: duckdb.DuckDBPyConnection, rows: str, of: Pass, one: Extractor, kept: pa.Table) -> pa.Table:
    """Each line once, with the flat rows behind it.

    A flat claim repeats a line for every other detail of the claim, so that only claims of several rows can hold one
    twice. Two lines without an order number are two: they are counted beside the same other details.
    """
    of_several = kept[CLAIM].filter(pc.greater(kept[ROW_OF_CLAIM], 1))
    if not len(of_several):
        return _each_row(kept)
    several = pc.is_in(kept[CLAIM], value_set=of_several)
    repeated = kept.filter(several)
    connection.register("repeated", repeated)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE unnumbered AS {_unnumbered(connection, rows, of, one)}")
    return pa.concat_tables([_each_row(kept.filter(pc.invert(several))), asked(connection, _once(one))])


def _each_row(kept: pa.Table) -> pa.Table:
    lines = kept.drop_columns([CLAIM, ROW_OF_CLAIM, "line"])
    return lines.append_column("rows", column(np.ones(len(lines), np.int64)))


def _once(one: Extractor) -> str:
    """SQL: the lines of claims of several rows, with the columns of `_each_row`, in their order."""
    keys = f"person_id, start, label, {CLAIM}"
    grouped = "min(grouped) AS grouped, " if one.group else ""
    names = ", ".join(["person_id", "start", "quantity", *(["grouped"] if one.group else []), "label", "rows"])
    return f"""
        SELECT {names} FROM (
          SELECT person_id, start, label, {grouped}max(quantity) AS quantity, count(*) AS rows
          FROM repeated WHERE line IS NOT NULL GROUP BY {keys}, line
          UNION ALL BY NAME
          SELECT person_id, start, label, {grouped}max(quantity) AS quantity, sum(rows)::BIGINT AS rows
          FROM (
            SELECT {keys}, {grouped}sum(quantity) AS quantity, count(*) AS rows
            FROM repeated JOIN unnumbered USING ({CLAIM}, {ROW_OF_CLAIM}) WHERE line IS NULL GROUP BY {keys}, beside
          ) GROUP BY {keys}
        )
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
    days = lines.set_column(lines.column_names.index("start"), "start", lines["start"].cast(pa.int32()))
    columns = {name: days[name].to_numpy() for name in days.column_names}
    if "grouped" in columns:
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
    added = {name: how for name, how in SUMS.items() if name in columns}
    number = _numbered([columns[name] for name in keys])
    order = order_of(number)
    if not len(order):
        return {name: columns[name] for name in (*keys, *added)}
    number = number[order]
    firsts = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    sums = {name: how.reduceat(columns[name][order], firsts) for name, how in added.items()}
    return {**{name: columns[name][order[firsts]] for name in keys}, **sums}


def _numbered(keys: Sequence[np.ndarray]) -> np.ndarray:
    """One number for each combination of some keys, in their order: sorted in half the time of the three."""
    number = np.zeros(len(keys[0]), np.int64)
    for key in keys if len(number) else ():
        values = key.astype(np.int64)
        span = int(values.max()) - int(values.min()) + 1
        if span > NARROW:
            values = ranked(values)
            span = int(values.max()) + 1
        if span > LAST // (int(number.max()) + 1):
            number = ranked(number)
        number = number * span + (values - values.min())
    return number


def _events(left: Columns, labels: pa.Table, one: Extractor) -> pa.Table:
    """Events as tables have them, of which each text is held once."""
    texts = {row["event"]: (row["code"], row["source"]) for row in labels.to_pylist()}
    codes, sources = zip(*texts.values(), strict=True) if texts else ((), ())
    event = left["event"] - 1
    groups = column(left["grouped"] % GROUPS) if one.group else pa.nulls(len(event))
    arrays = {
        "person_id": column(left["person_id"]),
        "category": _chosen([one.category], np.zeros_like(event)),
        "code": _chosen(codes, event),
        "group": groups.cast(pa.string()),
        "start": column(left["start"]).cast(pa.date32()),
        "end": pa.nulls(len(event), pa.date32()),
        "weight": _known(column(left["quantity"])),
        "source": _chosen(sources, event),
    }
    fields = [field.with_type(arrays[field.name].type) for field in EVENT_SCHEMA]
    return pa.Table.from_arrays([arrays[field.name] for field in fields], schema=pa.schema(fields))


def _chosen(texts: Sequence[str | None], places: np.ndarray) -> pa.DictionaryArray:
    """The text at each place; none where that is null. A dictionary that holds a text twice is written at random."""
    known = {text: number for number, text in enumerate(dict.fromkeys(text for text in texts if text is not None))}
    numbers = pa.array([None if text is None else known[text] for text in texts], pa.int32())
    return pa.DictionaryArray.from_arrays(numbers.take(column(places)), pa.array(list(known), pa.string()))


def _known(values: pa.Array) -> pa.Array:
    """Numbers, null where they are not known."""
    unknown = pc.is_nan(values)
    return pc.if_else(unknown, None, values) if unknown.true_count else values
