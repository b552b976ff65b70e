"""Locks that a killed holder frees: of the kernel in a folder, of the namenode on HDFS."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from parcours.errors import RetryableFault
from parcours.storage.hdfs import HdfsPath
from parcours.storage.root import Root

if TYPE_CHECKING:
    from hdfs_native import FileWriter

log = logging.getLogger(__name__)
# The namenode gives the file of a writer that went silent to another one after a minute (its soft limit of leases).
SILENT_SECONDS = 75
ATTEMPTS = 5


@contextmanager
def locked(root: Root, name: str, busy: str) -> Iterator[None]:
    """Hold a lock of the root.

    Raises RetryableFault, which begins with `busy`, when somebody else holds it.
    """
    path = root.lock(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    hold = _lease(path, busy) if isinstance(path, HdfsPath) else _kernel_lock(path, busy)
    with hold:
        yield


@contextmanager
def locked_when_free(root: Root, name: str, busy: str) -> Iterator[None]:
    """As `locked`; on HDFS, where a killed holder may seem to be alive for a minute, after that minute.

    Raises RetryableFault when somebody else holds it still.
    """
    until = time.monotonic() + (SILENT_SECONDS if isinstance(root.path, HdfsPath) else 0)
    while True:
        try:
            hold = locked(root, name, busy)
            hold.__enter__()
            break
        except RetryableFault:
            if time.monotonic() >= until:
                raise
            time.sleep(1)
    try:
        yield
    finally:
        hold.__exit__(None, None, None)


def is_held(root: Root, name: str) -> bool:
    """Whether somebody holds a lock of the root; on HDFS a killed holder seems to for a minute."""
    path = root.lock(name)
    if not path.is_file():
        return False
    try:
        with _lease(path, "") if isinstance(path, HdfsPath) else _shared_lock(path):
            return False
    except RetryableFault:
        return True
    except FileNotFoundError:  # its holder has ended since
        return False


@contextmanager
def _shared_lock(path: Path) -> Iterator[None]:
    """Needs no right to write."""
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken("") from None
        yield
    finally:
        os.close(handle)


@contextmanager
def _kernel_lock(path: Path, busy: str) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(busy) from None
        yield
    finally:
        os.close(handle)


@contextmanager
def _lease(path: HdfsPath, busy: str) -> Iterator[None]:
    """A file open for appending is of one client; the client renews its lease for as long as it lives."""
    try:
        handle = _appending(path)
    except FileExistsError:
        raise _taken(busy) from None
    try:
        yield
    finally:
        _let_go(path, handle)


def _appending(path: HdfsPath) -> "FileWriter":
    """The file open for appending. Raises FileExistsError when another client has it."""
    for _ in range(ATTEMPTS):
        try:
            if not path.exists():
                path.client.create(path.remote).close()
            return path.client.append(path.remote)
        except FileNotFoundError:
            continue  # whoever held it removed it between the two calls
    raise FileExistsError(str(path))


def _let_go(path: HdfsPath, handle: "FileWriter") -> None:
    """Close the file; one that was taken by another meanwhile is no longer ours to close."""
    try:
        handle.close()
    except (RuntimeError, OSError) as error:
        log.warning("%s could not be let go: %s", path, str(error).partition("\n")[0])


def _taken(busy: str) -> RetryableFault:
    return RetryableFault(f"{busy}; wait until it has ended, then run again.")
