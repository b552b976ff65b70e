"""Files of HDFS as DuckDB opens them: by the client that everything else uses, whatever the address."""

import io
import threading
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem

from parcours.storage.hdfs import SCHEME, HdfsPath
from parcours.storage.place import modified


class HdfsFiles(AbstractFileSystem):
    """What DuckDB asks of a file system in Python: to find a file, to open it, and its size."""

    protocol = "hdfs"
    cachable = False

    def glob(self, path: str, **_: Any) -> list[str]:
        """The file itself: Parcours names the files that it reads."""
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        """Whether it is there."""
        return _place(path).is_file()

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Its name, size and kind.

        Raises FileNotFoundError.
        """
        status = _place(path).client.get_file_info(_place(path).remote)
        return {"name": path, "size": int(status.length), "type": "directory" if status.isdir else "file"}

    def modified(self, path: str) -> datetime:
        """When it was last written: footers that are kept are of that time."""
        return datetime.fromtimestamp(modified(_place(path)), UTC)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> "_Ranges":
        return _Ranges(_place(path), int(self.info(path)["size"]))


class _Ranges(io.BufferedIOBase):
    """A file that is read range by range.

    DuckDB seeks and reads one file in several threads at once: each has a position of its own.
    """

    def __init__(self, path: HdfsPath, size: int):
        self.size, self._path = size, path
        self._open_in = threading.local()

    def _file(self) -> Any:
        if not hasattr(self._open_in, "file"):
            self._open_in.file = self._path.open("rb")
        return self._open_in.file

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes from where this thread is."""
        return bytes(self._file().read(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position of this thread."""
        return int(self._file().seek(offset, whence))

    def tell(self) -> int:
        """Where this thread is."""
        return int(self._file().tell())

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True


def _place(path: str) -> HdfsPath:
    """DuckDB gives a path with its protocol or without."""
    authority, *names = [part for part in path.removeprefix("hdfs://").split("/") if part]
    return HdfsPath(SCHEME, authority, *names)
