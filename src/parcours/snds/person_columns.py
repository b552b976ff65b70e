"""Columns and tables that say who somebody is (identity.yaml); light, so that reading a delivery needs no pyarrow."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from parcours.snds.declarations import read_facts

UPDATED = "BEN_DTE_MAJ"
DEFAULT_RANK = 1  # of a row whose rank is not known


@cache
def referential_tables() -> tuple[str, ...]:
    """The tables that say which person a (PSA, rank) is; the first that holds a couple counts."""
    return tuple(_rules()["referentials"])


@cache
def correspondence_tables() -> tuple[str, ...]:
    """The tables that say which person an identifier is, and nothing else of persons."""
    return tuple(_rules()["correspondences"])


def identifying_tables() -> tuple[str, ...]:
    """All tables that an identity is made of."""
    return (*referential_tables(), *correspondence_tables())


@cache
def person_names() -> tuple[str, ...]:
    """Columns of these tables that name the person; of a row the first that is not null counts."""
    return tuple(_rules()["persons"])


@cache
def placeholders() -> tuple[str, ...]:
    """Texts that stand where an identifier should; they are no person."""
    return tuple(_rules()["placeholders"])


@cache
def _rules() -> dict[str, list[str]]:
    rules: dict[str, list[str]] = read_facts(Path(__file__).with_name("identity.yaml"))
    return rules


@dataclass(frozen=True)
class PersonColumns:
    """The columns that say whose a row is; without `rank`, the PSA alone.

    `pseudonym`: `psa` is that of a project extraction, which is a person by itself where nothing says whose it is.
    `unranked`: a row without a rank says no more than its PSA; elsewhere its rank is 1. `names` are the columns of
    referentials that name the person; of a row the first that is not null counts, so that a product in which one of
    them names the person itself has the same persons.
    """

    psa: str
    rank: str | None
    pseudonym: bool = False
    unranked: bool = False
    names: tuple[str, ...] = field(default_factory=person_names)

    @property
    def names_persons(self) -> bool:
        """Whether the column names persons, as BEN_IDT_ANO does, so that no referential is asked."""
        return self.psa in self.names

    @property
    def of_referential(self) -> tuple[str, ...]:
        """Columns of a referential that the identity is made of."""
        return tuple(dict.fromkeys((self.psa, *((self.rank,) if self.rank else ()), *self.names, UPDATED)))
