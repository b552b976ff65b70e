"""Links on the page of a task: Spark's history server, Data Docs, the MLflow run, the report."""

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


def spark_page(application: str | None) -> str:
    """Address of an application's page in Spark's history server; "" while the application is unknown."""
    history = os.environ.get("PARCOURS_SPARK_HISTORY_URL", "")
    return f"{history}/history/{application}/jobs/" if application else ""


def platform_links() -> str:
    """Markdown that leads to the platform's other pages, of those whose addresses are set; "" where none is."""
    pages = {
        "Reports and data quality": os.environ.get("PARCOURS_DATA_DOCS_URL", ""),
        "MLflow": os.environ.get("PARCOURS_MLFLOW_URL") or os.environ.get("MLFLOW_TRACKING_URI", ""),
        "Spark": os.environ.get("PARCOURS_SPARK_HISTORY_URL", ""),
    }
    return " · ".join(f"[{name}]({page})" for name, page in pages.items() if page.startswith("http"))


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


class ReportLink(BaseOperatorLink):
    """The study's report: curves, tables, attrition."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The page, empty when there is none yet."""
        return str(operator.pages.get("report", ""))


class MLflowLink(BaseOperatorLink):
    """The run with parameters, metrics, curves and the registered model."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The page, empty when the job logged no run."""
        return str(operator.pages.get("mlflow", ""))
