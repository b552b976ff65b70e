"""What every DAG and task of the project has in common."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from parcours.errors import InputError

CHECKOUT = Path(__file__).resolve().parents[2]
COHORTS = CHECKOUT / "cohorts"
SPARK_JOBS = CHECKOUT / "spark_jobs"

# A wrong input or a refusal of the gate is never retried, whatever stands here: see operators.py.
DEFAULT_ARGS: dict[str, Any] = {"owner": "parcours", "retries": 2, "retry_delay": timedelta(seconds=30)}

# Products that studies read and that have an asset: studies start when one of them is published anew.
STUDY_PRODUCTS = ("DCIR", "MCO")


def default_root() -> str:
    """The root that the trigger forms propose."""
    return os.environ.get("PARCOURS_ROOT") or str(CHECKOUT / ".parcours" / "root")


def default_delivery() -> str:
    """The delivery that the trigger form proposes."""
    return os.environ.get("PARCOURS_DELIVERY") or str(CHECKOUT / ".parcours" / "delivery")


def kept_studies() -> Path:
    """The folder of the last good version of each study file: a part of Airflow's state, not of the checkout."""
    home = os.environ.get("AIRFLOW_HOME")
    return (Path(home) if home else Path.home() / "airflow") / "studies"


def scan_here_gigabytes() -> float:
    """10^9 bytes of new raw files that the task `plan` reads itself (about a minute); more are read by Spark.

    Raises InputError when the setting is no such number.
    """
    given = os.environ.get("PARCOURS_SCAN_HERE_GB") or "16"
    if not re.fullmatch(r"\d+(\.\d+)?", given):
        raise InputError(f"PARCOURS_SCAN_HERE_GB is {given!r}; give a number of gigabytes, such as 16.")
    return float(given)


def safe_name(run_id: str) -> str:
    """A run id as a folder name: `manual__2026-01-31T08:00:00+00:00` has characters that paths dislike."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", run_id).strip("-")
