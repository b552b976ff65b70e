"""Commit by rename: killing a writer at any moment leaves either the old state or the new."""

import ctypes
import errno
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from parcours.errors import RetryableFault
from parcours.storage.manifest import read_manifest, write_manifest
from parcours.storage.root import Root

WAIT_SECONDS = 1800
AT_FDCWD = -100
RENAME_EXCHANGE = 2  # linux/fs.h
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EXDEV)


def commit_directory(root: Root, staged: Path, final: Path, manifest: dict[str, Any]) -> None:
    """Make `staged` the committed `final`, with its manifest, in one atomic step.

    The manifest is the last file written to `staged`; then one rename (or, over an older state, one
    exchange of the two names) shows both. `staged` is gone afterwards.
    Raises RetryableFault when another writer is committing `final`, or has just committed this very state.
    """
    with _locked(root, f"{_name(root, final)}.commit", f"Another writer is committing {final.name}"):
        current = read_manifest(final)
        if current is not None and current.get("fingerprint") == manifest.get("fingerprint"):
            raise RetryableFault(f"Another writer committed {final} meanwhile; run again and it will be reused.")
        write_manifest(staged, manifest)
        final.parent.mkdir(parents=True, exist_ok=True)
        _install(staged, final)
        _sync(final.parent)


@contextmanager
def exclusive_writer(root: Root, *finals: Path) -> Iterator[None]:
    """Hold the right to compute these directories; a killed holder frees it.

    Raises RetryableFault when another writer holds one of them.
    """
    with ExitStack() as held:
        for final in sorted(set(finals)):
            busy = f"Another writer is working on {final.parent.name}/{final.name}"
            held.enter_context(_locked(root, f"{_name(root, final)}.writer", busy))
        yield


@contextmanager
def waiting_writer(root: Root, final: Path) -> Iterator[None]:
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
def staging_attempt(root: Root, fingerprint: str) -> Iterator[Path]:
    """A new, empty staging directory, removed at the end; what killed attempts left behind is removed first."""
    _sweep(root)
    attempt = uuid.uuid4().hex[:12]
    with _locked(root, f"attempt.{fingerprint}.{attempt}", "This attempt is running elsewhere"):
        directory = root.staging(fingerprint, attempt)
        directory.mkdir(parents=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    root.lock(f"attempt.{fingerprint}.{attempt}").unlink(missing_ok=True)


def _sweep(root: Root) -> None:
    """Remove the directories of attempts that nobody holds; a killed attempt's last tasks may still have written."""
    for directory in (root.path / "_staging").glob("*/*"):
        name = f"attempt.{directory.parent.name}.{directory.name}"
        try:
            with _locked(root, name, ""):
                shutil.rmtree(directory, ignore_errors=True)
        except RetryableFault:
            continue  # still running
        root.lock(name).unlink(missing_ok=True)


@contextmanager
def _locked(root: Root, name: str, busy: str) -> Iterator[None]:
    path = root.lock(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RetryableFault(f"{busy}; wait until it has ended, then run again.") from None
        yield
    finally:
        os.close(handle)


def _name(root: Root, final: Path) -> str:
    return "-".join(final.relative_to(root.path).parts)


def _install(staged: Path, final: Path) -> None:
    if not final.exists():
        staged.rename(final)
        return
    try:
        _exchange(staged, final)
        shutil.rmtree(staged)
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


def _replace_in_two_steps(staged: Path, final: Path) -> None:
    """For file systems without exchange: the old state is taken away whole before the new one comes.

    Killed between the two renames, the period is absent (never mixed) and the next run computes it.
    """
    old = staged.with_name(f"{staged.name}.replaced")
    final.rename(old)
    staged.rename(final)
    shutil.rmtree(old)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
