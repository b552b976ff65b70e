"""Where files are: a folder of this machine (or mounted on it), or HDFS; both with the methods of pathlib."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parcours.errors import InputError
from parcours.storage.hdfs import SCHEME, HdfsPath

Place = Path | HdfsPath
COPIED_BYTES = 1 << 20


def place(address: "str | Place", what: str = "address") -> Place:
    """The place of a plain path, a file:/// or an hdfs:// address; `what` names it in sentences.

    Raises InputError for an address of another kind.
    """
    if isinstance(address, Path | HdfsPath):
        return address
    parts = urlsplit(str(address))
    if parts.scheme == "hdfs":
        if not parts.netloc:
            raise InputError(f"The {what} {address} names no namenode; write it as hdfs://namenode:8020/folder.")
        return HdfsPath(SCHEME, parts.netloc, *[name for name in unquote(parts.path).split("/") if name])
    if "://" not in str(address) and parts.scheme != "file":
        return Path(address)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    raise InputError(f"The {what} {address} cannot be used: give a path, a file:/// or an hdfs:// address.")


def found(where: Place, pattern: str) -> list[Place]:
    """What matches a pattern below a folder, in the order of paths."""
    return sorted(where.glob(pattern))


def local_path(where: Place) -> Path:
    """A place that is of this machine.

    Raises InputError for one that is not.
    """
    if isinstance(where, HdfsPath):
        raise InputError(f"{where} is on HDFS; this needs a folder of this machine.")
    return where


def spark_path(where: Place) -> str:
    """The address by which Spark finds a place, whatever its default file system."""
    return str(where) if isinstance(where, HdfsPath) else f"file://{where.absolute()}"


def file_size(where: Place) -> int:
    """Bytes of a file.

    Raises FileNotFoundError.
    """
    return stamp(where)[0]


def stamp(where: Place) -> list[int]:
    """Size first, then what changes when a file is replaced or written to.

    Raises FileNotFoundError.
    """
    if isinstance(where, HdfsPath):
        status = where.client.get_file_info(where.remote)
        return [int(status.length), int(status.modification_time)]
    stat = where.stat()
    return [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]


def modified(where: Place) -> float:
    """When a file was last written, in seconds since 1970.

    Raises FileNotFoundError.
    """
    if isinstance(where, HdfsPath):
        return float(where.client.get_file_info(where.remote).modification_time) / 1000
    return where.stat().st_mtime


def write_whole(where: Place, content: bytes) -> None:
    """Write a file under a temporary name, to the disk, then rename: a reader sees all of it or what was there."""
    where.parent.mkdir(parents=True, exist_ok=True)
    temporary = where.with_name(f".{where.name}.{uuid.uuid4().hex[:8]}")
    with temporary.open("wb") as out:
        out.write(content)
        out.flush()
        if isinstance(where, Path):  # closing a file of HDFS waits for its replicas
            os.fsync(out.fileno())
    move(temporary, where)


def move(before: Place, after: Place) -> None:
    """Give a file or folder another name, in one step; a file of that name is gone, a folder is not.

    Raises TypeError for places on two file systems.
    """
    if isinstance(before, HdfsPath) and isinstance(after, HdfsPath):
        if before.is_dir():
            before.rename(after)
        else:
            before.replace(after)
    elif isinstance(before, Path) and isinstance(after, Path):
        before.replace(after)
    else:
        raise TypeError(f"{before} cannot be renamed to {after}, which is on another file system")


def remove_all(where: Place) -> None:
    """Remove a folder and what it holds, as far as it is there."""
    if isinstance(where, HdfsPath):
        where.remove_all()
    else:
        shutil.rmtree(where, ignore_errors=True)


def copy_folder(source: Path, target: Place) -> None:
    """Copy a folder of this machine, with all it holds, to a place that is not there yet."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        copy = target.joinpath(*path.relative_to(source).parts)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        else:
            copy_file(path, copy)


@contextmanager
def local_copy(where: Place) -> Iterator[Path]:
    """A file or folder of this machine: the place itself, or a copy for as long as it is used."""
    if isinstance(where, Path):
        yield where
        return
    with tempfile.TemporaryDirectory(prefix="parcours-") as folder:
        copy = Path(folder) / where.name
        for path in found(where, "**/*") if where.is_dir() else [where]:
            target = copy.joinpath(*path.relative_to(where).parts)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                copy_file(path, target)
        yield copy


def copy_file(source: Place, target: Place) -> None:
    """Copy a file; folders above its new place are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as data, target.open("wb") as out:
        shutil.copyfileobj(data, out, COPIED_BYTES)
