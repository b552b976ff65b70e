"""The joins of one bucket of claims or stays. Pure: Arrow tables in, Arrow tables out.

DuckDB joins the keys alone and says which rows belong together; Arrow then takes the wide rows once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from parcours.flatten.plan import arrow_schema
from parcours.snds.contracts import Product

ROW = "__row"
PERSON = "person_id"
CLAIM_ROW = "claim_row"
SOURCE = "source_table"


@dataclass(frozen=True)
class Joined:
    """What a join found: row numbers of each table by flat row, and the rows that found no main row.

    `rows` has one int64 column a table (null where it has no row), `source_table` in the union form, and `claim_row`.
    """

    rows: pa.Table
    joined: dict[str, int]
    orphans: dict[str, pa.Table]


def align(parts: list[pa.Table], columns: dict[str, str]) -> pa.Table:
    """One table of exactly these columns: what a file did not have is null."""
    schema = arrow_schema(columns)
    if not parts:
        return schema.empty_table()
    table = pa.concat_tables(parts, promote_options="default").combine_chunks()
    return pa.table(
        [
            table[field.name].cast(field.type) if field.name in table.column_names else _nulls(table.num_rows, field)
            for field in schema
        ],
        schema=schema,
    )


def _nulls(count: int, field: pa.Field) -> pa.Array:
    return pa.nulls(count, field.type)


def join(product: Product, tables: dict[str, pa.Table], absent: tuple[str, ...]) -> Joined:
    """Join the aligned tables of one bucket, in the form of the product.

    `absent` tables were not delivered for the period: the union form has no rows of theirs.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, table in tables.items():
            numbers = pa.array(np.arange(table.num_rows, dtype=np.int64))
            connection.register(name, table.select(list(product.key)).append_column(ROW, numbers))
        query = _left_joins(product, tables) if product.form == "left_joins" else _union(product, absent)
        rows = connection.sql(query).to_arrow_table().combine_chunks()
        orphans = {
            name: tables[name].take(_orphans(connection, product, name))
            for name in tables
            if name != product.main and tables[name].num_rows
        }
        claims = _claim_rows(connection, product, tables, rows)
    joined = {name: _distinct(rows[name]) if name in rows.column_names else 0 for name in tables}
    found = {
        name: table.drop_columns([PERSON]) if PERSON in table.column_names else table
        for name, table in orphans.items()
        if table.num_rows
    }
    return Joined(rows.append_column(CLAIM_ROW, pa.array(claims)), joined, found)


def materialise(product: Product, tables: dict[str, pa.Table], rows: pa.Table) -> pa.Table:
    """The flat rows that `rows` of a join stand for.

    Left joins: main columns bare, then TABLE__COLUMN. Union: keys bare, MAIN__COLUMN, the patient table's columns
    bare, TABLE__COLUMN, source_table. Then person_id and claim_row.
    """
    columns = dict(_columns(product, tables, rows))
    return pa.table(columns)


def _columns(
    product: Product, tables: dict[str, pa.Table], rows: pa.Table
) -> Iterator[tuple[str, pa.Array | pa.ChunkedArray]]:
    main = tables[product.main]
    union = product.form == "union"
    first = [*product.key, *_details(product, main)] if union else [n for n in main.column_names if n != PERSON]
    for name in first:
        bare = not union or name in product.key
        yield (name if bare else f"{product.main}__{name}"), main[name].take(rows[product.main])
    if product.patient:
        for name in _details(product, tables[product.patient]):
            yield name, tables[product.patient][name].take(rows[product.patient])
    for table in product.joined:
        for name in _details(product, tables[table]):
            column = tables[table][name]
            held = table in rows.column_names and column.type != pa.null()
            yield f"{table}__{name}", column.take(rows[table]) if held else pa.nulls(rows.num_rows, column.type)
    if SOURCE in rows.column_names:
        yield SOURCE, rows[SOURCE]
    holder = product.patient or product.main
    yield PERSON, tables[holder][PERSON].take(rows[holder])
    yield CLAIM_ROW, rows[CLAIM_ROW]


def _details(product: Product, table: pa.Table) -> list[str]:
    """Columns of a table that are not keys."""
    return [name for name in table.column_names if name not in product.key and name != PERSON]


