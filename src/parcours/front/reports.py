"""The report that a page of Airflow is about: of a run of a study, of the study itself, of a sign-off."""

from collections.abc import Iterable

from parcours.front.addresses import SIGN_OFF, sign_off_run, study_dag
from parcours.front.runs import Run, StudyPart


def reported_run(studies: Iterable[StudyPart], dag: str, run: str | None) -> Run | None:
    """The run whose report is meant, None where there is no report of it."""
    if run is None:
        return next((study.told for study in studies if study_dag(study.cohort) == dag), None)
    found = (each for study in studies for each in study.runs if each.report)
    return next((each for each in found if (dag, run) in (each.airflow, _asked_about(each))), None)


def _asked_about(run: Run) -> tuple[str, str]:
    return SIGN_OFF, sign_off_run(run.cohort, run.fingerprint)
