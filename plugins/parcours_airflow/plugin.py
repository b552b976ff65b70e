"""Registers the links and the front page, so that every part of Airflow knows them."""

import os

from airflow.plugins_manager import AirflowPlugin

from parcours_airflow.links import DataDocsLink, MLflowLink, ReportLink, SparkLink


def home_views(server: str | None) -> list[dict[str, object]]:
    """The front page in Airflow's own frame: whole, of one DAG, of one run; the report of the last two; none while
    nobody serves them.

    Airflow puts ids for names in braces, and keeps what is in the frame from opening other windows.
    """
    if not server:
        return []
    home, report = (f"{server.rstrip('/')}/{page}?in=airflow" for page in ("", "report"))
    return [
        {
            "name": "Parcours",
            "href": home,
            "destination": "nav",
            "url_route": "parcours-home",
            "nav_top_level": True,
        },
        _tab("Home", "dag", f"{home}&dag={{DAG_ID}}", "parcours-study"),
        _tab("Report", "dag", f"{report}&dag={{DAG_ID}}", "parcours-study-report"),
        _tab("Home", "dag_run", f"{home}&dag={{DAG_ID}}&run={{RUN_ID}}", "parcours-run"),
        _tab("Report", "dag_run", f"{report}&dag={{DAG_ID}}&run={{RUN_ID}}", "parcours-run-report"),
    ]


def _tab(name: str, destination: str, page: str, route: str) -> dict[str, object]:
    return {"name": name, "href": page, "destination": destination, "url_route": route}


class ParcoursPlugin(AirflowPlugin):
    """Links to Spark, Data Docs, the report and MLflow; the front page beside Airflow's own pages."""

    name = "parcours"
    operator_extra_links = [SparkLink(), DataDocsLink(), ReportLink(), MLflowLink()]  # noqa: RUF012 - Airflow's own interface
    external_views = home_views(os.environ.get("PARCOURS_DATA_DOCS_URL"))
