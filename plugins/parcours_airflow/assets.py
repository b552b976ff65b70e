"""What Airflow's asset graph shows: delivery -> flat tables -> study. Only the platform's own root updates them."""

import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset

from parcours.storage.fingerprint import fingerprint
from parcours.storage.root import open_root
from parcours_airflow.defaults import default_root


def delivery_asset() -> Asset:
    """The raw files that were delivered."""
    return Asset(name="snds/delivery", uri="parcours://snds/delivery", group="snds")


def flat_asset(product: str) -> Asset:
    """The published flat tables of one product, in the platform's own root."""
    return Asset(name=f"snds/flat/{product}", uri=f"parcours://snds/flat/{product}", group="snds")


def study_asset(cohort: str) -> Asset:
    """The report of a study, in the platform's own root."""
    return Asset(name=f"snds/study/{cohort}", uri=f"parcours://snds/study/{cohort}", group="snds")


def announce(context: Any, updated: Mapping[Asset, Mapping[str, Any]]) -> bool:
    """Let the running task update these of its outlets, each with what is told of it, and no other; whether it does.

    A run on another root than the platform's own updates none: what is tried there starts no study.
    """
    own = open_root(context["params"]["root"]).path == open_root(default_root()).path
    context["task"].outlets = list(updated) if own else []
    for asset in context["task"].outlets:
        context["outlet_events"][asset].extra = dict(updated[asset])
    return own


def published_state(root: str, product: str) -> dict[str, Any]:
    """What the gate last let through: {periods: how many, fingerprint, verdict}; no period when nothing was."""
    path = open_root(root).publication(product)
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {"periods": {}}
    periods = content["periods"]
    return {"periods": len(periods), "fingerprint": fingerprint(periods), "verdict": content.get("verdict")}
