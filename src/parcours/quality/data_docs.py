"""Data Docs as people read them: what Great Expectations' site builder calls to draw its pages.

Its own pages fetch scripts and styles from half a dozen sites and are unreadable without them; these fetch nothing. The
first page says in sentences what was found, why and what to do, with a chart of the rows that were lost beside it; each
rule is folded away below. Each table that rules look at has a page with more of each rule.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from parcours.errors import ParcoursError
from parcours.quality.catalogue import Rule, View, catalogue_names, load_catalogue
from parcours.quality.context import docs_directory
from parcours.quality.losses import loss_charts
from parcours.reporting.web_page import folded, header, section, synthetic_banner, table, tiles, web_page

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.data_context import FileDataContext

FAILED, WARNED, PASSED = "failed", "warned", "passed"
WORDS = {FAILED: "✗ failed", WARNED: "! warning", PASSED: "✓ passed"}
ORDER = (FAILED, WARNED, PASSED)
TALLY = {FAILED: "failed", WARNED: "warned", PASSED: "passed"}
MOST_PERIODS = 12
MOST_SENTENCES = 3
REFUSED_DATA = (
    "Nothing of this is published: studies go on with what was published before. Put it right in the delivery, flatten "
    "that again and check it again."
)
REFUSED_STUDY = "No model is trained on these features. Put it right in the study or its data, and run it again."
PASSED_DATA = "Every critical rule holds: the data are published, and studies may read them."
PASSED_STUDY = "Every critical rule holds: the model may be trained on these features."
OF_A_STUDY = "features"  # what the views of a study say in place of a period
HOW_TO_READ = """
A rule looks at every row of a table. A <b>critical</b> rule that fails refuses the data: no study reads them. A
<b>warning</b> lets them through and is worth a look. Counts of 1 to 10 rows are told as <b>fewer than 11</b>, and no
page holds a row, a value or an identifier: the places named are inside the root.
"""


@dataclass(frozen=True)
class Finding:
    """What the gate says of one rule: `state` is failed, warned or passed; `found` is fit to leave."""

    rule: Rule
    state: str
    found: str
    periods: tuple[str, ...]
    where: str


def build_pages(context: "FileDataContext") -> Path:
    """Draw the pages of every stored result; the folder that holds them.

    Raises ParcoursError when one could not be drawn: the site builder only logs that.
    """
    context.build_data_docs()
    folder = docs_directory(context)
    shutil.rmtree(folder / "static", ignore_errors=True)  # 4 MB of fonts and pictures that these pages do not show
    pages = [folder / "index.html", *folder.glob("validations/**/*.html")]
    drawn = sum(page.is_file() and page.stat().st_size > 0 for page in pages)
    if drawn != 1 + len(context.validation_results_store.list_keys()):
        raise ParcoursError("Great Expectations could not draw all pages of Data Docs; its log says why.")
    return folder


class FirstPage:
    """Draws index.html, with what the site builder's index knows and the results themselves."""

    def __init__(self, data_context: "FileDataContext") -> None:
        self.context = data_context

    def render(self, index_links: Mapping[str, Any]) -> str:
        """The whole page."""
        pages = {link["expectation_suite_name"]: link["filepath"] for link in index_links.get("validations_links", ())}
        store = self.context.validation_results_store
        results: list[ExpectationSuiteValidationResult] = [store.get(key) for key in store.list_keys()]  # type: ignore[misc]
        findings = {str(result.suite_name): findings_of(result) for result in results}
        about = about_run(results[0])
        return web_page(
            f"Quality gate: {verdict([f for each in findings.values() for f in each])}",
            [*_opening(about, [f for each in findings.values() for f in each]), *_sections(findings, pages)],
        )


