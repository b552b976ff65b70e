"""A study that lives: the real scheduler runs it again when a month is delivered, says when nothing is new, and mails.

Data move here, the clock does not: the cron line is of every minute, and each of its runs looks at what is published.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from parcours.comparison.signals import read_signals, signals_gained, signals_lost
from parcours.embedded.airflow_api import Airflow
from parcours.embedded.follow import follower
from parcours.embedded.platform import start_platform, stop_platform
from parcours.home import project_home
from parcours.stages.flatten import run_flatten
from parcours.stages.quality import run_check
from parcours.synth.delivery import SynthSettings, write_delivery
from tests.dags.smtp_server import MailServer, mail_server

pytestmark = [pytest.mark.living, pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(1800)]

STUDY, FLATTEN = "study__fall", "snds_flatten"
PERSONS, PATIENCE = 2_500, 900.0
FIRST_MONTHS = ["2016", *(f"2017-0{month}" for month in range(1, 6))]
# A study that a small delivery can carry, of every minute; 0.001 hours are 4 seconds.
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
        "min_exposed_cases": 11,
        "tv_grid": [0.001],
        "group_grid": [0.0003],
        "cv_folds": 2,
        "bootstrap": 4,
    },
}


@dataclass(frozen=True)
class Living:
    """The platform, its mails, and what is still to be delivered."""

    airflow: Airflow
    mails: MailServer
    delivery: Path
    root: Path

    def run_with(self, wanted: Callable[[dict[str, str]], bool], after: str = "") -> tuple[str, dict[str, str]]:
        """The first run of the study that ended with tasks as wanted, of those that were started after a moment."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for run in self.ended(after):
                tasks = {task.task: task.state for task in self.airflow.tasks(STUDY, run["dag_run_id"])}
                assert run["state"] == "success", self.why(run["dag_run_id"])
                if wanted(tasks):
                    return run["dag_run_id"], tasks
            time.sleep(2)
        raise AssertionError(f"no such run of {STUDY} within {PATIENCE:.0f} s")

    def ended(self, after: str) -> list[dict[str, Any]]:
        """The runs of the study that have ended, of those that were started after a moment, in their order."""
        try:
            found = self.airflow.call(f"/dags/{STUDY}/dagRuns?order_by=run_after&limit=100")["dag_runs"]
        except TimeoutError:  # a busy machine answers later
            return []
        return [run for run in found if run["run_after"] > after and run["state"] in ("success", "failed")]

    def why(self, run: str) -> Any:
        """What the tasks of a run that failed say."""
        return [self.airflow.xcom(STUDY, run, task, "failure") for task in self.airflow.tasks(STUDY, run)]

    def told(self, run: str, key: str = "return_value") -> Any:
        """What the plan of a run handed over."""
        plan = next(task for task in self.airflow.tasks(STUDY, run) if task.task == "plan")
        return self.airflow.xcom(STUDY, run, plan, key)


def own_checkout(folder: Path) -> Path:
    """A checkout whose only study is small, ends with the last complete month, and runs every minute."""
    for name in ("dags", "plugins", "spark_jobs", "codelists", "expectations"):
        shutil.copytree(
            project_home() / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "uncommitted")
        )
    declared = yaml.safe_load((project_home() / "cohorts" / "fall.yaml").read_text("utf-8"))
    for section, values in SMALL.items():
        declared[section] |= values
    declared |= {"schedule": "* * * * *", "timezone": "Europe/Paris", "deadline_hours": 0.001}
    (folder / "cohorts").mkdir()
    (folder / "cohorts" / "fall.yaml").write_text(yaml.safe_dump(declared, sort_keys=False), "utf-8")
    return folder


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    home: Path = tmp_path_factory.mktemp("living")
    root, delivery = home / ".parcours" / "root", home / "delivery"
    write_delivery(SynthSettings(persons=PERSONS, years=(2016, 2016), seed=3, lines_per_person_year=8.0), delivery)
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


def computed(tasks: dict[str, str]) -> bool:
    return tasks.get("report") == "success"


def stopped(tasks: dict[str, str]) -> bool:
    return set(tasks.values()) == {"skipped"}


def window(run_json: str) -> tuple[str, str]:
    population = json.loads(Path(run_json).read_text("utf-8"))["study"]["population"]
    return population["study_start"], population["study_end"]


def test_a_delivered_month_is_taken_up_and_told_and_without_one_nothing_is_computed(living: Living) -> None:
    first, _ = living.run_with(computed)
    before = living.told(first)
    assert window(before) == ("2016-01-01", "2016-11-30")

    quiet, _ = living.run_with(stopped)
    assert "Nothing new: the study fall, its data and its code are those of its last run" in living.told(quiet, "note")
    assert living.told(quiet) is None
    assert len(list(living.root.glob("studies/fall/*/run.json"))) == 1

    mails = len(living.mails.mails)
    living.airflow.enable(FLATTEN)
    conf = {"delivery": str(living.delivery), "root": str(living.root), "products": ["DCIR"], "periods": ["2017-06"]}
    with follower({FLATTEN: 1.0}) as shown:
        shown.run(living.airflow, FLATTEN, living.airflow.trigger(FLATTEN, conf))
    second, _ = living.run_with(lambda tasks: computed(tasks), after=started(living, quiet))
    after = living.told(second)
    assert window(after) == ("2016-01-01", "2016-12-31")
    run = json.loads(Path(after).read_text("utf-8"))
    assert run["changes"] == {} and run["dates_in_words"] == {"study_end": "last complete month"}
    check_mail(living, run, mails)
    events = living.airflow.call("/assets/events?limit=100")["asset_events"]
    assert {"snds/flat/DCIR", "snds/study/fall"} <= {event["name"] for event in events}


def started(living: Living, run: str) -> str:
    return str(living.airflow.call(f"/dags/{STUDY}/dagRuns/{run}")["run_after"])


def check_mail(living: Living, run: dict[str, Any], sent_before: int) -> None:
    """The signals that the second run gained or lost are in its mail; without any there is none. Each run was late."""
    folder = living.root / "studies" / "fall"
    (earlier,) = (path for path in folder.iterdir() if path.name != run["fingerprint"])
    old, new = read_signals(earlier), read_signals(folder / run["fingerprint"])
    gained, lost = signals_gained(old, new), signals_lost(old, new)
    told = living.mails.about(" signal", after=sent_before)
    assert all((run.get("name") or run["cohort"]) in text for text in told)
    assert len(told) == (1 if gained or lost else 0)
    for word, some in (("New", gained), ("No more", lost)):
        assert all(f"{word}: {signal['name']} ({drug})" in told[0] for drug, signal in some.items())
    assert len(living.mails.mails) > sent_before and living.mails.about("study fall is late")
