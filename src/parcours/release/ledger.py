"""The ledger: one file a run, with each count that left of it and the set that it counts.

It lies in the root, beside the persons themselves, and holds exact numbers.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from parcours.release.cells import Cell, Told, cell_from_dict
from parcours.storage.fingerprint import fingerprint
from parcours.storage.manifest import write_json
from parcours.storage.place import Place, found
from parcours.storage.root import Root

Run = Mapping[str, Any]


def ledger_file(root: Root, run: Run) -> Place:
    """Where it is kept what left of a run."""
    return root.releases / data_digest(run) / f"{run['cohort']}-{run['fingerprint']}.json"


def data_digest(run: Run) -> str:
    """The version of the data of a run: of the periods and of who each identifier is."""
    return fingerprint({"data": run["data"], "identity": run.get("identity")})


def write_ledger(root: Root, run: Run, cells: Sequence[Cell]) -> None:
    """Keep all that left of a run, in one step."""
    content = {"study": run["cohort"], "run": run["fingerprint"], "cells": [cell.as_dict() for cell in cells]}
    write_json(ledger_file(root, run), content)


def read_ledger(root: Root, run: Run) -> tuple[list[Cell], list[Told]]:
    """What left of a run, and what left of all others of the root, whatever data they were made of."""
    own: list[Cell] = []
    others: list[Told] = []
    mine = ledger_file(root, run)
    for file in found(root.releases, "*/*.json"):
        kept = json.loads(file.read_text("utf-8"))
        cells = [cell_from_dict(row) for row in kept["cells"]]
        if file == mine:
            own = cells
        else:
            others += [Told(f"{kept['study']}-{kept['run']}", kept["study"], cell) for cell in cells]
    return own, others