class TablePage:
    """Draws the page of one table that rules look at."""

    def render(self, result: "ExpectationSuiteValidationResult") -> str:
        """The whole page."""
        view, findings, about = views()[str(result.suite_name)], findings_of(result), about_run(result)
        body = "".join(_whole_row(finding) for finding in sorted(findings, key=_reading_order))
        head = ("result", "rule", "found", "severity", "checked", "where to look")
        return web_page(
            f"Quality gate: {view.name}",
            [
                *synthetic_banner(about["synthetic"]),
                header(_run_line(about), view.name, view.description),
                section("Rules", table(head, body), f"<p class=note>{HOW_TO_READ}</p>"),
                '<p><a href="../../../../index.html">All rules of this run</a></p>',
            ],
        )


class AsItIs:
    """The view that the site builder asks for beside a renderer: pages are whole already."""

    def render(self, page: str, **settings: Any) -> str:
        """The page."""
        return page


def verdict(findings: Iterable[Finding]) -> str:
    """The outcome in one line."""
    states = [finding.state for finding in findings]
    failed, warned = states.count(FAILED), states.count(WARNED)
    if failed:
        return f"refused: {_number(failed, 'critical rule')} failed"
    return f"passed with {_number(warned, 'warning')}" if warned else "passed"


def about_run(result: "ExpectationSuiteValidationResult") -> dict[str, Any]:
    """What the gate says of its run beside the results: run_name, products, place, started, synthetic, losses."""
    return dict(cast("dict[str, Any]", result.meta)["about"])


def findings_of(result: "ExpectationSuiteValidationResult") -> list[Finding]:
    """What a stored result says, rule by rule."""
    place = str(about_run(result)["place"])
    return [_finding(entry, place) for entry in result.results]


def views() -> dict[str, View]:
    """Every view that rules look at, by name."""
    return {view.name: view for name in catalogue_names() for view in load_catalogue(name).checked_views()}


def _rules() -> dict[str, Rule]:
    return {rule.id: rule for name in catalogue_names() for rule in load_catalogue(name).rules}


def _finding(entry: "ExpectationValidationResult", place: str) -> Finding:
    assert entry.expectation_config is not None
    rule = _rules()[entry.expectation_config.meta["rule"]]
    state = PASSED if entry.success else FAILED if rule.severity == "critical" else WARNED
    periods = tuple(period for period in entry.result["periods"] if period != OF_A_STUDY)
    where = rule.where_to_look.replace("{root}", place).replace("{period}", periods[0] if periods else "*")
    return Finding(rule, state, str(entry.result["observed_value"]), periods, where)


def _reading_order(finding: Finding) -> int:
    return ORDER.index(finding.state)


def _run_line(about: Mapping[str, Any]) -> str:
    return f"Quality gate · run {about['run_name']} · {about['started']}"


def _opening(about: Mapping[str, Any], findings: list[Finding]) -> Iterator[str]:
    states = [finding.state for finding in findings]
    said = verdict(findings)
    yield from synthetic_banner(about["synthetic"])
    yield header(
        _run_line(about), f"{said[0].upper()}{said[1:]}", f"{', '.join(about['products'])} in {about['place']}"
    )
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in _said(about, findings))
    yield section("In short", f"<div class=beside><div>{sentences}</div>{loss_charts(about['losses'])}</div>")
    yield tiles({
        "rules checked": str(len(states)),
        "passed": str(states.count(PASSED)),
        "warnings": str(states.count(WARNED)),
        "critical rules failed": str(states.count(FAILED)),
    })  # fmt: skip


