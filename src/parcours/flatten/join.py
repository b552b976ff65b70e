"""The joins of one bucket of claims or stays, in an in-process DuckDB. Pure: Arrow tables in, Arrow tables out."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from parcours.flatten.plan import arrow_schema
from parcours.snds.contracts import Product

MAIN_ROW = "__main_row"
PERSON = "person_id"
CLAIM_ROW = "claim_row"
SOURCE = "source_table"


@dataclass(frozen=True)
class Joined:
    """Flat rows; rows of each table that found their main row; those that did not, by table."""

    flat: pa.Table
    joined: dict[str, int]
    orphans: dict[str, pa.Table]


def align(parts: list[pa.Table], columns: dict[str, str]) -> pa.Table:
    """One table of exactly these columns: what a file did not have is null."""
    schema = arrow_schema(columns)
    if not parts:
        return schema.empty_table()
    table = pa.concat_tables(parts, promote_options="default")
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

    The main (left joins) or patient table (union) already has `person_id`. `absent` tables were not delivered for
    the period: their columns are null, and the union form has no rows of theirs.
    """
    with duckdb.connect(config={"threads": 1, "preserve_insertion_order": False}) as connection:
        for name, table in tables.items():
            connection.register(name, _numbered(table) if name == product.main else table)
        query = _left_joins(product, tables) if product.form == "left_joins" else _union(product, tables, absent)
        flat = connection.sql(query).to_arrow_table()
        orphans = _orphans(connection, product, tables)
        joined = {name: _with_main(connection, product, name) for name in tables if name != product.main}
        joined[product.main] = len(np.unique(flat[MAIN_ROW].to_numpy()))
        flat = _claim_rows(connection, flat, _claim_order(product, tables))
    return Joined(flat, joined, orphans)


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column(MAIN_ROW, pa.array(np.arange(table.num_rows, dtype=np.int64)))


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _on(product: Product, left: str, right: str) -> str:
    return " AND ".join(f"{left}.{_q(key)} = {right}.{_q(key)}" for key in product.key)


def _details(product: Product, table: pa.Table) -> list[str]:
    """Columns of a joined table that are not keys."""
    return [name for name in table.column_names if name not in product.key and name != PERSON]


def _prefixed(product: Product, name: str, table: pa.Table, *, present: bool) -> list[str]:
    columns = []
    for column in _details(product, table):
        value = f"{_q(name)}.{_q(column)}" if present else f"NULL::{_sql_type(table.schema.field(column).type)}"
        columns.append(f"{value} AS {_q(f'{name}__{column}')}")
    return columns


def _sql_type(kind: pa.DataType) -> str:
    return {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.date32(): "DATE"}.get(kind, "VARCHAR")


def _left_joins(product: Product, tables: dict[str, pa.Table]) -> str:
    """Chained left joins on the key: one row per matching combination."""
    main = tables[product.main]
    columns = [f"m.{_q(name)}" for name in main.column_names if name != PERSON]
    joins = ""
    for name in product.joined:
        present = tables[name].num_rows > 0
        columns += _prefixed(product, name, tables[name], present=present)
        if present:
            joins += f" LEFT JOIN {_q(name)} ON {_on(product, 'm', _q(name))}"
    return f"SELECT {', '.join(columns)}, m.{PERSON}, m.{MAIN_ROW} FROM {_q(product.main)} m{joins}"


def _union(product: Product, tables: dict[str, pa.Table], absent: tuple[str, ...]) -> str:
    """Main and patient, left-joined to each other table on its own; the union of these, null-filled.

    When no joined table was delivered, each stay still gives its row, as `source_table` = the main table.
    """
    parts = [name for name in product.joined if name not in absent]
    queries = [_union_part(product, tables, part) for part in parts or [product.main]]
    return " UNION ALL ".join(queries)


def _union_part(product: Product, tables: dict[str, pa.Table], part: str) -> str:
    main, patient = tables[product.main], product.patient or ""
    columns = [f"m.{_q(key)}" for key in product.key]
    columns += [f"m.{_q(name)} AS {_q(f'{product.main}__{name}')}" for name in _details(product, main)]
    columns += [f"p.{_q(name)}" for name in _details(product, tables[patient])]
    for name in product.joined:
        columns += _prefixed(product, name, tables[name], present=name == part)
    joins = f" LEFT JOIN {_q(patient)} p ON {_on(product, 'm', 'p')}"
    if part != product.main:
        joins += f" LEFT JOIN {_q(part)} ON {_on(product, 'm', _q(part))}"
    return (
        f"SELECT {', '.join(columns)}, '{part}' AS {SOURCE}, p.{PERSON}, m.{MAIN_ROW} FROM {_q(product.main)} m{joins}"
    )


def _orphans(
    connection: duckdb.DuckDBPyConnection, product: Product, tables: dict[str, pa.Table]
) -> dict[str, pa.Table]:
    found = {}
    for name, table in tables.items():
        if name == product.main or table.num_rows == 0:
            continue
        columns = ", ".join(f"c.{_q(column)}" for column in table.column_names if column != PERSON)
        orphans = connection.sql(
            f"SELECT {columns} FROM {_q(name)} c ANTI JOIN {_q(product.main)} m ON {_on(product, 'c', 'm')}"
        ).to_arrow_table()
        if orphans.num_rows:
            found[name] = orphans
    return found


def _with_main(connection: duckdb.DuckDBPyConnection, product: Product, name: str) -> int:
    query = f"SELECT count(*) FROM {_q(name)} c SEMI JOIN {_q(product.main)} m ON {_on(product, 'c', 'm')}"
    return int(connection.sql(query).fetchall()[0][0])


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


def _claim_rows(connection: duckdb.DuckDBPyConnection, flat: pa.Table, order: list[str]) -> pa.Table:
    """Number the rows of each main row from 1; only main rows with several rows are sorted."""
    mains = flat[MAIN_ROW].to_numpy()
    several = np.bincount(mains)[mains] > 1 if len(mains) else np.zeros(0, bool)
    single = flat.drop_columns([MAIN_ROW]).filter(pa.array(~several))
    single = single.append_column(CLAIM_ROW, pa.array(np.ones(single.num_rows, np.int32)))
    if not several.any():
        return single
    connection.register("several", flat.filter(pa.array(several)))
    number = f"row_number() OVER (PARTITION BY {MAIN_ROW} ORDER BY {', '.join(order)})"
    numbered = connection.sql(
        f"SELECT * EXCLUDE {MAIN_ROW}, ({number})::INTEGER AS {CLAIM_ROW} FROM several"
    ).to_arrow_table()
    return pa.concat_tables([single, numbered.cast(single.schema)])
