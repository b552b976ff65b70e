"""Where the docs server finds its pages: a root on this machine, or one on HDFS, read through its web interface."""

import getpass
import json
import os
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from parcours.errors import InputError
from parcours.front.pages import Pages, read_json
from parcours.storage.place import stamp
from parcours.storage.progress import in_order, running_jobs
from parcours.storage.root import open_root

SECONDS_TO_ANSWER = 30


@dataclass(frozen=True)
class LocalPages:
    """Files under a folder of this machine."""

    root: Path

    def find(self, pattern: str) -> dict[str, str]:
        """See Pages."""
        found = {}
        for page in self.root.glob(pattern):
            with suppress(FileNotFoundError):  # replaced at this moment
                found[page.relative_to(self.root).as_posix()] = ":".join(map(str, stamp(page)))
        return found

    def read(self, path: str) -> bytes | None:
        """See Pages."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def running(self) -> list[dict[str, Any]]:
        """See Pages."""
        return running_jobs(open_root(self.root))


@dataclass(frozen=True)
class HdfsPages:
    """Files under a folder of HDFS; `web` is the address of the namenode's web interface (WebHDFS)."""

    web: str
    root: str

    def find(self, pattern: str) -> dict[str, str]:
        """See Pages; one request for each folder on the way."""
        found = {"": ""}
        for part in pattern.split("/"):
            found = {
                f"{folder}/{name}".lstrip("/"): told
                for folder in found
                for name, told in (self._entries(folder) if "*" in part else {part: ""}).items()
                if fnmatchcase(name, part)
            }
        if "*" in pattern.rsplit("/", 1)[-1]:
            return found
        return {path: told for path in found if (told := self._stamp(path)) is not None}

    def read(self, path: str) -> bytes | None:
        """See Pages."""
        return self._get(path, "OPEN")

    def running(self) -> list[dict[str, Any]]:
        """See Pages; a job that was killed cannot be told from others here: it is there until the next begins."""
        return in_order(read_json(self, path) for path in self.find("_progress/*.json"))

    def _entries(self, folder: str) -> dict[str, str]:
        answer = self._get(folder, "LISTSTATUS")
        entries: list[dict[str, Any]] = json.loads(answer)["FileStatuses"]["FileStatus"] if answer else []
        return {entry["pathSuffix"]: _told(entry) for entry in entries if entry["pathSuffix"]}

    def _stamp(self, path: str) -> str | None:
        answer = self._get(path, "GETFILESTATUS")
        return None if answer is None else _told(json.loads(answer)["FileStatus"])

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


def _told(status: dict[str, Any]) -> str:
    """The stamp of what WebHDFS tells of a file or folder."""
    return ":".join(str(status.get(name)) for name in ("fileId", "modificationTime", "length"))


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
