"""A study that lives: the real scheduler runs it again when a month is delivered, says when nothing is new, and mails.

Data move here, the clock does not: the cron line is of every minute, and each of its runs looks at what is published.
The tests run in order on one platform.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
import yaml

from parcours.comparison.signals import Signals, read_signals, signals_gained, signals_lost
from parcours.embedded import http
from parcours.embedded.airflow_api import Airflow
from parcours.embedded.follow import failure, follower
from parcours.embedded.platform import start_platform, stop_platform
from parcours.home import project_home
from parcours.stages.flatten import run_flatten
from parcours.stages.quality import run_check
from parcours.synth.delivery import SynthSettings, write_delivery
from tests.dags.smtp_server import MailServer, mail_server

# As long as a machine with other work may need: a test that fails ends sooner, by the run that failed.
PATIENCE = 1800.0
pytestmark = [pytest.mark.living, pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(4 * PATIENCE)]

STUDY, FLATTEN = "study__fall", "snds_flatten"
# So many persons, and so many exposed cases before a medicine is estimated (below), that the last month brings signals
# which no rounding takes away. Measured with the first seed that was tried: with claims to May 5 medicines have 120
# exposed cases and 1 is flagged (tramadol, 127 cases, p 0.0001); to June 10 have them and 5 are flagged, none is lost.
# New are zolpidem (115 cases, then 130; p 2e-7), hydrochlorothiazide (115, 134; p 9e-5), urapidil (111, 127; p 0.0007)
# and lorazepam (114, 126; p 0.01). Of 16,000 persons followed to August no medicine was flagged.
DELIVERY = SynthSettings(persons=30_000, years=(2016, 2016), seed=3, lines_per_person_year=8.0)
FIRST_MONTHS = ["2016", *(f"2017-0{month}" for month in range(1, 6))]
# A study that a small delivery can carry, of every minute; 0.005 hours are 18 seconds,
# which no run with six Spark jobs can keep, and one that stops can.
SMALL: dict[str, dict[str, Any]] = {
    "population": {
        "study_start": "2016-01-01",
        "study_end": "last complete month",
        "age_minimum": 60,
        "start_gap_months": 1,
    },
    "exposures": {"washout_months": 0},
    "model": {
        "lags": 2,
        "pre_exposure_days": 0,
        "min_exposed_cases": 120,
        "tv_grid": [0.001],
        "group_grid": [0.0003],
        "cv_folds": 2,
        "bootstrap": 0,
    },
}
BEFORE, AFTER = "fall · 60 and over · data to 2017-05", "fall · 60 and over · data to 2017-06"
NOTHING_NEW = "Nothing new: the study fall, its data and its code are those of its last run"
# Seen once on a busy machine: "An error occurred while trying to deserialize Dag", with nothing in any log.
SERVER_FAULT = 500
Answer = TypeVar("Answer")


def patient(ask: Callable[[], Answer | None]) -> Answer:
    """The first answer that is one; what a busy machine does not answer, or not in time, is asked again."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if answer := ask():
                return answer
        except TimeoutError:
            pass
        except http.Refused as fault:
            if fault.status < SERVER_FAULT:
                raise
        time.sleep(2)
    raise AssertionError(f"nothing within {PATIENCE:.0f} s")


@dataclass(frozen=True)
class Run:
    """A run of the study that ended well: its id, its kind, when it was due, its tasks and what its plan told."""

    name: str
    kind: str
    due: datetime
    tasks: dict[str, str]
    told: str | None
    planned: str | None

    @property
    def computed(self) -> bool:
        """Whether it went on to its report."""
        return self.tasks.get("report") == "success"

    @property
    def stopped(self) -> bool:
        """Whether it ended with its plan."""
        return set(self.tasks.values()) == {"skipped"}

    @property
    def facts(self) -> dict[str, Any]:
        """What its run.json says."""
        assert self.planned, f"{self.name} has computed nothing"
        return dict(json.loads(Path(self.planned).read_text("utf-8")))

    @property
    def window(self) -> tuple[str, str]:
        """The days of its study."""
        population = self.facts["study"]["population"]
        return population["study_start"], population["study_end"]

    @property
    def signals(self) -> Signals:
        """Its medicines with their flags."""
        assert self.planned, f"{self.name} has computed nothing"
        return read_signals(Path(self.planned).parent)


