"""One block of persons: everything that happens to them, before any of it becomes text."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from parcours.synth import claims
from parcours.synth.claims import Lines
from parcours.synth.days import FAR, Calendar, day_of
from parcours.synth.facts import prior
from parcours.synth.fractures import Fractures, draw_fractures
from parcours.synth.medication import Purchases, draw_purchases, draw_starts
from parcours.synth.population import Population, draw_population
from parcours.synth.settings import SynthSettings
from parcours.synth.stays import Stays, draw_stays

PARTS = (
    *("people", "starts", "fractures", "purchases", "lines", "stays", "claims", "pmsi", "references"),
    *("DCIR", "MCO", "MCO_CE", "SSR", "SSR_CE", "HAD", "RIP", "RIP3A"),
    *("deaths", "KI_CCI_R", "KI_ECD_R", "IR_BEN_R_ARC"),
)


@dataclass(frozen=True)
class Block:
    """Persons of one block and what happened to them.

    starts: (persons, medicines) day of first purchase, FAR = never. exposed: (medicines, 2) persons who
    start from the second year on, and those of them with a fracture at 65 or over from then on.
    """

    seed: tuple[int, int]
    people: Population
    starts: np.ndarray
    fractures: Fractures
    lines: Lines
    stays: Stays
    irregularities: Counter[str]
    counts: Counter[str]
    exposed: np.ndarray

    def generator(self, part: str) -> np.random.Generator:
        """The random numbers of one part of the block, the same whatever the other parts do."""
        return generator(self.seed, part)


def generator(seed: tuple[int, int], part: str) -> np.random.Generator:
    """Random numbers of one part of one block. seed: (delivery's seed, block number)."""
    return np.random.default_rng(np.random.SeedSequence([*seed, PARTS.index(part)]))


def _claim_lines(
    rng: np.random.Generator,
    settings: SynthSettings,
    span: Calendar,
    people: Population,
    purchases: Purchases,
    fractures: Fractures,
) -> tuple[Lines, Counter[str]]:
    rates = settings.rates
    sure = [claims.purchase_lines(purchases), claims.fracture_lines(rng, fractures)]
    wanted = settings.lines_per_person_year * claims.lived_years(people, span)
    bought, certain = len(purchases.day), sum(map(len, sure))
    informed = int(rng.poisson(wanted * rates["information_line"]))
    everyday = int(max(wanted - certain - informed, prior("lines.other_floor") * bought))
    lines = claims.concatenate(
        [
            *sure,
            claims.everyday_lines(rng, people, span, everyday),
            claims.information_lines(rng, people, span, informed),
        ]
    )
    lines.flux = claims.draw_flux(rng, lines.day)
    lines, planted = claims.cancel(rng, lines, rates)
    lines, late = claims.order_lines(lines, span)
    return lines, Counter(planted) + Counter(information_lines=informed, lines_after_the_last_flux_month=late)


def draw_block(settings: SynthSettings, span: Calendar, number: int, size: int) -> Block:
    """Simulate block `number` of `size` persons."""
    seed = (settings.seed, number)
    people = draw_population(generator(seed, "people"), size, settings.minimum_age, span, settings.rates)
    starts = draw_starts(generator(seed, "starts"), people, span)
    fractures = draw_fractures(generator(seed, "fractures"), people, starts, span)
    purchases = draw_purchases(generator(seed, "purchases"), starts, people.death, span, settings.lines_per_person_year)
    lines, planted = _claim_lines(generator(seed, "lines"), settings, span, people, purchases, fractures)
    stays = draw_stays(generator(seed, "stays"), people, fractures, span)
    return Block(
        seed=seed,
        people=people,
        starts=starts,
        fractures=fractures,
        lines=lines,
        stays=stays,
        irregularities=Counter(people.counts) + planted,
        counts=_counts(people, starts, fractures, purchases, span, settings.years[0]),
        exposed=_exposed(people, starts, fractures, span, settings.years[0]),
    )


def _late_fractures(people: Population, fractures: Fractures, first_year: int) -> np.ndarray:
    """Which fractures happen at 65 or over from the second year on, as a study with one year of look-back sees them."""
    return (people.age(fractures.person, fractures.day) >= 65) & (fractures.day >= day_of(first_year + 1))


def _exposed(
    people: Population, starts: np.ndarray, fractures: Fractures, span: Calendar, first_year: int
) -> np.ndarray:
    new = (starts >= day_of(first_year + 1)) & (starts <= np.minimum(people.death, span.last)[:, None])
    cases = np.unique(fractures.person[_late_fractures(people, fractures, first_year)])
    return np.column_stack([new.sum(axis=0), new[cases].sum(axis=0)])


def _counts(
    people: Population, starts: np.ndarray, fractures: Fractures, purchases: Purchases, span: Calendar, first_year: int
) -> Counter[str]:
    late = _late_fractures(people, fractures, first_year)
    return Counter(
        persons=len(people),
        deaths=int((people.death <= span.last).sum()),
        fractures=len(fractures),
        fractures_outside_hospital=int(fractures.outpatient.sum()),
        fractures_at_65_from_the_second_year=int(late.sum()),
        cases_at_65_from_the_second_year=len(np.unique(fractures.person[late])),
        purchases=len(purchases.day),
        new_starts=int(((starts >= span.first) & (starts < FAR)).sum()),
    )
