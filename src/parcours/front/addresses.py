"""Addresses of the other pages of the platform, from the environment; one that is not set is not linked to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

AIRFLOW_VARIABLE, MLFLOW_VARIABLES = "PARCOURS_AIRFLOW_URL", ("PARCOURS_MLFLOW_URL", "MLFLOW_TRACKING_URI")
FLATTEN = "snds_flatten"
# The DAG in which a person answers for a report.
SIGN_OFF = "sign_off"


@dataclass(frozen=True)
class Addresses:
    """Where people reach Airflow and MLflow; None where nobody said so."""

    airflow: str | None = None
    mlflow: str | None = None

    def dag(self, dag: str) -> str | None:
        """The page of a DAG, which starts a run."""
        return f"{self.airflow}/dags/{quote(dag)}" if self.airflow else None

    def dag_run(self, dag: str, run: str) -> str | None:
        """The page of a run."""
        return f"{self.airflow}/dags/{quote(dag)}/runs/{quote(run, safe='')}" if self.airflow else None


def addresses_from(environment: Mapping[str, str] = os.environ) -> Addresses:
    """The addresses that the environment names."""
    mlflow = next((found for name in MLFLOW_VARIABLES if (found := _web(environment.get(name)))), None)
    return Addresses(_web(environment.get(AIRFLOW_VARIABLE)), mlflow)


def study_dag(cohort: str) -> str:
    """The DAG of a study."""
    return f"study__{cohort}"


def sign_off_run(cohort: str, fingerprint: str) -> str:
    """The run of SIGN_OFF in which a person answers for the report of a run."""
    return f"{cohort}__{fingerprint}"


def _web(address: str | None) -> str | None:
    found = (address or "").strip().rstrip("/")
    return found if found.startswith(("http://", "https://")) else None