@dataclass(frozen=True)
class Living:
    """The platform, its mails, and what is still to be delivered."""

    airflow: Airflow
    mails: MailServer
    delivery: Path
    root: Path
    known: dict[str, Run] = field(default_factory=dict)

    def run_with(self, wanted: Callable[[Run], bool], after: Run | None = None) -> Run:
        """The first run as wanted of those that have ended; `after`: of those that were due after another one."""
        return patient(lambda: next((run for run in self.ended(after) if wanted(run)), None))

    def ended(self, after: Run | None) -> Iterator[Run]:
        """The runs of the study that have ended, and ended well, in the order in which they were due."""
        for run in self.airflow.call(f"/dags/{STUDY}/dagRuns?order_by=run_after&limit=100")["dag_runs"]:
            if run["state"] in ("success", "failed") and (after is None or due(run) > after.due):
                yield self.known.get(run["dag_run_id"]) or self.described(run)

    def described(self, run: dict[str, Any]) -> Run:
        """A run as Airflow's interface tells it, asked once: an answer less for a busy machine."""
        tasks = self.airflow.tasks(STUDY, run["dag_run_id"])
        if run["state"] != "success":
            raise failure(self.airflow, STUDY, run["dag_run_id"], tasks)
        plan = next(task for task in tasks if task.task == "plan")
        note, path = (self.airflow.xcom(STUDY, run["dag_run_id"], plan, key) for key in ("note", "return_value"))
        states = {task.task: task.state for task in tasks}
        found = Run(run["dag_run_id"], run["run_type"], due(run), states, note, path)
        return self.known.setdefault(found.name, found)

    def note(self, run: Run) -> str:
        """The note that Airflow shows beside a run."""
        return str(patient(lambda: self.airflow.call(f"/dags/{STUDY}/dagRuns/{quote(run.name)}"))["note"])

    def mail(self, words: str, after: int) -> list[str]:
        """The mails with these words in their subject, but for so many first ones; a mail may come after its run."""
        return patient(lambda: self.mails.about(words, after=after))

    def deliver(self, month: str) -> None:
        """Flatten, check and publish the claims of a month, as its user does."""
        conf = {"delivery": str(self.delivery), "root": str(self.root), "products": ["DCIR"], "periods": [month]}
        patient(lambda: self.airflow.enable(FLATTEN) is None)
        started = self.airflow.trigger(FLATTEN, conf)
        with follower({FLATTEN: 1.0}) as shown:
            patient(lambda: shown.run(self.airflow, FLATTEN, started))


def due(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["run_after"])


def own_checkout(folder: Path) -> Path:
    """A checkout whose only study is small, ends with the last complete month, and runs every minute."""
    for name in ("dags", "plugins", "spark_jobs", "codelists", "expectations"):
        shutil.copytree(
            project_home() / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "uncommitted")
        )
    declared = yaml.safe_load((project_home() / "cohorts" / "fall.yaml").read_text("utf-8"))
    for section, values in SMALL.items():
        declared[section] |= values
    declared |= {"schedule": "* * * * *", "timezone": "Europe/Paris", "deadline_hours": 0.005}
    (folder / "cohorts").mkdir()
    (folder / "cohorts" / "fall.yaml").write_text(yaml.safe_dump(declared, sort_keys=False), "utf-8")
    return folder


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    home: Path = tmp_path_factory.mktemp("living")
    root, delivery = home / ".parcours" / "root", home / "delivery"
    write_delivery(DELIVERY, delivery)
    run_flatten(str(delivery), str(root), ["MCO", "IR_BEN_R", "IR_PHA_R"], None, None, None)
    run_flatten(str(delivery), str(root), ["DCIR"], FIRST_MONTHS, None, None)
    run_check(str(root), None, "first")
    with mail_server() as mails, pytest.MonkeyPatch.context() as settings:
        settings.setenv("PARCOURS_MAIL_TO", "desk@example.org")
        settings.setenv("PARCOURS_MAIL_SERVER", mails.connection)
        try:
            platform = start_platform(home, own_checkout(home / "checkout"))
            airflow = Airflow(platform.urls["airflow"], platform.user, platform.password)
            airflow.enable(STUDY)
            yield Living(airflow, mails, delivery, root)
        finally:
            stop_platform(home)


