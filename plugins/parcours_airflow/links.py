"""Links on the page of a task: Spark's history server, Data Docs, the MLflow run."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class SparkLink(BaseOperatorLink):
    """The job's pages in Spark's history server, running or finished."""

    name = "Spark"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The page, empty as long as the application is unknown; called in the worker after the job."""
        return str(operator.pages.get("spark", ""))


class DataDocsLink(BaseOperatorLink):
    """The verdict of the gate, rule by rule."""

    name = "Data Docs"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The page, empty when the gate did not get as far as a verdict."""
        return str(operator.pages.get("docs", ""))


class MLflowLink(BaseOperatorLink):
    """The run with parameters, metrics, curves and the registered model."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The page, empty when the job logged no run."""
        return str(operator.pages.get("mlflow", ""))
