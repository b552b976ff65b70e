"""Commit by rename: killing a writer at any moment leaves either the old state or the new."""

import ctypes
import errno
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from parcours.errors import GateRefused, InputError, RetryableFault
from parcours.storage.hdfs import HdfsPath
from parcours.storage.locks import locked, locked_when_free
from parcours.storage.manifest import read_manifest, write_manifest
from parcours.storage.place import Place, copy_folder, found, local_path, modified, move, remove_all, write_whole
from parcours.storage.root import Root

log = logging.getLogger(__name__)
WAIT_SECONDS = 1800
AT_FDCWD = -100
RENAME_EXCHANGE = 2  # linux/fs.h
# In the directory of an attempt: a mark that it was never swept, and what the attempt writes.
HELD, FILES, SWEPT = "held", "files", ".swept"
# Attempts that are gone on with, for a week.
KEPT, LAST_USED, KEPT_SECONDS = "kept-", "last-used", 7 * 86400
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EXDEV)


def commit_directory(root: Root, staged: Place, final: Place, manifest: dict[str, Any]) -> None:
    """Make `staged`, a directory in that of a staging attempt, the committed `final`, with its manifest, at once.

    The manifest is the last file written to `staged`; then one rename (or, over an older state, one
    exchange of the two names) shows both. `staged` is gone afterwards.
    A staging directory of this machine is copied beside a `final` on HDFS first.
    Raises RetryableFault when another writer is committing `final`, or has just committed this very state, and when
    the attempt was swept: cut off from HDFS for a minute, it seemed dead, and what it had written is gone.
    """
    if isinstance(staged, Path) and isinstance(final, HdfsPath):
        with staging_attempt(root, str(manifest["fingerprint"])) as beside:
            copy_folder(staged, beside / final.name)
            commit_directory(root, beside / final.name, final, manifest)
        return
    with locked_when_free(root, f"{_name(root, final)}.commit", f"Another writer is committing {final.name}"):
        current = read_manifest(final)
        if current is not None and current.get("fingerprint") == manifest.get("fingerprint"):
            raise RetryableFault(f"Another writer committed {final} meanwhile; run again and it will be reused.")
        write_manifest(staged, manifest)  # on HDFS this makes a folder that was swept again, empty
        show(root, staged, final)


def show(root: Root, staged: Place, final: Place) -> None:
    """Give a directory of a staging attempt its name, over an older one at once where the file system can.

    Raises RetryableFault when the attempt was swept.
    """
    _check_held(root, staged)
    final.parent.mkdir(parents=True, exist_ok=True)
    _install(staged, final)
    _sync(final.parent)


@contextmanager
def exclusive_writer(root: Root, *finals: Place) -> Iterator[None]:
    """Hold the right to compute these directories; a killed holder frees it.

    Raises RetryableFault when another writer holds one of them.
    """
    with ExitStack() as held:
        for final in sorted(set(finals)):
            busy = f"Another writer is working on {final.parent.name}/{final.name}"
            held.enter_context(locked_when_free(root, f"{_name(root, final)}.writer", busy))
        yield


@contextmanager
def waiting_writer(root: Root, final: Place) -> Iterator[None]:
    """Hold the right to compute a directory, once another holder is done.

    Raises RetryableFault when that takes more than half an hour.
    """
    with ExitStack() as held:
        for _ in range(WAIT_SECONDS * 2):
            try:
                held.enter_context(exclusive_writer(root, final))
                break
            except RetryableFault:
                time.sleep(0.5)
        else:
            raise RetryableFault(
                f"Another job has been writing {final.name} for {WAIT_SECONDS} seconds; run again later."
            )
        yield


@contextmanager
def staging_attempt(root: Root, fingerprint: str) -> Iterator[Place]:
    """A new, empty staging directory, removed at the end; what killed attempts left behind is removed first."""
    _sweep(root)
    attempt = uuid.uuid4().hex[:12]
    with locked(root, f"attempt.{fingerprint}.{attempt}", "This attempt is running elsewhere"):
        directory = root.staging(fingerprint, attempt)
        for name in (FILES, HELD):
            (directory / name).mkdir(parents=True)
        try:
            yield directory / FILES
        finally:
            remove_all(directory)
    root.lock(f"attempt.{fingerprint}.{attempt}").unlink(missing_ok=True)


