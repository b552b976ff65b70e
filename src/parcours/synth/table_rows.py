"""Rows of a table that is written at once: columns that are known, the others from their pools."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from parcours.snds.contracts import load_table
from parcours.synth.dcir import columns_of
from parcours.synth.filler import POOL, filler
from parcours.synth.text import as_text, lines_of, merge, row_by_row


def table_rows(rng: np.random.Generator, table: str, year: int, known: Mapping[str, object], count: int) -> pa.Array:
    """Rows of a table: known columns (more may be given) as they are, the others from their pools."""
    contract = load_table(table).columns_of(year)
    names = columns_of(table, year)
    columns = [row_by_row(name) if name in known else filler(contract[name], table) for name in names]
    indices: dict[str, object] = {name: as_text(pa.array(known[name])) for name in names if name in known}
    return lines_of(merge(columns), {**indices, "pool": rng.integers(0, POOL, count, dtype=np.int32)})
