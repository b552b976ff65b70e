"""Registers the links, so that every part of Airflow knows them."""

from airflow.plugins_manager import AirflowPlugin

from parcours_airflow.links import DataDocsLink, MLflowLink, ReportLink, SparkLink


class ParcoursPlugin(AirflowPlugin):
    """Links to Spark, Data Docs, the report and MLflow."""

    name = "parcours"
    operator_extra_links = [SparkLink(), DataDocsLink(), ReportLink(), MLflowLink()]  # noqa: RUF012 - Airflow's own interface
