"""What tells that a person died, in the order of precedence: the content of `deaths.yaml`."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from parcours.snds.declarations import read_facts

DAY, MONTH, DISCHARGE = "day", "month", "discharge"


@dataclass(frozen=True)
class DeathSource:
    """One row of `deaths.yaml`: TABLE.COLUMN of a product, and whether it holds a day, a month or a mode of exit.

    `category`: the events of hospital stays that have the mode of exit as their weight.
    """

    product: str
    column: str
    gives: str
    category: str | None = None


@cache
def death_rules() -> dict[str, Any]:
    """The content of `deaths.yaml`."""
    rules: dict[str, Any] = read_facts(Path(__file__).parent / "deaths.yaml")
    return rules


@cache
def death_sources() -> tuple[DeathSource, ...]:
    """Every source, in the order of precedence."""
    return tuple(DeathSource(**row) for row in death_rules()["sources"])
