"""comparison.html: two runs side by side in one file that opens anywhere, without a network."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from parcours.comparison.compare import GAINED, KEPT, LOST, NOTHING, TURNED, Comparison, Pair, curves_worth_drawing
from parcours.comparison.differences import data_words, version_words
from parcours.comparison.figures import LINES, PANELS
from parcours.comparison.labels import Labels, labels_of, source_of
from parcours.comparison.sentence import cases_words, change_words, in_words, sentence
from parcours.comparison.tables import COUNTS, estimate_words, exposed_words, step_rows, told_words
from parcours.reporting.suppression import shown
from parcours.reporting.web_page import folded, header, section, synthetic_banner, tiles, web_page

STYLE = Path(__file__).with_name("comparison.css")
HOW_TO_READ = """
A <b>relative incidence</b> of 2 means that the event was twice as frequent in a window of days after the first purchase
as in the rest of the same persons' follow-up; 1 is no change. Each run tells a medicine by the window that stands out
most in it, so the two runs may tell of different days. A <b>signal</b> is a medicine that a run says raises or lowers
the risk. Two runs that share cases share their chance too: a signal that is lost in fewer cases need not be wrong, and
intervals that overlap are no test of the difference.
"""
WITHHELD = """
Counts stand here as both reports tell them: 1 to 10 persons show as <b>&lt;11</b>, a number that would give such a
count back within its report as <b>hidden</b>, and one that would do so beside what left earlier as <b>withheld</b>.
"""
ALTERNATIVES = {
    "relative-incidences": "Relative incidence of each medicine in both runs; the numbers are in the table below",
    "curves": "Curves of relative incidence around the first purchase, both runs in one panel a medicine",
}


def comparison_page(comparison: Comparison, pictures: Mapping[str, bytes], links: Mapping[str, str]) -> str:
    """The comparison as HTML; `pictures` are SVG by name, `links` the addresses of both reports from the page."""
    labels = labels_of(comparison)
    sections = [
        *synthetic_banner(bool(labels.mark)),
        _header(comparison, labels),
        f"<p class=verdict>{escape(sentence(comparison))}</p>",
        tiles(dict(_facts(comparison))),
        _reports(labels, links),
        section("What was changed", *_changed(comparison, labels)),
        section("Signals", *_signals(comparison, labels)),
        section("Relative incidences", f"<p>{HOW_TO_READ}</p>", *_incidences(comparison, labels, pictures)),
        section("Curves", *_curves(comparison, pictures)),
        section("From the data to the cases", *_counts(comparison, labels)),
    ]
    return web_page(_title(labels), sections, style=STYLE.read_text("utf-8"))


def _header(comparison: Comparison, labels: Labels) -> str:
    over = f"Comparison · run {comparison.later.fingerprint} with run {comparison.earlier.fingerprint}"
    return header(over, _title(labels), source_of(comparison))


def _title(labels: Labels) -> str:
    """`fall · data to 2018-06: 75 and over compared with 65 and over`."""
    common = f"{labels.common}: " if labels.common else ""
    return f"{common}{labels.later} compared with {labels.earlier}"


def _facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What is read first: counts of both runs, and how many signals came and went."""
    for name, (earlier, later) in comparison.counts.items():
        if earlier is not None or later is not None:
            yield COUNTS[name], f"{told_words(earlier)} → {told_words(later)}"
    yield "signals gained", str(len(comparison.of_change(GAINED)))
    yield "signals lost", str(len(comparison.of_change(LOST)))
    yield "signals kept", str(len(comparison.of_change(KEPT)))


def _reports(labels: Labels, links: Mapping[str, str]) -> str:
    names = {"earlier": labels.earlier, "later": labels.later}
    said = " · ".join(f'<a href="{escape(link)}">Report of {escape(names[which])}</a>' for which, link in links.items())
    return f"<p class=reports>{said}</p>" if said else ""


def _changed(comparison: Comparison, labels: Labels) -> Iterable[str]:
    if comparison.other_study:
        yield (
            f"<p>The runs are of two studies, {escape(comparison.earlier.cohort)} and "
            f"{escape(comparison.later.cohort)}: what differs below is all that sets them apart.</p>"
        )
    rows = [(change.title, change.earlier, change.later) for change in comparison.parameters]
    if rows:
        yield _table("Parameters that differ", ("parameter", labels.earlier, labels.later), rows)
    else:
        yield "<p>No parameter differs.</p>"
    words = [*map(data_words, comparison.data), *version_words(comparison.versions)]
    told = "".join(f"<li>{escape(each)}</li>" for each in words)
    yield (
        f"<p>Data, code lists and code:</p><ul>{told}</ul>"
        if told
        else "<p>Data, code lists and code are the same.</p>"
    )
    first, second = comparison.versions.data
    digests = first if first == second else f"{first} and {second}"
    yield f"<p class=note>Digest of the data: {escape(digests)}.</p>"


