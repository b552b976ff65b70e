"""Columns of flat tables and their types, from the contracts."""

from collections.abc import Collection
from functools import cache

from parcours.snds.contracts import load_product, load_table

TYPES = {"string": "VARCHAR", "integer": "BIGINT", "decimal": "DOUBLE", "date": "DATE"}
ADDED = {"person_id": "BIGINT", "claim_row": "INTEGER", "source_table": "VARCHAR"}
PERIOD = "period"


def column_type(product: str, column: str, delivered: Collection[str] = ()) -> str:
    """The type, in SQL, of a column of a flat product.

    Raises LookupError when the product has no such column.
    """
    known = ADDED.get(column) or _declared(product).get(column)
    if known is not None:
        return known
    if column in delivered:
        return TYPES["string"]
    raise LookupError(f"{load_product(product).name} has no column {column}")


@cache
def _declared(product: str) -> dict[str, str]:
    """The types of the columns of a flat product that contracts declare; of one whose type changed, the latest."""
    definition = load_product(product)
    own = [_types(table) for table in (definition.patient, definition.main) if table]
    joined = [{f"{table}__{name}": kind for name, kind in _types(table).items()} for table in definition.tables]
    return {name: kind for columns in (*own, *joined) for name, kind in columns.items()}


def _types(table: str) -> dict[str, str]:
    declared = {column.name: column for column in load_table(table).columns}
    declared.update(load_table(table).columns_of(None))
    return {name: TYPES[column.type] for name, column in declared.items()}
