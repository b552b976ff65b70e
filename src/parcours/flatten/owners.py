"""Whose rows are: the identity of a root through time, and which periods a change of it leaves as they are.

A refreshed referential adds persons and seldom changes one. A period without a row of an identifier that was of another
person before holds what it would hold if it were computed again, and is not.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from parcours.snds.identity_changes import read_changes
from parcours.snds.person_columns import PersonColumns
from parcours.snds.persons_of_rows import keys_of
from parcours.storage.fingerprint import fingerprint
from parcours.storage.manifest import read_manifest, write_json
from parcours.storage.place import Place
from parcours.storage.root import Root


@dataclass(frozen=True)
class Change:
    """The identity went from one mapping to another; `keys`: as `changed_identifiers` gives them, or their file."""

    before: str
    now: str
    keys: Place | pa.Table


@dataclass(frozen=True)
class Owners:
    """The mapping by which rows are given to persons, and the changes that led to it, oldest first.

    `columns` are those by which rows find their person.
    """

    mapping: str
    changes: tuple[Change, ...] = ()
    columns: PersonColumns | None = None

    def since(self, mapping: str | None) -> tuple[Change, ...]:
        """The changes after the identity last had a mapping; none where it never had."""
        at = [number for number, change in enumerate(self.changes) if change.before == mapping]
        return self.changes[at[-1] :] if at else ()


def kept_changes(folder: Place) -> tuple[Change, ...]:
    """The changes that an identity remembers; none where there is no identity."""
    manifest = read_manifest(folder) or {}
    return tuple(Change(before, now, folder / changes_name(before, now)) for before, now in manifest.get("moved", []))


def changes_name(before: str, now: str) -> str:
    """File name of a change."""
    return f"moved-{before}-{now}.arrow"


def unmoved(root: Root, held: dict[str, Any], owners: Owners) -> bool:
    """Whether all rows of a committed period (its manifest) are of the persons that they were given to.

    The answer is kept, so that identifiers are read once for all the changes since.
    """
    changes = owners.since(held["config"]["identity"])
    steps = [[change.before, change.now] for change in changes]
    asked = [held["product"], held["period"], held["fingerprint"], owners.columns and asdict(owners.columns), steps]
    kept = root.path / "_persons" / f"{fingerprint(asked)}.json"
    if kept.is_file():
        return bool(json.loads(kept.read_text("utf-8"))["unmoved"])
    place = root.period(held["product"], held["period"])
    answer = bool(changes) and not _holds(place, held, owners.columns, _keys(changes))
    if (read_manifest(place) or {}).get("fingerprint") != held["fingerprint"]:
        return False  # another run replaced it meanwhile
    write_json(kept, {"asked": asked, "unmoved": answer})
    return answer


def changed(change: Change) -> pa.Table:
    """(key) of a change."""
    return change.keys if isinstance(change.keys, pa.Table) else read_changes(change.keys)


def _keys(changes: tuple[Change, ...]) -> np.ndarray:
    """Every PSA that one of these changes gave to others; rows of the others keep their person through all."""
    return np.unique(pa.concat_tables(changed(change) for change in changes)["key"].to_numpy())


def _holds(place: Place, held: dict[str, Any], columns: PersonColumns | None, keys: np.ndarray) -> bool:
    """Whether a period has a row of one of these PSAs."""
    if columns is None or len(keys) == 0:
        return columns is None
    return any(_file_holds(place / file["path"], columns, keys) for file in held["files"])


def _file_holds(path: Place, columns: PersonColumns, keys: np.ndarray) -> bool:
    with path.open("rb") as source, pq.ParquetFile(source, read_dictionary=[columns.psa]) as file:
        if columns.psa not in file.schema_arrow.names:
            return True  # nothing says whose its rows are
        batches = file.iter_batches(columns=[columns.psa])
        return any(np.isin(keys_of(pa.table(batch), columns), keys).any() for batch in batches)
