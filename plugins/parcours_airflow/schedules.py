"""When a study runs: by its cron line and by new data, or by new data alone; and by when it should have ended."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.callback import SyncCallback

from parcours.cohort.months import month_name, month_number
from parcours.cohort.study import Study
from parcours_airflow.assets import flat_asset
from parcours_airflow.defaults import STUDY_PRODUCTS

STARTED_BY_ITSELF, BACKFILL = ("scheduled", "asset_triggered"), "backfill"


def study_schedule(study: Study) -> Any:
    """What starts the study: any product that it reads, published anew, and its cron line where it has one."""
    published = AssetAny(*(flat_asset(product) for product in STUDY_PRODUCTS))
    if study.schedule is None:
        return published
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(study.schedule, timezone=study.timezone), assets=published
    )


def study_deadline(study: Study) -> DeadlineAlert | None:
    """Tells of a run that has not ended so many hours after it was queued; None where the study has no deadline."""
    if study.deadline_hours is None:
        return None
    told = {"study": study.cohort, "hours": study.deadline_hours}
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=study.deadline_hours),
        callback=SyncCallback("parcours_airflow.mail.tell_deadline", kwargs=told),
    )


def started_by_itself(context: Any) -> bool:
    """Whether new data or the cron line started the run, and nobody asked for it."""
    return _kind(context) in STARTED_BY_ITSELF


def data_of_backfill(context: Any, timezone: str) -> dict[str, str]:
    """What a backfill changes: it reads the data up to the month before its date, unless the form names a month."""
    if _kind(context) != BACKFILL or context["params"]["data_until"]:
        return {}
    date = context["dag_run"].logical_date.astimezone(ZoneInfo(timezone))
    return {"data_until": month_name(month_number(f"{date:%Y-%m}") - 1)}


def _kind(context: Any) -> str:
    kind = context["dag_run"].run_type
    return str(getattr(kind, "value", kind))
