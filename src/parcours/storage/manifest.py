"""Manifests: a directory exists for a reader only when its manifest does."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from parcours.storage.place import Place, found, write_whole

if TYPE_CHECKING:
    from parcours.storage.root import Root

MANIFEST = "_MANIFEST.json"


def read_manifest(directory: Place) -> dict[str, Any] | None:
    """The manifest of a committed directory, or None when there is none."""
    path = directory / MANIFEST
    if not path.is_file():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return manifest


def write_manifest(directory: Place, manifest: dict[str, Any]) -> None:
    """Write the manifest at once: a reader sees all of it or none."""
    write_json(directory / MANIFEST, manifest)


def write_json(path: Place, content: Any) -> None:
    """Write JSON under a temporary name, to the disk, then rename."""
    write_whole(path, json.dumps(content, indent=1, default=str).encode())


def committed_periods(root: "Root", product: str) -> dict[str, dict[str, Any]]:
    """Manifests of the committed periods of a product, by period, in period order."""
    periods = {}
    for directory in found(root.flat(product), "period=*"):
        manifest = read_manifest(directory)
        if manifest is not None:
            periods[directory.name.removeprefix("period=")] = manifest
    return periods


def is_synthetic(manifests: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a delivery behind any of these periods says that its persons are made up."""
    return any(manifest.get("config", {}).get("synthetic", False) for manifest in manifests)
