"""The published flat tables as assets: `snds_flatten` updates them, studies wait for them."""

import json
from typing import Any

from airflow.sdk import Asset

from parcours.storage.fingerprint import fingerprint
from parcours.storage.root import open_root


def flat_asset(product: str) -> Asset:
    """The asset of one product."""
    return Asset(name=f"snds/flat/{product}", uri=f"parcours://snds/flat/{product}", group="snds")


def published_state(root: str, product: str) -> dict[str, Any]:
    """What the gate last let through: {periods: how many, fingerprint, verdict}; no period when nothing was."""
    path = open_root(root).publication(product)
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {"periods": {}}
    periods = content["periods"]
    return {"periods": len(periods), "fingerprint": fingerprint(periods), "verdict": content.get("verdict")}
