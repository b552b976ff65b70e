"""How a task fails: its sentence on the page of the task, and its exit code for whoever asks through REST."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from parcours.stages.exit import exit_code_of, outcome_of

FAILURE_KEY = "failure"
REFUSED, WRONG_INPUT = 1, 2


def note_failure(context: Any, code: int | None, sentence: str) -> None:
    """Keep the exit code and the sentence with the task."""
    context["ti"].xcom_push(key=FAILURE_KEY, value={"code": code, "sentence": sentence})


def fail(context: Any, code: int, sentence: str) -> NoReturn:
    """Fail without a retry: what is wrong does not mend itself."""
    note_failure(context, code, sentence)
    raise AirflowFailException(sentence) from None


@contextmanager
def told_to_airflow(context: Any) -> Iterator[None]:
    """What is raised within, as a job would tell it: a sentence, and of a fault nobody foresaw no value that it met.

    Raises AirflowFailException when a retry cannot help, AirflowException when it may.
    """
    try:
        yield
    except AirflowException:
        raise
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        code, sentence = exit_code_of(error), outcome_of(error)[1]
        if code in (REFUSED, WRONG_INPUT):
            fail(context, code, sentence)
        note_failure(context, code, sentence)
        raise AirflowException(f"{sentence} (exit code {code})") from None
