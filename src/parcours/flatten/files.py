"""Flat rows -> Parquet files: sorted, in row groups, in a bounded memory whatever the size of a person or bucket."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from parcours.errors import RetryableFault
from parcours.flatten.claim_rows import CLAIM_ROW, SOURCE
from parcours.flatten.payloads import SPOOL_BYTES, packed, spool, unpacked
from parcours.snds.contracts import Product
from parcours.snds.identity import PERSON
from parcours.storage.hdfs import HdfsPath
from parcours.storage.place import Place, file_size, move

ROW_GROUP = 128 * 1024
# Compressed payload bytes that are sorted in memory at once.
SORT_BYTES = 64 << 20


def write_file(staged: Place, name: str, tables: Iterable[pa.Table], product: Product, kind: str) -> dict[str, Any]:
    """Write tables that follow each other in order as one Parquet file; {kind, path, rows, bytes, amounts}."""
    path = staged / f"{name}.parquet"
    rows, amounts = 0, dict.fromkeys(_amount_columns(product, kind), 0.0)
    with _parquet(staged, path, [name for name in (PERSON, product.date) if name]) as write:
        for table in tables:
            write(table)
            rows += table.num_rows
            for column, amount in _amounts(product, kind, table).items():
                amounts[column] += amount
    return {"kind": kind, "path": path.name, "rows": rows, "bytes": file_size(path), "amounts": amounts}


@contextmanager
def _parquet(staged: Place, path: Place, statistics: list[str]) -> Iterator[Any]:
    """Writes tables to a file that has its name only once it is whole: two attempts of a task may write the same.

    Only columns that rows are sorted by get minima and maxima: elsewhere they span all values and help no reader.
    """
    if not staged.is_dir():
        raise RetryableFault(f"{staged} is gone: this attempt was given up; run again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with _sink(own) as sink:
        writer: pq.ParquetWriter | None = None
        try:

            def write(table: pa.Table) -> None:
                nonlocal writer
                writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd", write_statistics=statistics)
                writer.write_table(table, row_group_size=ROW_GROUP)

            yield write
        finally:
            if writer is not None:
                writer.close()
    move(own, path)


def _sink(path: Place) -> Any:
    return path.open("wb") if isinstance(path, HdfsPath) else pa.OSFile(str(path), "wb")


def in_order(product: Product, kind: str, contents: list[pa.Buffer], spill: Path) -> Iterator[pa.Table]:
    """Sorted tables of all rows of some payloads, as many at once as memory allows."""
    if sum(content.size for content in contents) <= SORT_BYTES:
        yield sort(product, kind, pa.concat_tables(unpacked(contents)))
        return
    order = order_of(product, kind, unpacked(contents[:1])[0].column_names)
    pieces = -(-sum(content.size for content in contents) // SORT_BYTES)
    with spool(spill, SPOOL_BYTES // 4) as kept:
        for number, table in _cut(contents, order, pieces):
            kept.add(f"{number:06d}", kind, packed(table))
        for group in kept.groups():
            yield sort(product, kind, pa.concat_tables(unpacked(kept.take(group)[kind])))


def _cut(contents: list[pa.Buffer], order: list[str], pieces: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows of payloads by consecutive ranges of the first two columns of their order, of about as many rows each."""
    leading = [_leading(table, order) for table in (unpacked([content])[0].select(order[:2]) for content in contents)]
    both = np.concatenate(leading)
    at = np.lexsort((both["second"], both["first"]))
    bounds = both[at][[len(at) * piece // pieces for piece in range(1, pieces)]] if len(at) else both
    for content, keys in zip(contents, leading, strict=True):
        table = unpacked([content])[0]
        ranges = np.searchsorted(bounds, keys, side="right") if len(bounds) else np.zeros(len(keys), np.int64)
        for number in np.unique(ranges):
            yield int(number), table.filter(pa.array(ranges == number))


LEADING = np.dtype([("first", np.int64), ("second", np.int64)])


def _leading(table: pa.Table, order: list[str]) -> np.ndarray:
    """The two numbers by which rows are cut into ranges; nulls last, columns that are no numbers all alike."""
    found = np.zeros(table.num_rows, LEADING)
    for name, column in zip(LEADING.names or (), order[:2], strict=False):
        values = table[column]
        if pa.types.is_date32(values.type):
            values = values.cast(pa.int32())
        if pa.types.is_integer(values.type):
            found[name] = values.cast(pa.int64()).fill_null(np.iinfo(np.int64).max).to_numpy()
    return found


def sort(product: Product, kind: str, table: pa.Table) -> pa.Table:
    """The rows in the order of their kind."""
    order = order_of(product, kind, table.column_names)
    if not order:
        return table
    return table.take(pc.sort_indices(table, sort_keys=[(column, "ascending") for column in order]))


def order_of(product: Product, kind: str, names: list[str]) -> list[str]:
    """The columns by which rows of a kind are sorted."""
    if kind == "rejects":
        return ["table", "file", "line"]
    wanted = [*product.key] if kind == "orphans" or product.form == "reference" else []
    if kind == "flat" and product.form != "reference":
        wanted = [PERSON, product.date or "", *product.key, SOURCE, CLAIM_ROW]
    return [name for name in wanted if name in names]


def _amount_columns(product: Product, kind: str) -> list[str]:
    return list(product.amounts) if kind == "flat" and product.form != "reference" else []


def _amounts(product: Product, kind: str, table: pa.Table) -> dict[str, float]:
    """Sums of the main table's amounts over the first row of each main row."""
    names = _amount_columns(product, kind)
    if not names:
        return {}
    first = pc.equal(table[CLAIM_ROW], 1)
    prefix = f"{product.main}__" if product.form == "union" else ""
    return {
        name: pc.sum(table[f"{prefix}{name}"].filter(first)).as_py() or 0.0
        for name in names
        if f"{prefix}{name}" in table.column_names
    }
