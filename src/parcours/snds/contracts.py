"""Table contracts by year and product definitions, read from the YAML facts beside this file."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from parcours.errors import InputError
from parcours.snds.declarations import LAST, YearRanges, check_fields, read_declared, read_facts, within, year_ranges
from parcours.snds.person_columns import correspondence_tables

HERE = Path(__file__).parent
ColumnType = Literal["string", "integer", "decimal", "date"]
Form = Literal["left_joins", "union", "reference"]
Step = Literal["month", "year", "all"]
KNOWN_YEARS = range(2005, 2020)  # what the sources of the contracts describe


@dataclass(frozen=True)
class Column:
    """One column as the portal declares it.

    `years` are inclusive (first, last) ranges, empty = as long as the table. `formerly` is the name that the same
    fact had before those years, TABLE.COLUMN where another table held it; nothing is renamed in the flat tables.
    """

    name: str
    type: ColumnType
    length: int | None
    years: YearRanges
    optional: bool
    formerly: str | None = None

    def present_in(self, year: int | None) -> bool:
        """Whether the column exists in the table of that year; `None` asks for the latest form."""
        return within(self.years, LAST if year is None else year)


@dataclass(frozen=True)
class Table:
    """The contract of one table: its columns over all years, and the years that have it (empty = all)."""

    name: str
    label: str
    columns: tuple[Column, ...]
    years: YearRanges = ()

    def exists_in(self, year: int | None) -> bool:
        """Whether the source has the table in that year; `None` asks for the latest."""
        return within(self.years, LAST if year is None else year)

    @property
    def names(self) -> frozenset[str]:
        """Names of the columns of all years."""
        return frozenset(column.name for column in self.columns)

    @property
    def dates(self) -> frozenset[str]:
        """Names of the columns that hold dates in some year."""
        return frozenset(column.name for column in self.columns if column.type == "date")

    def length_of(self, name: str) -> int | None:
        """The letters that a column holds in any year, None where that is not known."""
        found = [column.length for column in self.columns if column.name == name]
        return None if None in found else max((length for length in found if length), default=None)

    def columns_of(self, year: int | None) -> dict[str, Column]:
        """Columns of the table in that year, by name, in the portal's order."""
        return {column.name: column for column in self.columns if column.present_in(year)}


