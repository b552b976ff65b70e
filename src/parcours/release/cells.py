"""A published count as a count of a set: what the set is cut out of, and by which ages, sexes and bands."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

from parcours.leaving import HIDDEN, SMALL, THRESHOLD, WITHHELD, Published

Span = tuple[int, int]

# Who is left after each step of a study and who is lost in it; the cases and their events close the chain.
CHAIN = PERSONS, LOST = "attrition", "lost in a step"
# What a reader knows of a count from its mark; of a withheld one not even whether it is small.
KNOWN_OF: dict[str, tuple[float, float]] = {
    SMALL: (1, THRESHOLD - 1),
    HIDDEN: (THRESHOLD, inf),
    WITHHELD: (0, inf),
}


@dataclass(frozen=True)
class Cell:
    """A count that leaves, and the set it counts.

    - table, label: where it stands; cells of one table and label are compared between releases;
    - count, shown: the exact number, and the number or mark that is told;
    - source: a fingerprint of all that decides the set but ages, sexes and band. Sets of one source are cut out of one
      set of persons, so that a reader knows how they overlap; of two sources nothing is known;
    - within: the source of the set that holds this one; adds_up: whether the cells of the table add up to that set;
    - ages: first and last completed years at study start, None where the set was not cut by age; sexes: 1, 2 or both;
    - band: first and last value of the table's own quantity (age at the event, months), None where labels are words;
    - years: where the band is an age: by how many years at most the study lasts longer than its first day;
    - step_before: for what is lost in a step, the label of the step before; `label` is then that of the step.
    """

    table: str
    label: str
    count: int
    shown: Published
    source: str
    within: str | None = None
    adds_up: bool = False
    ages: Span | None = None
    sexes: tuple[int, ...] = (1, 2)
    band: Span | None = None
    years: int | None = None
    step_before: str | None = None

    @property
    def name(self) -> tuple[str, str]:
        """What is compared between releases."""
        return self.table, self.label

    @property
    def known(self) -> tuple[float, float]:
        """The least and the most that the count can be, from what is shown of it alone."""
        return KNOWN_OF[self.shown] if isinstance(self.shown, str) else (self.shown, self.shown)

    def as_shown(self, shown: Published) -> "Cell":
        """The same count told in another way."""
        return replace(self, shown=shown)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without what is as usual."""
        usual = {"within": None, "adds_up": False, "ages": None, "band": None, "years": None, "step_before": None}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}


def cell_from_dict(row: Mapping[str, Any]) -> Cell:
    """The cell that `as_dict` wrote."""
    spans = {name: tuple(row[name]) for name in ("ages", "sexes", "band") if row.get(name) is not None}
    return Cell(**{**row, **spans})


@dataclass(frozen=True)
class Told:
    """A cell of a release: `release` names the run, `study` its study."""

    release: str
    study: str
    cell: Cell


def disjoint(one: Cell, other: Cell) -> bool:
    """Whether nobody can be in both sets: cut out of the same persons, by ages or sexes that exclude each other."""
    if one.source != other.source or one.ages is None or other.ages is None:
        return False
    (low, high), (other_low, other_high) = one.ages, other.ages
    return high < other_low or other_high < low or not set(one.sexes) & set(other.sexes)
