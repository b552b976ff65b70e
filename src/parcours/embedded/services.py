"""The services of the platform: how each is started and how it shows that it is ready."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from parcours.embedded import http
from parcours.embedded.environment import mlflow_server_settings, urls
from parcours.embedded.layout import Layout

Ready = Callable[[float], bool]


@dataclass(frozen=True)
class Service:
    """One process: `ready(started)` tells whether it does its work since it was started (seconds since 1970)."""

    name: str
    command: tuple[str, ...]
    ready: Ready
    settings: Mapping[str, str] = field(default_factory=dict)


def tracking_services(layout: Layout, ports: Mapping[str, int]) -> list[Service]:
    """MLflow, Spark's history server and Data Docs: they wait for nothing."""
    address = urls(ports)
    # What `mlflow server` starts, without the second process that does nothing but start it (200 MB, 10 s).
    bound = ("--host", "127.0.0.1", "--port", str(ports["mlflow"]))
    mlflow = _module("uvicorn", *bound, "--factory", "parcours.tracking.pages:without_logins")
    history = (
        str(Path(sys.executable).parent / "spark-class"),
        *("org.apache.spark.deploy.history.HistoryServer", "--properties-file"),
        str(layout.spark_conf / "history.conf"),
    )
    docs = _module("parcours.embedded.docs_server", "--port", str(ports["docs"]), "--root", str(layout.root))
    return [
        Service("mlflow", mlflow, _page(f"{address['mlflow']}/health"), mlflow_server_settings(layout)),
        Service("spark-history", history, _page(f"{address['history']}/api/v1/version")),
        Service("data-docs", docs, _page(f"{address['docs']}/")),
    ]


def airflow_services(ports: Mapping[str, int]) -> list[Service]:
    """Airflow's four parts, started by themselves: `airflow standalone` leaves orphans and takes twice as long."""
    address = urls(ports)["airflow"]
    return [
        Service("api-server", _airflow("api-server", "--workers", "1"), _page(f"{address}/api/v2/version")),
        Service("scheduler", _airflow("scheduler", "--skip-serve-logs"), _beats(address, "scheduler")),
        Service("dag-processor", _airflow("dag-processor"), _beats(address, "dag_processor")),
        Service("triggerer", _airflow("triggerer", "--skip-serve-logs"), _beats(address, "triggerer")),
    ]


def migration() -> tuple[str, ...]:
    """The command that makes or upgrades Airflow's database."""
    return _airflow("db", "migrate")


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _airflow(*arguments: str) -> tuple[str, ...]:
    return _module("airflow", *arguments)


def _page(url: str) -> Ready:
    return lambda started: http.answers(url)


def _beats(address: str, component: str) -> Ready:
    """Ready once the component has written a heartbeat of this start; an older one says nothing."""

    def ready(started: float) -> bool:
        try:
            health = http.call(f"{address}/api/v2/monitor/health", timeout=5)
        except (http.Refused, OSError):
            return False
        part = health.get(component) or {}
        beat = part.get(f"latest_{component}_heartbeat")
        return part.get("status") == "healthy" and beat is not None and _seconds(beat) >= started

    return ready


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
