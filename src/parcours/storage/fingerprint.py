"""Fingerprints: the same value, file or code gives the same text, on any machine."""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from parcours.storage.place import Place

PACKAGE = Path(__file__).parents[1]
BLOCK = 1 << 20


def fingerprint(value: Any) -> str:
    """16 hex digits of the SHA-256 of the canonical JSON of `value` (keys sorted, no blanks)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def checksum(path: Place) -> str:
    """SHA-256 of a file, as `sha256:<hex>`."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
    return named(digest)


def named(digest: "hashlib._Hash") -> str:
    """A SHA-256 as `sha256:<hex>`."""
    return f"sha256:{digest.hexdigest()}"


@cache
def sources_version(*parts: str) -> str:
    """16 hex digits of the sources of parts of the package (`"flatten"`, `"snds/identity.py"`); "" is all of it."""
    digest = hashlib.sha256()
    for source in sorted(set(_sources(parts))):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _sources(parts: tuple[str, ...]) -> Iterator[Path]:
    for part in parts:
        path = PACKAGE / part
        if path.is_file():
            yield path
        else:
            yield from (file for file in path.rglob("*") if file.suffix in (".py", ".yaml"))


@cache
def code_version() -> str:
    """What code ran: package version, commit when in a checkout, and a hash of the sources as they were."""
    try:
        release = version("parcours")
    except PackageNotFoundError:
        release = "0"
    commit = _commit(PACKAGE.parents[1] / ".git")
    return f"{release}+{f'g{commit[:12]}.' if commit else ''}s{sources_version('')[:8]}"


def _commit(git: Path) -> str | None:
    head = git / "HEAD"
    if not head.is_file():
        return None
    text = head.read_text("utf-8").strip()
    if not text.startswith("ref: "):
        return text
    reference = text.removeprefix("ref: ")
    if (git / reference).is_file():
        return (git / reference).read_text("utf-8").strip()
    packed = git / "packed-refs"
    lines = packed.read_text("utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {reference}")), None)