@pytest.fixture(scope="module")
def first(living: Living) -> Run:
    """The run on the data to May."""
    return living.run_with(lambda run: run.computed)


def test_a_delivered_month_is_taken_up_and_its_signals_told_and_without_one_nothing_is_computed(
    living: Living, first: Run
) -> None:
    assert (first.facts["name"], first.window) == (BEFORE, ("2016-01-01", "2016-11-30"))
    quiet = living.run_with(lambda run: run.stopped, after=first)
    says_nothing_new(living, quiet)
    assert len(list(living.root.glob("studies/fall/*/run.json"))) == 1

    sent = len(living.mails.mails)
    living.deliver("2017-06")
    second = living.run_with(lambda run: run.computed, after=quiet)
    assert second.kind in ("scheduled", "asset_triggered"), "nobody asked for it"
    assert (second.facts["name"], second.window) == (AFTER, ("2016-01-01", "2016-12-31"))
    assert f"**{AFTER}**" in living.note(second)
    assert second.facts["changes"] == {}
    assert second.facts["dates_in_words"] == {"study_end": "last complete month"}
    mail_names_the_news(living, first.signals, second.signals, sent)
    assert living.mail("study fall is late", sent)

    says_nothing_new(living, living.run_with(lambda run: run.stopped, after=second))
    assert len(living.mails.about(" signal", after=sent)) == 1
    events = living.airflow.call("/assets/events?limit=100")["asset_events"]
    assert {"snds/flat/DCIR", "snds/study/fall"} <= {event["name"] for event in events}


def says_nothing_new(living: Living, run: Run) -> None:
    assert run.told and NOTHING_NEW in run.told and NOTHING_NEW in living.note(run)
    assert run.planned is None


def mail_names_the_news(living: Living, old: Signals, new: Signals, sent_before: int) -> None:
    """One mail, with the name of the run, names each signal that it gained, and each that it lost."""
    gained, lost = signals_gained(old, new), signals_lost(old, new)
    assert gained, "the delivery was chosen so that its last month brings a signal"
    (told,) = living.mail(f"{len(gained)} new signal", sent_before)
    assert AFTER in told
    for drug, signal in gained.items():
        does = {"raised": "raises", "lowered": "lowers"}[signal["flag"]]
        assert f"New: {signal['name']} ({drug}) {does} the risk" in told
    assert told.count("New: ") == len(gained) and told.count("No more: ") == len(lost)
    assert all(f"No more: {signal['name']} ({drug})" in told for drug, signal in lost.items())


def test_a_backfill_says_again_what_the_study_said_of_the_data_of_then(living: Living, first: Run) -> None:
    sent = len(living.mails.mails)
    day = "2017-06-15T10:00:00Z"
    living.airflow.call("/backfills", "POST", {"dag_id": STUDY, "from_date": day, "to_date": day, "max_active_runs": 1})
    again = living.run_with(lambda run: run.kind == "backfill")
    assert again.computed and again.facts["changes"] == {"data_until": {"file": "", "run": "2017-05"}}
    assert (again.facts["name"], again.window) == (BEFORE, first.window)
    assert again.facts["data"] == first.facts["data"] and again.signals == first.signals
    assert not living.mails.about(" signal", after=sent), "a what-if is nobody's news"
    latest = max(patient(lambda: list(living.ended(first))), key=lambda run: run.due)
    says_nothing_new(living, living.run_with(lambda run: True, after=latest))
