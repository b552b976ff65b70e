"""Before a count of a study leaves the root: what it would give away together with all that left before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parcours.cohort.plan import done_stage, read_run
from parcours.leaving import NOT_OF_PERSONS, Published, fit_to_leave, shown_beside
from parcours.release.cells import LOST, PERSONS, Cell, Told
from parcours.release.definitions import (
    CASES,
    EVENTS,
    chain_cells,
    cut_cell,
    events_source,
    persons_source,
)
from parcours.release.ledger import read_ledger, write_ledger
from parcours.release.withhold import Name, comparable, withhold
from parcours.stages.training import read_json
from parcours.storage.commit import waiting_writer
from parcours.storage.fingerprint import fingerprint
from parcours.storage.place import Place
from parcours.storage.root import Root, open_root

Run = Mapping[str, Any]

# The stages whose summaries count persons of a study; that of the report is made of what the report tells.
COUNTING = ("cohort", "features", "train")
# Of these a summary tells what stands in the attrition.
IN_THE_CHAIN = ("attrition", "cases", "persons_followed")
NO_COUNTS = frozenset({"status", "stage", "directory", "missing_care", "rules_without_data", *IN_THE_CHAIN})


def leave(root: Root, run: Run, cells: Sequence[Cell]) -> dict[Name, Published]:
    """How these counts of a run are told: by themselves, or `withheld`. From then on they count as having left.

    What left of this run already is told as it was. Two that ask at once do so one after the other.
    Raises RetryableFault when another holds the ledger for half an hour.
    """
    with waiting_writer(root, root.releases):
        own, others = read_ledger(root, run)
        known = {cell.name for cell in own}
        new = [cell for cell in cells if cell.name not in known]
        if new:
            study, release = str(run["cohort"]), f"{run['cohort']}-{run['fingerprint']}"
            left = [Told(release, study, cell) for cell in own]
            former = comparable([*own, *new], study, others)
            own += withhold([*former, *left], release, study, new)
            write_ledger(root, run, own)
    asked = {cell.name for cell in cells}
    return {cell.name: cell.shown for cell in own if cell.name in asked}


def summary_to_leave(run_json: str | Place, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a stage of a study as it may leave, beside all that left before."""
    if summary.get("stage") not in COUNTING:
        return fit_to_leave(summary)
    run = read_run(run_json)
    root, fit = open_root(run["root"]), fit_to_leave(summary)
    chain = persons_by_step(read_json(done_stage(run, "cohort") / "attrition.json"))
    cells = chain_cells(run, chain)
    if "events" in summary and isinstance(summary["events"], int):
        cells.append(events_cell(run, cells, chain, summary["events"]))
    cells += _other_cells(run, summary, fit)
    told = leave(root, run, cells)
    return _as_told(fit, told, followed_step(chain))


def persons_by_step(attrition: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """{step: persons} of an attrition."""
    return {str(step["step"]): int(step["persons"]) for step in attrition}


def followed_step(chain: Mapping[str, int]) -> str:
    """The step after which the persons left are those who are followed."""
    return [step for step in chain if step != CASES][-1]


def events_cell(run: Run, chain: Sequence[Cell], persons: Mapping[str, int], events: int) -> Cell:
    """The number of events of the cases, told beside the attrition."""
    told = [cell.shown for cell in chain if cell.table == PERSONS]
    return cut_cell(run, PERSONS, EVENTS, events_source(run), events, shown_beside(events, told))


def _other_cells(run: Run, summary: Mapping[str, Any], fit: Mapping[str, Any]) -> Iterator[Cell]:
    """The counts of a summary that stand in no table of the report: exposures, deaths, outcomes before and after."""
    of = [persons_source(run), run["study"]["outcomes"], run["study"]["exposures"], run["study"]["medicines"]]
    for path, count, shown in _counts(summary, fit, ()):
        if path != (EVENTS,):
            table, label = path[0], "/".join(path)
            yield cut_cell(run, table, label, fingerprint([of, list(path)]), count, shown)


def _counts(
    exact: Mapping[str, Any], fit: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int, Published]]:
    for name, value in exact.items():
        if name in NO_COUNTS or name in NOT_OF_PERSONS:
            continue
        own = (*path, str(name))
        if isinstance(value, Mapping):
            yield from _counts(value, fit[str(name)], own)
        elif isinstance(value, int) and not isinstance(value, bool):
            yield own, value, fit[str(name)]


def _as_told(fit: Mapping[str, Any], told: Mapping[Name, Published], followed: str) -> dict[str, Any]:
    steps = {"cases": CASES, "persons_followed": followed, "events": EVENTS}
    summary = _replaced(fit, told, ())
    summary |= {name: told[PERSONS, step] for name, step in steps.items() if isinstance(fit.get(name), int | str)}
    if "attrition" in fit:
        summary["attrition"] = [
            {**step, "persons": told[PERSONS, step["step"]], "lost": told.get((LOST, step["step"]), step["lost"])}
            for step in fit["attrition"]
        ]
    return summary


def _replaced(fit: Mapping[str, Any], told: Mapping[Name, Published], path: tuple[str, ...]) -> dict[str, Any]:
    replaced: dict[str, Any] = {}
    for name, value in fit.items():
        own = (*path, name)
        inside = isinstance(value, Mapping) and name not in NO_COUNTS
        replaced[name] = _replaced(value, told, own) if inside else told.get((own[0], "/".join(own)), value)
    return replaced
