"""Registers the links and the front page, so that every part of Airflow knows them."""

import os

from airflow.plugins_manager import AirflowPlugin

from parcours_airflow.links import DataDocsLink, MLflowLink, ReportLink, SparkLink


def home_views(server: str | None) -> list[dict[str, object]]:
    """The front page in Airflow's own frame: whole, of one DAG, of one run; none while nobody serves it.

    Airflow puts ids for names in braces, and keeps what is in the frame from opening other windows.
    """
    if not server:
        return []
    home = f"{server.rstrip('/')}/?in=airflow"
    return [
        {
            "name": "Parcours",
            "href": home,
            "destination": "nav",
            "url_route": "parcours-home",
            "nav_top_level": True,
        },
        {"name": "Home", "href": f"{home}&dag={{DAG_ID}}", "destination": "dag", "url_route": "parcours-study"},
        {
            "name": "Home",
            "href": f"{home}&dag={{DAG_ID}}&run={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "parcours-run",
        },
    ]


class ParcoursPlugin(AirflowPlugin):
    """Links to Spark, Data Docs, the report and MLflow; the front page beside Airflow's own pages."""

    name = "parcours"
    operator_extra_links = [SparkLink(), DataDocsLink(), ReportLink(), MLflowLink()]  # noqa: RUF012 - Airflow's own interface
    external_views = home_views(os.environ.get("PARCOURS_DATA_DOCS_URL"))
