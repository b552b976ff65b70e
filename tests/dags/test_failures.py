"""How what a task of a DAG raises is told on its page."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from parcours_airflow.failures import told_to_airflow

from parcours.errors import GateRefused, InputError, RetryableFault


def told(error: Exception) -> tuple[dict[str, Any], Exception]:
    """What is kept with the task, and what is raised."""
    kept: dict[str, Any] = {}
    context = {"ti": SimpleNamespace(xcom_push=lambda key, value: kept.update(value))}
    with pytest.raises(AirflowException) as raised, told_to_airflow(context):
        raise error
    assert raised.value.__cause__ is None and raised.value.__suppress_context__
    return kept, raised.value


@pytest.mark.parametrize("error", [InputError("There is no delivery at /d."), GateRefused("Refused.")])
def test_what_a_retry_cannot_cure_fails_at_once(error: Exception) -> None:
    kept, raised = told(error)
    assert isinstance(raised, AirflowFailException)
    assert kept == {"code": error.exit_code, "sentence": str(error)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [RetryableFault("Somebody writes."), OSError(28, "No space left on device")])
def test_what_a_retry_may_cure_is_retried(error: Exception) -> None:
    kept, raised = told(error)
    assert not isinstance(raised, AirflowFailException)
    assert kept["code"] == 3


def test_a_fault_nobody_foresaw_is_told_without_the_person_it_met(capsys: pytest.CaptureFixture[str]) -> None:
    kept, raised = told(ValueError("no number: 'RXGI488FS2ZBC8W87', born 1941-05-15"))
    logged = capsys.readouterr().err
    assert kept["code"] == 70 and "ValueError" in logged
    for text in (str(kept), str(raised), logged):
        assert "RXGI488FS2ZBC8W87" not in text and "1941-05-15" not in text
