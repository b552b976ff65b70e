"""A delivery: the folder of raw files that `delivery.yaml` describes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from parcours.errors import InputError
from parcours.snds.contracts import table_names


@dataclass(frozen=True)
class RawFile:
    """One raw file of a table; `year` is the year of the file where `delivery.yaml` gives one."""

    table: str
    path: Path
    year: int | None


@dataclass(frozen=True)
class Delivery:
    """What was delivered and how to read it; `person` is {column: ...} or {psa: ..., rank: ...}."""

    name: str
    folder: Path
    delimiter: str
    encoding: str
    null_values: tuple[str, ...]
    date_formats: tuple[str, ...]
    person: dict[str, str]
    files: tuple[RawFile, ...] = field(default=())

    def files_of(self, table: str) -> list[RawFile]:
        """Raw files of one table, in name order."""
        return [raw for raw in self.files if raw.table == table]


DEFAULTS: dict[str, Any] = {
    "delimiter": ";",
    "encoding": "utf-8",
    "null_values": [""],
    "date_formats": ["%Y-%m-%d", "%d/%m/%Y", "%d%b%Y", "%d%b%Y:%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
    "person": {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"},
}


def load_delivery(path: Path) -> Delivery:
    """Read `delivery.yaml` (or the folder that holds it).

    Raises InputError, with what to mend, when the file is missing, is not YAML, names an unknown
    table or a table whose files do not exist.
    """
    path = path / "delivery.yaml" if path.is_dir() else path
    declared = _read(path)
    unknown = set(declared) - {*DEFAULTS, "name", "tables"}
    if unknown:
        raise InputError(f"{path}: unknown setting {', '.join(sorted(unknown))}; remove it or mend its spelling.")
    settings = {**DEFAULTS, **declared}
    _check_person(path, settings["person"])
    files = [raw for table, entry in (declared.get("tables") or {}).items() for raw in _table_files(path, table, entry)]
    if not files:
        raise InputError(f"{path}: names no file; list the delivered tables under `tables:`.")
    return Delivery(
        name=str(declared.get("name") or path.parent.name),
        folder=path.parent,
        delimiter=str(settings["delimiter"]),
        encoding=str(settings["encoding"]),
        null_values=tuple(str(value) for value in settings["null_values"]),
        date_formats=tuple(settings["date_formats"]),
        person=dict(settings["person"]),
        files=tuple(files),
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"There is no delivery at {path}; give the folder that holds delivery.yaml.")
    try:
        declared = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first_line = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read as YAML ({first_line}); mend it and start again.") from error
    if not isinstance(declared, dict):
        raise InputError(f"{path} must map settings to values (name, tables, ...); it holds something else.")
    return declared


def _check_person(path: Path, person: Any) -> None:
    if not isinstance(person, dict) or set(person) not in ({"column"}, {"psa"}, {"psa", "rank"}):
        raise InputError(f"{path}: `person` must be {{column: NUM_ENQ}} or {{psa: BEN_NIR_PSA, rank: BEN_RNG_GEM}}.")


def _table_files(path: Path, table: str, entry: Any) -> list[RawFile]:
    if table not in table_names():
        raise InputError(f"{path}: table {table} has no contract; known are {', '.join(table_names())}.")
    found = []
    for part in entry if isinstance(entry, list) else [entry]:
        if isinstance(part, str):
            part = {"files": part}
        if not isinstance(part, dict) or "files" not in part:
            raise InputError(
                f"{path}: table {table} needs `files:` (a pattern or a list), and `year:` where it matters."
            )
        patterns = part["files"] if isinstance(part["files"], list) else [part["files"]]
        for pattern in patterns:
            found += [RawFile(table, file, part.get("year")) for file in _matching(path, table, str(pattern))]
    return found


def _matching(path: Path, table: str, pattern: str) -> list[Path]:
    if Path(pattern).is_absolute():
        matches = [Path(pattern)] if Path(pattern).is_file() else []
    else:
        matches = sorted(file for file in path.parent.glob(pattern) if file.is_file())
    if not matches:
        raise InputError(
            f"{path}: no file of table {table} matches {pattern}; check the path, relative to delivery.yaml."
        )
    return matches