def _said(about: Mapping[str, Any], findings: Iterable[Finding]) -> Iterator[str]:
    """What was refused and why, and what to do: a sentence a critical rule that failed, and one more."""
    struck = [finding for finding in findings if finding.state != PASSED]
    failed = [finding for finding in struck if finding.state == FAILED]
    of_study = OF_A_STUDY.upper() in about["products"]
    for finding in failed[:MOST_SENTENCES]:
        periods = f" {_periods(finding.periods)}" if finding.periods else ""
        yield f"{finding.rule.problem}: {finding.found}{periods}. Look at {finding.where}."
    if len(failed) > MOST_SENTENCES:
        yield f"{_number(len(failed) - MOST_SENTENCES, 'other critical rule')} failed as well, told below."
    if failed:
        yield REFUSED_STUDY if of_study else REFUSED_DATA
    else:
        passed = PASSED_STUDY if of_study else PASSED_DATA
        yield passed + (f" {_number(len(struck), 'warning')} below: worth a look." if struck else "")


def _sections(findings: Mapping[str, list[Finding]], pages: Mapping[str, str]) -> Iterator[str]:
    """What did not pass, then every rule, table by table, folded away."""
    head = ("result", "rule", "found", "severity")
    struck = sorted((f for each in findings.values() for f in each if f.state != PASSED), key=_reading_order)
    if struck:
        yield section("What did not pass", table((*head, "where to look"), "".join(map(_row_with_place, struck))))
    for name, each in findings.items():
        more = (
            f'<p><a href="{escape(pages[name])}">More of each rule of {escape(name)}</a></p>' if name in pages else ""
        )
        rules = folded(f"{len(each)} rules: {_tally(each)}", table(head, "".join(map(_row, each)), name))
        yield section(name, f"<p>{escape(views()[name].description)}</p>", rules, more)
    yield section("How to read this", f"<p>{HOW_TO_READ}</p>")


def _tally(findings: Iterable[Finding]) -> str:
    states = [finding.state for finding in findings]
    return ", ".join(f"{states.count(state)} {TALLY[state]}" for state in ORDER if state in states)


def _row(finding: Finding) -> str:
    return f'<tr class="{finding.state}">{_cells(finding)}</tr>'


def _row_with_place(finding: Finding) -> str:
    return f'<tr class="{finding.state}">{_cells(finding)}<td class=place>{escape(finding.where)}</td></tr>'


def _whole_row(finding: Finding) -> str:
    rule = finding.rule
    checked = f"<td>{escape(condition(rule))}<small>{escape(rule.source)}</small></td>"
    return f'<tr class="{finding.state}">{_cells(finding)}{checked}<td class=place>{escape(finding.where)}</td></tr>'


def _cells(finding: Finding) -> str:
    rule = finding.rule
    periods = f"<small>{escape(_periods(finding.periods))}</small>" if finding.periods else ""
    return (
        f"<td class=narrow>{WORDS[finding.state]}</td>"
        f"<td class=rule>{escape(rule.description)}<small>{escape(rule.id)}</small></td>"
        f"<td class=found>{escape(finding.found)}{periods}</td><td>{escape(rule.severity)}</td>"
    )


def _periods(periods: tuple[str, ...]) -> str:
    more = len(periods) - MOST_PERIODS
    return "in " + ", ".join(periods[:MOST_PERIODS]) + (f" and {_number(more, 'other period')}" if more > 0 else "")


def condition(rule: Rule) -> str:
    """The expectation of a rule in words, with its tolerance."""
    arguments = rule.arguments
    tolerance = f", in at least {100 * arguments['mostly']:g} % of them" if arguments.get("mostly", 1) < 1 else ""
    return f"{arguments['column']} {_demand(rule.expectation, arguments)}{tolerance}"


def _demand(expectation: str, arguments: Mapping[str, Any]) -> str:
    if expectation.endswith("in_set"):
        return f"is one of {', '.join(map(str, arguments['value_set']))}"
    if expectation.endswith("match_regex"):
        return f"matches {arguments['regex']}"
    if expectation.endswith("not_be_null"):
        return "is filled"
    lowest, highest = arguments.get("min_value"), arguments.get("max_value")
    if lowest is None or highest is None:
        return f"is at least {lowest}" if highest is None else f"is at most {highest}"
    return f"is {lowest}" if lowest == highest else f"lies between {lowest} and {highest}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
