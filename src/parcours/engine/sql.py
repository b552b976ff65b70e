"""Names and values as SQL writes them."""

from collections.abc import Iterable


def text(value: object) -> str:
    """A value as a literal."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted(column: str) -> str:
    """A name of a column or table."""
    return '"' + column.replace('"', '""') + '"'


def listed(values: Iterable[object]) -> str:
    """Values between commas, for IN."""
    return ", ".join(text(value) if isinstance(value, str) else str(value) for value in values)
