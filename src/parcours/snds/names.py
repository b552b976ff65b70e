"""What a name in `delivery.yaml` stands for: a contract, or one of the portal's own names (rules in names.yaml)."""

import re
from dataclasses import dataclass
from functools import cache

from parcours.errors import InputError
from parcours.snds.contracts import HERE, table_names
from parcours.snds.declarations import read_facts


@dataclass(frozen=True)
class Rule:
    """Names that fit `pattern` stand for a table and, where the name tells it, a year; or they are refused."""

    pattern: str
    table: str | None = None
    year: str | None = None
    refused: str | None = None


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of names.yaml, in order."""
    return tuple(Rule(**declared) for declared in read_facts(HERE / "names.yaml"))


def resolve(name: str) -> tuple[str, int | None]:
    """The table that a name stands for, and the year where the name tells it.

    Raises InputError when the name is none that is known, or when such files cannot be used.
    """
    if name in table_names():
        return name, None
    for rule in rules():
        if found := re.fullmatch(rule.pattern, name):
            return _resolved(name, rule, found)
    raise InputError(f"table {name} has no contract; known are {', '.join(table_names())}.")


def _resolved(name: str, rule: Rule, found: re.Match[str]) -> tuple[str, int | None]:
    if rule.refused:
        raise InputError(f"table {name} {rule.refused}.")
    table = found.expand(rule.table or "")
    if table not in table_names():
        raise InputError(
            f"table {name} stands for {table}, which has no contract; known are {', '.join(table_names())}."
        )
    return table, int(found.expand(rule.year)) if rule.year else None
