"""One DAG for each study file in `cohorts/`: plan -> events -> cohort -> features -> gate -> train -> report.

The trigger form shows the study's parameters with their limits and help; what is changed there holds for one run.
A study without a cron line starts when all the products it reads have been published anew, or by hand.
"""

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException
from parcours_airflow.assets import flat_asset
from parcours_airflow.defaults import COHORTS, DEFAULT_ARGS, STUDY_PRODUCTS, default_root
from parcours_airflow.failures import told_to_airflow
from parcours_airflow.forms import checked_params, overrides, root_param, study_params
from parcours_airflow.links import platform_links
from parcours_airflow.notes import note_run, report_page
from parcours_airflow.operators import GateJob, SparkJob, TrackedJob

from parcours.cohort.study import load_study
from parcours.cohort.titles import run_line
from parcours.errors import InputError

TITLES = {
    "events": "Read the events",
    "cohort": "Build the cohort",
    "features": "Make the features",
    "gate": "Quality gate",
    "train": "Fit the model",
    "report": "Report and MLflow run",
}
PUBLISHED = [flat_asset(product) for product in STUDY_PRODUCTS]


@task(task_display_name="Plan the run")
def plan(study_file: str) -> str:
    """Resolve the study with the form's parameters on the published data; the path of its run.json."""
    from parcours.cohort.plan import read_run, write_run

    context = get_current_context()
    with told_to_airflow(context):
        study = load_study(Path(study_file))
        params = checked_params(context)
        changes = overrides(study.parameters(), params)
        asked_by = {"dag_id": context["dag"].dag_id, "run_id": context["run_id"]}
        path = write_run(params["root"], study, changes, asked_by)
        run = read_run(path)
    # For the names of the jobs, which a template renders without reading files.
    context["ti"].xcom_push(key="name", value=run_line(run))
    note_run(context, run, {"Report (when it is done)": report_page(path)})
    return str(path)


def study_dag(file: Path) -> DAG:
    """The DAG of one study file; a file with a mistake gives a DAG whose only task fails with its sentence."""
    try:
        study = load_study(file)
    except InputError as error:
        return broken_dag(file.stem, str(error))
    with DAG(
        dag_id=f"study__{study.cohort}",
        dag_display_name=f"{study.cohort.replace('_', ' ').capitalize()}: {study.title}",
        description=study.title,
        doc_md="\n\n".join(filter(None, (f"**{study.title}**", study.description, platform_links(), __doc__))),
        schedule=study.schedule or PUBLISHED,
        catchup=False,
        max_active_runs=1,
        tags=["parcours", "study"],
        default_args=DEFAULT_ARGS,
        params={**study_params(study.parameters()), "root": root_param(default_root())},
    ) as dag:
        _chain(file)
    return dag


def _chain(file: Path) -> None:
    run = plan(str(file))
    events, cohort, features = (_featuring(run, stage) for stage in ("events", "cohort", "features"))
    gate = GateJob(job="quality", application_args=["--run", run], **_named("gate"))
    train, report = _inference(SparkJob, run, "train"), _inference(TrackedJob, run, "report")
    run >> events >> cohort >> features >> gate >> train >> report


def _featuring(run: Any, stage: str) -> SparkJob:
    arguments = ["--run", run, "--stage", stage]
    return SparkJob(job="featuring", application_args=arguments, **_named(stage))


def _inference(operator: type[SparkJob], run: Any, stage: str) -> SparkJob:
    arguments = ["--run", run, "--stage", stage]
    return operator(job="inference", application_args=arguments, **_named(stage))


def _named(stage: str) -> dict[str, str]:
    """How the task and its application are called: `fall · 75 and over · data to 2018-06 · train`."""
    name = f"{{{{ ti.xcom_pull(task_ids='plan', key='name') }}}} · {stage}"
    return {"task_id": stage, "task_display_name": TITLES[stage], "name": name}


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
