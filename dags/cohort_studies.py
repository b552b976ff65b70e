"""One DAG for each study file in `cohorts/`: plan -> events -> cohort -> features -> gate -> train -> report.

With *Preview only* ticked, the run ends after a minute with about how many persons, cases and medicines it would have,
and how long it would take. A report asks for sign-off in a DAG of its own, so that the study may run again meanwhile.

The trigger form shows the study's parameters with their limits and help; what is changed there holds for one run.
A study starts when a product that it reads has been published anew, by its cron line where it has one, or by hand. A
run that was not asked for by hand ends with the plan when there is nothing new. A backfill of the cron line reads the
data up to the month before each of its dates.
"""

import logging
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from parcours_airflow.assets import flat_asset, study_asset
from parcours_airflow.defaults import COHORTS, DEFAULT_ARGS, STUDY_PRODUCTS, default_root, kept_studies
from parcours_airflow.failures import told_to_airflow
from parcours_airflow.forms import checked_params, overrides, preview_param, root_param, study_params
from parcours_airflow.links import ReportLink, platform_links
from parcours_airflow.mail import failure_message, mails, signals_message
from parcours_airflow.notes import note_run, report_page
from parcours_airflow.operators import GateJob, SparkJob, StudyReport
from parcours_airflow.schedules import data_of_backfill, started_by_itself, study_deadline, study_schedule

from parcours.cohort.kept_studies import live_study
from parcours.cohort.titles import run_line
from parcours.errors import InputError
from parcours.front.addresses import SIGN_OFF, sign_off_run

log = logging.getLogger(__name__)
PREVIEW = "preview"
TITLES = {
    PREVIEW: "Preview, if asked for",
    "events": "Read the events",
    "cohort": "Build the cohort",
    "features": "Make the features",
    "gate": "Quality gate",
    "train": "Fit the model",
    "report": "Report and MLflow run",
}


@task(task_display_name="Plan the run")
def plan(study_file: str) -> str:
    """Resolve the study with the form's parameters on the published data; the path of its run.json."""
    from parcours.cohort.finished_runs import nothing_new
    from parcours.cohort.plan import read_run, write_run

    context = get_current_context()
    with told_to_airflow(context):
        study, broken = live_study(Path(study_file), kept_studies())
        if broken:
            tell(context, broken)
        params = checked_params(context)
        changes = overrides(study.parameters(), params) | data_of_backfill(context, study.timezone)
        asked_by = {"dag_id": context["dag"].dag_id, "run_id": context["run_id"]}
        path = write_run(params["root"], study, changes, asked_by)
        run = read_run(path)
        sentence = nothing_new(run) if started_by_itself(context) else None
    said = [words for words in (broken, sentence) if words]
    note_run(context, run, {"Report (when it is done)": report_page(path)}, said)
    if sentence:
        tell(context, sentence)
        raise AirflowSkipException(sentence)
    first = {PREVIEW: [], "events": []} | {PREVIEW if params["preview_only"] else "events": ["--run", str(path)]}
    for stage, arguments in first.items():  # without arguments a job has nothing to do, nor have those after it
        context["ti"].xcom_push(key=stage, value=[*arguments, "--stage", stage] if arguments else [])
    context["ti"].xcom_push(key="sign_off", value=sign_off_run(study.cohort, run["fingerprint"]))
    # For the names of the jobs, which a template renders without reading files.
    context["ti"].xcom_push(key="name", value=run_line(run))
    return str(path)


def tell(context: Any, sentence: str) -> None:
    """Keep a sentence about the run with its task, where whoever lists runs finds it."""
    log.warning(sentence)
    context["ti"].xcom_push(key="note", value=sentence)


