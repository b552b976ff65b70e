"""A Spark job as a task: submits it, shows its progress and pages, and retries only what a retry may cure."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from parcours_airflow.defaults import SPARK_JOBS
from parcours_airflow.failures import fail, note_failure
from parcours_airflow.links import DataDocsLink, MLflowLink, ReportLink, SparkLink, served_page
from parcours_airflow.output import JobOutput

REFUSED, WRONG_INPUT = 1, 2


class SparkJob(SparkSubmitOperator):
    """Submit one of the project's spark_jobs; `job` is its name.

    Returns the job's summary without its lists. Exit codes 1 (refused) and 2 (wrong input) fail the task at once,
    with the job's own sentence; any other failure is retried. No arguments means nothing to do: the task is skipped.
    """

    operator_extra_links: ClassVar[Sequence[Any]] = (SparkLink(),)

    def __init__(self, *, job: str, **kwargs: Any) -> None:
        super().__init__(application=str(SPARK_JOBS / f"{job}.py"), **kwargs)
        self.job = job
        self.pages: dict[str, str] = {}

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the job to its end.

        Raises AirflowFailException when a retry cannot help, AirflowException when it may.
        """
        if not self.application_args:
            raise AirflowSkipException(f"Nothing to do for {self.task_id}.")
        output = JobOutput()
        self._hook = self._watched_hook(output, context)
        try:
            super().execute(context)
        except AirflowException:
            self._fail(output, context)
        finally:
            self._note_pages(output)
        return {name: value for name, value in output.summary.items() if not isinstance(value, list | dict)}

    def _watched_hook(self, output: JobOutput, context: Any) -> SparkSubmitHook:
        hook = self._get_hook()
        log_lines = hook._process_spark_submit_log
        hook._process_spark_submit_log = lambda lines: log_lines(self._shown(output, lines, context))
        return hook

    def _shown(self, output: JobOutput, lines: Iterable[str], context: Any) -> Iterator[str]:
        """The job's lines; what they tell is on the page of the task while the job runs, not only after it."""
        store, progress = context.get("task_state_store"), None
        for line in output.watch(lines):
            yield line
            if output.application_id and "spark" not in self.pages:
                self._note_pages(output)
                context["ti"].xcom_push(key=SparkLink().xcom_key, value=self.pages.get("spark", ""))
            if store is not None and output.progress not in (None, progress):
                progress = output.progress
                store.set("progress", progress)

    def _fail(self, output: JobOutput, context: Any) -> None:
        process = self._hook._submit_sp if self._hook else None
        code = process.returncode if process else None
        if code in (REFUSED, WRONG_INPUT):
            fail(context, code, output.sentence)
        note_failure(context, code, output.sentence)
        raise AirflowException(f"{output.sentence} (exit code {code})")

    def _note_pages(self, output: JobOutput) -> None:
        history, verdict = os.environ.get("PARCOURS_SPARK_HISTORY_URL", ""), output.summary.get("data_docs")
        found = {
            "spark": output.application_id and f"{history}/history/{output.application_id}/jobs/",
            "docs": served_page(verdict or output.report or ""),
            "report": served_page(output.summary.get("report") or ""),
            "mlflow": output.summary.get("mlflow_url"),
        }
        self.pages = {name: page for name, page in found.items() if page}


class GateJob(SparkJob):
    """A Spark job that ends with a verdict."""

    operator_extra_links: ClassVar[Sequence[Any]] = (SparkLink(), DataDocsLink())


class TrackedJob(SparkJob):
    """A job that writes a report and logs a run in MLflow."""

    operator_extra_links: ClassVar[Sequence[Any]] = (ReportLink(), MLflowLink())
