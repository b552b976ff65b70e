"""Columns of flat tables and their types, from the contracts."""

from collections.abc import Collection

from parcours.snds.contracts import Product, load_product, load_table

TYPES = {"string": "VARCHAR", "integer": "BIGINT", "decimal": "DOUBLE", "date": "DATE"}
ADDED = {"person_id": "BIGINT", "claim_row": "INTEGER", "source_table": "VARCHAR"}
PERIOD = "period"


def column_type(product: str, column: str, delivered: Collection[str] = ()) -> str:
    """The type, in SQL, of a column of a flat product.

    Raises LookupError when the product has no such column.
    """
    if column in ADDED:
        return ADDED[column]
    definition = load_product(product)
    for table, plain in _declaring(definition, column):
        declared = {c.name: c for c in load_table(table).columns}
        declared.update(load_table(table).columns_of(None))
        if plain in declared:
            return TYPES[declared[plain].type]
    if column in delivered:
        return TYPES["string"]
    raise LookupError(f"{definition.name} has no column {column}")


def _declaring(product: Product, column: str) -> list[tuple[str, str]]:
    table, separator, plain = column.rpartition("__")
    if separator:
        return [(table, plain)] if table in product.tables else []
    return [(each, plain) for each in (product.main, product.patient) if each]
