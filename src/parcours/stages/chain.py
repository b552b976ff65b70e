"""The whole chain without Airflow: flatten -> gate -> events -> cohort -> features -> gate -> train -> report."""

from collections.abc import Callable
from typing import Any

from parcours.storage.place import Place

OnProgress = Callable[[int, int, str], None]


def run_chain(
    delivery: str | Place, root: str, plan_run: Callable[[], Place], on_progress: OnProgress | None = None
) -> dict[str, Any]:
    """Run every stage in order; each reuses what is already done for the same inputs.

    `plan_run` writes run.json once the flat tables are published, because the run's fingerprint
    follows from them. Raises GateRefused at the first gate that refuses.
    """
    from parcours.stages.cohort import run_cohort, run_features
    from parcours.stages.events import run_events
    from parcours.stages.flatten import run_flatten
    from parcours.stages.inference import run_report, run_train
    from parcours.stages.quality import run_check, run_study_gate
    from parcours.stages.releases import summary_to_leave

    report = on_progress or (lambda done, total, label: None)
    summary: dict[str, Any] = {}
    report(0, 8, "flatten")
    summary["flatten"] = run_flatten(delivery, root, None, None, None, None)
    report(1, 8, "quality gate")
    summary["check"] = run_check(root, None, "chain")
    run = plan_run()
    stages: list[tuple[str, Callable[[str | Place], dict[str, Any]]]] = [
        ("events", run_events),
        ("cohort", run_cohort),
        ("features", run_features),
        ("study_gate", run_study_gate),
        ("train", run_train),
        ("report", run_report),
    ]
    for number, (name, stage) in enumerate(stages, start=2):
        report(number, 8, name)
        summary[name] = summary_to_leave(run, stage(run))
    return {"run": str(run), **summary}
