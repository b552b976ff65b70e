"""Care in hospital other than stays in MCO: visits, rehabilitation, home care, psychiatry."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parcours.synth.block import Block
from parcours.synth.days import YEAR, Calendar
from parcours.synth.facts import column, prior
from parcours.synth.filler import value_set
from parcours.synth.population import Population, trait_names
from parcours.synth.stays import FRACTURE, Stays


@dataclass(frozen=True)
class Episodes:
    """One row a stay, visit or act: person, first and last day, number of weeks or sequences, columns it fills."""

    person: np.ndarray
    entry: np.ndarray
    leaving: np.ndarray
    parts: np.ndarray
    texts: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> "Episodes":
        """Rows by index or mask."""
        texts = {name: values[rows] for name, values in self.texts.items()}
        return Episodes(self.person[rows], self.entry[rows], self.leaving[rows], self.parts[rows], texts)


def draw_episodes(rng: np.random.Generator, product: str, block: Block, span: Calendar) -> Episodes:
    """The episodes of one field of a block, in order of their last day; each ends at death or in the period."""
    found = DRAWN[product](rng, block, span)
    return found.take(np.argsort(found.leaving, kind="stable"))


def _at_random(
    rng: np.random.Generator, people: Population, span: Calendar, rate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Persons and days at so many a person-year, while they live."""
    lived = np.minimum(people.death, span.last) - span.first + 1
    person = np.repeat(np.arange(len(people)), rng.poisson(rate * lived / YEAR))
    return person, span.first + (rng.random(len(person)) * lived[person]).astype(np.int64)


def _single(person: np.ndarray, day: np.ndarray, **texts: np.ndarray) -> Episodes:
    """Visits and acts: one day, one part."""
    return Episodes(person, day, day, np.ones(len(person), np.int64), texts)


def _lasting(
    rng: np.random.Generator, block: Block, span: Calendar, person: np.ndarray, entry: np.ndarray, days: float
) -> tuple[np.ndarray, np.ndarray]:
    """Last day of stays that begin on `entry` and last so many days on average; and which of them begin at all."""
    end = np.minimum(block.people.death, span.last)[person]
    leaving = np.minimum(entry + 1 + rng.exponential(days - 1, len(entry)).astype(np.int64), end)
    return leaving, entry <= end


def _visits(rng: np.random.Generator, block: Block, span: Calendar) -> Episodes:
    """Visits at random, and one for some fractures treated outside hospital, with the act that treats them."""
    everyone = np.full(len(block.people), prior("visits.per_year"))
    person, day = _at_random(rng, block.people, span, everyone)
    act = rng.choice(np.array(value_set("CCAM_COD"), object), len(person))
    seen = block.fractures.outpatient & (rng.random(len(block.fractures)) < prior("visits.after_fracture"))
    broken = block.fractures.keep(seen)
    treated = column("fractures.csv", "outpatient_act", str)[broken.type]
    return _single(
        np.concatenate([person, broken.person]),
        np.concatenate([day, broken.day]),
        CCAM_COD=np.concatenate([act, treated]),
    )


def _rehabilitation_visits(rng: np.random.Generator, block: Block, span: Calendar) -> Episodes:
    return _single(
        *_at_random(rng, block.people, span, np.full(len(block.people), prior("visits.rehabilitation_per_year")))
    )


def _after_stays(rng: np.random.Generator, block: Block, share: np.ndarray) -> Stays:
    """Some of the stays of a night or more that the person left alive."""
    stays = block.stays
    return stays.take((stays.nights > 0) & ~stays.died & (rng.random(len(stays)) < share))


def _rehabilitation(rng: np.random.Generator, block: Block, span: Calendar) -> Episodes:
    """From the day the stay in MCO ends, for its reason; a part is a week from Monday to Sunday."""
    fracture = block.stays.reason == FRACTURE
    before = _after_stays(
        rng,
        block,
        np.where(fracture, prior("rehabilitation.after_fracture"), prior("rehabilitation.after_other")),
    )
    entry = before.entry + before.nights
    leaving, begins = _lasting(rng, block, span, before.person, entry, prior("rehabilitation.days"))
    weeks = (leaving + 3) // 7 - (entry + 3) // 7 + 1  # day 0, 1970-01-01, is a Thursday
    return Episodes(before.person, entry, leaving, weeks, {"MOR_PRP": before.diagnosis}).take(begins)


def _home_care(rng: np.random.Generator, block: Block, span: Calendar) -> Episodes:
    before = _after_stays(rng, block, np.full(len(block.stays), prior("home_care.after_stay")))
    entry = before.entry + before.nights
    leaving, begins = _lasting(rng, block, span, before.person, entry, prior("home_care.days"))
    parts = 1 + rng.poisson(prior("home_care.further_parts"), len(before))
    return Episodes(before.person, entry, leaving, parts, {}).take(begins)


def _by_depression(people: Population, name: str) -> np.ndarray:
    depressed = people.traits[:, trait_names().index("depression")]
    return np.where(depressed, prior(f"psychiatry.{name}_depression"), prior(f"psychiatry.{name}_other"))


def _psychiatric_stays(rng: np.random.Generator, block: Block, span: Calendar) -> Episodes:
    person, entry = _at_random(rng, block.people, span, _by_depression(block.people, "stays"))
    leaving, _ = _lasting(rng, block, span, person, entry, prior("psychiatry.days"))
    return Episodes(person, entry, leaving, 1 + rng.poisson(prior("psychiatry.further_parts"), len(person)), {})


def _psychiatric_acts(rng: np.random.Generator, block: Block, span: Calendar) -> Episodes:
    return _single(*_at_random(rng, block.people, span, _by_depression(block.people, "acts")))


DRAWN: dict[str, Callable[[np.random.Generator, Block, Calendar], Episodes]] = {
    "MCO_CE": _visits,
    "SSR": _rehabilitation,
    "SSR_CE": _rehabilitation_visits,
    "HAD": _home_care,
    "RIP": _psychiatric_stays,
    "RIP3A": _psychiatric_acts,
}
