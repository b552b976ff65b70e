"""Rows of a flat product beside the filters: which of them each use keeps, counted while they are read."""

from collections.abc import Collection, Iterable, Mapping
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from parcours.events.filters import columns_of, filters_of, removal_counts, removed_by
from parcours.events.flat_tables import read_flat
from parcours.storage.place import Place


def kept_rows(
    spark: SparkSession,
    product: str,
    periods: Mapping[str, Place],
    columns: Iterable[str],
    uses: Mapping[str, tuple[str, ...]],
    codelists: Path,
    seen: Observation,
) -> DataFrame:
    """The rows that some use keeps, with a boolean column for each use; `uses` and counts as in `marked_rows`."""
    marked = marked_rows(spark, product, periods, columns, uses, codelists, seen)
    return marked.where(reduce(Column.__or__, [F.col(kind) for kind in uses]))


def marked_rows(
    spark: SparkSession,
    product: str,
    periods: Mapping[str, Place],
    columns: Iterable[str],
    uses: Mapping[str, tuple[str, ...]],
    codelists: Path,
    seen: Observation,
    delivered: Collection[str] = (),
) -> DataFrame:
    """The rows of some use, with a boolean column for each: whether the filters leave the row to it.

    `uses` maps each kind of row to the columns of which a row has one, or is none of its business (no column: every
    row). Rows read and removed are counted by use in `seen`. `delivered` is as in `read_flat`.
    """
    filters = {kind: filters_of(product, kind) for kind in uses}
    read = set(columns).union(*[columns_of(some) for some in filters.values()])
    rows = read_flat(spark, product, periods, read, delivered)
    present = {kind: _one_of(filled) for kind, filled in uses.items()}
    removed = {f"{kind}/removed": F.when(present[kind], removed_by(some, codelists)) for kind, some in filters.items()}
    counts = [
        count
        for kind, some in filters.items()
        for count in removal_counts(kind, some, present[kind], F.col(f"{kind}/removed"))
    ]
    # Rows that no use reads are gone before anything is computed from them.
    relevant = rows.where(reduce(Column.__or__, present.values()))
    counted = relevant.withColumns(removed).observe(seen, *counts)
    kept = {kind: present[kind] & F.col(f"{kind}/removed").isNull() for kind in uses}
    return counted.withColumns(kept).drop(*removed)


def _one_of(columns: tuple[str, ...]) -> Column:
    return F.coalesce(*columns).isNotNull() if columns else F.lit(True)


def rows_by_kind(observed: Iterable[Observation]) -> dict[str, dict[str, int]]:
    """{kind: {read, filter: removed}} of what was counted; call it after the write."""
    rows: dict[str, dict[str, int]] = {}
    for seen in observed:
        for name, count in seen.get.items():
            kind, _, what = name.partition("/")
            rows.setdefault(kind, {}).update({what: count} if count else {})
    return rows