@dataclass(frozen=True)
class Product:
    """How tables become one flat product: key, main and joined tables, person and period.

    `form` is left_joins (DCIR), union (PMSI) or reference; `period_step` is month, year or all. `years` are those that
    can be joined (empty = all): before them a table lacks its key. `where_present` tables are joined after `joined`,
    and have columns in the flat table only where the delivery holds them. `keys` are the keys of the tables that have
    fewer columns of `key`. `person` maps psa (and rank) to column names, or `identity` to a column that holds the
    identity itself; it is empty where no column tells the person. `patient` is the PMSI table that holds the person.
    """

    name: str
    form: Form
    main: str
    key: tuple[str, ...]
    joined: tuple[str, ...]
    where_present: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    patient: str | None
    period_step: Step
    period_column: str | None
    years: YearRanges
    person: dict[str, str]
    date: str | None
    amounts: tuple[str, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Every table of the product: the main one, that of the patient, the joined ones, those where present."""
        return (self.main, *((self.patient,) if self.patient else ()), *self.joined, *self.where_present)

    @property
    def common_key(self) -> tuple[str, ...]:
        """The columns that are key in every table of the product, in the order of `key`."""
        return tuple(column for column in self.key if all(column in self.key_of(table) for table in self.tables))

    def key_of(self, table: str) -> tuple[str, ...]:
        """The columns by which a table joins the main one."""
        return self.keys.get(table, self.key)

    def covers(self, year: int) -> bool:
        """Whether the files of that year can be joined."""
        return within(self.years, year)


COLUMN_FIELDS = {"length", "years", "optional", "formerly"}


@cache
def load_table(name: str) -> Table:
    """The contract of one table.

    Raises InputError when Parcours has no contract of that name, ValueError when the contract itself is wrong.
    """
    path = HERE / "tables" / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"Table {name} is not known: it has no contract; known are {', '.join(table_names())}.")
    return read_table(path)


def read_table(path: Path) -> Table:
    """The contract in a file; ValueError names the file and the field that is wrong."""
    declared = read_declared(path, {"table", "label", "source", "columns"}, {"portal_name", "years"})
    if declared["table"] != path.stem:
        raise ValueError(f"{path}: `table` is {declared['table']!r}, not the name of the file")
    columns = check_fields(path, "`columns`", declared["columns"], set(), set(declared["columns"] or ()))
    return Table(
        name=declared["table"],
        label=declared["label"],
        columns=tuple(column for name, value in columns.items() for column in _columns(path, name, value)),
        years=year_ranges(path, "the table", declared.get("years")),
    )


def _columns(path: Path, name: str, declared: Any) -> list[Column]:
    """The variants of one column; each year has one at most."""
    variants = [_column(path, name, variant) for variant in (declared if isinstance(declared, list) else [declared])]
    ranges = sorted(span for variant in variants for span in variant.years or ((0, LAST),))
    if any(earlier[1] >= later[0] for earlier, later in pairwise(ranges)):
        raise ValueError(f"{path}: column {name} has two forms in one year; mend their `years`")
    return variants


def _column(path: Path, name: str, declared: Any) -> Column:
    what = f"column {name}"
    fields = check_fields(path, what, declared, {"type"}, COLUMN_FIELDS)
    if fields["type"] not in get_args(ColumnType):
        raise ValueError(f"{path}: {what} has the unknown `type` {fields['type']!r}")
    if not isinstance(fields.get("length"), int | None):
        raise ValueError(f"{path}: {what} has the `length` {fields['length']!r}, which is not a number")
    return Column(
        name=name,
        type=fields["type"],
        length=fields.get("length"),
        years=year_ranges(path, what, fields.get("years")),
        optional=bool(fields.get("optional", False)),
        formerly=fields.get("formerly"),
    )


PRODUCT_FIELDS = {
    "key",
    "keys",
    "joined",
    "where_present",
    "patient",
    "years",
    "person",
    "date",
    "amounts",
}
PERSONS: tuple[set[str], ...] = (set(), {"psa"}, {"psa", "rank"}, {"identity"})


@cache
def load_product(name: str) -> Product:
    """The definition of one product.

    Raises InputError when there is no product of that name, ValueError when its definition or a contract is wrong.
    """
    path = HERE / "products" / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"Product {name} is not known; known are {', '.join(product_names())}.")
    return read_product(path)


def read_product(path: Path) -> Product:
    """The definition in a file; ValueError names the file and the field that is wrong, or the table it misfits."""
    declared = read_declared(path, {"product", "form", "main", "period"}, PRODUCT_FIELDS)
    if declared["product"] != path.stem:
        raise ValueError(f"{path}: `product` is {declared['product']!r}, not the name of the file")
    period = check_fields(path, "`period`", declared["period"], {"step"}, {"column"})
    product = Product(
        name=declared["product"],
        form=declared["form"],
        main=declared["main"],
        key=_names(path, "`key`", declared.get("key", [])),
        joined=_names(path, "`joined`", declared.get("joined", [])),
        where_present=_names(path, "`where_present`", declared.get("where_present", [])),
        keys={table: _names(path, f"the key of {table}", key) for table, key in _map(path, declared, "keys").items()},
        patient=declared.get("patient"),
        period_step=period["step"],
        period_column=period.get("column"),
        years=year_ranges(path, "the product", declared.get("years")),
        person=_map(path, declared, "person"),
        date=declared.get("date"),
        amounts=_names(path, "`amounts`", declared.get("amounts", [])),
    )
    for check in (_check_form, _check_tables, _check_keys, _check_columns):
        check(path, product)
    return product


def _names(path: Path, what: str, declared: Any) -> tuple[str, ...]:
    if not isinstance(declared, list) or not all(isinstance(name, str) for name in declared):
        raise ValueError(f"{path}: {what} must be a list of names, not {declared!r}")
    return tuple(declared)


def _map(path: Path, declared: dict[str, Any], field: str) -> dict[str, Any]:
    value = declared.get(field, {})
    return check_fields(path, f"`{field}`", value, set(), set(value or ()))


def _check_form(path: Path, product: Product) -> None:
    for field, value, known in (
        ("form", product.form, get_args(Form)),
        ("period.step", product.period_step, get_args(Step)),
    ):
        if value not in known:
            raise ValueError(f"{path}: `{field}` is {value!r}; it must be {' or '.join(known)}")
    if set(product.person) not in PERSONS:
        raise ValueError(f"{path}: `person` must map psa, psa and rank, or identity to columns")
    if product.form == "reference" and len(product.tables) > 1:
        raise ValueError(f"{path}: a reference has one table; {', '.join(product.tables[1:])} cannot be joined to it")
    if (product.period_step == "month") != (product.period_column is not None):
        raise ValueError(f"{path}: `period.column` goes with the step month, and only with it")


def _check_tables(path: Path, product: Product) -> None:
    for table in product.tables:
        if table not in table_names():
            raise ValueError(f"{path}: table {table} has no contract; write tables/{table}.yaml")
        if product.tables.count(table) > 1:
            raise ValueError(f"{path}: table {table} is named twice")
    for table, key in product.keys.items():
        if table not in product.tables:
            raise ValueError(f"{path}: `keys` names {table}, which is no table of the product")
        if not set(key) <= set(product.key):
            raise ValueError(f"{path}: the key of {table} has columns that `key` does not have")


def _check_keys(path: Path, product: Product) -> None:
    """Every table that exists in a year of the product has its whole key that year, of the types of the main one."""
    for year in (*KNOWN_YEARS, LAST):
        if not product.covers(year):
            continue
        main = load_table(product.main).columns_of(year)
        for table in product.tables:
            contract = load_table(table)
            if contract.exists_in(year):
                _check_key(path, f"{table} of {year}", product.key_of(table), contract.columns_of(year), main)


def _check_key(
    path: Path, where: str, key: tuple[str, ...], columns: dict[str, Column], main: dict[str, Column]
) -> None:
    for name in key:
        if name not in columns or columns[name].optional:
            raise ValueError(
                f"{path}: key column {name} is not in {where}; limit `years`, or give the table its own key in `keys`"
            )
        if name in main and columns[name].type != main[name].type:
            raise ValueError(f"{path}: key column {name} of {where} is not of the type that the main table has")


def _check_columns(path: Path, product: Product) -> None:
    """Persons, dates, amounts and months are columns of the tables that are to hold them, of a type that fits."""
    holder = load_table(product.patient or product.main)
    main = load_table(product.main)
    for field, column in product.person.items():
        _check_type(path, f"person.{field}", column, [holder], {"string", "integer"})
    _check_type(path, "date", product.date, [main, holder], {"date"})
    _check_type(path, "period.column", product.period_column, [main], {"date"})
    for amount in product.amounts:
        _check_type(path, "amounts", amount, [main], {"integer", "decimal"})


def _check_type(path: Path, field: str, column: str | None, tables: list[Table], fitting: set[str]) -> None:
    if column is None:
        return
    types = {found.type for table in tables for found in table.columns if found.name == column}
    if not types or not types <= fitting:
        names = " or ".join(dict.fromkeys(table.name for table in tables))
        raise ValueError(f"{path}: `{field}` names {column}, which is no {' or '.join(sorted(fitting))} of {names}")


def table_names() -> list[str]:
    """Names of the tables that have a contract."""
    return sorted(path.stem for path in (HERE / "tables").glob("*.yaml"))


def product_names() -> list[str]:
    """Names of the products that the SNDS has, references included."""
    return sorted({path.stem for path in (HERE / "products").glob("*.yaml")} - {*correspondence_tables()})


def committed_names() -> list[str]:
    """Names of all that a root may hold: the products, and the tables of correspondence that projects made."""
    return [*product_names(), *correspondence_tables()]


@cache
def sentinel_dates() -> tuple[str, ...]:
    """ISO dates that mean "not known" in the source."""
    declared = read_facts(HERE / "sentinels.yaml")
    return tuple(str(date) for date in declared["dates"])


@cache
def plausible_years(column: str) -> tuple[int, int]:
    """The first and the last year that the dates of a column can be of (years.yaml)."""
    path = HERE / "years.yaml"
    for entry in read_facts(path):
        if column in entry.get("columns", [column]):
            (years,) = year_ranges(path, column, entry["years"])
            return years
    raise ValueError(f"{path}: the last entry must have no `columns`, for it is that of all others")
