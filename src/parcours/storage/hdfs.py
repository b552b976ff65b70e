"""Paths on HDFS with the methods of pathlib that storage needs, by the client hdfs-native (no JVM).

The namenode, or the name service of a pair of them, stands in the address; everything else (high availability,
Kerberos, block size, replication) is read from core-site.xml and hdfs-site.xml in HADOOP_CONF_DIR, as Hadoop's own
client does.
"""

import errno
import fnmatch
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn, cast

from parcours.errors import InputError

if TYPE_CHECKING:
    from hdfs_native import Client, FileReader, FileStatus, FileWriter

SCHEME = "hdfs:"
READ_AHEAD = 1 << 20
# A namenode that has just started refuses every change for half a minute, longer on a large cluster.
SAFE_MODE, SAFE_MODE_SECONDS, SAFE_MODE_PAUSE = "SafeModeException", 300.0, 2.0


class HdfsPath(PurePosixPath):
    """hdfs://authority/path; as a pure path its parts are `hdfs:`, the authority, and the names."""

    def __str__(self) -> str:
        if self.parts[:1] != (SCHEME,):
            return super().__str__()  # relative to another one
        return f"{SCHEME}//{'/'.join(self.parts[1:])}"

    def __fspath__(self) -> NoReturn:
        """Nothing that opens local files may take it: it would make a local folder named `hdfs:`."""
        raise TypeError(f"{self} is on HDFS; open it by its own methods")

    @property
    def remote(self) -> str:
        """The path on the file system."""
        return "/" + "/".join(self.parts[2:])

    @property
    def client(self) -> "Client":
        """The client of this file system, one a process."""
        return _client(self.parts[1])

    def absolute(self) -> "HdfsPath":
        """Itself."""
        return self

    def resolve(self) -> "HdfsPath":
        """Itself: HDFS has no links in use."""
        return self

    def status(self) -> "FileStatus | None":
        """Length, kind and times; None when nothing is there."""
        try:
            return self.client.get_file_info(self.remote)
        except FileNotFoundError:
            return None

    def exists(self) -> bool:
        """Whether something is there."""
        return self.status() is not None

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        found = self.status()
        return found is not None and bool(found.isdir)

    def is_file(self) -> bool:
        """Whether it is a file."""
        found = self.status()
        return found is not None and not found.isdir

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def iterdir(self) -> Iterator["HdfsPath"]:
        """What a folder holds, in the order of names.

        Raises FileNotFoundError.
        """
        for status in self.client.list_status(self.remote, False):
            yield self / PurePosixPath(status.path).name

    def glob(self, pattern: str) -> Iterator["HdfsPath"]:
        """What matches below a folder; `**` is any number of folders, links are not followed."""
        yield from _matching(self, PurePosixPath(pattern).parts)

    def rglob(self, pattern: str) -> Iterator["HdfsPath"]:
        """What matches at any depth."""
        yield from self.glob(f"**/{pattern}")

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a folder.

        Raises FileExistsError, and FileNotFoundError when the folder above is missing and `parents` is false.
        """
        if self.exists():
            if exist_ok and self.is_dir():
                return
            raise FileExistsError(str(self))
        self.client.mkdirs(self.remote, 0o755, parents)

    def rename(self, target: "HdfsPath") -> "HdfsPath":
        """Give it another name, in one step.

        Raises FileExistsError when there is something of that name.
        """
        self.client.rename(self.remote, target.remote, False)
        return target

    def replace(self, target: "HdfsPath") -> "HdfsPath":
        """Give a file the name of another, which is gone, in one step."""
        self.client.rename(self.remote, target.remote, True)
        return target

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove a file.

        Raises FileNotFoundError unless `missing_ok`.
        """
        if not self.client.delete(self.remote, False) and not missing_ok:
            raise FileNotFoundError(str(self))

    def remove_all(self) -> None:
        """Remove a folder and what it holds; nothing happens when there is none."""
        self.client.delete(self.remote, True)

    def open(self, mode: str = "r", encoding: str | None = None) -> Any:
        """Open for reading (`r`, `rb`) or writing from the start (`w`, `wb`).

        Raises FileNotFoundError, and ValueError for another mode.
        """
        if mode in ("rb", "r"):
            binary: Any = io.BufferedReader(_Reader(self.client.read(self.remote)), READ_AHEAD)
        elif mode in ("wb", "w"):
            binary = io.BufferedWriter(_Writer(self.client.create(self.remote, _overwriting())), READ_AHEAD)
        else:
            raise ValueError(f"{self} cannot be opened with mode {mode!r}")
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding or "utf-8")

    def read_bytes(self) -> bytes:
        """The whole content."""
        with self.open("rb") as source:
            return bytes(source.read())

    def read_text(self, encoding: str = "utf-8") -> str:
        """The whole content as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes) -> int:
        """Write the whole content."""
        with self.open("wb") as target:
            return int(target.write(content))

    def write_text(self, content: str, encoding: str = "utf-8") -> int:
        """Write the whole content as text."""
        return self.write_bytes(content.encode(encoding))


class _Reader(io.RawIOBase):
    """A file that is being read, as Python's buffers ask for it: the client's own reader has no `readinto`.

    It has a position of its own, which may be beyond the end: the client's panics there.
    """

    def __init__(self, source: "FileReader"):
        self._source, self._size, self._at = source, len(source), 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """How many bytes were read."""
        count = max(min(len(buffer), self._size - self._at), 0)
        if count:
            with _as_of_a_disk("HDFS could not read"):
                buffer[:count] = self._source.read_range(self._at, count)
        self._at += count
        return count


class _Writer(io.RawIOBase):
    """A file that is being written; it is whole once it is closed."""

    def __init__(self, target: "FileWriter"):
        self._target = target

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, content: Any) -> int:
        """How many bytes were written."""
        with _as_of_a_disk("HDFS could not write"):
            return int(self._target.write(content))

    def close(self) -> None:
        """Wait until the datanodes have it all."""
        if not self.closed:
            super().close()
            with _as_of_a_disk("HDFS could not close a file"):
                self._target.close()


class _Told:
    """A client whose faults are told as those of a disk, which a retry may cure.

    It waits itself for a namenode that is away (up to three minutes, by hdfs-native) or has just started.
    """

    def __init__(self, client: "Client", authority: str):
        self._client, self._authority = client, authority

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        @wraps(call)
        def told(*arguments: Any) -> Any:
            until = time.monotonic() + SAFE_MODE_SECONDS
            while True:
                try:
                    with _as_of_a_disk(f"hdfs://{self._authority} could not {name}"):
                        return call(*arguments)
                except OSError as error:
                    if SAFE_MODE not in str(error) or time.monotonic() > until:
                        raise
                    time.sleep(SAFE_MODE_PAUSE)

        return told


@contextmanager
def _as_of_a_disk(what: str) -> Iterator[None]:
    """Most of the client's faults are RuntimeErrors or OSErrors without a type or an address."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, f"{what}: {error}") from error  # with a number, as of a disk
    except (RuntimeError, OSError) as error:
        said = str(error).partition("\n")[0]
        if isinstance(error, OSError) and type(error) is not OSError and not isinstance(error, ConnectionError):
            raise  # exists already, and the like: these have their own meaning
        raise OSError(errno.EIO, f"{what}: {said}") from error


