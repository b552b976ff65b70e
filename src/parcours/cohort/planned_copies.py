"""Code lists and study file as they were when a run was planned: copied beside its run.json, and read from there.

A code list of the checkout may change between two stages of a run: the run goes on with its own.
"""

import os
import tempfile
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from parcours.errors import InputError
from parcours.events.codelists import Lists
from parcours.storage.fingerprint import checksum, fingerprint
from parcours.storage.place import Place, found, place, remove_all, write_whole

CODE_LISTS, STUDY_FILE = "codelists", "study.yaml"
LISTS = ("*.csv", "*.yaml")


def codelist_checksums(folder: Place) -> dict[str, str]:
    """Checksum of each code list and definition of a folder, by file name."""
    return {path.name: checksum(path) for pattern in LISTS for path in found(folder, pattern)}


def keep_copies(run_folder: Place, codelists: Path, study_file: Path | None) -> None:
    """Copy the code lists of a folder, and the study file, into the folder of a run; what is there already stays."""
    kept = codelist_checksums(run_folder / CODE_LISTS)
    for name, content in codelist_checksums(codelists).items():
        if kept.get(name) != content:
            write_whole(run_folder / CODE_LISTS / name, (codelists / name).read_bytes())
    if study_file is not None:
        write_whole(run_folder / STUDY_FILE, study_file.read_bytes())


def planned_codelists(run: Mapping[str, Any]) -> Path:
    """The folder, on this machine, of the code lists that a run was planned with.

    Raises InputError when one of them is gone or is not what it was.
    """
    folder, planned = place(run["codelists_folder"]), dict(run["codelists"])
    here = folder if isinstance(folder, Path) else _copy_here(folder, planned)
    _check(run, planned, codelist_checksums(here))
    return here


def lists_of(run: Mapping[str, Any]) -> Lists:
    """How any task finds the code lists that a run was planned with."""
    return partial(planned_codelists, {name: run[name] for name in ("codelists_folder", "codelists", "fingerprint")})


def _check(run: Mapping[str, Any], planned: Mapping[str, str], there: Mapping[str, str]) -> None:
    changed = sorted(name for name in {*planned, *there} if planned.get(name) != there.get(name))
    if changed:
        raise InputError(
            f"{run['codelists_folder']} does not hold {changed[0]} as run {run['fingerprint']} was planned with it; "
            "plan the run again."
        )


def _copy_here(folder: Place, planned: Mapping[str, str]) -> Path:
    """The one copy on this machine of code lists on HDFS; its name says what it holds."""
    copies = Path(tempfile.gettempdir()) / f"parcours-codelists-{os.getuid()}"
    copy = copies / fingerprint(dict(planned))
    if codelist_checksums(copy) == planned:
        return copy
    copies.mkdir(mode=0o700, exist_ok=True)
    own = copies / f".{uuid.uuid4().hex}"
    own.mkdir()
    for path in (path for pattern in LISTS for path in found(folder, pattern)):
        (own / path.name).write_bytes(path.read_bytes())
    if codelist_checksums(own) != planned:
        return own  # the caller refuses it
    remove_all(copy)
    try:
        own.rename(copy)
    except OSError:  # another process was first: what it made has the same name, so the same content
        remove_all(own)
    return copy