@contextmanager
def kept_staging(root: Root, fingerprint: str, name: str) -> Iterator[Place]:
    """A staging directory that outlives a killed attempt: the next one for the same goes on with what is there.

    `name` tells apart what may be made at once under one fingerprint. It is gone after a commit, a refusal, and a week.
    """
    _sweep(root)
    attempt = f"{KEPT}{name}"
    with locked(root, f"attempt.{fingerprint}.{attempt}", "This work is running elsewhere"):
        directory = root.staging(fingerprint, attempt)
        for part in (FILES, HELD):
            (directory / part).mkdir(parents=True, exist_ok=True)
        write_whole(directory / HELD / LAST_USED, b"")
        try:
            yield directory / FILES
        except (GateRefused, InputError):  # it would be refused again: rows of persons need not wait for that
            remove_all(directory)
            raise
        # Nobody goes on with it: should this be killed while it removes it, the next writer does.
        (directory / HELD / LAST_USED).unlink(missing_ok=True)
        remove_all(directory)
    root.lock(f"attempt.{fingerprint}.{attempt}").unlink(missing_ok=True)


@contextmanager
def local_staging(root: Root, fingerprint: str) -> Iterator[Path]:
    """As `staging_attempt`, on this machine wherever the root is: for libraries that write local files."""
    if isinstance(root.path, HdfsPath):
        with tempfile.TemporaryDirectory(prefix="parcours-") as folder:
            yield Path(folder)
        return
    with staging_attempt(root, fingerprint) as staged:
        yield local_path(staged)


def _sweep(root: Root) -> None:
    """Remove the directories of attempts that nobody holds; a killed attempt's last tasks may still have written.

    They leave by one rename: an attempt that seemed dead and goes on finds all of its files, or none.
    """
    for directory in found(root.path / "_staging", "*/*"):
        name = f"attempt.{directory.parent.name}.{directory.name}"
        if directory.name.startswith(KEPT) and _used_lately(directory):
            continue
        try:
            with locked(root, name, ""):
                remove_all(_set_aside(directory))
        except RetryableFault:
            continue  # still running
        except OSError as error:
            log.warning("%s could not be removed: %s", directory, error)
            continue
        root.lock(name).unlink(missing_ok=True)


def _used_lately(directory: Place) -> bool:
    try:
        return time.time() - modified(directory / HELD / LAST_USED) < KEPT_SECONDS
    except FileNotFoundError:
        return False


def _set_aside(directory: Place) -> Place:
    if directory.suffix == SWEPT:
        return directory
    aside = directory.with_name(f"{directory.name}.{uuid.uuid4().hex[:8]}{SWEPT}")
    with suppress(FileNotFoundError):  # its attempt has ended meanwhile, and removed it
        move(directory, aside)
    return aside


def _check_held(root: Root, staged: Place) -> None:
    staging = root.path / "_staging"
    fingerprint, attempt = staged.relative_to(staging).parts[:2]
    if not (staging / fingerprint / attempt / HELD).is_dir():
        raise RetryableFault(
            f"{staged} was given up while its machine could not be reached; nothing was committed, run again."
        )


def _name(root: Root, final: Place) -> str:
    return "-".join(final.relative_to(root.path).parts)


def _install(staged: Place, final: Place) -> None:
    if not final.exists():
        move(staged, final)
        return
    if isinstance(staged, HdfsPath) or isinstance(final, HdfsPath):
        _replace_in_two_steps(staged, final)
        return
    try:
        _exchange(staged, final)
        remove_all(staged)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _replace_in_two_steps(staged, final)


def _exchange(first: Path, second: Path) -> None:
    """Swap two names in one step (Linux renameat2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, "renameat2 is not there")
    if libc.renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(second))


def _replace_in_two_steps(staged: Place, final: Place) -> None:
    """For file systems without exchange, HDFS among them: the old state is taken away whole before the new one comes.

    Killed between the two renames, the period is absent (never mixed) and the next run computes it.
    """
    old = staged.with_name(f"{staged.name}.replaced")
    move(final, old)
    try:
        move(staged, final)
    except OSError:
        if not final.exists():
            move(old, final)
        raise
    remove_all(old)


def _sync(directory: Place) -> None:
    """To the disk; HDFS has its journal."""
    if isinstance(directory, HdfsPath):
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
