"""How a task fails for good: its sentence on the page of the task, and its exit code for whoever asks through REST."""

from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException

FAILURE_KEY = "failure"


def note_failure(context: Any, code: int | None, sentence: str) -> None:
    """Keep the exit code and the sentence with the task."""
    context["ti"].xcom_push(key=FAILURE_KEY, value={"code": code, "sentence": sentence})


def fail(context: Any, code: int, sentence: str) -> NoReturn:
    """Fail without a retry: what is wrong does not mend itself."""
    note_failure(context, code, sentence)
    raise AirflowFailException(sentence) from None
