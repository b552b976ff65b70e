"""The part of a study on the front page: its question, what stands out, the gate's verdict, its runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from math import isfinite

from parcours.front.addresses import Addresses, study_dag
from parcours.front.airflow_facts import AirflowFacts
from parcours.front.interval_plot import axis, interval_plot
from parcours.front.parts import day, elsewhere, link, root_page, row, table
from parcours.front.runs import BEFORE, LOWERED, RAISED, Run, Signal, StudyPart, Verdict, strongest

WORDS = {RAISED: "raises", LOWERED: "lowers", BEFORE: "rises before the purchase"}
KINDS = {RAISED: "raises", LOWERED: "lowers", BEFORE: "before"}
# More runs than these are folded away.
RUNS_OPEN = 10
HOW_TO_COMPARE = "/how-to-compare"


@dataclass(frozen=True)
class Around:
    """What a part of the page needs beside the root: addresses, what Airflow told, whether it is in a frame."""

    addresses: Addresses
    airflow: AirflowFacts
    framed: bool


def study_part(study: StudyPart, around: Around) -> str:
    """The study as a section of HTML."""
    inner = [
        f'<h3 id="study-{escape(study.cohort)}">{escape(study.title)}</h3>',
        f"<p>{escape(study.description)}</p>" if study.description else "",
        f'<p class="fault">The study file has a mistake: {escape(study.mistake)}</p>' if study.mistake else "",
        _now(study, around),
        *_signals(study),
        _runs_table(study.runs, around) if study.runs else '<p class="quiet">No run yet.</p>',
    ]
    return f'<article aria-labelledby="study-{escape(study.cohort)}">{"".join(inner)}</article>'


def _now(study: StudyPart, around: Around) -> str:
    """What is next, what the gate said last, and the link that starts a run."""
    dag = study_dag(study.cohort)
    judged = [run for run in study.runs if run.verdict is not None]
    facts = [("Last verdict of the gate", verdict_words(judged[0].verdict) if judged else "none yet")]
    next_run = around.airflow.next_run(dag, _schedule(study)) if study.has_file else "none: it has no study file"
    facts.append(("Next run", next_run))
    start = study.has_file and elsewhere(
        around.addresses.dag(dag), "Run now", f"{study.title}, in Airflow", around.framed
    )
    terms = "".join(f"<div><dt>{name}</dt><dd>{words}</dd></div>" for name, words in facts)
    return f'<dl class="facts">{terms}</dl>' + (f'<p class="act">{start}</p>' if start else "")


def _schedule(study: StudyPart) -> str:
    return f"cron {study.schedule}" if study.schedule else "when all its data are published anew, or by hand"


def verdict_words(verdict: Verdict | None) -> str:
    """`passed, 2026-11-30 13:00` or why it refused, with its page."""
    if verdict is None:
        return "none yet"
    page = link(root_page(verdict.page), "rule by rule", "of the gate")
    if verdict.passed:
        return f'<span class="good">passed</span>, {day(verdict.when)} {page}'
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    return f'<span class="bad">refused</span>, {day(verdict.when)} {page}<ul>{reasons}</ul>'


def _signals(study: StudyPart) -> list[str]:
    run = study.told
    if run is None:
        return []
    kept, more = strongest(run.signals)
    title = f"<h4>What stands out in {_report_link(run, run.sentence)}</h4>"
    if not kept:
        return [title, "<p>No medicine is flagged: no curve differs from 1 by more than chance explains.</p>"]
    head = (
        "medicine",
        "flag",
        f'<span class="heard">drawn</span>{axis()}',
        "relative incidence (95 % interval)",
        "days after the purchase",
    )
    rows = [_signal(signal) for signal in kept]
    rest = f'<p class="quiet">{more} more in the report.</p>' if more else ""
    return [title, table(f"Signals of {study.title}", head, rows, "signals"), rest]


def _signal(signal: Signal) -> str:
    numbers = f"{_ratio(signal.ri)} ({_ratio(signal.lower)} to {_ratio(signal.upper)})"
    told = f"relative incidence {numbers}"
    drawn = "" if signal.ri != signal.ri else interval_plot(*_values(signal), KINDS[signal.flag], told)
    cells = (f'<span class="flag">{WORDS[signal.flag]}</span>', drawn, numbers, escape(signal.days))
    return row(escape(signal.name), cells, KINDS[signal.flag])


def _values(signal: Signal) -> tuple[float, float, float]:
    """The relative incidence and its bounds; a bound that is not known lies at the value itself."""
    lower, upper = (signal.ri if bound != bound else bound for bound in (signal.lower, signal.upper))
    return signal.ri, lower, upper


def _ratio(value: float) -> str:
    if value != value:
        return "–"
    return "∞" if not isfinite(value) or value > 1000 else f"{value:.2f}"


def _report_link(run: Run, words: str) -> str:
    return link(root_page(run.report), words, "") or escape(words)


def _runs_table(runs: tuple[Run, ...], around: Around) -> str:
    earlier = {run.fingerprint: run.sentence for run in runs}
    rows = [_run(run, runs[number + 1 :], earlier, around) for number, run in enumerate(runs)]
    shown = table(
        f"Runs of {runs[0].cohort}", ("run", "what differs", "ended", "state", "pages"), rows[:RUNS_OPEN], "runs"
    )
    if len(rows) <= RUNS_OPEN:
        return f"<h4>Runs</h4>{shown}"
    older = table(
        f"Older runs of {runs[0].cohort}", ("run", "what differs", "ended", "state", "pages"), rows[RUNS_OPEN:], "runs"
    )
    return f"<h4>Runs</h4>{shown}<details><summary>Older runs</summary>{older}</details>"


def _run(run: Run, older: tuple[Run, ...], sentences: Mapping[str, str], around: Around) -> str:
    name = f"{_report_link(run, run.sentence)}<small>{run.fingerprint}</small>"
    differs = "; ".join(run.changes) or "nothing: the study as its file says"
    cells = (escape(differs), day(run.when), escape(run.state), _links(run, older, sentences, around))
    return row(name, cells)


def _links(run: Run, older: tuple[Run, ...], sentences: Mapping[str, str], around: Around) -> str:
    """The pages of a run; what is not there has no link."""
    about = f"of run {run.fingerprint}"
    tracked = mlflow_page(run, around.addresses)
    links = [
        link(root_page(run.report), "Report", about),
        link(root_page(run.verdict.page) if run.verdict else None, "Data quality", about),
        *(
            link(root_page(page), "Compare", f"{about} with {sentences.get(before, before)}, {before}")
            for before, page in run.comparisons.items()
        ),
        link(_ask(run, older), "Compare", f"{about}: how to"),
        elsewhere(tracked, "MLflow", about, around.framed),
        elsewhere(around.addresses.dag_run(*run.airflow) if run.airflow else None, "Airflow", about, around.framed),
    ]
    return " ".join(filter(None, links))


def _ask(run: Run, older: tuple[Run, ...]) -> str | None:
    """Where it is told how a run is compared with the one before it, while nobody has."""
    before = next((other for other in older if other.report), None)
    if run.comparisons or not run.report or before is None:
        return None
    return f"{HOW_TO_COMPARE}?study={run.cohort}&later={run.fingerprint}&earlier={before.fingerprint}"


def mlflow_page(run: Run, addresses: Addresses) -> str | None:
    """The page of a run in MLflow, under the address by which people reach it now."""
    _, mark, page = (run.mlflow or "").partition("/#/")
    return f"{addresses.mlflow}{mark}{page}" if addresses.mlflow and mark else None
