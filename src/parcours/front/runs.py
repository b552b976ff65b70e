"""The studies and their runs, as the root and the study files tell them."""

import csv
import io
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from math import log as logarithm
from pathlib import Path
from typing import Any

from parcours.cohort.study import load_study
from parcours.cohort.titles import change_words
from parcours.errors import InputError
from parcours.front.pages import Pages, Remembered, read_json
from parcours.quality.verdict import critical_failures

log = logging.getLogger(__name__)
DAMAGED = "a file of this run cannot be read; make the run again"
RAISED, LOWERED, BEFORE = "raised", "lowered", "rise before exposure"
STAGES = ("cohort", "features", "model", "report")
# Of each kind, so many signals are told here; the report tells all.
SHOWN_OF_EACH = {RAISED: 5, LOWERED: 3, BEFORE: 3}


@dataclass(frozen=True)
class Signal:
    """A medicine that is flagged: relative incidence with its interval, at 95 %, and the days of its window."""

    name: str
    flag: str
    ri: float
    lower: float
    upper: float
    days: str


@dataclass(frozen=True)
class Verdict:
    """What the gate said, and why it refused: sentences that may leave."""

    passed: bool
    when: str
    reasons: tuple[str, ...]
    page: str | None


@dataclass(frozen=True)
class Run:
    """One run of a study; pages are paths below the root, None where there is none."""

    cohort: str
    fingerprint: str
    sentence: str
    changes: tuple[str, ...]
    when: str
    state: str
    verdict: Verdict | None
    report: str | None
    comparisons: dict[str, str]
    mlflow: str | None
    airflow: tuple[str, str] | None
    synthetic: bool
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class StudyPart:
    """A study: its question, its schedule, what is wrong with its file, and its runs, the newest first.

    One that has runs and no file any more has no DAG either: `has_file` is False.
    """

    cohort: str
    title: str
    description: str
    schedule: str | None
    mistake: str | None
    has_file: bool
    runs: tuple[Run, ...]

    @property
    def told(self) -> Run | None:
        """The run whose signals stand for the study: the newest with a report, before those that changed something."""
        reported = [run for run in self.runs if run.report]
        return next((run for run in reported if not run.changes), reported[0] if reported else None)


def studies(remembered: Remembered, cohorts: Path) -> list[StudyPart]:
    """Every study that has a file in `cohorts` or a run in the root, by name."""
    runs = _runs(remembered)
    files = {file.stem: file for file in sorted(cohorts.glob("*.yaml"))}
    return [_study(name, files.get(name), runs.get(name, [])) for name in sorted({*files, *runs})]


def _study(name: str, file: Path | None, runs: list[Run]) -> StudyPart:
    newest_first = sorted(runs, key=lambda run: run.when or "9999", reverse=True)
    title, description, schedule, mistake = name, "", None, None
    if file is not None:
        try:
            study = load_study(file)
            title, description, schedule = study.title, study.description, study.schedule
        except InputError as error:
            mistake = str(error)
    return StudyPart(name, title, description, schedule, mistake, file is not None, tuple(newest_first))


def _runs(remembered: Remembered) -> dict[str, list[Run]]:
    """Runs by study; a run is read again when one of its folders changed."""
    stamps: dict[str, list[str]] = {}
    for pattern in ("studies/*/*/*", "studies/*/*/comparisons/*"):
        for path, stamp in remembered.pages.find(pattern).items():
            stamps.setdefault("/".join(path.split("/")[:3]), []).append(f"{path} {stamp}")
    found: dict[str, list[Run]] = {}
    for folder, told in stamps.items():
        run = remembered.of("run", folder, "\n".join(sorted(told)), _run)
        if run is not None:
            found.setdefault(run.cohort, []).append(run)
    return found


def _run(pages: Pages, folder: str) -> Run | None:
    """The run in a folder, None where there is none; one whose files are not what they should be is told as that."""
    try:
        run = read_json(pages, f"{folder}/run.json")
        return None if run is None else _read(pages, folder, run)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("A file of the run %s is damaged, and home cannot tell of it: %r", folder, error)
        return _damaged(folder)


