"""A delivery: the folder of raw files that `delivery.yaml` describes."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from parcours.errors import InputError
from parcours.snds.names import resolve
from parcours.snds.person_forms import Forms, declared_forms
from parcours.storage.hdfs import SCHEME, HdfsPath
from parcours.storage.place import Place, place
from parcours.yaml_names import NamesOnce


@dataclass(frozen=True)
class RawFile:
    """One raw file of a table; `year` is the year of the file where `delivery.yaml` gives one."""

    table: str
    path: Place
    year: int | None


@dataclass(frozen=True)
class Delivery:
    """What was delivered and how to read it; `person` is as `person_forms.declared_forms` gives it.

    `time_zone` is where instants are days; with `trailing_delimiter` each line of a CSV file ends with a delimiter,
    whether its header does or not. `synthetic` says that its persons are made up, and so does every page made of it.
    """

    name: str
    folder: Place
    delimiter: str
    encoding: str
    null_values: tuple[str, ...]
    date_formats: tuple[str, ...]
    person: Forms
    files: tuple[RawFile, ...] = field(default=())
    time_zone: str | None = None
    trailing_delimiter: bool = False
    synthetic: bool = False

    def files_of(self, table: str) -> list[RawFile]:
        """Raw files of one table, in name order."""
        return [raw for raw in self.files if raw.table == table]


DEFAULTS: dict[str, Any] = {
    "delimiter": ";",
    "encoding": "utf-8",
    "null_values": [""],
    "date_formats": ["%Y-%m-%d", "%d/%m/%Y", "%d%b%Y", "%d%b%Y:%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
    "person": {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"},
    "time_zone": None,
    "trailing_delimiter": "false",
    "synthetic": "false",
}


class Texts(NamesOnce, yaml.BaseLoader):
    """Reads every value as the text that is written: NO, 0010 and 2016-01-01 stay what they are."""


def load_delivery(path: Place) -> Delivery:
    """Read `delivery.yaml` (or the folder that holds it).

    Raises InputError, with what to mend, when the file is missing, is not YAML, has a setting that is unknown
    or not of its kind, or names an unknown table or files that do not exist.
    """
    path = path / "delivery.yaml" if path.is_dir() else path
    declared = _read(path)
    unknown = set(declared) - {*DEFAULTS, "name", "tables"}
    if unknown:
        raise InputError(f"{path}: unknown setting {', '.join(sorted(unknown))}; remove it or mend its spelling.")
    settings = {"name": path.parent.name or "delivery", **DEFAULTS, **declared}
    return Delivery(
        name=_text(path, settings, "name"),
        folder=path.parent,
        delimiter=_character(path, settings, "delimiter"),
        encoding=_text(path, settings, "encoding"),
        null_values=_texts(path, settings, "null_values"),
        date_formats=_texts(path, settings, "date_formats"),
        person=declared_forms(str(path), settings["person"]),
        files=_files(path, declared.get("tables")),
        time_zone=_time_zone(path, settings),
        trailing_delimiter=_truth(path, settings, "trailing_delimiter"),
        synthetic=_truth(path, settings, "synthetic"),
    )


def _read(path: Place) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"There is no delivery at {path}; give the folder that holds delivery.yaml.")
    try:
        declared = yaml.load(path.read_text("utf-8"), Loader=Texts)
    except (yaml.YAMLError, UnicodeDecodeError, PermissionError) as error:
        first_line = str(error).partition("\n")[0]
        raise InputError(f"{path} cannot be read as YAML ({first_line}); mend it and start again.") from error
    if not isinstance(declared, dict):
        raise InputError(f"{path} must map settings to values (name, tables, ...); it holds something else.")
    return declared


# --- settings ----------------------------------------------------------------------------------------------------


def _text(path: Place, settings: dict[str, Any], name: str) -> str:
    value = settings[name]
    if not isinstance(value, str) or not value:
        raise InputError(f"{path}: `{name}` must be a text, not {_shown(value)}.")
    return value


def _character(path: Place, settings: dict[str, Any], name: str) -> str:
    value = settings[name]
    if not isinstance(value, str) or len(value) != 1:
        raise InputError(
            f'{path}: `{name}` must be one character in quotes, such as ";" or "\\t"; not {_shown(value)}.'
        )
    return value


def _texts(path: Place, settings: dict[str, Any], name: str) -> tuple[str, ...]:
    values = settings[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        example = ", ".join(f'"{value}"' for value in DEFAULTS[name][:2])
        raise InputError(f"{path}: `{name}` must be a list of texts such as [{example}], not {_shown(values)}.")
    return tuple(values)


def _truth(path: Place, settings: dict[str, Any], name: str) -> bool:
    value = settings[name]
    if value not in ("true", "false"):
        raise InputError(f"{path}: `{name}` must be true or false, not {_shown(value)}.")
    return bool(value == "true")


def _time_zone(path: Place, settings: dict[str, Any]) -> str | None:
    if settings["time_zone"] is None:
        return None
    name = _text(path, settings, "time_zone")
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(
            f"{path}: `time_zone` {name!r} is not known; use a name such as Europe/Paris or UTC."
        ) from error
    return name


def _shown(value: Any) -> str:
    kinds: dict[type, str] = {dict: "a map", list: "a list"}
    return kinds.get(type(value)) or (repr(value) if value else "nothing")


# --- files -------------------------------------------------------------------------------------------------------


def _files(path: Place, tables: Any) -> tuple[RawFile, ...]:
    if not isinstance(tables, dict) or not tables:
        raise InputError(f"{path}: names no file; list the delivered tables under `tables:`, each with its files.")
    found = [raw for name, entry in tables.items() for raw in _table_files(path, name, entry)]
    times = Counter((raw.table, raw.path.resolve()) for raw in found)
    for (table, file), number in times.items():
        if number > 1:
            raise InputError(f"{path}: {file.name} is given {number} times for {table}; its rows would count as often.")
    return tuple(found)


def _table_files(path: Place, name: str, entry: Any) -> Iterator[RawFile]:
    try:
        table, year_of_name = resolve(name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    for part in entry if isinstance(entry, list) and entry else [entry]:
        if isinstance(part, str) and part:
            part = {"files": part}
        if not isinstance(part, dict) or not part.get("files") or set(part) - {"files", "year"}:
            raise InputError(
                f"{path}: table {name} needs `files:` (a pattern or a list), `year:` where it matters, nothing else."
            )
        year = _year(path, name, part.get("year"), year_of_name)
        patterns = part["files"] if isinstance(part["files"], list) else [part["files"]]
        for pattern in patterns:
            yield from (RawFile(table, file, year) for file in _matching(path, name, pattern))


def _year(path: Place, name: str, declared: Any, year_of_name: int | None) -> int | None:
    """The year of some files: that of `year:`, that of the table's name, or None."""
    if declared is None:
        return year_of_name
    if not isinstance(declared, str) or not re.fullmatch(r"(19|20)\d\d", declared, re.ASCII):
        raise InputError(f"{path}: `year` of table {name} must be four digits such as 2016, not {_shown(declared)}.")
    if year_of_name not in (None, int(declared)):
        raise InputError(
            f"{path}: table {name} is of {year_of_name}, but `year` says {declared}; remove one of the two."
        )
    return int(declared)


