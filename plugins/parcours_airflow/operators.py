"""A Spark job as a task: submits it, shows its progress and pages, and retries only what a retry may cure.

The connection decides where it runs: on a cluster with a REST API the task submits a driver and waits without holding
a worker (see drivers.py), elsewhere it is spark-submit, whose lines are read as they come.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred

from parcours.errors import InputError, ParcoursError, RetryableFault
from parcours.leaving import fit_to_leave
from parcours.storage.job_status import read_status
from parcours.storage.served import served_page
from parcours_airflow.assets import announce
from parcours_airflow.cluster import Cluster, cluster_of
from parcours_airflow.defaults import SPARK_JOBS, scan_here_gigabytes
from parcours_airflow.drivers import (
    DRIVER_KEY,
    Found,
    end_driver,
    find_driver,
    note_success,
    start_driver,
    status_address,
)
from parcours_airflow.failures import REFUSED, WRONG_INPUT, fail, note_failure
from parcours_airflow.forms import checked_params
from parcours_airflow.links import DataDocsLink, MLflowLink, ReportLink, SparkLink, spark_page
from parcours_airflow.notes import note_run
from parcours_airflow.output import JobOutput, report_of
from parcours_airflow.triggers import PROGRESS_KEY, DriverTrigger
from parcours_airflow.work import Work


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
        self._driver: tuple[Cluster, str] | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the job to its end.

        Raises AirflowFailException when a retry cannot help, AirflowException when it may, TaskDeferred while a
        cluster runs it.
        """
        if not self.application_args:
            raise AirflowSkipException(f"Nothing to do for {self.task_id}.")
        cluster = cluster_of(self._conn_id)
        return self._run_here(context) if cluster is None else self._run_on(cluster, context)

    def resume(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """What the driver made of the job; called once it has ended. Raises as `execute` does."""
        kept = context["task_state_store"].get(DRIVER_KEY)
        told = read_status(kept["status"])
        if told.get("submission") != kept["submission"]:
            told = {}
        if "progress" in told:
            context["task_state_store"].set(PROGRESS_KEY, told["progress"])
        self._note_pages(told.get("application_id"), told.get("summary", {}), report_of(told.get("sentence", "")))
        if told.get("exit_code") == 0:
            note_success(context["task_state_store"], self._work())
            return _short(told["summary"])
        lost = (
            f"The driver {event['driver']} ended ({event['state']}) before it told how; its worker's page has its log."
        )
        raise self._failure(context, told.get("exit_code"), told.get("sentence") or lost)

    def on_kill(self) -> None:
        """End what runs: the driver on a cluster, the process on this machine."""
        if self._driver is not None:
            end_driver(*self._driver)
        elif self._hook is not None:
            super().on_kill()

    def _run_on(self, cluster: Cluster, context: Any) -> dict[str, Any]:
        store, work = context["task_state_store"], self._work()
        try:
            found = find_driver(cluster, work, store) or self._start(cluster, work, context)
        except (ParcoursError, OSError) as error:
            raise self._failure(context, getattr(error, "exit_code", None), str(error)) from None
        if found.succeeded:
            return self._already_done(found, work, store)
        self._driver = (cluster, found.driver)
        trigger = DriverTrigger(found.driver, list(cluster.rest), found.status, found.submission)
        store.set(PROGRESS_KEY, {"label": f"following {found.driver}"})
        raise TaskDeferred(trigger=trigger, method_name="resume")

    def _start(self, cluster: Cluster, work: Work, context: Any) -> Found:
        def started(driver: str) -> None:
            self._driver = (cluster, driver)

        conf = {str(name): str(value) for name, value in (self.conf or {}).items()}
        status = status_address(cluster, context)
        return start_driver(cluster, work, conf, context["task_state_store"], status, started)

    def _already_done(self, found: Found, work: Work, store: Any) -> dict[str, Any]:
        told = read_status(found.status)
        note_success(store, work)
        sentence = f"Nothing to do: {found.driver} did this with the same code, arguments and inputs."
        self.log.info(sentence)
        store.set(PROGRESS_KEY, {**told.get("progress", {}), "label": sentence})
        self._note_pages(told.get("application_id"), told["summary"], None)
        return _short(told["summary"])

    def _work(self) -> Work:
        return Work(self.job, self.name, tuple(str(argument) for argument in self.application_args or ()))

    def _run_here(self, context: Any) -> dict[str, Any]:
        output = JobOutput()
        self._hook = self._watched_hook(output, context)
        try:
            super().execute(context)
        except AirflowException:
            process = self._hook._submit_sp
            raise self._failure(context, process.returncode if process else None, output.sentence) from None
        finally:
            self._note_pages(output.application_id, output.summary, output.report)
        return _short(output.summary)

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
                self._note_pages(output.application_id, output.summary, output.report)
                context["ti"].xcom_push(key=SparkLink().xcom_key, value=self.pages.get("spark", ""))
            if store is not None and output.progress not in (None, progress):
                progress = output.progress
                store.set(PROGRESS_KEY, progress)

    def _failure(self, context: Any, code: int | None, sentence: str) -> Exception:
        """What to raise: a retry of what is refused or wrong would end the same way."""
        note_failure(context, code, sentence)
        if code in (REFUSED, WRONG_INPUT):
            return AirflowFailException(sentence)
        return AirflowException(f"{sentence} (exit code {code})")

    def _note_pages(self, application: str | None, summary: Mapping[str, Any], report: str | None) -> None:
        found = {
            "spark": spark_page(application),
            "docs": served_page(summary.get("data_docs") or report or ""),
            "report": served_page(summary.get("report") or ""),
            "mlflow": summary.get("mlflow_url"),
        }
        self.pages = {name: page for name, page in found.items() if page}


class ScanJob(SparkJob):
    """The first reading of a delivery; skipped when there is so little of it that the plan can read it itself."""

    def execute(self, context: Any) -> dict[str, Any]:
        """As of any job.

        Raises AirflowSkipException when there is little to read, or the plan cannot be made, AirflowException when
        the files cannot be looked at now.
        """
        from parcours.stages.flatten import unread_gigabytes

        store = context.get("task_state_store")
        if store is not None and store.get(DRIVER_KEY) is not None:  # an attempt before this one has decided
            return super().execute(context)
        try:
            most = scan_here_gigabytes()
        except InputError as error:
            fail(context, error.exit_code, str(error))
        try:
            params = checked_params(context)
            unread = unread_gigabytes(params["delivery"], params["root"], params["products"] or None)
        except InputError as error:
            raise AirflowSkipException(f"The plan will say what is wrong here: {error}") from None
        except OSError as error:
            raise self._failure(context, RetryableFault.exit_code, str(error)) from None
        if unread <= most:
            raise AirflowSkipException(f"The plan reads the {unread:.1f} GB that are new itself.")
        return super().execute(context)


class GateJob(SparkJob):
    """A Spark job that ends with a verdict."""

    operator_extra_links: ClassVar[Sequence[Any]] = (SparkLink(), DataDocsLink())


class TrackedJob(SparkJob):
    """A job that writes a report and logs a run in MLflow; the note of its DAG run then leads to both."""

    operator_extra_links: ClassVar[Sequence[Any]] = (ReportLink(), MLflowLink())

    def execute(self, context: Any) -> dict[str, Any]:
        """As of any job."""
        return self._noted(context, super().execute(context))

    def resume(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """As of any job."""
        return self._noted(context, super().resume(context, event))

    def _noted(self, context: Any, summary: dict[str, Any]) -> dict[str, Any]:
        from parcours.cohort.plan import read_run

        arguments = [str(argument) for argument in self.application_args or ()]
        run = read_run(arguments[arguments.index("--run") + 1])
        note_run(context, run, {"Report": self.pages.get("report", ""), "MLflow run": self.pages.get("mlflow", "")})
        return summary


class StudyReport(TrackedJob):
    """The report of a study, which updates the study's asset."""

    def execute(self, context: Any) -> dict[str, Any]:
        """As of any job."""
        return self._announced(super().execute(context), context)

    def resume(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """As of any job."""
        return self._announced(super().resume(context, event), context)

    def _announced(self, summary: dict[str, Any], context: Any) -> dict[str, Any]:
        facts = {name: summary[name] for name in ("fingerprint", "status") if name in summary}
        announce(context, dict.fromkeys(self.outlets, facts))
        return summary


def _short(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary without its lists; whatever wrote it, it is fit to leave."""
    return {name: value for name, value in fit_to_leave(summary).items() if not isinstance(value, list | dict)}
