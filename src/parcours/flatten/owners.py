"""Whose rows are: the identity of a root through time, and which periods a change of it leaves as they are.

A refreshed referential adds persons and seldom changes one. A period without a row of somebody who was another person
before holds what it would hold if it were computed again, and is not.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from parcours.snds.identity import PERSON
from parcours.snds.identity_changes import COUPLES, read_changes
from parcours.storage.fingerprint import fingerprint
from parcours.storage.manifest import read_manifest, write_json
from parcours.storage.place import Place
from parcours.storage.root import Root


@dataclass(frozen=True)
class Change:
    """The identity went from one mapping to another; `persons`: as `changed_persons` gives them, or their file."""

    before: str
    now: str
    persons: Place | pa.Table


@dataclass(frozen=True)
class Owners:
    """The mapping by which rows are given to persons, and the changes that led to it, oldest first.

    `how` rows find their person: by COUPLES or by the PSA ALONE.
    """

    mapping: str
    changes: tuple[Change, ...] = ()
    how: str = COUPLES

    def since(self, mapping: str | None) -> tuple[Change, ...]:
        """The changes after the identity last had a mapping; none where it never had."""
        at = [number for number, change in enumerate(self.changes) if change.before == mapping]
        return self.changes[at[-1] :] if at else ()


def kept_changes(folder: Place) -> tuple[Change, ...]:
    """The changes that an identity remembers; none where there is no identity."""
    manifest = read_manifest(folder) or {}
    return tuple(Change(before, now, folder / changes_name(before, now)) for before, now in manifest.get("changes", []))


def changes_name(before: str, now: str) -> str:
    """File name of a change."""
    return f"changes-{before}-{now}.arrow"


def unmoved(root: Root, held: dict[str, Any], owners: Owners) -> bool:
    """Whether all rows of a committed period (its manifest) are of the persons that they were given to.

    The answer is kept, so that person_id is read once for all the changes since.
    """
    changes = owners.since(held["config"]["identity"])
    steps = [[change.before, change.now] for change in changes]
    asked = [held["product"], held["period"], held["fingerprint"], owners.how, steps]
    kept = root.path / "_persons" / f"{fingerprint(asked)}.json"
    if kept.is_file():
        return bool(json.loads(kept.read_text("utf-8"))["unmoved"])
    place = root.period(held["product"], held["period"])
    answer = bool(changes) and not _holds(place, held, _persons(changes, owners.how))
    if (read_manifest(place) or {}).get("fingerprint") != held["fingerprint"]:
        return False  # another run replaced it meanwhile
    write_json(kept, {"asked": asked, "unmoved": answer})
    return answer


def changed(change: Change) -> pa.Table:
    """(how, person_id) of a change."""
    return change.persons if isinstance(change.persons, pa.Table) else read_changes(change.persons)


def _persons(changes: tuple[Change, ...], how: str) -> pa.Array:
    """Everybody whom one of these changes made somebody else; rows of the others keep their person through all."""
    table = pa.concat_tables(changed(change) for change in changes)
    return table.filter(pc.equal(table["how"], how))["person_id"].combine_chunks()


def _holds(place: Place, held: dict[str, Any], persons: pa.Array) -> bool:
    """Whether a period has a row of one of these persons; null stands for all rows whose person is not known."""
    if persons.null_count and held["unidentified"]:
        return True
    wanted = np.unique(persons.drop_null().to_numpy())
    return len(wanted) > 0 and any(_file_holds(place / file["path"], wanted) for file in held["files"])


def _file_holds(path: Place, wanted: np.ndarray) -> bool:
    with path.open("rb") as source, pq.ParquetFile(source) as file:
        for batch in file.iter_batches(columns=[PERSON]):
            found = np.unique(batch.column(0).drop_null().to_numpy())
            at = np.minimum(np.searchsorted(wanted, found), len(wanted) - 1)
            if (wanted[at] == found).any():
                return True
    return False
