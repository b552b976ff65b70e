"""Nothing is lost: rows read = joined + rejected + orphaned, table by table, before anything is committed."""

import math
from collections import Counter, defaultdict
from typing import Any

from parcours.errors import ParcoursError
from parcours.flatten.plan import PeriodPlan
from parcours.flatten.tasks import COUNTS, REJECTS
from parcours.leaving import ROWS, in_words
from parcours.snds.contracts import Product


def summarise(product: Product, plan: PeriodPlan, reported: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows, amounts, sentinels and files of one period, from what its tasks reported."""
    counts = [entry for entry in reported if entry["kind"] == COUNTS]
    flat = [entry for entry in reported if entry["kind"] == "flat"]
    read, rejected = _by_table(counts, "read"), _by_table(counts, "rejected")
    delivered = [table for table in plan.columns if table not in plan.absent]
    joined, orphaned = _summed(counts, "joined"), _summed(counts, "orphaned")
    return {
        "rows": {
            "read": {table: read[table] for table in delivered},
            "joined": {table: joined[table] for table in delivered},
            "written": sum(entry["rows"] for entry in flat),
            "rejected": {table: rejected[table] for table in delivered},
            "orphaned": {table: orphaned[table] for table in delivered},
        },
        "joined_rows": sum(entry.get("flat", 0) for entry in counts),
        "amounts": _amounts(product, counts, flat),
        "sentinels": _by_column(counts, "sentinels"),
        "canonical": _by_column(counts, "canonical"),
        "persons": dict(_summed(counts, "persons")),
        "unidentified": sum(entry["rows"] for entry in flat if entry["path"] == "unidentified.parquet"),
        "files": sorted(
            ({name: entry[name] for name in ("path", "rows", "bytes")} for entry in flat),
            key=lambda file: str(file["path"]),
        ),
        "rejects_written": sum(entry["rows"] for entry in reported if entry["kind"] == REJECTS),
        "orphans_written": sum(entry["rows"] for entry in reported if entry["kind"] == "orphans"),
    }


def check(product: Product, plan: PeriodPlan, summary: dict[str, Any]) -> None:
    """Raise ParcoursError when a row or an amount was lost or made up; nothing is committed then."""
    where, rows = f"{product.name} {plan.period}", summary["rows"]
    for table, read in rows["read"].items():
        found = rows["joined"][table] + rows["rejected"][table] + rows["orphaned"][table]
        if read != found:
            apart = in_words(abs(read - found), ROWS)
            raise ParcoursError(f"{where}: rows of {table} read and accounted for differ by {apart}; not committed.")
    read = sum(rows["read"].values())
    if read != plan.rows:
        apart = in_words(abs(read - plan.rows), ROWS)
        raise ParcoursError(f"{where}: rows planned and read differ by {apart}; not committed.")
    written = {
        "flat": (summary["joined_rows"], rows["written"]),
        "rejected": (sum(rows["rejected"].values()), summary["rejects_written"]),
        "orphaned": (sum(rows["orphaned"].values()), summary["orphans_written"]),
    }
    for kind, (expected, found) in written.items():
        if expected != found:
            apart = in_words(abs(expected - found), ROWS)
            raise ParcoursError(f"{where}: {kind} rows to write and written differ by {apart}; not committed.")
    for column, amount in summary["amounts"].items():
        if not math.isclose(amount["source"], amount["flat"], rel_tol=1e-9, abs_tol=0.005):
            raise ParcoursError(f"{where}: the sum of {column} is not that of the raw rows; not committed.")


def _by_table(counts: list[dict[str, Any]], name: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in counts:
        if "table" in entry:
            found[entry["table"]] += entry[name]
    return found


def _summed(counts: list[dict[str, Any]], name: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in counts:
        found.update(entry.get(name, {}))
    return found


def _amounts(product: Product, counts: list[dict[str, Any]], flat: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    if product.form == "reference":
        return {}
    source = {
        name: math.fsum(entry["amounts"].get(name, 0.0) for entry in counts if "table" in entry)
        for name in product.amounts
    }
    found = {name: math.fsum(entry["amounts"].get(name, 0.0) for entry in flat) for name in product.amounts}
    return {name: {"source": round(source[name], 6), "flat": round(found[name], 6)} for name in product.amounts}


def _by_column(counts: list[dict[str, Any]], name: str) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in counts:
        if entry.get(name):
            found[entry["table"]].update(entry[name])
    return {table: dict(columns) for table, columns in sorted(found.items())}