def _known(authority: str) -> None:
    """Raise OSError at once for a machine that has no address; hdfs-native would ask for it for three minutes."""
    host, _, port = authority.partition(":")
    if not port:
        return  # a name service of hdfs-site.xml
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        reason = f"hdfs://{authority} names a machine that is not known here ({error.strerror}); check the address"
        raise OSError(errno.EHOSTUNREACH, reason) from error


@cache
def _client(authority: str) -> "Client":
    from hdfs_native import Client

    _known(authority)
    try:
        return cast("Client", _Told(Client(f"hdfs://{authority}"), authority))
    except RuntimeError as error:
        raise InputError(
            f"hdfs://{authority} names no namenode that is known ({error}); give its port, or set HADOOP_CONF_DIR to "
            "the folder of core-site.xml and hdfs-site.xml."
        ) from error


def _overwriting() -> Any:
    from hdfs_native import WriteOptions

    options = WriteOptions()
    options.overwrite = True
    return options


def _matching(folder: HdfsPath, parts: tuple[str, ...]) -> Iterator[HdfsPath]:
    first, rest = parts[0], parts[1:]
    try:
        found = sorted(folder.client.list_status(folder.remote, False), key=lambda status: str(status.path))
    except (FileNotFoundError, NotADirectoryError):
        return
    if first == "**":
        if rest:
            yield from _matching(folder, rest)
        else:
            yield folder
    for status in found:
        name = PurePosixPath(status.path).name
        if first == "**":
            if status.isdir:
                yield from _matching(folder / name, parts)
        elif fnmatch.fnmatchcase(name, first):
            if not rest:
                yield folder / name
            elif status.isdir:
                yield from _matching(folder / name, rest)
