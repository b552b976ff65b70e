"""What a synthetic delivery is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from parcours.errors import InputError
from parcours.snds.contracts import product_names
from parcours.synth.facts import irregularity_rates, known_faults

FIRST_YEAR, LAST_YEAR = 2009, 2019


@dataclass(frozen=True)
class SynthSettings:
    """Settings of one delivery; `check()` them before use.

    years are the first and last year of care, both included; lines_per_person_year counts rows of
    ER_PRS_F (33.5 in REPERES); irregularities overrides rates of facts/irregularities.csv by name;
    faults names rows of facts/faults.csv; products are to be written with all their tables (see
    docs/reference/synthetic-data.md); block_persons is how many persons are simulated at once.
    """

    persons: int = 20_000
    years: tuple[int, int] = (2014, 2017)
    seed: int = 1
    minimum_age: int = 60
    lines_per_person_year: float = 33.5
    irregularities: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    block_persons: int = 10_000

    def check(self) -> None:
        """Raise InputError naming the first setting that is not allowed."""
        first, last = self.years
        if self.persons < 1:
            raise InputError(f"persons is {self.persons}; give at least 1.")
        if not FIRST_YEAR <= first <= last <= LAST_YEAR:
            raise InputError(f"years are {first}-{last}; give years in order between {FIRST_YEAR} and {LAST_YEAR}.")
        if not 20 <= self.minimum_age <= 90:
            raise InputError(f"minimum_age is {self.minimum_age}; give an age from 20 to 90.")
        if not 1 <= self.lines_per_person_year <= 200:
            raise InputError(f"lines_per_person_year is {self.lines_per_person_year:g}; give a number from 1 to 200.")
        if not 2 <= self.block_persons <= 50_000:
            raise InputError(f"block_persons is {self.block_persons}; give a number from 2 to 50,000.")
        self._check_names()

    def _check_names(self) -> None:
        rates = irregularity_rates()
        for name, rate in self.irregularities.items():
            if name not in rates:
                raise InputError(f"Irregularity {name} is not known; known are {', '.join(rates)}.")
            if not 0 <= rate <= 1:
                raise InputError(f"The rate of irregularity {name} is {rate:g}; give a share from 0 to 1.")
        for fault in self.faults:
            if fault not in known_faults():
                raise InputError(f"Fault {fault} is not known; known are {', '.join(known_faults())}.")
        for product in self.products:
            if product not in product_names():
                raise InputError(f"Product {product} is not known; known are {', '.join(product_names())}.")

    @property
    def rates(self) -> dict[str, float]:
        """Rate of every irregularity, overrides applied."""
        return {**irregularity_rates(), **self.irregularities}