def _distinct(rows: pa.ChunkedArray) -> int:
    return len(np.unique(rows.drop_null().to_numpy()))


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _on(product: Product, left: str, right: str) -> str:
    return " AND ".join(f"{left}.{_q(key)} = {right}.{_q(key)}" for key in product.key)


def _left_joins(product: Product, tables: dict[str, pa.Table]) -> str:
    """Chained left joins on the key: one row per matching combination."""
    present = [name for name in product.joined if tables[name].num_rows]
    columns = [f"{_q(name)}.{ROW} AS {_q(name)}" for name in (product.main, *present)]
    joins = [f"LEFT JOIN {_q(name)} ON {_on(product, _q(product.main), _q(name))}" for name in present]
    return f"SELECT {', '.join(columns)} FROM {_q(product.main)} {' '.join(joins)}"


def _union(product: Product, absent: tuple[str, ...]) -> str:
    """Main and patient, left-joined to each other table on its own; the union of these.

    When no joined table was delivered, each stay still gives its row, as `source_table` = the main table.
    """
    parts = [name for name in product.joined if name not in absent] or [product.main]
    return " UNION ALL ".join(_union_part(product, part) for part in parts)


def _union_part(product: Product, part: str) -> str:
    main, patient = _q(product.main), _q(product.patient or "")
    columns = [f"{main}.{ROW} AS {main}", f"{patient}.{ROW} AS {patient}"]
    columns += [f"{f'{_q(name)}.{ROW}' if name == part else 'NULL::BIGINT'} AS {_q(name)}" for name in product.joined]
    joins = f"LEFT JOIN {patient} ON {_on(product, main, patient)}"
    if part != product.main:
        joins += f" LEFT JOIN {_q(part)} ON {_on(product, main, _q(part))}"
    return f"SELECT {', '.join(columns)}, '{part}' AS {SOURCE} FROM {main} {joins}"


def _orphans(connection: duckdb.DuckDBPyConnection, product: Product, name: str) -> pa.ChunkedArray:
    """Row numbers of the rows that have no main row."""
    query = f"SELECT c.{ROW} FROM {_q(name)} c ANTI JOIN {_q(product.main)} m ON {_on(product, 'c', 'm')} ORDER BY ALL"
    return connection.sql(query).to_arrow_table()[ROW]


def _claim_rows(
    connection: duckdb.DuckDBPyConnection, product: Product, tables: dict[str, pa.Table], rows: pa.Table
) -> np.ndarray:
    """1..n within each main row; only main rows with several flat rows are sorted."""
    mains = rows[product.main].to_numpy()
    claims = np.ones(len(mains), np.int32)
    several = np.flatnonzero(np.bincount(mains)[mains] > 1) if len(mains) else np.zeros(0, np.int64)
    if len(several) == 0:
        return claims
    part = rows.take(pa.array(several))
    part = part.append_column(CLAIM_ROW, pa.array(np.ones(len(several), np.int32)))
    wide = materialise(product, tables, part).append_column(ROW, part[product.main])
    wide = wide.append_column("__at", pa.array(several))
    connection.register("several", wide)
    order = ", ".join(_claim_order(product, tables))
    numbered = connection.sql(
        f"SELECT __at, row_number() OVER (PARTITION BY {ROW} ORDER BY {order}) AS n FROM several"
    ).to_arrow_table()
    claims[numbered["__at"].to_numpy()] = numbered["n"].to_numpy()
    return claims


def _claim_order(product: Product, tables: dict[str, pa.Table]) -> list[str]:
    """What numbers the rows of one main row: columns of the joined tables in table order, nulls first.

    In the union form the position of `source_table` and the patient's columns come before them.
    """
    order = []
    if product.form == "union":
        names = ", ".join(f"'{name}'" for name in (product.main, *product.joined))
        order.append(f"list_position([{names}], {SOURCE})")
        order += [_q(column) for column in _details(product, tables[product.patient or ""])]
    for name in product.joined:
        if tables[name].num_rows:
            order += [_q(f"{name}__{column}") for column in _details(product, tables[name])]
    return [f"{column} ASC NULLS FIRST" for column in order]
