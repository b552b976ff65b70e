"""Whether the gate let the features of a study through: what training and reporting ask before they begin."""

import json
from collections.abc import Mapping
from typing import Any

from parcours.errors import GateRefused
from parcours.quality.catalogue import catalogue_version
from parcours.quality.verdict import VERDICT, refuse
from parcours.storage.fingerprint import fingerprint
from parcours.storage.place import Place


def features_state(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What a verdict on features is about: this very commit of them, not an earlier one of the same fingerprint."""
    return {"FEATURES": {"features": fingerprint(manifest)}}


def refuse_unless_passed(study: Place, manifest: Mapping[str, Any]) -> None:
    """Let features through that the gate has let through; `study` is the folder of the run, `manifest` theirs.

    Raises GateRefused: with the gate's own sentences when it refused them, and when it has not looked at them, or has
    looked at others or by other rules.
    """
    path = study / "quality" / VERDICT
    if not path.is_file():
        raise GateRefused(
            f"The gate has not looked at the features of {study}; run it first: the task gate, or `parcours features`."
        )
    verdict: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if verdict["fingerprints"] != features_state(manifest) or verdict["catalogue"] != catalogue_version():
        raise GateRefused(
            f"The features of {study}, or the rules, have changed since the gate looked at them; run it again: the task"
            " gate, or `parcours features`."
        )
    refuse(verdict)
