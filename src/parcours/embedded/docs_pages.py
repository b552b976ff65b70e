"""Where the docs server finds its pages: a root on this machine, or one on HDFS, read through its web interface."""

import getpass
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from parcours.errors import InputError

SECONDS_TO_ANSWER = 30


class Pages(Protocol):
    """Files of a root; paths are relative to it, with `/` between their parts."""

    def find(self, pattern: str) -> list[str]:
        """Files that match `quality/*/index.html`, where `*` stands for one name or a part of it."""

    def read(self, path: str) -> bytes | None:
        """Content of a file, None when there is no such file. Raises OSError when the root cannot be read."""


@dataclass(frozen=True)
class LocalPages:
    """Files under a folder of this machine."""

    root: Path

    def find(self, pattern: str) -> list[str]:
        """See Pages."""
        return [page.relative_to(self.root).as_posix() for page in self.root.glob(pattern)]

    def read(self, path: str) -> bytes | None:
        """See Pages."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None


@dataclass(frozen=True)
class HdfsPages:
    """Files under a folder of HDFS; `web` is the address of the namenode's web interface (WebHDFS)."""

    web: str
    root: str

    def find(self, pattern: str) -> list[str]:
        """See Pages; one request for each folder on the way."""
        found = [""]
        for part in pattern.split("/"):
            found = [
                f"{folder}/{name}".lstrip("/")
                for folder in found
                for name in (self._names(folder) if "*" in part else [part])
                if fnmatchcase(name, part)
            ]
        literal_end = "*" not in pattern.rsplit("/", 1)[-1]
        return [path for path in found if not literal_end or self._exists(path)]

    def read(self, path: str) -> bytes | None:
        """See Pages."""
        return self._get(path, "OPEN")

    def _names(self, folder: str) -> list[str]:
        answer = self._get(folder, "LISTSTATUS")
        entries: list[dict[str, Any]] = json.loads(answer)["FileStatuses"]["FileStatus"] if answer else []
        return [entry["pathSuffix"] for entry in entries if entry["pathSuffix"]]

    def _exists(self, path: str) -> bool:
        return self._get(path, "GETFILESTATUS") is not None

    def _get(self, path: str, operation: str) -> bytes | None:
        user = os.environ.get("HADOOP_USER_NAME") or getpass.getuser()
        question = urlencode({"op": operation, "user.name": user})
        address = f"{self.web}/webhdfs/v1{quote(f'{self.root}/{path}'.rstrip('/'))}?{question}"
        try:
            with urllib.request.urlopen(address, timeout=SECONDS_TO_ANSWER) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


def pages_of(root: str) -> Pages:
    """The pages of a root: a path, `file:///...`, or `hdfs://namenode:8020/...` (web interface on port 9870).

    Raises InputError for an address of another kind.
    """
    address = urlsplit(root)
    if address.scheme == "hdfs" and address.hostname:
        return HdfsPages(f"http://{address.hostname}:9870", address.path.rstrip("/"))
    if address.scheme in ("", "file"):
        return LocalPages(Path(address.path))
    raise InputError(f"The root {root} is neither a folder nor an hdfs:// address; its pages cannot be served.")
