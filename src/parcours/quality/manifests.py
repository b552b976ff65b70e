"""Manifests as small tables: rows, persons and amounts of every product, period and raw table."""

from collections.abc import Mapping
from typing import Any

from parcours.snds.contracts import load_product

Manifests = Mapping[str, Mapping[str, Mapping[str, Any]]]  # product -> period -> manifest

PERIODS = {"product": "string", "period": "string", "written": "bigint"}
TABLES = {
    "product": "string",
    "period": "string",
    "table": "string",
    "read": "bigint",
    "joined": "bigint",
    "rejected": "bigint",
    "orphaned": "bigint",
}
PERSONS = {
    "product": "string",
    "period": "string",
    "by_psa": "bigint",
    "ambiguous": "bigint",
    "unknown": "bigint",
    "without_referential": "bigint",
}
AMOUNTS = {"product": "string", "period": "string", "amount": "string", "source": "double", "flat": "double"}


def fingerprints(manifests: Manifests) -> dict[str, dict[str, str]]:
    """Fingerprint of every period, by product: what a verdict is about."""
    return {
        product: {period: str(manifest["fingerprint"]) for period, manifest in periods.items()}
        for product, periods in manifests.items()
    }


def period_rows(manifests: Manifests) -> list[tuple[Any, ...]]:
    """Rows of PERIODS: how many flat rows each manifest says were written."""
    return [
        (product, period, manifest["rows"]["written"])
        for product, periods in manifests.items()
        for period, manifest in periods.items()
    ]


def table_rows(manifests: Manifests) -> list[tuple[Any, ...]]:
    """Rows of TABLES; what a manifest does not count is null, and the main table is always there."""
    return [
        (product, period, table, *_counts(manifest["rows"], table))
        for product, periods in manifests.items()
        for period, manifest in periods.items()
        for table in sorted({load_product(product).main, *manifest["rows"]["read"]})
    ]


def person_rows(manifests: Manifests) -> list[tuple[Any, ...]]:
    """Rows of PERSONS, of products that know persons: what each manifest says of how they were found.

    `unknown` are rows of persons whom the referentials do not hold, `without_referential` those where there was none.
    """
    return [
        (product, period, found["by_psa"], found["ambiguous"], *_unknown(found["unknown"], manifest))
        for product, periods in manifests.items()
        for period, manifest in periods.items()
        if (found := manifest.get("persons"))
    ]


def _unknown(count: int, manifest: Mapping[str, Any]) -> tuple[int, int]:
    return (0, count) if manifest["config"]["identity"] is None else (count, 0)


def amount_rows(manifests: Manifests) -> list[tuple[Any, ...]]:
    """Rows of AMOUNTS; amounts of the product that a manifest does not state are null."""
    return [
        (product, period, amount, *_amounts(manifest, amount))
        for product, periods in manifests.items()
        for period, manifest in periods.items()
        for amount in load_product(product).amounts
    ]


def _counts(rows: Mapping[str, Any], table: str) -> tuple[int | None, ...]:
    return (
        rows["read"].get(table),
        rows.get("joined", {}).get(table),
        rows["rejected"].get(table, 0),
        rows["orphaned"].get(table, 0),
    )


def _amounts(manifest: Mapping[str, Any], amount: str) -> tuple[float | None, float | None]:
    # Union forms may name the amount as in the flat table, MCO_B__SEJ_NBJ.
    stated = {name.rpartition("__")[2]: sides for name, sides in manifest["amounts"].items()}.get(amount, {})
    return _number(stated.get("source")), _number(stated.get("flat"))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