def _is_data(path: Place, name: str, file: Place) -> bool:
    """Whether it is a file; folders without an ending are passed over, for a pattern may be as wide as `**/*`.

    Raises InputError for what stands where a file should: its rows would be missing without a word.
    """
    if file.is_file():
        return True
    if file.is_symlink() and not file.exists():
        raise InputError(f"{path}: table {name}: {file} is a link to a file that is not there; deliver it again.")
    if file.suffix or not file.is_dir():
        raise InputError(f"{path}: table {name}: {file} is no file; deliver it again, or narrow the pattern.")
    return False


def _start(folder: Place, pattern: str) -> tuple[Place, str]:
    """The folder that a pattern starts from, and the rest of it."""
    if pattern.startswith(f"{SCHEME}//"):
        whole = place(pattern, "pattern")
        top = HdfsPath(*whole.parts[:2])
        return top, str(whole.relative_to(top))
    if not Path(pattern).is_absolute():
        return folder, pattern
    anchor = Path(Path(pattern).anchor)
    return anchor, str(Path(pattern).relative_to(anchor))


def _matching(path: Place, name: str, pattern: Any) -> list[Place]:
    if not isinstance(pattern, str) or not pattern:
        raise InputError(f"{path}: `files` of table {name} must be texts, not {_shown(pattern)}.")
    start, below = _start(path.parent, pattern)
    try:
        found = start.glob(below)
        matches = sorted(file for file in found if _is_data(path, name, file))
    except ValueError as error:
        raise InputError(f"{path}: `files` of table {name}: {pattern} is no pattern ({error}); mend it.") from error
    if not matches:
        raise InputError(
            f"{path}: no file of table {name} matches {pattern}; check the path, relative to delivery.yaml."
        )
    return matches
