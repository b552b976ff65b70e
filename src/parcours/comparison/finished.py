"""A finished run as a comparison reads it: its run.json and the tables of its report, which hold what may leave."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parcours.cohort.plan import read_run
from parcours.comparison.counts import Told
from parcours.comparison.signals import PEAKS, REPORT, Signal, number, read_rows, signal_of
from parcours.errors import InputError
from parcours.leaving import Published
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, found, place
from parcours.storage.root import Root

RUN = "run.json"
FEWEST_CHARACTERS = 4
NAMED = 4


@dataclass(frozen=True)
class Step:
    """A step of a run's attrition, with counts as they may leave."""

    description: str
    persons: Published
    lost: Published


@dataclass(frozen=True)
class Level:
    """The estimate of a lag: its first day since the purchase, relative incidence and interval; None: not estimated."""

    day: int
    ri: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class FinishedRun:
    """A run and what its report tells; every count as it may leave, None where the report does not tell it."""

    run: Mapping[str, Any]
    attrition: Sequence[Step]
    signals: Mapping[str, Signal]
    exposed: Mapping[str, Published]
    curves: Mapping[str, Sequence[Level]]
    counts: Mapping[str, Told] = field(default_factory=dict)

    @property
    def cohort(self) -> str:
        """Name of the study."""
        return str(self.run["cohort"])

    @property
    def fingerprint(self) -> str:
        """Fingerprint of parameters, data and code."""
        return str(self.run["fingerprint"])

    @property
    def name(self) -> str:
        """What people call the run."""
        return str(self.run.get("name") or self.run["cohort"])

    @property
    def synthetic(self) -> bool:
        """Whether its persons are made up."""
        return bool(self.run.get("synthetic"))

    @property
    def bucket_days(self) -> int:
        """Days of one lag of its curves."""
        return int(self.run["study"]["model"]["bucket_days"])

    @property
    def cases(self) -> Published:
        """Its cases: the last step of the attrition."""
        return self.attrition[-1].persons


def read_finished(run: Mapping[str, Any], folder: Place) -> FinishedRun:
    """The run whose run.json and report are in a folder.

    Raises InputError when a table of the report is not there.
    """
    report = folder / REPORT
    peaks = read_rows(report / PEAKS)
    steps = [Step(row["description"], count(row["persons"]), count(row["lost"])) for row in _attrition(report)]
    summary = (read_manifest(report) or {}).get("summary", {})
    curves: dict[str, list[Level]] = {}
    for row in read_rows(report / "curves.csv"):
        level = Level(int(row["day"]), *(number(row[name]) for name in ("ri", "lower", "upper")))
        curves.setdefault(row["drug"], []).append(level)
    return FinishedRun(
        run=run,
        attrition=steps,
        signals={row["drug"]: signal_of(row) for row in peaks},
        exposed={row["drug"]: count(row["exposed_cases"]) for row in peaks},
        curves=curves,
        counts={name: summary.get(name) for name in ("persons_followed", "events")},
    )


def _attrition(report: Place) -> list[dict[str, str]]:
    rows = read_rows(report / "attrition.csv")
    if not rows:
        raise InputError(f"{report / 'attrition.csv'} holds no step; remove the report and write it again.")
    return rows


def count(text: str) -> Published:
    """A count of a report's table: a number, or the mark that stands for one."""
    return int(text) if text.isdigit() else text


def find_run(root: Root, asked: str) -> dict[str, Any]:
    """The run of a root that is called by its fingerprint or the first characters of it, by `cohort/fingerprint`, or by
    the path of its run.json or of the folder of that.

    Raises InputError when none is, or several are.
    """
    if (path := _path(asked)) is not None:
        run = read_run(path)
        here = root.study(run["cohort"], run["fingerprint"]) / RUN
        if not here.is_file():
            raise InputError(f"{path} is not a run of the root {root.path}; give the root that it lies in.")
        return read_run(here)
    cohort, slash, mark = asked.rpartition("/")
    if len(mark) < FEWEST_CHARACTERS:
        raise InputError(f"The run {asked} cannot be told apart: give four characters or more.")
    runs = found(root.path, f"studies/{cohort if slash else '*'}/*/{RUN}")
    fitting = [run for run in runs if run.parent.name.startswith(mark)]
    if len(fitting) > 1:
        raise InputError(f"The run {asked} may be any of these: {_listed(fitting)}; give more of it.")
    if not fitting:
        known = f"known are {_listed(runs)}" if runs else "nothing was run there"
        raise InputError(f"There is no run {asked} in {root.path}; {known}.")
    return read_run(fitting[0])


def _path(asked: str) -> Place | None:
    """The run.json that is named by its path, or None for a name."""
    where = place(asked, "run")
    return next((path for path in (where, where / RUN) if path.name == RUN and path.is_file()), None)


def _listed(runs: Sequence[Place]) -> str:
    return ", ".join(_names(runs)) + (f" and {len(runs) - NAMED} more" if len(runs) > NAMED else "")


def _names(runs: Sequence[Place]) -> Iterator[str]:
    for run in runs[:NAMED]:
        yield f"{run.parent.parent.name}/{run.parent.name}"


def check_reported(root: Root, run: Mapping[str, Any]) -> Place:
    """The folder of a run whose report is committed.

    Raises InputError when it is not.
    """
    cohort, mark = run["cohort"], run["fingerprint"]
    folder = root.study(cohort, mark)
    manifest = read_manifest(folder / REPORT)
    if manifest is None or manifest.get("fingerprint") != mark:
        settings = "".join(f" --set {name}={_typed(each['run'])}" for name, each in run.get("changes", {}).items())
        raise InputError(
            f"Run {mark} of {cohort} has no report yet; run `parcours report {cohort} "
            f"--root {root.path}{settings}` first."
        )
    return folder


def _typed(value: Any) -> str:
    """A value as --set takes it."""
    if isinstance(value, list):
        return f"'[{', '.join(map(str, value))}]'"
    return str(value).lower() if isinstance(value, bool) else str(value)
