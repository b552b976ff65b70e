"""Mails about studies: what they say, through a real mail server."""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from smtp_server import MailServer, mail_server

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from parcours_airflow.mail import failure_message, mails, signals_message, tell_deadline

from parcours.storage.manifest import write_json, write_manifest
from parcours.storage.root import open_root

COLUMNS = ("drug", "name", "exposed_cases", "ri", "lower", "upper", "p_value", "flag")
CASES = "4711"
# A run's medicines: code, name, relative incidence, interval, flag.
EARLIER = [
    ("N05BA01", "diazepam", "2.40", "1.80", "3.10", "raised"),
    ("C07AB07", "bisoprolol", "1.02", "0.9", "1.1", "none"),
]
LATER = [
    ("N05BA01", "diazepam", "1.10", "0.90", "1.40", "none"),
    ("C07AB07", "bisoprolol", "0.62", "0.50", "0.77", "lowered"),
    ("N06AB04", "citalopram", "1.91", "1.52", "inf", "raised"),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", running.connection)
        monkeypatch.setenv("PARCOURS_MAIL_TO", "desk@example.org")
        yield running


@pytest.fixture
def finished(tmp_path: Path) -> Callable[..., Path]:
    """A finished run with these medicines; the path of its run.json."""

    def write(mark: str, ended: str, medicines: list[tuple[str, ...]], **facts: Any) -> Path:
        folder = open_root(tmp_path).study("fall", mark)
        run = {"cohort": "fall", "fingerprint": mark, "root": str(tmp_path), "study": {}, "data": {}, **facts}
        write_json(folder / "run.json", {"changes": {}, **run})
        write_manifest(folder / "report", {"fingerprint": mark, "ended": ended})
        with (folder / "report" / "peaks.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            rows.writerows(
                [(drug, name, "7", ri, low, up, "0.001", flag) for drug, name, ri, low, up, flag in medicines]
            )
        return folder / "run.json"

    return write


def context(run: Path | None = None, failure: dict[str, Any] | None = None, status: str = "done") -> dict[str, Any]:
    """What a callback is given by the task of a run."""
    kept = {"plan": str(run), "report": {"status": status}, "gate": failure}
    ti = SimpleNamespace(
        dag_id="study__fall",
        task_id="gate" if failure else "report",
        log_url="http://airflow/dags/study__fall",
        xcom_pull=lambda task_ids, key="return_value": kept[task_ids],
    )
    return {"ti": ti, "dag": None, "task": SimpleNamespace(pages={"report": "http://docs/fall/report"})}


def send(compose: Callable[[Any], Any], about: dict[str, Any]) -> None:
    for mail in mails(compose):
        mail(about)


def test_new_and_lost_signals_are_told_with_their_intervals_and_a_link(
    server: MailServer, finished: Callable[..., Path]
) -> None:
    finished("aaaa", "2018-06-01T10:00:00", EARLIER)
    finished("cccc", "2018-07-01T10:00:00", LATER, changes={"age_minimum": {"file": 65, "run": 75}})  # a what-if
    run = finished("bbbb", "2018-08-01T10:00:00", LATER, name="fall · 65 and over · data to 2018-07", synthetic=True)
    send(signals_message, context(run))
    (mail,) = server.mails
    assert mail["To"] == "desk@example.org"
    assert mail["Subject"] == "Parcours: 2 new signals and 1 lost signal: fall · 65 and over · data to 2018-07"
    (text,) = server.about("new signals")
    for line in (
        "SYNTHETIC DATA",
        "New: bisoprolol (C07AB07) lowers the risk: relative incidence 0.62, 95 % interval 0.50 to 0.77",
        "New: citalopram (N06AB04) raises the risk: relative incidence 1.91, 95 % interval 1.52 to ∞",
        "No more: diazepam (N05BA01) raises the risk: relative incidence 2.40, 95 % interval 1.80 to 3.10, in the run",
        'href="http://docs/fall/report"',
    ):
        assert line in text
    assert CASES not in text, "no count of cases leaves with a mail"


@pytest.mark.parametrize(
    ("medicines", "facts", "status"),
    [
        (EARLIER, {}, "done"),  # the same signals
        (LATER, {"changes": {"age_minimum": {"file": 65, "run": 75}}}, "done"),  # a what-if is nobody's news
        (LATER, {}, "reused"),  # told when the report was written
    ],
    ids=["same signals", "what-if", "reused"],
)
def test_without_news_there_is_no_mail(
    server: MailServer, finished: Callable[..., Path], medicines: Any, facts: dict[str, Any], status: str
) -> None:
    finished("aaaa", "2018-06-01T10:00:00", EARLIER)
    send(signals_message, context(finished("bbbb", "2018-08-01T10:00:00", medicines, **facts), status=status))
    assert server.mails == []


@pytest.mark.parametrize(("code", "subject"), [(1, "refused by the quality gate"), (2, "failed"), (None, "failed")])
def test_a_failure_is_told_with_its_own_sentence(server: MailServer, code: int | None, subject: str) -> None:
    send(failure_message, context(failure={"code": code, "sentence": "DCIR: keys are <doubled>."}))
    (text,) = server.about(f"Parcours: study__fall {subject}")
    assert "Task gate: DCIR: keys are &lt;doubled&gt;." in text and "http://airflow/dags/study__fall" in text


def test_a_missed_deadline_names_the_run(server: MailServer) -> None:
    tell_deadline("fall", 48.0, context={"dag_run": {"dag_run_id": "scheduled__1"}})
    (text,) = server.about("Parcours: study fall is late")
    assert "The run scheduled__1 has not ended 48 hours after it was queued; it goes on." in text


def test_nobody_named_means_no_mail(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARCOURS_MAIL_TO")
    assert mails(failure_message) == []
    tell_deadline("fall", 48.0)
    assert server.mails == []
