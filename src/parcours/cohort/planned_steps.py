"""Which steps of a run are there already, and why the others have to be computed.

Standard library and YAML only: called by the command line and inside Airflow tasks.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from parcours.cohort.plan import step_directory
from parcours.cohort.steps import EVENTS
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, found, modified
from parcours.storage.root import open_root

REUSE, COMPUTE = "reuse", "compute"
NOTHING_YET = "nothing of it is there yet"
NAMED = 3


def planned_steps(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """[{step, stage, status: reuse or compute, why}] in order; `why` is empty for what is reused."""
    return [_planned(run, step) for step in run["steps"]]


def _planned(run: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, str]:
    made = list(made_before(run, step["step"], step["stage"]))
    here = any(other["fingerprint"] == step["fingerprint"] for _, other in made)
    of = json.loads(json.dumps(step["made_of"]))  # as a manifest holds it
    why = "" if here else _why(of, made[-1][1]["made_of"]) if made else NOTHING_YET
    return {"step": step["step"], "stage": step["stage"], "status": REUSE if here else COMPUTE, "why": why}


def made_before(run: Mapping[str, Any], name: str, stage: str) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """(directory, {fingerprint, made_of, ...}) of each result of a step that is committed, the latest one last."""
    root = open_root(run["root"])
    if stage == EVENTS:
        parent, pattern = step_directory(run, name).parent, "*/_MANIFEST.json"
    else:
        parent, pattern = root.path / "studies" / run["cohort"], f"*/{stage}/_MANIFEST.json"
    for path in sorted(found(parent, pattern), key=modified):
        manifest = read_manifest(path.parent) or {}
        step = manifest if stage == EVENTS else manifest.get("steps", {}).get(name)
        if step:
            yield path.parent, step


def _why(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """`exposures.washout_months changed`: what it is made of and was not, or was otherwise."""
    changed = list(_changed(now, before))
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return f"{', '.join(changed[:NAMED])}{more} changed" if changed else NOTHING_YET


def _changed(now: Any, before: Any, place: str = "") -> Iterator[str]:
    if now == before:
        return
    if not (isinstance(now, Mapping) and isinstance(before, Mapping)):
        yield place
        return
    for key in dict.fromkeys([*now, *before]):
        yield from _changed(now.get(key), before.get(key), f"{place}.{key}".lstrip("."))
