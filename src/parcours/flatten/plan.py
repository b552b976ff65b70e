"""Which periods to compute, from which files, into which columns; needs no Spark."""

from dataclasses import dataclass
from typing import Any

from parcours.flatten.convert import ARROW_TYPES
from parcours.flatten.owners import Owners, unmoved
from parcours.flatten.rows import UNKNOWN
from parcours.flatten.scan import Scan
from parcours.snds.contracts import Product, load_table
from parcours.snds.delivery import Delivery
from parcours.storage.fingerprint import fingerprint, sources_version
from parcours.storage.manifest import read_manifest
from parcours.storage.root import Root

CODE = ("flatten", "snds")


@dataclass(frozen=True)
class PeriodPlan:
    """One period of one product: its inputs, the columns of each table (name -> contract type), and its state."""

    product: str
    period: str
    status: str  # reuse | compute | replace
    fingerprint: str
    config: dict[str, Any]
    inputs: tuple[Scan, ...]
    columns: dict[str, dict[str, str]]  # of the tables that the flat table has columns of
    drift: dict[str, dict[str, list[str]]]
    absent: tuple[str, ...]  # of those, the tables that were not delivered for the period
    replaces: str | None  # the fingerprint of what was committed when this was planned

    @property
    def bytes(self) -> int:
        """Bytes of the inputs that belong to the period, by its share of their rows."""
        shares = ((scan.bytes, scan.periods[self.period], sum(scan.periods.values())) for scan in self.inputs)
        return sum(size * rows // max(total, 1) for size, rows, total in shares)

    @property
    def rows(self) -> int:
        """Rows of the inputs that belong to the period."""
        return sum(scan.periods[self.period] for scan in self.inputs)


def period_year(period: str) -> int | None:
    """The year whose contracts a period follows; None is the latest."""
    return int(period[:4]) if period[:4].isdigit() else None


def file_columns(table: str, header: list[str], period: str) -> dict[str, str]:
    """Contract type of each column of a file; a column that the contract of that year does not know is a string."""
    known = load_table(table).columns_of(period_year(period))
    return {name: known[name].type if name in known else "string" for name in header}


def plan_product(
    root: Root,
    delivery: Delivery,
    product: Product,
    scans: list[Scan],
    person_buckets: int,
    owners: Owners | None,
) -> list[PeriodPlan]:
    """All periods of a product that the delivery holds rows of, in order; "unknown" last.

    `owners`: the persons that rows are given to; None for products that know none. Other persons, and rows must be
    given again, in the periods that have rows of them (see `unmoved`).
    """
    config = {
        "delimiter": delivery.delimiter,
        "encoding": delivery.encoding,
        "null_values": list(delivery.null_values),
        "date_formats": list(delivery.date_formats),
        "person": delivery.person,
        "person_buckets": person_buckets,
        "identity": owners.mapping if owners else None,
    }
    mine = [scan for scan in scans if scan.table in product.tables]
    periods = sorted({period for scan in mine for period in scan.periods})
    return [_plan_period(root, product, period, mine, config, owners) for period in periods]


def _plan_period(
    root: Root,
    product: Product,
    period: str,
    scans: list[Scan],
    config: dict[str, Any],
    owners: Owners | None,
) -> PeriodPlan:
    inputs = tuple(scan for scan in scans if period in scan.periods)
    held = read_manifest(root.rejects(product.name, period) if period == UNKNOWN else root.period(product.name, period))
    if held is not None and owners is not None and _same_but_for_persons(held, product, period, inputs, config):
        same = period == UNKNOWN or unmoved(root, held, owners)
        config = held["config"] if same else config
    mark = _mark(product, period, inputs, config)
    columns, drift = {}, {}
    for table in product.tables:
        headers = [scan.header for scan in inputs if scan.table == table]
        if table in product.where_present and not headers:
            continue
        columns[table], drifted = _table_columns(table, headers, period, config["person"])
        if headers and any(drifted.values()):
            drift[table] = drifted
    absent = tuple(table for table in columns if not any(scan.table == table for scan in inputs))
    status = "compute" if held is None else "reuse" if held.get("fingerprint") == mark else "replace"
    replaces = None if held is None else held.get("fingerprint")
    return PeriodPlan(product.name, period, status, mark, config, inputs, columns, drift, absent, replaces)


def _mark(product: Product, period: str, inputs: tuple[Scan, ...], config: dict[str, Any]) -> str:
    return fingerprint(
        {
            "product": product.name,
            "period": period,
            "inputs": sorted([scan.table, scan.name, scan.checksum] for scan in inputs),
            "config": config,
            "code": sources_version(*CODE),
        }
    )


def _same_but_for_persons(
    held: dict[str, Any], product: Product, period: str, inputs: tuple[Scan, ...], config: dict[str, Any]
) -> bool:
    """Whether a committed period was made of the same, with rows given to persons by another identity."""
    before = held["config"]["identity"]
    if before is None or before == config["identity"]:
        return False
    return bool(held["fingerprint"] == _mark(product, period, inputs, {**config, "identity": before}))


def _table_columns(
    table: str, headers: list[list[str]], period: str, person: dict[str, str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Columns of the contract of that year (optional ones when delivered), then those it does not know; the drift."""
    contract = load_table(table).columns_of(period_year(period))
    delivered = list(dict.fromkeys(name for names in headers for name in names))
    columns = {name: column.type for name, column in contract.items() if not column.optional or name in delivered}
    unknown = [name for name in delivered if name not in contract]
    missing = [
        name for name, column in contract.items() if not column.optional and any(name not in names for names in headers)
    ]
    drift = {"missing": missing, "unknown": [name for name in unknown if name not in person.values()]}
    return {**columns, **dict.fromkeys(unknown, "string")}, drift


def arrow_schema(columns: dict[str, str]) -> Any:
    """The Arrow schema of a table's columns."""
    import pyarrow as pa

    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