def _signals(comparison: Comparison, labels: Labels) -> Iterable[str]:
    pairs = [pair for change in (GAINED, LOST, TURNED) for pair in comparison.of_change(change)]
    kept = [pair.name for pair in comparison.of_change(KEPT)]
    if not pairs:
        yield "<p>No signal was gained, lost or turned.</p>"
    else:
        yield _medicines("Signals that changed", pairs, labels)
    if kept:
        yield f"<p>Kept: {escape(', '.join(kept))}.</p>"


def _incidences(comparison: Comparison, labels: Labels, pictures: Mapping[str, bytes]) -> Iterable[str]:
    if not comparison.medicines:
        yield "<p>Neither run estimated a medicine.</p>"
        return
    yield _figure(pictures, "relative-incidences")
    if len(comparison.medicines) > LINES:
        rest = len(comparison.medicines) - LINES
        yield f"<p>The figure holds the first {LINES} medicines in reading order; the table holds {rest} more.</p>"
    yield folded("Table of all medicines", _medicines("All medicines", comparison.medicines, labels))


def _curves(comparison: Comparison, pictures: Mapping[str, bytes]) -> Iterable[str]:
    drawn = curves_worth_drawing(comparison, PANELS)
    if not drawn:
        yield "<p>Neither run has a curve.</p>"
        return
    yield _figure(pictures, "curves")
    drugs = {pair.drug for pair in drawn}
    left = [pair for pair in comparison.medicines if pair.drug not in drugs]
    if left:
        flagged = sum(pair.change != NOTHING for pair in left)
        yield (
            f"<p>Drawn are {in_words(len(drawn))} medicines: those whose flag changed, that are flagged, or whose "
            f"relative incidence moved most for the width of its intervals. Of the {len(left)} others "
            f"{in_words(flagged) if flagged else 'none'} {'is a signal' if flagged == 1 else 'are signals'}; "
            "their numbers are in the table.</p>"
        )


def _counts(comparison: Comparison, labels: Labels) -> Iterable[str]:
    head = ("step", labels.earlier, labels.later, f"left out, {labels.earlier}", f"left out, {labels.later}")
    yield _table(
        "Persons left after each step, in both runs", head, [list(row.values()) for row in step_rows(comparison)]
    )
    yield f"<p>{escape(_capital(cases_words(comparison)))}.{escape(_shared(comparison))}</p>"
    yield f"<p class=note>{WITHHELD}</p>"


def _shared(comparison: Comparison) -> str:
    cases = comparison.cases
    if cases is None:
        return ""
    return f" Cases of both runs: {shown(cases.both)}; gained: {shown(cases.gained)}; lost: {shown(cases.lost)}."


def _medicines(title: str, pairs: Sequence[Pair], labels: Labels) -> str:
    head = ("medicine", labels.earlier, labels.later, "exposed cases", "what became of it")
    rows = [
        (
            pair.name if pair.name == pair.drug else f"{pair.name}\n{pair.drug}",
            estimate_words(pair.earlier),
            estimate_words(pair.later),
            exposed_words(pair),
            change_words(pair),
        )
        for pair in pairs
    ]
    said = "<p class=note>Relative incidence of the window that stands out most, with its 95% interval.</p>"
    return said + _table(title, head, rows, [pair.change for pair in pairs])


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]], kinds: Sequence[str] = ()) -> str:
    """A table that scrolls by itself on a narrow screen, by the keyboard too; each row begins with its heading, whose
    second line is small.
    """
    names = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr class={kind or 'plain'}><th scope=row>{_heading(str(row[0]))}</th>"
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in row[1:])
        + "</tr>"
        for row, kind in zip(rows, kinds or [""] * len(rows), strict=True)
    )
    table = f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class=scroll role=region tabindex=0 aria-label="{escape(title)}">{table}</div>'


def _heading(text: str) -> str:
    first, _, second = text.partition("\n")
    return escape(first) + (f"<small>{escape(second)}</small>" if second else "")


def _figure(pictures: Mapping[str, bytes], name: str) -> str:
    if name not in pictures:
        return ""
    said = ALTERNATIVES[name]
    data = base64.b64encode(pictures[name]).decode()
    picture = f'<img alt="{escape(said)}" src="data:image/svg+xml;base64,{data}">'
    return f'<figure class="scroll wide" role=region tabindex=0 aria-label="{escape(said)}">{picture}</figure>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
