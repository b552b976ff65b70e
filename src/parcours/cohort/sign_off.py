"""Sign-off: who approved or rejected a report, when and why, beside the run that it is of.

Standard library only: called by the command line and inside Airflow tasks. Decisions are added, never changed; the
last one holds.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from parcours.cohort.plan import done_stage, stage_directory
from parcours.errors import InputError
from parcours.storage.locks import locked
from parcours.storage.manifest import write_json
from parcours.storage.place import Place
from parcours.storage.root import open_root

REPORT = "report"
DECISIONS = APPROVED, REJECTED = ("approved", "rejected")
FILE = "sign_off.json"
LONGEST_REASON, LONGEST_NAME = 1000, 100


def sign_off(run: Mapping[str, Any], decision: str, by: str, reason: str) -> dict[str, str]:
    """Add a decision to the run's; what was added: {decision, by, reason, at}.

    Raises InputError for a decision that is none, one without a name or a reason, or a run without a report,
    RetryableFault while somebody else signs.
    """
    added = {"decision": _known(decision), "by": _given("name", by, LONGEST_NAME)}
    added |= {"reason": _given("reason", reason, LONGEST_REASON), "at": datetime.now(UTC).isoformat(timespec="seconds")}
    done_stage(run, REPORT)
    root = open_root(run["root"])
    with locked(root, f"sign-off.{run['fingerprint']}", "This run is being signed elsewhere"):
        write_json(_file(run), [*decisions(run), added])
    return added


def decisions(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """All decisions on a run, the latest last."""
    path = _file(run)
    if not path.is_file():
        return []
    found: list[dict[str, str]] = json.loads(path.read_text("utf-8"))
    return found


def in_words(decision: Mapping[str, str]) -> str:
    """`approved by eve on 2026-01-31: the rise of Zolpidem is known`."""
    return f"{decision['decision']} by {decision['by']} on {decision['at'][:10]}: {decision['reason']}"


def _file(run: Mapping[str, Any]) -> Place:
    return stage_directory(run, REPORT).parent / FILE


def _known(decision: str) -> str:
    if decision not in DECISIONS:
        raise InputError(f"{decision!r} is no decision; say {' or '.join(DECISIONS)}.")
    return decision


def _given(what: str, text: str, longest: int) -> str:
    words = " ".join(text.split())
    if not words:
        raise InputError(f"A sign-off needs a {what}; it is empty.")
    if len(words) > longest:
        raise InputError(f"The {what} of a sign-off has {len(words)} characters; {longest} are the most.")
    return words
