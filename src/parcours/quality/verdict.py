"""The verdict: outcomes as JSON, and the sentences that say what failed and where to look."""

from collections.abc import Iterable
from typing import Any

from parcours.errors import GateRefused
from parcours.quality.catalogue import WHOLE_STUDY
from parcours.quality.evaluation import Outcome

VERDICT = "verdict.json"


def rule_record(outcome: Outcome, table: str, root: str) -> dict[str, Any]:
    """One rule of verdict.json; `table` is the catalogue's name, `root` the folder named in `where`.

    Counts are exact, as the verdict stays in the root; `found` and `sentence` are fit to leave.
    """
    rule = outcome.rule
    return {
        "id": rule.id,
        "table": table,
        "description": rule.description,
        "severity": rule.severity,
        "success": outcome.success,
        "unexpected_count": outcome.unexpected,
        # Lines of a profile are no rows: beside the rows they stand for, their number would mislead.
        "element_count": outcome.elements if rule.rows is None else None,
        "where": _where(outcome, root),
        "periods": {} if outcome.success else outcome.places,
        "found": outcome.found,
        "sentence": "" if outcome.success else _sentence(outcome, root),
    }


def critical_failures(rules: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of critical rules that failed."""
    return [rule for rule in rules if rule["severity"] == "critical" and not rule["success"]]


def warnings(rules: Iterable[dict[str, Any]]) -> list[str]:
    """Sentences of the warnings, in the order of the catalogue."""
    return [rule["sentence"] for rule in rules if rule["severity"] == "warning" and not rule["success"]]


def refuse(verdict: dict[str, Any]) -> None:
    """Raise GateRefused, with a sentence for each failed critical rule, unless the verdict passed."""
    if verdict["passed"]:
        return
    failed = critical_failures(verdict["rules"])
    lines = "\n".join(rule["sentence"] for rule in failed)
    raise GateRefused(
        f"The quality gate refused: {len(failed)} critical rule(s) failed.\n{lines}\nReport: {verdict['data_docs']}"
    )


def _sentence(outcome: Outcome, root: str) -> str:
    rule = outcome.rule
    about = f"(rule {rule.id}, {rule.severity}). Look at {_where(outcome, root)}."
    if not outcome.evaluated:
        return f"{rule.problem}: perhaps; the rule could not be evaluated {about}"
    if rule.unit == WHOLE_STUDY:
        return f"{rule.problem} {about}"
    return f"{rule.problem}: {outcome.found}{_periods(outcome.places)} {about}"


def _periods(places: dict[str, int]) -> str:
    if not places or set(places) == {"features"}:
        return ""
    first = next(iter(places))
    return f" in {first}" if len(places) == 1 else f" in {len(places)} periods from {first} to {list(places)[-1]}"


def _where(outcome: Outcome, root: str) -> str:
    first = next(iter(outcome.places), None)
    if outcome.success or first is None:
        return outcome.rule.where_to_look.replace("{root}", root).replace("{period}", "*")
    return outcome.rule.where_to_look.replace("{root}", root).replace("{period}", first)
