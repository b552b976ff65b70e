"""What it costs to cut the rows of a read task into claim buckets, as the first shuffle does: by number of buckets.

`python -m benchmarks.payloads` writes benchmarks/results/payloads.json. A month of 40 MB has one bucket, a national
one hundreds: each payload carries the description of all columns, however few rows it holds. The rows are those of the
flattening benchmark, as many of each table as a task holds before it cuts them.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.flatten_data import PRODUCT, TABLES, Input, make_input, persons_for
from benchmarks.results import HOME, RESULTS, commit, machine, write_result
from parcours.flatten.engine import TASK_BYTES
from parcours.flatten.job import reading
from parcours.flatten.payloads import packed, unpacked
from parcours.flatten.rows import read_rows
from parcours.flatten.scan import scan_file
from parcours.flatten.source import Block, blocks
from parcours.flatten.tasks import GATHERED_BYTES, by_claim
from parcours.snds.contracts import load_product
from parcours.snds.delivery import Delivery, load_delivery
from parcours.stages.exit import exit_code_of
from parcours.storage.place import file_size

BUCKETS = (1, 16, 64, 256, 845, 1690, 3378)
RUNS = 3
RAW_GB = 2.14


@dataclass(frozen=True)
class Gathered:
    """The typed rows that a task of one table holds, the raw bytes they came from, and those of the whole table."""

    table: str
    rows: pa.Table
    raw_bytes: int
    table_bytes: int


def gathered(delivery: Delivery, table: str) -> Gathered:
    """Rows of the files of a table until a task would cut them, or has read its bytes."""
    found: list[pa.Table] = []
    raw_bytes = typed_bytes = 0
    for block, rows in _typed_blocks(delivery, table):
        found.append(rows)
        raw_bytes += block.end - block.start
        typed_bytes += rows.nbytes
        if raw_bytes >= TASK_BYTES or typed_bytes > GATHERED_BYTES:
            break
    whole = sum(file_size(raw.path) for raw in delivery.files_of(table))
    return Gathered(table, pa.concat_tables(found), raw_bytes, whole)


def _typed_blocks(delivery: Delivery, table: str) -> Iterator[tuple[Block, pa.Table]]:
    product = load_product(PRODUCT)
    for raw in delivery.files_of(table):
        scan = scan_file(raw, delivery, product)
        how = reading(product, delivery, scan)
        for block, span in zip(blocks(raw.path, len(scan.header), delivery.delimiter), scan.spans, strict=True):
            yield block, pa.concat_tables(read_rows(block, how, scan.span_periods(span)).tables.values())


def cost(rows: pa.Table, buckets: int) -> np.ndarray:
    """Processor seconds to cut and pack rows, the same to unpack them, and bytes of the payloads."""
    began = time.process_time()
    contents = [packed(part) for _, part in by_claim(load_product(PRODUCT), rows, buckets, 1)]
    between = time.process_time()
    unpacked(contents)
    return np.array([between - began, time.process_time() - between, sum(content.size for content in contents)])


def entry(tables: list[Gathered], buckets: int, runs: int) -> dict[str, float]:
    """What `TASK_BYTES` raw bytes cost, of each table as many as its share; medians of the runs."""
    whole = sum(one.table_bytes for one in tables)
    costs = [np.median([cost(one.rows, buckets) for _ in range(runs)], axis=0) / one.raw_bytes for one in tables]
    pack, unpack, size = sum(
        TASK_BYTES * one.table_bytes / whole * each for one, each in zip(tables, costs, strict=True)
    )
    return {
        "buckets": buckets,
        "pack_seconds": round(float(pack), 3),
        "unpack_seconds": round(float(unpack), 3),
        "bytes": int(size),
    }


def run(given: Input, numbers: list[int], runs: int) -> dict[str, Any]:
    """The content of the result file."""
    tables = [gathered(load_delivery(given.folder), table) for table in TABLES]
    cost(tables[0].rows, max(numbers))  # libraries loaded, memory grown
    return {
        "name": "payloads",
        "machine": machine(),
        "commit": commit(),
        "runs": runs,
        "input": {
            "task_bytes": TASK_BYTES,
            "tables": {
                one.table: {"columns": one.rows.num_columns, "rows": one.rows.num_rows, "raw_bytes": one.raw_bytes}
                for one in tables
            },
        },
        "payloads": [entry(tables, buckets, runs) for buckets in numbers],
    }


def main() -> None:
    """Entry point of `python -m benchmarks.payloads`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.payloads", description="Measure payloads.")
    parser.add_argument("--buckets", type=int, nargs="+", default=list(BUCKETS))
    parser.add_argument("--raw-gb", type=float, default=RAW_GB, help="size of the delivery, in 10^9 bytes")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--work", type=Path, default=HOME / ".bench" / "flatten", help="folder for the delivery")
    parser.add_argument("--out", type=Path, default=RESULTS / "payloads.json", help="the result file")
    given = parser.parse_args()
    try:
        delivery = make_input(given.work.resolve() / "deliveries", persons_for(given.raw_gb))
        write_result(given.out, run(delivery, given.buckets, given.runs))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None


if __name__ == "__main__":
    main()
