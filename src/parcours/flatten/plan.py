"""Which periods to compute, from which files, into which columns; needs no Spark."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parcours.errors import InputError
from parcours.flatten.converted import ARROW_TYPES
from parcours.flatten.owners import Owners, unmoved
from parcours.flatten.scan import Scan
from parcours.flatten.selection import UNKNOWN
from parcours.snds.contracts import Product, load_table
from parcours.snds.delivery import Delivery
from parcours.snds.person_forms import Forms, named_columns
from parcours.snds.spelling import UNNAMED, folded
from parcours.storage.fingerprint import fingerprint, sources_version
from parcours.storage.manifest import committed_periods, read_manifest
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
    return {name: known[name].type if name in known else "string" for name in header if name != UNNAMED}


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
        "time_zone": delivery.time_zone,
        "trailing_delimiter": delivery.trailing_delimiter,
        "person": delivery.person,
        "person_buckets": person_buckets,
        "identity": owners.mapping if owners else None,
        "synthetic": delivery.synthetic,
    }
    mine = [scan for scan in scans if scan.table in product.tables]
    for table in product.tables:
        _check_spellings(root, product, table, [scan for scan in mine if scan.table == table])
    periods = sorted({period for scan in mine for period in scan.periods})
    return [_plan_period(root, product, period, mine, config, owners) for period in periods]


def _check_spellings(root: Root, product: Product, table: str, scans: list[Scan]) -> None:
    """Two spellings of one name would be two columns that SQL cannot tell apart, in one period or in several.

    Raises InputError when files of a table, or the periods in the root that they do not replace, have both.
    """
    contract = load_table(table).names
    first: dict[str, tuple[str, str]] = {}
    found = [(name, scan.path) for scan in scans for name in scan.header if name not in contract]
    if found:
        first |= {folded(name): (name, period) for name, period in _held_unknown(root, product, table, scans)}
    for name, path in found:
        known, where = first.setdefault(folded(name), (name, path))
        if known != name:
            raise InputError(
                f"{path}: a column of {table} that no contract knows (number {_number(scans, path, name)}) is written "
                f"in other capitals in {where}; give it one spelling in both."
            )


def _number(scans: list[Scan], path: str, name: str) -> int:
    return next(scan.header.index(name) + 1 for scan in scans if scan.path == path)


def _held_unknown(root: Root, product: Product, table: str, scans: list[Scan]) -> Iterator[tuple[str, str]]:
    """Columns that no contract knows of the periods in the root that a delivery has no rows of, with their period.

    Those that `person` named are among them.
    """
    delivered = {period for scan in scans for period in scan.periods}
    for period, manifest in committed_periods(root, product.name).items():
        if period not in delivered:
            person = named_columns(manifest.get("config", {}).get("person", {}))
            for name in [*manifest["drift"].get(table, {}).get("unknown", []), *person]:
                yield name, f"{product.name} {period}, which the root holds"


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
    table: str, headers: list[list[str]], period: str, person: Forms
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Columns of the contract of that year (optional ones when delivered), then those it does not know; the drift."""
    contract = load_table(table).columns_of(period_year(period))
    delivered = list(dict.fromkeys(name for names in headers for name in names if name != UNNAMED))
    columns = {name: column.type for name, column in contract.items() if not column.optional or name in delivered}
    unknown = [name for name in delivered if name not in contract]
    missing = [
        name for name, column in contract.items() if not column.optional and any(name not in names for names in headers)
    ]
    drift = {"missing": missing, "unknown": [name for name in unknown if name not in named_columns(person)]}
    return {**columns, **dict.fromkeys(unknown, "string")}, drift


def arrow_schema(columns: dict[str, str]) -> Any:
    """The Arrow schema of a table's columns."""
    import pyarrow as pa

    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
