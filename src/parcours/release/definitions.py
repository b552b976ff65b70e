"""The sets behind the counts of a run: which are cut out of the same persons, and which are parts of others.

Two runs whose parameters are equal but for ages and sex count parts of the same persons; that is what `source` says.
Any other difference (the data, the code, a washout, code lists) gives another source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from parcours.leaving import Published, shown_chain
from parcours.release.cells import LOST, PERSONS, Cell, Span
from parcours.storage.fingerprint import fingerprint

Run = Mapping[str, Any]

BOX = ("age_minimum", "age_maximum", "sex")
SEXES = {"all": (1, 2), "men": (1,), "women": (2,)}
# Of everybody in the data, whatever the study asks for; ages and sex are cut out of the last of them.
EVERYBODY = ("persons", "referential", "certified", "known")
CUTS = ("age", "sex")
CASES, EVENTS = "cases", "events"
SHARED = "cases shared with an earlier run"


@dataclass(frozen=True)
class StepSet:
    """The persons left after a step: `source`, `within`, `ages` and `sexes` as in Cell."""

    source: str
    within: str | None
    ages: Span | None
    sexes: tuple[int, ...]


def ages_of(run: Run) -> Span:
    """First and last age of the run's persons, in completed years at study start."""
    population = run["study"]["population"]
    return int(population["age_minimum"]), int(population["age_maximum"])


def sexes_of(run: Run) -> tuple[int, ...]:
    """The sexes of the run's persons: 1 men, 2 women."""
    return SEXES[run["study"]["population"]["sex"]]


def made_of(run: Run, step: str) -> dict[str, Any]:
    """What a step of the run is made of, but for the steps before it whose ages and sex are the run's own."""
    own = next(each["made_of"] for each in run["steps"] if each["step"] == step)
    chosen = {"population", "exposures", "outcomes"}
    return {name: value for name, value in own.items() if name not in chosen or not isinstance(value, str)}


def persons_source(run: Run) -> str:
    """The persons of a run, were they of all ages and both sexes."""
    asked = {name: value for name, value in run["study"]["population"].items() if name not in BOX}
    made = {name: value for name, value in made_of(run, "population").items() if name != "population"}
    return fingerprint({"persons": made, "population": asked})


def cases_source(run: Run) -> str:
    """The cases among them: one source for the cases, their first events, and whatever they are shared out by."""
    return fingerprint([persons_source(run), CASES, made_of(run, "outcomes")])


def events_source(run: Run) -> str:
    """The events of the cases: the cases themselves where each has one."""
    outcomes = run["study"]["outcomes"]
    return cases_source(run) if outcomes["outcome_events"] == "first" else fingerprint([cases_source(run), EVENTS])


def exposed_source(run: Run, drug: str) -> str:
    """The cases that were exposed to a medicine."""
    exposed = [made_of(run, "exposures"), made_of(run, "features")]
    return fingerprint([cases_source(run), exposed, drug])


def step_sets(run: Run, steps: Sequence[str]) -> dict[str, StepSet]:
    """The set of each step of an attrition, in its order."""
    sets: dict[str, StepSet] = {}
    taken: list[str] = []
    source = within = None
    for step in steps:
        before = source
        if step not in CUTS:
            taken.append(step)
        if step in EVERYBODY:
            source = fingerprint([made_of(run, "population").get("persons"), taken])
        else:
            source = cases_source(run) if step == CASES else fingerprint([persons_source(run), taken])
        within = within if before == source else before
        sets[step] = StepSet(source, within, *_cuts(run, steps, step))
    return sets


def _cuts(run: Run, steps: Sequence[str], step: str) -> tuple[Span | None, tuple[int, ...]]:
    """By which ages and sexes the persons left after a step are cut."""
    if step in EVERYBODY:
        return None, (1, 2)
    to_come = "sex" in steps and steps.index("sex") > steps.index(step)
    return ages_of(run), (1, 2) if to_come else sexes_of(run)


def chain_cells(run: Run, persons: Mapping[str, int]) -> list[Cell]:
    """The cells of an attrition, {step: persons} in order, as one report tells them: who is left and who is lost."""
    steps, sets = list(persons), step_sets(run, list(persons))
    left, lost = shown_chain(list(persons.values()))
    cells = [_step_cell(step, persons[step], shown, sets[step]) for step, shown in zip(steps, left, strict=True)]
    for (before, step), shown in zip(pairwise(steps), lost[1:], strict=True):
        of = sets[step]
        source = fingerprint([LOST, sets[before].source, of.source, step])
        gone = persons[before] - persons[step]
        cells.append(Cell(LOST, step, gone, shown, source, ages=of.ages, sexes=of.sexes, step_before=before))
    return cells


def _step_cell(step: str, persons: int, shown: Published, of: StepSet) -> Cell:
    return Cell(PERSONS, step, persons, shown, of.source, of.within, ages=of.ages, sexes=of.sexes)


def cut_cell(run: Run, table: str, label: str, source: str, count: int, shown: Published) -> Cell:
    """A count of persons of the run's ages and sex that is no part of its attrition."""
    return Cell(table, label, count, shown, source, ages=ages_of(run), sexes=sexes_of(run))


def shared_cell(earlier: Run, later: Run, count: int, shown: Published) -> Cell:
    """The cases of a run that are cases of an earlier one too, as a count of the later run."""
    source = fingerprint([SHARED, earlier["fingerprint"], later["fingerprint"]])
    label = f"{earlier['cohort']}/{earlier['fingerprint']}"
    return replace(cut_cell(later, SHARED, label, source, count, shown), within=cases_source(later))
