"""The stage after the report: a person's decision goes to MLflow, where the approved model of a study is looked up."""

from typing import Any

from parcours.cohort.plan import read_run
from parcours.cohort.sign_off import APPROVED, decisions, in_words, sign_off
from parcours.errors import InputError
from parcours.storage.place import Place
from parcours.storage.root import open_root


def run_sign_off(run_json: str | Place, decision: str, by: str, reason: str) -> dict[str, Any]:
    """Note a decision on a run and tell it to MLflow.

    Raises what `sign_off` and `run_approve` raise; a decision that MLflow has not heard of yet is kept.
    """
    sign_off(read_run(run_json), decision, by, reason)
    return run_approve(run_json)


def run_approve(run_json: str | Place) -> dict[str, Any]:
    """Point the alias `approved` of the study's model at this run if that was decided last, else away from it.

    Raises InputError when nobody has decided yet, RetryableFault when the tracking server cannot be used.
    """
    from parcours.tracking.approved import tell_decision

    run = read_run(run_json)
    told = decisions(run)
    if not told:
        raise InputError(f"Nobody has decided on run {run['fingerprint']} of {run['cohort']} yet; sign it off first.")
    last = told[-1]
    url = tell_decision(open_root(run["root"]).path, run["cohort"], run["fingerprint"], last, in_words(last))
    return {
        "status": "done",
        "stage": "approve",
        "decision": last["decision"],
        "by": last["by"],
        "at": last["at"],
        "alias": APPROVED if last["decision"] == APPROVED else None,
        "mlflow_url": url,
    }
