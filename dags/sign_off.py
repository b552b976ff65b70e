"""A person answers for a report: approve or reject it, with a reason.

ask -> note -> approve. Each report of a study starts one run, which waits under *Required Actions* until somebody with
the role of an epidemiologist (in Airflow: User) answers, be it in weeks; the study itself is done and may run again.
Who decided, when and why is written beside the run on the root and into MLflow, where the alias `approved` of the
study's model follows the last decision.
"""

from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, get_current_context, task
from parcours_airflow.defaults import DEFAULT_ARGS
from parcours_airflow.failures import told_to_airflow
from parcours_airflow.operators import TrackedJob

from parcours.cohort.sign_off import DECISIONS, LONGEST_REASON
from parcours.front.addresses import SIGN_OFF

WAITING = 200  # reports that may wait for an answer at once


@task
def note(answer: dict[str, Any]) -> str:
    """Write the decision beside the run; what was decided, in words."""
    from parcours.cohort.plan import read_run
    from parcours.cohort.sign_off import in_words, sign_off

    context = get_current_context()
    with told_to_airflow(context):
        (decision,), who = answer["chosen_options"], answer["responded_by_user"] or {}
        by, reason = str(who.get("name") or who.get("id") or ""), str(answer["params_input"].get("reason") or "")
        return in_words(sign_off(read_run(context["params"]["run"]), decision, by, reason))


with DAG(
    dag_id=SIGN_OFF,
    dag_display_name="Sign-off of reports",
    description="A named person approves or rejects a report, with a reason",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=WAITING,
    is_paused_upon_creation=False,
    tags=["parcours", "sign-off"],
    default_args=DEFAULT_ARGS,
    params={
        "run": Param("", type="string", minLength=1, title="Run", description="The run.json of the reported run."),
        "name": Param("", type="string", title="Name", description="What the run is called."),
        "report": Param("", type="string", title="Report", description="Address of the report."),
    },
) as dag:
    ask = HITLOperator(
        task_id="ask",
        task_display_name="Approve or reject",
        subject="Does the report of {{ params.name or params.run }} hold?",
        body="Read the [report]({{ params.report }}) first. The decision, its reason and your name are kept with the "
        "run, and MLflow's alias `approved` follows it.",
        options=list(DECISIONS),
        params={
            # Airflow checks the form before it is filled in: an empty reason is refused by the task after it.
            "reason": Param(
                "",
                type="string",
                maxLength=LONGEST_REASON,
                title="Reason",
                description="Why; others will read it. No name and no detail of a patient.",
            )
        },
    )
    approve = TrackedJob(
        task_id="approve",
        task_display_name="Tell MLflow",
        job="inference",
        name="sign-off",
        application_args=["--run", "{{ params.run }}", "--stage", "approve"],
    )
    note.override(task_display_name="Note the decision")(ask.output) >> approve
