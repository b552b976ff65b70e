"""Where the work on a root stands, read from manifests and progress files alone."""

import json
from typing import Any

from parcours.errors import InputError
from parcours.snds.contracts import committed_names
from parcours.storage.manifest import committed_periods, read_manifest
from parcours.storage.place import Place, found
from parcours.storage.progress import running_jobs
from parcours.storage.publication import changed_periods, published_fingerprints
from parcours.storage.root import Root, open_root

STUDY_STAGES = ("cohort", "features", "model", "report")


def root_status(root_uri: str) -> dict[str, Any]:
    """Committed periods by product, jobs that run, and studies with their finished stages.

    Raises InputError when there is no root.
    """
    root = open_root(root_uri)
    if not root.path.exists():
        raise InputError(f"There is no root at {root.path}; give the folder that `parcours flatten` was given.")
    return {
        "root": str(root.path),
        "products": [_product(root, name) for name in committed_names() if committed_periods(root, name)],
        "running": running_jobs(root),
        "studies": [_study(root, run) for run in found(root.path, "studies/*/*/run.json")],
    }


def _product(root: Root, name: str) -> dict[str, Any]:
    periods = committed_periods(root, name)
    written = [manifest["rows"]["written"] for manifest in periods.values()]
    ends = [str(manifest["ended"]) for manifest in periods.values()]
    published = published_fingerprints(root, name)
    committed = _fingerprints(root, name)
    return {
        "product": name,
        "periods": len(periods),
        "first": min(periods),
        "last": max(periods),
        "rows": sum(written),
        "ended": max(ends),
        "published": "" if not published else "yes" if not changed_periods(published, committed) else "stale",
    }


def _study(root: Root, run: Place) -> dict[str, Any]:
    """Finished stages of a study run, and the periods that were replaced since it was planned."""
    done = [stage for stage in STUDY_STAGES if read_manifest(run.parent / stage)]
    stale = [
        f"{product} {period}"
        for product, used in json.loads(run.read_text("utf-8")).get("data", {}).items()
        for period in changed_periods(used, _fingerprints(root, product))
    ]
    return {
        "cohort": run.parent.parent.name,
        "fingerprint": run.parent.name,
        "done": ", ".join(done),
        "stale": f"{stale[0]} and {len(stale) - 1} more" if len(stale) > 1 else "".join(stale),
    }


def _fingerprints(root: Root, product: str) -> dict[str, str]:
    return {period: manifest["fingerprint"] for period, manifest in committed_periods(root, product).items()}
