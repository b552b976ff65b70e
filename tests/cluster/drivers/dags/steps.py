"""A DAG of one Spark job, as the project's own DAGs have them; what is read is a folder."""

from datetime import timedelta

from airflow.sdk import DAG
from parcours_airflow.operators import SparkJob
from parcours_airflow.work import READS

READS["steps"] = (("--input", "*"),)

with DAG(
    dag_id="steps",
    schedule=None,
    params={"steps": 5, "diary": "", "input": "", "ending": "done"},
    default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
):
    SparkJob(
        task_id="steps",
        job="steps",
        name="steps",
        application_args=[
            *("--steps", "{{ params.steps }}", "--diary", "{{ params.diary }}"),
            *("--input", "{{ params.input }}", "--ending", "{{ params.ending }}"),
        ],
    )
