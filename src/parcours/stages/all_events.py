"""Events on demand: any categories, or all of them, of what a root has published; studies of it reuse them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from parcours.cohort.plan import identity_mapping, published_data
from parcours.cohort.planned_copies import codelist_checksums
from parcours.cohort.steps import MEDICINES, event_steps, medicines_step
from parcours.errors import GateRefused, InputError
from parcours.events.extractors import extractors, passes
from parcours.home import project_home
from parcours.snds.contracts import load_product
from parcours.snds.person_columns import referential_tables
from parcours.stages.events import EventSteps
from parcours.stages.steps import held, workshop
from parcours.storage.commit import exclusive_writer
from parcours.storage.manifest import read_manifest
from parcours.storage.root import Root, open_root


def extract_events(root_uri: str, categories: Sequence[str] = ()) -> dict[str, Any]:
    """Extract categories of events from all published periods: `categories`, else all whose products are there.

    Gives {status, computed, rows: {category: {read, became_events, rule: left out}}, events: {category: n},
    not_delivered: the products that categories lack}. Raises InputError for a category that is not known or, where it
    is asked for, whose product is not published; GateRefused when what is published changes meanwhile.
    """
    root, codelists = open_root(root_uri), own_codelists()
    data = published_data(root, _products(extractors()), required=())
    identity = identity_mapping(root)
    wanted, lacking = _wanted(categories, data)
    made = event_steps(wanted, data, identity, codelist_checksums(codelists))
    if any(passes()[extractors()[name].product].references([extractors()[name]]) for name in wanted):
        made[MEDICINES] = medicines_step(data)
    steps = {name: step.as_dict() for name, step in made.items()}
    finals = {name: root.events(name, step["fingerprint"]) for name, step in steps.items()}
    if not wanted:
        raise InputError(f"Nothing that events are made of is published in {root.path}; flatten and check first.")
    with exclusive_writer(root, *finals.values()):
        todo = [name for name, step in steps.items() if held(finals[name], step["fingerprint"]) is None]
        if todo:
            with workshop(root, "events", "all extractors · events") as shop:
                EventSteps(data, root, shop, steps, finals, own_codelists, root).make(todo)
        _check_unchanged(root, data, identity)
    told = {name: read_manifest(finals[name]) or {} for name in sorted(wanted)}
    return {
        "status": "done" if todo else "reused",
        "computed": todo,
        "rows": {name: manifest["rows"] for name, manifest in told.items()},
        "events": {name: manifest["events"] for name, manifest in told.items()},
        "not_delivered": sorted(lacking),
    }


def own_codelists() -> Path:
    """The code lists of the project, on whatever machine a task runs."""
    return project_home() / "codelists"


def _wanted(categories: Sequence[str], data: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    """The categories to extract, and the products that others lack."""
    unknown = sorted({*categories} - {*extractors()})
    if unknown:
        raise InputError(f"{unknown[0]} is no category of events; known are {', '.join(sorted(extractors()))}.")
    lacking = {name: _products([name]) - {*data} for name in categories or extractors()}
    for name in categories:
        if lacking[name]:
            raise InputError(f"{name} is of {', '.join(sorted(lacking[name]))}, not published; flatten and check it.")
    return [name for name, missing in lacking.items() if not missing], set().union(*lacking.values())


def _products(categories: Iterable[str]) -> set[str]:
    """The products that categories are made of, with those that codes are looked up in and that tell persons."""
    some = [extractors()[name] for name in categories]
    products = {one.product for one in some}
    references = {reference for one in some for reference in passes()[one.product].references([one])}
    named = {referential_tables()[0] for name in products if "identity" in load_product(name).person}
    return products | references | named


def _check_unchanged(root: Root, data: Mapping[str, Any], identity: str | None) -> None:
    if published_data(root, _products(extractors()), required=()) != data or identity_mapping(root) != identity:
        raise GateRefused("The published data changed while events were extracted from it; extract them again.")
