"""Table contracts by year and product definitions, read from the YAML facts beside this file."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from parcours.errors import InputError

HERE = Path(__file__).parent
ColumnType = Literal["string", "integer", "decimal", "date"]


@dataclass(frozen=True)
class Column:
    """One column as the portal declares it; `years` are inclusive (first, last) ranges, empty = always."""

    name: str
    type: ColumnType
    length: int | None
    years: tuple[tuple[int, int], ...]
    optional: bool

    def present_in(self, year: int | None) -> bool:
        """Whether the column exists in the table of that year; `None` asks for the latest form."""
        if not self.years:
            return True
        return any(first <= (year or 9999) <= last for first, last in self.years)


@dataclass(frozen=True)
class Table:
    """The contract of one table: its columns over all years."""

    name: str
    label: str
    columns: tuple[Column, ...]

    def columns_of(self, year: int | None) -> dict[str, Column]:
        """Columns of the table in that year, by name, in the portal's order."""
        return {column.name: column for column in self.columns if column.present_in(year)}


@dataclass(frozen=True)
class Product:
    """How tables become one flat product: key, main and joined tables, person and period.

    `form` is left_joins (DCIR), union (PMSI) or reference; `period_step` is month, year or all.
    `person` maps psa (and rank) to column names; `patient` is the PMSI table that holds the person.
    """

    name: str
    form: Literal["left_joins", "union", "reference"]
    main: str
    key: tuple[str, ...]
    joined: tuple[str, ...]
    patient: str | None
    period_step: Literal["month", "year", "all"]
    period_column: str | None
    person: dict[str, str]
    date: str | None
    amounts: tuple[str, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Every table of the product, the main one first."""
        return (self.main, *((self.patient,) if self.patient else ()), *self.joined)


def _years(text: str | None) -> tuple[tuple[int, int], ...]:
    if text is None:
        return ()
    ranges = []
    for part in str(text).split(","):
        first, dash, last = part.strip().partition("-")
        ranges.append((int(first or 0), int(last or 9999) if dash else int(first)))
    return tuple(ranges)


def _columns(name: str, declared: Any) -> list[Column]:
    variants = declared if isinstance(declared, list) else [declared]
    return [
        Column(name, v["type"], v.get("length"), _years(v.get("years")), bool(v.get("optional", False)))
        for v in variants
    ]


@cache
def load_table(name: str) -> Table:
    """The contract of one table.

    Raises InputError when Parcours has no contract of that name.
    """
    path = HERE / "tables" / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"Table {name} is not known: it has no contract; known are {', '.join(table_names())}.")
    declared = yaml.safe_load(path.read_text("utf-8"))
    columns = [column for key, value in declared["columns"].items() for column in _columns(key, value)]
    return Table(declared["table"], declared["label"], tuple(columns))


@cache
def load_product(name: str) -> Product:
    """The definition of one product.

    Raises InputError when there is no product of that name.
    """
    path = HERE / "products" / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"Product {name} is not known; known are {', '.join(product_names())}.")
    declared = yaml.safe_load(path.read_text("utf-8"))
    return Product(
        name=declared["product"],
        form=declared["form"],
        main=declared["main"],
        key=tuple(declared.get("key", ())),
        joined=tuple(declared.get("joined", ())),
        patient=declared.get("patient"),
        period_step=declared["period"]["step"],
        period_column=declared["period"].get("column"),
        person=declared.get("person", {}),
        date=declared.get("date"),
        amounts=tuple(declared.get("amounts", ())),
    )


def table_names() -> list[str]:
    """Names of the tables that have a contract."""
    return sorted(path.stem for path in (HERE / "tables").glob("*.yaml"))


def product_names() -> list[str]:
    """Names of the products that can be flattened, references included."""
    return sorted(path.stem for path in (HERE / "products").glob("*.yaml"))


@cache
def sentinel_dates() -> tuple[str, ...]:
    """ISO dates that mean "not known" in the source."""
    declared = yaml.safe_load((HERE / "sentinels.yaml").read_text("utf-8"))
    return tuple(str(date) for date in declared["dates"])
