"""Names of columns are told apart as SQL does, without case; the contract's spelling of a name is the one kept."""

from collections.abc import Iterable

from parcours.snds.contracts import load_table

PADDING = " \t\0\u00a0\ufeff"
# A column after the last delimiter of a header that ends with one; it holds nothing.
UNNAMED = ""


def folded(name: str) -> str:
    """What two spellings of one name have in common."""
    return name.strip(PADDING).lower()


def spelled(table: str, names: list[str], person: Iterable[str]) -> list[str]:
    """The names of a file of a table as its contract spells them, then as `person` of delivery.yaml does.

    Other names stay as they are, without what pads them.
    """
    known = {folded(name): name for name in (*person, *sorted(load_table(table).names))}
    return [known.get(folded(name), name.strip(PADDING)) for name in names]


def person_spelled(person: dict[str, str], holders: Iterable[str]) -> dict[str, str]:
    """The columns of `person` as the contracts of the tables that hold it spell them."""
    known = {folded(name): name for table in holders for name in load_table(table).names}
    return {field: known.get(folded(name), name) for field, name in person.items()}