def _damaged(folder: str) -> Run:
    _, cohort, fingerprint = folder.split("/")
    nothing: dict[str, Any] = {"verdict": None, "report": None, "mlflow": None, "airflow": None}
    return Run(cohort, fingerprint, cohort, (), "", DAMAGED, comparisons={}, synthetic=False, signals=(), **nothing)


def _read(pages: Pages, folder: str, run: Mapping[str, Any]) -> Run:
    done = {stage: found for stage in STAGES if (found := read_json(pages, f"{folder}/{stage}/_MANIFEST.json"))}
    verdict = verdict_in(pages, f"{folder}/quality")
    summary = done.get("report", {}).get("summary", {})
    report = f"{folder}/report/report.html" if "report" in done else None
    asked = run.get("airflow")
    return Run(
        cohort=run["cohort"],
        fingerprint=run["fingerprint"],
        sentence=run.get("name") or run["cohort"],
        changes=tuple(change_words(run.get("changes") or {})),
        when=max((str(manifest.get("ended", "")) for manifest in done.values()), default=""),
        state=_state(done, verdict),
        verdict=verdict,
        report=report,
        comparisons=_comparisons(pages, folder),
        mlflow=summary.get("mlflow_url"),
        airflow=(asked["dag_id"], asked["run_id"]) if asked else None,
        synthetic=bool(run.get("synthetic")),
        signals=_signals(pages.read(f"{folder}/report/peaks.csv")) if report else (),
    )


def _state(done: Mapping[str, Any], verdict: Verdict | None) -> str:
    if "report" in done:
        return "reported"
    if verdict is not None and not verdict.passed:
        return "refused by the gate"
    last = next((stage for stage in reversed(STAGES) if stage in done), None)
    return f"{last} done, no report" if last else "planned"


def _comparisons(pages: Pages, folder: str) -> dict[str, str]:
    """The page of each comparison, by the fingerprint of the earlier run."""
    return {path.split("/")[4]: path for path in sorted(pages.find(f"{folder}/comparisons/*/comparison.html"))}


def verdict_in(pages: Pages, folder: str) -> Verdict | None:
    """The verdict in a folder of the gate, None when there is none."""
    verdict = read_json(pages, f"{folder}/verdict.json")
    if verdict is None:
        return None
    page = f"{folder}/data_docs/index.html"
    return Verdict(
        passed=bool(verdict["passed"]),
        when=str(verdict.get("ended", "")),
        reasons=tuple(_reason(rule) for rule in critical_failures(verdict["rules"])),
        page=page if pages.find(page) else None,
    )


def _reason(rule: Mapping[str, Any]) -> str:
    """What failed, as the refusal says it, without the places that are for who can open the root."""
    return str(rule["sentence"]).partition(" (rule ")[0] or str(rule["description"])


def _signals(peaks: bytes | None) -> tuple[Signal, ...]:
    """The flagged medicines of a report's peaks.csv, the strongest of each kind first."""
    rows = csv.DictReader(io.StringIO((peaks or b"").decode("utf-8-sig")))
    flagged = [_signal(row) for row in rows if row.get("flag") in SHOWN_OF_EACH]
    order = list(SHOWN_OF_EACH)
    return tuple(sorted(flagged, key=lambda signal: (order.index(signal.flag), -_strength(signal.ri), signal.name)))


def _signal(row: Mapping[str, str]) -> Signal:
    ri, lower, upper = (_number(row.get(name)) for name in ("ri", "lower", "upper"))
    days = f"{row['first_day']} to {row['last_day']}" if row.get("first_day") and row.get("last_day") else ""
    return Signal(row["name"] or row["drug"], row["flag"], ri, lower, upper, days)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:  # withheld
        return float("nan")


def _strength(ri: float) -> float:
    return abs(logarithm(ri)) if isfinite(ri) and ri > 0 else 0.0


def strongest(signals: Iterable[Signal]) -> tuple[list[Signal], int]:
    """The first of each kind, and how many more there are."""
    told = list(signals)
    kept = [
        signal for flag, most in SHOWN_OF_EACH.items() for signal in [one for one in told if one.flag == flag][:most]
    ]
    return kept, len(told) - len(kept)
