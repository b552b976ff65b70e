"""What a backfill of a study reads: the data up to the month before each of its dates."""

import datetime as dt
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from airflow.utils.types import DagRunType
from parcours_airflow.schedules import data_of_backfill


def context(kind: DagRunType, date: str, data_until: str | None) -> dict[str, Any]:
    dag_run = SimpleNamespace(run_type=kind, logical_date=dt.datetime.fromisoformat(date))
    return {"dag_run": dag_run, "params": {"data_until": data_until}}


@pytest.mark.parametrize(
    ("date", "month"),
    [
        ("2017-07-01T04:00:00+00:00", "2017-06"),
        ("2017-01-15T04:00:00+00:00", "2016-12"),
        ("2017-06-30T22:00:00+00:00", "2017-06"),  # midnight of 1 July in Paris
    ],
)
def test_a_backfill_reads_the_data_up_to_the_month_before_its_date_where_the_study_lives(date: str, month: str) -> None:
    for empty in ("", None):
        changed = data_of_backfill(context(DagRunType.BACKFILL_JOB, date, empty), "Europe/Paris")
        assert changed == {"data_until": month}


def test_a_month_that_the_form_names_holds_in_a_backfill_too() -> None:
    named = context(DagRunType.BACKFILL_JOB, "2017-07-01T04:00:00+00:00", "2017-03")
    assert data_of_backfill(named, "Europe/Paris") == {}


@pytest.mark.parametrize("kind", [DagRunType.SCHEDULED, DagRunType.ASSET_TRIGGERED, DagRunType.MANUAL])
def test_any_other_run_reads_all_that_is_published(kind: DagRunType) -> None:
    assert data_of_backfill(context(kind, "2017-07-01T04:00:00+00:00", ""), "Europe/Paris") == {}
