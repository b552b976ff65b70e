"""A Spark job as a task: submits it, shows its progress and pages, and tells faults that a retry may cure from others."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from parcours_airflow.defaults import SPARK_JOBS
from parcours_airflow.links import DataDocsLink, MLflowLink, SparkLink
from parcours_airflow.output import JobOutput
from parcours_airflow.progress import copied_progress

REFUSED, WRONG_INPUT = 1, 2


class SparkJob(SparkSubmitOperator):
    """Submit one of the project's spark_jobs; `job` is its name, `progress` the file where it tells how far it is.

    Returns the job's summary without its lists. Exit codes 1 (refused) and 2 (wrong input) fail the task at once with the
    job's own sentence; any other failure is retried. No arguments means nothing to do: the task is skipped.
    """

    operator_extra_links: ClassVar[Sequence[Any]] = (SparkLink(),)
    template_fields: Sequence[str] = (*SparkSubmitOperator.template_fields, "progress")

    def __init__(self, *, job: str, progress: str | None = None, **kwargs: Any) -> None:
        super().__init__(application=str(SPARK_JOBS / f"{job}.py"), **kwargs)
        self.job = job
        self.progress = progress
        self.pages: dict[str, str] = {}

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the job to its end.

        Raises AirflowFailException when a retry cannot help, AirflowException when it may.
        """
        if not self.application_args:
            raise AirflowSkipException(f"Nothing to do for {self.task_id}.")
        output = JobOutput()
        self._hook = self._watched_hook(output, context)
        store = context.get("task_state_store")
        keep = (lambda progress: store.set("progress", progress)) if store is not None else None
        try:
            with copied_progress(Path(self.progress) if self.progress else None, keep):
                super().execute(context)
        except AirflowException as error:
            raise self._failure(output) from error
        finally:
            self._note_pages(output)
        return {name: value for name, value in output.summary.items() if not isinstance(value, list | dict)}

    def _watched_hook(self, output: JobOutput, context: Any) -> SparkSubmitHook:
        hook = self._get_hook()
        log_lines = hook._process_spark_submit_log

        def watched(lines: Any) -> None:
            log_lines(self._announced(output, lines, context))

        hook._process_spark_submit_log = watched
        return hook

    def _announced(self, output: JobOutput, lines: Any, context: Any) -> Any:
        """The job's lines; as soon as they name the application, its link works, not only after the job."""
        announced = False
        for line in output.watch(lines):
            yield line
            if output.application_id and not announced:
                announced = True
                self._note_pages(output)
                context["ti"].xcom_push(key=SparkLink().xcom_key, value=self.pages["spark"])

    def _failure(self, output: JobOutput) -> AirflowException:
        process = self._hook._submit_sp if self._hook else None
        code = process.returncode if process else None
        if code in (REFUSED, WRONG_INPUT):
            return AirflowFailException(output.sentence)
        return AirflowException(f"{output.sentence} (exit code {code})")

    def _note_pages(self, output: JobOutput) -> None:
        history = os.environ.get("PARCOURS_SPARK_HISTORY_URL")
        if history and output.application_id:
            self.pages["spark"] = f"{history}/history/{output.application_id}/jobs/"


class GateJob(SparkJob):
    """A Spark job that ends with a verdict; `verdict` is the file it writes, whether it passes or refuses."""

    operator_extra_links: ClassVar[Sequence[Any]] = (SparkLink(), DataDocsLink())


class TrackedJob(SparkJob):
    """A Spark job that logs a run in MLflow."""

    operator_extra_links: ClassVar[Sequence[Any]] = (SparkLink(), MLflowLink())
