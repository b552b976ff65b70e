"""The joins of one bucket of claims or stays. Pure: Arrow tables in, Arrow tables out.

DuckDB joins the keys alone and says which rows belong together; Arrow then takes the wide rows once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.engine.sql import quoted
from parcours.flatten.claim_rows import CLAIM_ROW, ROW, SOURCE, claim_rows, flat_order
from parcours.flatten.plan import arrow_schema
from parcours.snds.contracts import Product
from parcours.snds.identity import PERSON


@dataclass(frozen=True)
class Joined:
    """What a join found: row numbers of each table by flat row, in flat order, and the rows that found no main row.

    `rows` has one int64 column a table (null where it has no row), `source_table` in the union form, `claim_row`,
    and `person_id` (int64, null where the person is not known).
    """

    rows: pa.Table
    joined: dict[str, int]
    orphans: dict[str, pa.Table]


def align(parts: list[pa.Table], columns: dict[str, str]) -> pa.Table:
    """One table of exactly these columns: what a file did not have is null.

    `parts` is emptied, and its columns given up one by one, so that all rows are never held twice.
    """
    schema, counts = arrow_schema(columns), [part.num_rows for part in parts]
    held = [{name: part.column(name) for name in part.column_names} for part in parts]
    parts.clear()
    arrays = []
    for field in schema:
        chunks = [
            _one(part.pop(field.name)).cast(field.type) if field.name in part else pa.nulls(count, field.type)
            for part, count in zip(held, counts, strict=True)
        ]
        arrays.append(pa.concat_arrays(chunks) if chunks else pa.array([], field.type))
    return pa.table(arrays, schema=schema)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def join(
    connection: duckdb.DuckDBPyConnection,
    product: Product,
    tables: dict[str, pa.Table],
    absent: tuple[str, ...],
    persons: pa.Array,
) -> Joined:
    """Join the aligned tables of one bucket, in the form of the product.

    `absent` tables were not delivered for the period: the union form has no rows of theirs. `persons` are those of
    the rows of the table that holds the person (int64, null where not known).
    """
    for name, table in tables.items():
        numbers = pa.array(np.arange(table.num_rows, dtype=np.int64))
        connection.register(name, table.select(list(product.key_of(name))).append_column(ROW, numbers))
    query = _left_joins(product, tables) if product.form == "left_joins" else _union(product, tables, absent)
    rows = connection.sql(query).to_arrow_table().combine_chunks()
    for name in tables:
        connection.unregister(name)
    owners = persons.take(_one(rows[holder(product)]))
    claims = claim_rows(connection, product, tables, rows)
    order = flat_order(connection, product, tables, rows, owners.fill_null(-1).to_numpy(zero_copy_only=False), claims)
    full = rows.append_column(CLAIM_ROW, pa.array(claims)).append_column(PERSON, owners)
    met = {name: _met(rows, name, table.num_rows) for name, table in tables.items()}
    # A row that matched a main row is in the flat rows: those that are not have none.
    alone = {name: np.flatnonzero(~seen) for name, seen in met.items() if name != product.main}
    return Joined(
        rows=full.take(pa.array(order)),
        joined={name: int(np.count_nonzero(seen)) for name, seen in met.items()},
        orphans={name: tables[name].take(pa.array(numbers)) for name, numbers in alone.items() if len(numbers)},
    )


def holder(product: Product) -> str:
    """The table that says whose a row is."""
    return product.patient or product.main


def details(product: Product, tables: dict[str, pa.Table]) -> list[str]:
    """The joined tables of a bucket, in the order in which they are joined."""
    return [name for name in (*product.joined, *product.where_present) if name in tables]


def materialise(product: Product, tables: dict[str, pa.Table], rows: pa.Table) -> pa.Table:
    """The flat rows that `rows` of a join stand for.

    Left joins: main columns bare, then TABLE__COLUMN. Union: keys bare, MAIN__COLUMN, the patient table's columns
    bare, TABLE__COLUMN, source_table. Then person_id and claim_row.
    """
    return pa.table(dict(_columns(product, tables, rows)))


def _columns(
    product: Product, tables: dict[str, pa.Table], rows: pa.Table
) -> Iterator[tuple[str, pa.Array | pa.ChunkedArray]]:
    main = tables[product.main]
    union = product.form == "union"
    at = {name: _one(rows[name]) for name in tables if name in rows.column_names}
    for name in [*product.key, *_unkeyed(product, product.main, main)] if union else main.column_names:
        bare = not union or name in product.key
        yield (name if bare else f"{product.main}__{name}"), _taken(main[name], at[product.main])
    if product.patient:
        for name in _unkeyed(product, product.patient, tables[product.patient]):
            yield name, _taken(tables[product.patient][name], at[product.patient])
    for table in details(product, tables):
        held = table in at and tables[table].num_rows > 0
        for name in _unkeyed(product, table, tables[table]):
            column = tables[table][name]
            yield f"{table}__{name}", _taken(column, at[table]) if held else pa.nulls(rows.num_rows, column.type)
    if SOURCE in rows.column_names:
        yield SOURCE, rows[SOURCE]
    yield PERSON, rows[PERSON]
    yield CLAIM_ROW, rows[CLAIM_ROW]


def _taken(column: pa.ChunkedArray, rows: pa.Array) -> pa.Array:
    """The values of these rows; the join made the numbers, so that they are not checked for each of 200 columns."""
    return pc.take(_one(column), rows, boundscheck=False)


def _unkeyed(product: Product, name: str, table: pa.Table) -> list[str]:
    """Columns of a table that are not keys of the main table."""
    return [column for column in table.column_names if column not in product.key_of(name)]


def _met(rows: pa.Table, name: str, count: int) -> np.ndarray:
    """Which rows of a table are in the flat rows, shape (count,)."""
    met = np.zeros(count, bool)
    if name in rows.column_names:
        met[rows[name].drop_null().to_numpy()] = True
    return met


def _on(product: Product, name: str) -> str:
    main, other = quoted(product.main), quoted(name)
    return " AND ".join(f"{main}.{quoted(key)} = {other}.{quoted(key)}" for key in product.key_of(name))


def _left_joins(product: Product, tables: dict[str, pa.Table]) -> str:
    """Chained left joins on the key: one row per matching combination."""
    present = [name for name in details(product, tables) if tables[name].num_rows]
    columns = [f"{quoted(name)}.{ROW} AS {quoted(name)}" for name in (product.main, *present)]
    joins = [f"LEFT JOIN {quoted(name)} ON {_on(product, name)}" for name in present]
    return f"SELECT {', '.join(columns)} FROM {quoted(product.main)} {' '.join(joins)}"


def _union(product: Product, tables: dict[str, pa.Table], absent: tuple[str, ...]) -> str:
    """Main and patient, left-joined to each other table on its own; the union of these.

    When no joined table was delivered, each stay still gives its row, as `source_table` = the main table.
    """
    names = details(product, tables)
    parts = [name for name in names if name not in absent] or [product.main]
    return " UNION ALL ".join(_union_part(product, part, names) for part in parts)


def _union_part(product: Product, part: str, names: list[str]) -> str:
    columns = [f"{quoted(name)}.{ROW} AS {quoted(name)}" for name in (product.main, product.patient) if name]
    columns += [f"{f'{quoted(name)}.{ROW}' if name == part else 'NULL::BIGINT'} AS {quoted(name)}" for name in names]
    others = [name for name in (product.patient, part) if name and name != product.main]
    joins = " ".join(f"LEFT JOIN {quoted(name)} ON {_on(product, name)}" for name in others)
    return f"SELECT {', '.join(columns)}, '{part}' AS {SOURCE} FROM {quoted(product.main)} {joins}"
