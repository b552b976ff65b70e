"""Small files at an address: read, written and stamped. A scheme is one entry of `SCHEMES`; so far, mounted paths."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parcours.errors import InputError
from parcours.storage.manifest import write_whole

Stamp = tuple[str, int, int]


@dataclass(frozen=True)
class Scheme:
    """What can be done at the addresses of one scheme; each function takes the address first."""

    read: Callable[[str], str | None]
    write: Callable[[str, str], None]
    stamps: Callable[[str, str], list[Stamp]]


def read_text(address: str) -> str | None:
    """The text at an address, None when there is none. Raises OSError when it cannot be told."""
    return _scheme(address).read(address)


def write_text(address: str, text: str) -> None:
    """Replace the text at an address: a reader sees the old or the new one. Raises OSError."""
    _scheme(address).write(address, text)


def stamps(address: str, pattern: str) -> list[Stamp]:
    """(path, bytes, time of change) of the files that a glob names, in the folder of the address or of its file.

    Nothing is read: whoever changes a file changes its stamp. Raises OSError.
    """
    return _scheme(address).stamps(address, pattern)


def _scheme(address: str) -> Scheme:
    name = urlsplit(address).scheme if "://" in address else ""
    if name not in SCHEMES:
        raise InputError(f"The address {address} cannot be used: {name}:// is not known here; give a mounted path.")
    return SCHEMES[name]


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path) if "://" in address else address)


def _read(address: str) -> str | None:
    try:
        return _path(address).read_text("utf-8")
    except FileNotFoundError:
        return None


def _write(address: str, text: str) -> None:
    write_whole(_path(address), text)


def _stamps(address: str, pattern: str) -> list[Stamp]:
    path = _path(address).absolute()
    folder = path.parent if path.is_file() else path
    return sorted(_stamp(file, folder) for file in folder.glob(pattern) if file.is_file())


def _stamp(file: Path, folder: Path) -> Stamp:
    state = file.stat()
    return file.relative_to(folder).as_posix(), state.st_size, state.st_mtime_ns


_mounted = Scheme(_read, _write, _stamps)
SCHEMES: dict[str, Scheme] = {"": _mounted, "file": _mounted}
