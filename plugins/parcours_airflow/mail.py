"""Mails about studies, through Airflow's notifier for SMTP: a failure, a refusal, a missed deadline, new signals.

Off unless PARCOURS_MAIL_TO names who gets them. The server is Airflow's connection `smtp_default`. A mail leaves the
platform: it holds what a report holds, no count of persons and no identifier.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from parcours_airflow.failures import FAILURE_KEY, REFUSED

FROM = "parcours@localhost"


@dataclass(frozen=True)
class Message:
    """A mail: its subject and its body, in HTML."""

    subject: str
    body: str


class StudyMail(SmtpNotifier):
    """Sends what `compose` makes of the context of a task; nothing when it makes None."""

    def __init__(self, compose: Callable[[Any], Message | None], to: str) -> None:
        super().__init__(to=to, from_email=os.environ.get("PARCOURS_MAIL_FROM") or FROM, subject="", html_content="")
        self.compose = compose

    def notify(self, context: Any) -> None:
        """Compose and send."""
        message = self.compose(context)
        if message is not None:
            self.subject, self.html_content = message.subject, message.body
            super().notify(context)


def mails(compose: Callable[[Any], Message | None]) -> list[StudyMail]:
    """The notifier as a task's callbacks take it; empty where nobody is to get mails."""
    to = os.environ.get("PARCOURS_MAIL_TO")
    return [StudyMail(compose, to)] if to else []


def failure_message(context: Any) -> Message:
    """Of a task that failed for good, with its own sentence."""
    ti = context["ti"]
    noted = ti.xcom_pull(task_ids=ti.task_id, key=FAILURE_KEY) or {}
    what = "refused by the quality gate" if noted.get("code") == REFUSED else "failed"
    sentence = noted.get("sentence") or f"The log of the task {ti.task_id} tells why."
    subject = f"Parcours: {ti.dag_id} {what}"
    return Message(subject, _page(subject, [f"Task {ti.task_id}: {sentence}"], _run_page(ti)))


def signals_message(context: Any) -> Message | None:
    """Of the signals that a study's report gained or lost since its last one; None when there are none.

    None too for a what-if, and for a report that was there already.
    """
    from parcours.cohort.finished_runs import last_finished
    from parcours.cohort.plan import read_run
    from parcours.comparison.signals import read_signals, signals_gained, signals_lost
    from parcours.storage.place import place
    from parcours.storage.root import open_root

    ti = context["ti"]
    path = place(ti.xcom_pull(task_ids="plan"))
    run = read_run(path)
    if run.get("changes") or (ti.xcom_pull(task_ids=ti.task_id) or {}).get("status") == "reused":
        return None
    before = last_finished(open_root(run["root"]), run["cohort"], but=run["fingerprint"])
    later = read_signals(path.parent)
    earlier = read_signals(open_root(run["root"]).study(run["cohort"], before["fingerprint"])) if before else {}
    gained, lost = signals_gained(earlier, later), signals_lost(earlier, later)
    return signals_mail(run, gained, lost, context["task"].pages.get("report") or "") if gained or lost else None


def signals_mail(run: dict[str, Any], gained: dict[str, Any], lost: dict[str, Any], report: str) -> Message:
    """The mail of new and lost signals, each with its relative incidence and 95 % interval."""
    name = str(run.get("name") or run["cohort"])
    parts = [_number(some, word) for some, word in ((gained, "new"), (lost, "lost")) if some]
    lines = [
        *(f"New: {_told(drug, signal)}" for drug, signal in gained.items()),
        *(f"No more: {_told(drug, signal)}, in the run before" for drug, signal in lost.items()),
    ]
    source = "SYNTHETIC DATA: the persons are made up. " if run.get("synthetic") else ""
    head = f"{source}Compared with the last finished run of the study."
    return Message(f"Parcours: {' and '.join(parts)}: {name}", _page(name, [head, *lines], report))


def tell_deadline(study: str, hours: float, context: Any = None, **_: Any) -> None:
    """Called by Airflow when a run has missed its deadline."""
    run = ((context or {}).get("dag_run") or {}).get("dag_run_id", "")
    for mail in mails(lambda _: deadline_message(study, hours, run)):
        mail({"dag": None})


def deadline_message(study: str, hours: float, run: str) -> Message:
    """Of a run that has not ended in time."""
    subject = f"Parcours: study {study} is late"
    line = f"The run {run} has not ended {hours:g} hours after it was queued; it goes on."
    return Message(subject, _page(subject, [line], _dag_page(f"study__{study}")))


def _number(some: dict[str, Any], word: str) -> str:
    return f"{len(some)} {word} signal{'s' if len(some) > 1 else ''}"


def _told(drug: str, signal: dict[str, Any]) -> str:
    ri, lower, upper = (_ratio(signal[name]) for name in ("ri", "lower", "upper"))
    does = "raises" if signal["flag"] == "raised" else "lowers"
    return f"{signal['name']} ({drug}) {does} the risk: relative incidence {ri}, 95 % interval {lower} to {upper}"


def _ratio(value: float | None) -> str:
    if value is None:
        return "–"
    return "∞" if value > 1000 else f"{value:.2f}"


def _page(title: str, lines: list[str], link: str) -> str:
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    address = f'<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else ""
    return f"<html><body><h1>{escape(title)}</h1>{told}{address}</body></html>"


def _run_page(ti: Any) -> str:
    return str(getattr(ti, "log_url", "") or _dag_page(ti.dag_id))


def _dag_page(dag: str) -> str:
    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="")
    return f"{base.rstrip('/')}/dags/{dag}" if base else ""
