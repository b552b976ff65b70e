"""Columns without which a file would be an empty table that passes: no row could be joined, or be anybody's."""

from parcours.errors import InputError
from parcours.snds.contracts import Product
from parcours.snds.delivery import Delivery, RawFile
from parcours.snds.person_forms import needed_columns


def check_columns(raw: RawFile, names: list[str], delivery: Delivery, product: Product) -> None:
    """Raise InputError when a file lacks a key of its table, or a column that says whose its rows are."""
    for column in _keys(raw.table, product):
        if column not in names:
            raise InputError(
                f"{raw.path}: there is no column {column}, which is a key of {raw.table}; mend the header, or deliver "
                "the file with that column."
            )
    for column in needed_columns(delivery.person, product):
        if column not in names:
            raise InputError(
                f"{raw.path}: there is no column {column}, which says whose the rows of {raw.table} are; mend the "
                "header, deliver the file with that column, or mend `person` of delivery.yaml."
            )


def _keys(table: str, product: Product) -> list[str]:
    # A referential of persons may know them by other columns.
    persons = product.person.values() if product.form == "reference" else ()
    return [column for column in product.key_of(table) if column not in persons]
