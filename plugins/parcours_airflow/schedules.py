"""When a study runs: by its cron line and by new data, or by new data alone; and by when it should have ended."""

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.callback import SyncCallback

from parcours.cohort.study import Study
from parcours_airflow.assets import flat_asset
from parcours_airflow.defaults import STUDY_PRODUCTS

STARTED_BY_ITSELF = ("scheduled", "asset_triggered")


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
    kind = context["dag_run"].run_type
    return getattr(kind, "value", kind) in STARTED_BY_ITSELF
