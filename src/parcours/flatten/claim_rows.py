"""The order of flat rows: claim_row within one main row, then person, date and key. Pure: numbers in, numbers out."""

import duckdb
import numpy as np
import pyarrow as pa

from parcours.engine.sql import quoted
from parcours.snds.contracts import Product

ROW = "__row"
SOURCE = "source_table"
CLAIM_ROW = "claim_row"
# Columns that are ordered at once: DuckDB needs about 100 KB of memory for each, however few the rows.
RANKED = 500


def ranks(connection: duckdb.DuckDBPyConnection, table: pa.Table, columns: list[str]) -> np.ndarray:
    """Dense rank (int64, from 1) of each row by these columns, nulls first."""
    if not columns or table.num_rows == 0:
        return np.ones(table.num_rows, np.int64)
    if len(columns) > RANKED:
        firsts = range(0, len(columns), RANKED)
        part = pa.table({str(at): ranks(connection, table, columns[at : at + RANKED]) for at in firsts})
        return ranks(connection, part, part.column_names)
    numbered = table.select(columns).append_column(ROW, pa.array(np.arange(table.num_rows)))
    connection.register("ranked", numbered)
    order = ", ".join(f"{quoted(column)} ASC NULLS FIRST" for column in columns)
    found = connection.sql(f"SELECT {ROW}, dense_rank() OVER (ORDER BY {order}) AS n FROM ranked").to_arrow_table()
    connection.unregister("ranked")
    result = np.empty(table.num_rows, np.int64)
    result[found[ROW].to_numpy()] = found["n"].to_numpy()
    return result


def claim_rows(
    connection: duckdb.DuckDBPyConnection, product: Product, tables: dict[str, pa.Table], rows: pa.Table
) -> np.ndarray:
    """1..n within each main row (int32, one a flat row); `rows` holds row numbers of each table.

    They follow the columns of the joined tables in table order, nulls first; in the union form the position of
    `source_table` and the patient's columns come before them.
    """
    mains = rows[product.main].to_numpy()
    claims = np.ones(len(mains), np.int32)
    several = np.flatnonzero(np.bincount(mains)[mains] > 1) if len(mains) else np.zeros(0, np.int64)
    if len(several) == 0:
        return claims
    part = rows.take(pa.array(several))
    codes = [_source_codes(product, part)] if product.form == "union" else []
    ordered = [product.patient] if product.patient else []
    ordered += [name for name in (*product.joined, *product.where_present) if name in part.column_names]
    codes += [_row_codes(connection, product, name, tables[name], part[name]) for name in ordered]
    order = np.lexsort((*reversed(codes), mains[several]))
    claims[several[order]] = _within(mains[several][order])
    return claims


def _within(groups: np.ndarray) -> np.ndarray:
    """1, 2, 3 ... within each run of equal values."""
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    lengths = np.diff(np.r_[starts, len(groups)])
    return np.arange(len(groups)) - np.repeat(starts, lengths) + 1


def _source_codes(product: Product, rows: pa.Table) -> np.ndarray:
    return _codes(rows[SOURCE], [product.main, *product.joined, *product.where_present])


def _codes(names: pa.ChunkedArray, order: list[str]) -> np.ndarray:
    """The position of each name in `order`."""
    encoded = names.combine_chunks().dictionary_encode()
    positions = np.array([order.index(name) for name in encoded.dictionary.to_pylist()], np.int64)
    return positions[encoded.indices.to_numpy()]


def _row_codes(
    connection: duckdb.DuckDBPyConnection, product: Product, name: str, table: pa.Table, numbers: pa.ChunkedArray
) -> np.ndarray:
    """Rank of the row of one table in each flat row, -1 where it has none."""
    at = numbers.fill_null(-1).to_numpy()
    used = np.unique(at[at >= 0])
    details = [column for column in table.column_names if column not in product.key_of(name)]
    codes = np.full(table.num_rows + 1, -1, np.int64)
    codes[used] = ranks(connection, table.take(pa.array(used)), details)
    return codes[at]


def flat_order(
    connection: duckdb.DuckDBPyConnection,
    product: Product,
    tables: dict[str, pa.Table],
    rows: pa.Table,
    persons: np.ndarray,
    claims: np.ndarray,
) -> np.ndarray:
    """The flat rows by person (int64, -1 = unknown, which comes last), care date, key, source table and claim_row."""
    keys = ranks(connection, tables[product.main], list(product.key))[rows[product.main].to_numpy()]
    codes = [keys, _days(product, tables, rows), np.where(persons < 0, np.iinfo(np.int64).max, persons)]
    if SOURCE in rows.column_names:
        codes.insert(0, _codes(rows[SOURCE], sorted({product.main, *product.joined, *product.where_present})))
    return np.lexsort((claims, *codes))


def _days(product: Product, tables: dict[str, pa.Table], rows: pa.Table) -> np.ndarray:
    """The care date of each flat row as a number; unknown ones come last."""
    for name in (product.main, product.patient):
        if name and product.date in tables[name].column_names:
            days = tables[name][product.date].cast(pa.int32()).fill_null(np.iinfo(np.int32).max)
            return days.take(rows[name]).fill_null(np.iinfo(np.int32).max).to_numpy()
    return np.zeros(rows.num_rows, np.int32)
