"""The front page itself: what is running, each study, the flat tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from parcours.front.addresses import FLATTEN, study_dag
from parcours.front.coverage import flattening_part
from parcours.front.deliveries import Delivered, delivered
from parcours.front.pages import Remembered
from parcours.front.running import running_part
from parcours.front.runs import StudyPart, studies
from parcours.front.study_part import Around, study_part

SYNTHETIC = "SYNTHETIC DATA: the persons behind this page are made up, and no number here is about a real one."
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/home.css">
<script src="/home.js" defer></script>
</head>
<body>
<a class="skip" href="#main">To the content</a>
{body}
</body>
</html>
"""


@dataclass(frozen=True)
class Asked:
    """Which part of the page is wanted: of one DAG, of one run of it, all without; `framed` inside Airflow."""

    dag: str | None = None
    run: str | None = None
    framed: bool = False


@dataclass(frozen=True)
class Root:
    """What the page tells of a root."""

    studies: Sequence[StudyPart]
    delivered: Delivered
    running: Sequence[dict[str, Any]]

    @property
    def synthetic(self) -> bool:
        """Whether any of its persons are made up."""
        return self.delivered.synthetic or any(run.synthetic for study in self.studies for run in study.runs)


def read_root(remembered: Remembered, cohorts: Path) -> Root:
    """What the root holds now. Raises OSError when it cannot be read."""
    return Root(studies(remembered, cohorts), delivered(remembered), remembered.pages.running())


def home_page(root: Root, asked: Asked, around: Around) -> str:
    """The whole page, or the part of it that is asked for."""
    shown = [study for study in root.studies if asked.dag in (None, study_dag(study.cohort))]
    if asked.run:
        shown = [_only_run(study, (asked.dag or "", asked.run)) for study in shown]
    parts = [_section("running", "Running now", _running(root.running, around))]
    if shown or asked.dag is None:
        inner = "".join(study_part(study, around) for study in shown)
        parts.append(_section("studies", "Studies", inner or '<p class="quiet">No study yet.</p>'))
    if asked.dag in (None, FLATTEN):
        parts.append(_section("flattening", "Flattening", flattening_part(root.delivered, around)))
    main = f'<main id="main" tabindex="-1">{"".join(parts)}</main>'
    return _page("Parcours", _header(root.synthetic, asked) + main + _footer())


def _running(jobs: Sequence[dict[str, Any]], around: Around) -> str:
    framed = "?in=airflow" if around.framed else ""
    return f'<div id="jobs" data-from="/running{framed}">{running_part(jobs, around)}</div>'


def _only_run(study: StudyPart, airflow: tuple[str, str]) -> StudyPart:
    """The study with the run that a run of Airflow made, or with all while it has made none."""
    made = tuple(run for run in study.runs if run.airflow == airflow)
    return replace(study, runs=made or study.runs)


def _section(name: str, title: str, inner: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{inner}</section>'


def _header(synthetic: bool, asked: Asked) -> str:
    banner = f'<p class="synthetic">{SYNTHETIC}</p>' if synthetic else ""
    whole = "" if asked.dag is None else f'<li><a href="/{"?in=airflow" if asked.framed else ""}">All studies</a></li>'
    parts = "".join(f'<li><a href="#{name}">{words}</a></li>' for name, words in _contents(asked))
    return (
        f'<header><h1>Parcours</h1><p class="quiet">From claims data to the safety of medicines</p>'
        f'<nav aria-label="Parts of this page"><ul>{whole}{parts}</ul></nav>{banner}</header>'
    )


def _contents(asked: Asked) -> list[tuple[str, str]]:
    named = [("running", "Running now")]
    if asked.dag != FLATTEN:
        named.append(("studies", "Studies"))
    return named + ([("flattening", "Flattening")] if asked.dag in (None, FLATTEN) else [])


def _footer() -> str:
    return (
        '<footer><p class="quiet">Counts of 1 to 10 persons never leave the root. Times are UTC. A flag is a signal to '
        "look into, not a cause.</p></footer>"
    )


def how_to_compare(root: str, study: str, later: str, earlier: str) -> str:
    """How two runs are compared, with the command for these two."""
    command = f"parcours compare {earlier} {later} --root {root}"
    inner = (
        "<p>Nobody has compared these two runs yet. On a machine that reaches the root:</p>"
        f'<pre tabindex="0"><code>{escape(command)}</code></pre>'
        '<p>Its page is then linked from home, beside the later run.</p><p><a href="/">Back to home</a></p>'
    )
    return _short_page("Compare two runs", f"Compare two runs of {study}", inner)


def no_report(asked: Asked) -> str:
    """What is shown in place of a report that is not there."""
    here = "?in=airflow" if asked.framed else ""
    inner = (
        "<p>It is here as soon as the run has made it. A run that asks what another has answered before makes none "
        f'of its own.</p><p><a href="/{here}">All studies and their reports</a></p>'
    )
    return _short_page("No report yet", "No report yet", inner)


def _short_page(title: str, heading: str, inner: str) -> str:
    """A page of one section."""
    header = f"<header><h1>{escape(heading)}</h1></header>"
    return _page(title, f'{header}<main id="main" tabindex="-1"><section>{inner}</section></main>')


def _page(title: str, body: str) -> str:
    return PAGE.format(title=escape(title), body=body)
