"""What it costs to cut one block of raw rows into claim buckets, as the first shuffle does: by number of buckets.

`python -m benchmarks.payloads` writes benchmarks/results/payloads.json. A month of 64 MiB has one bucket, a
national one thousands: each payload carries the description of all columns, however few rows it holds.
"""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.results import RESULTS, commit, machine, write_result
from parcours.flatten.payloads import packed, split, unpacked
from parcours.flatten.plan import arrow_schema
from parcours.flatten.source import BLOCK
from parcours.snds.contracts import load_table
from parcours.stages.exit import exit_code_of

TABLE, YEAR = "ER_PRS_F", 2016
ROW_BYTES = 353  # raw bytes of a line of the five tables: raw_mb by rows in benchmarks/results/flatten.json
BUCKETS = (1, 16, 64, 256, 1024, 3378)
RUNS = 3


def block_of_rows(rows: int, random: np.random.Generator) -> pa.Table:
    """Typed rows of the widest table."""
    columns: dict[str, str] = {name: column.type for name, column in load_table(TABLE).columns_of(YEAR).items()}
    schema = arrow_schema(columns)
    return pa.table([_values(field.type, rows, random) for field in schema], schema=schema)


def _values(kind: pa.DataType, rows: int, random: np.random.Generator) -> pa.Array:
    numbers = random.integers(0, 5000, rows)
    if pa.types.is_string(kind):
        return pa.array([f"{number:x}" for number in numbers], kind)
    return pa.array(numbers).cast(pa.int32()).cast(kind)


def cost(table: pa.Table, buckets: int, random: np.random.Generator) -> dict[str, float]:
    """Processor seconds to pack and to unpack the payloads of a block, and their bytes."""
    groups = random.integers(0, buckets, table.num_rows)
    began = time.process_time()
    contents = [packed(part) for _, part in split(table, groups)]
    between = time.process_time()
    unpacked(contents)
    return {
        "pack_seconds": between - began,
        "unpack_seconds": time.process_time() - between,
        "bytes": sum(content.size for content in contents),
    }


def run(numbers: tuple[int, ...], rows: int) -> dict[str, Any]:
    """The content of the result file; each figure is the median of its runs."""
    random = np.random.default_rng(1)
    table = block_of_rows(rows, random)
    cost(table, max(numbers), random)  # libraries loaded, memory grown
    entries = []
    for buckets in numbers:
        found = [cost(table, buckets, random) for _ in range(RUNS)]
        entries.append({"buckets": buckets} | {name: round(median(one[name] for one in found), 3) for name in found[0]})
    return {
        "name": "payloads",
        "machine": machine(),
        "commit": commit(),
        "runs": RUNS,
        "input": {"table": TABLE, "columns": table.num_columns, "rows": rows, "block_bytes": BLOCK},
        "payloads": entries,
    }


def main() -> None:
    """Entry point of `python -m benchmarks.payloads`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.payloads", description="Measure payloads.")
    parser.add_argument("--buckets", type=int, nargs="+", default=list(BUCKETS))
    parser.add_argument("--out", type=Path, default=RESULTS / "payloads.json", help="the result file")
    given = parser.parse_args()
    try:
        write_result(given.out, run(tuple(given.buckets), BLOCK // ROW_BYTES))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise SystemExit(exit_code_of(error)) from None


if __name__ == "__main__":
    main()
