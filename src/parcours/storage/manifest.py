"""Manifests: a directory exists for a reader only when its manifest does."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parcours.storage.root import Root

MANIFEST = "_MANIFEST.json"


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest of a committed directory, or None when there is none."""
    path = directory / MANIFEST
    if not path.is_file():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return manifest


def write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest at once: a reader sees all of it or none."""
    write_json(directory / MANIFEST, manifest)


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name, to the disk, then rename."""
    write_whole(path, json.dumps(content, indent=1, default=str))


def write_whole(path: Path, text: str) -> None:
    """Write a text under a temporary name, to the disk, then rename: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


def committed_periods(root: "Root", product: str) -> dict[str, dict[str, Any]]:
    """Manifests of the committed periods of a product, by period, in period order."""
    found = {}
    for directory in sorted(root.flat(product).glob("period=*")):
        manifest = read_manifest(directory)
        if manifest is not None:
            found[directory.name.removeprefix("period=")] = manifest
    return found