def study_dag(file: Path) -> DAG:
    """The DAG of one study file; with a mistake, of its last good version; a DAG that only tells it where none was."""
    try:
        study, broken = live_study(file, kept_studies())
    except InputError as error:
        return broken_dag(file.stem, str(error))
    with DAG(
        dag_id=f"study__{study.cohort}",
        dag_display_name=f"{study.cohort.replace('_', ' ').capitalize()}: {study.title}",
        description=broken or study.title,
        doc_md="\n\n".join(
            filter(
                None,
                (f"**{broken}**" if broken else "", f"**{study.title}**", study.description, platform_links(), __doc__),
            )
        ),
        schedule=study_schedule(study),
        deadline=study_deadline(study),
        catchup=False,
        max_active_runs=1,
        tags=["parcours", "study", *(["broken"] if broken else [])],
        default_args={**DEFAULT_ARGS, "on_failure_callback": mails(failure_message)},
        params={
            **study_params(study.parameters()),
            "preview_only": preview_param(),
            "root": root_param(default_root()),
        },
    ) as dag:
        _chain(file, study.cohort)
    return dag


def _chain(file: Path, cohort_name: str) -> None:
    run = plan(str(file))
    preview, events = (_featuring(run[stage], stage) for stage in (PREVIEW, "events"))
    cohort, features = (_featuring(_stage(run, stage), stage) for stage in ("cohort", "features"))
    gate = GateJob(job="quality", application_args=["--run", run], **_named("gate"))
    train = SparkJob(job="inference", application_args=_stage(run, "train"), **_named("train"))
    report = StudyReport(
        job="inference",
        application_args=_stage(run, "report"),
        inlets=[flat_asset(product) for product in STUDY_PRODUCTS],
        outlets=[study_asset(cohort_name)],
        on_success_callback=mails(signals_message),
        **_named("report"),
    )
    run >> preview
    run >> events >> cohort >> features >> gate >> train >> report >> _ask_for_sign_off()


def _featuring(arguments: Any, stage: str) -> SparkJob:
    """A stage of featuring; the plan says whether the first ones have anything to do."""
    return SparkJob(job="featuring", application_args=arguments, **_named(stage))


def _stage(run: Any, stage: str) -> list[Any]:
    return ["--run", run, "--stage", stage]


def _named(stage: str) -> dict[str, str]:
    """How the task and its application are called: `fall · 75 and over · data to 2018-06 · train`."""
    name = f"{{{{ ti.xcom_pull(task_ids='plan', key='name') }}}} · {stage}"
    return {"task_id": stage, "task_display_name": TITLES[stage], "name": name}


def _ask_for_sign_off() -> TriggerDagRunOperator:
    """One sign-off for each run of the study, however often it is asked for."""
    return TriggerDagRunOperator(
        task_id="ask_for_sign_off",
        task_display_name="Ask for sign-off",
        trigger_dag_id=SIGN_OFF,
        trigger_run_id="{{ ti.xcom_pull(task_ids='plan', key='sign_off') }}",
        conf={
            "run": "{{ ti.xcom_pull(task_ids='plan') }}",
            "name": "{{ ti.xcom_pull(task_ids='plan', key='name') }}",
            "report": "{{ ti.xcom_pull(task_ids='report', key='" + ReportLink().xcom_key + "') or '' }}",
        },
        note="{{ ti.xcom_pull(task_ids='plan', key='name') }}",
        skip_when_already_exists=True,
    )


def broken_dag(name: str, sentence: str) -> DAG:
    """What a study file with a mistake becomes, so that the other studies go on."""

    @task(task_id="plan")
    def refuse() -> None:
        raise AirflowFailException(sentence)

    with DAG(
        dag_id=f"study__{name}",
        description="This study file has a mistake",
        doc_md=sentence,
        schedule=None,
        tags=["parcours", "study", "broken"],
        default_args=DEFAULT_ARGS,
    ) as dag:
        refuse()
    return dag


# A worker that runs one task of one study reads that study only.
asked = get_parsing_context().dag_id
for study_path in sorted(COHORTS.glob("*.yaml")):
    if asked in (None, f"study__{study_path.stem}"):
        globals()[f"study__{study_path.stem}"] = study_dag(study_path)
