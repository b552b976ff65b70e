"""report.html: one file that opens anywhere, without a network."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from parcours.reporting.findings import BEFORE, INTERVAL_BEFORE, LOWERED, NOT_FLAGGED, RAISED, Findings
from parcours.reporting.forest import before_text
from parcours.reporting.style import interval_text, ratio_text
from parcours.reporting.suppression import shown
from parcours.reporting.web_page import folded, header, section, synthetic_banner, table, tiles, web_page

HOW_TO_READ = """
The model compares each case with itself: was the event more frequent in the days after the first purchase of a medicine
than in the rest of that person's follow-up? What stays the same in a person (sex, chronic illness, habits) cancels out.
A <b>relative incidence</b> of 2 means twice as frequent, 1 no change, 0.5 half as frequent. Each medicine is told by
the window of days that stands out most. A medicine is <b>flagged</b> exactly when its 95&nbsp;% interval does not hold
1, which is exactly when its p value, that of the largest of its windows, passes the correction of Benjamini and
Hochberg over all medicines at 5&nbsp;%. A flag is a signal to look into, not a cause: an illness that brings both the
medicine and the event raises the same curve. <b>Selected</b> says that the penalised model keeps the curve, and its
share how often it does when the cases are drawn anew.
"""
BEFORE_THE_PURCHASE = """
A medicine cannot cause what happened before it was bought. Events that also cluster in the days <i>before</i> the
purchase mean that something else brings the two together: the event itself leads to the medicine (reverse causation: an
opioid after a fracture), its first signs do (protopathic bias), or the illness that the medicine is for raises the risk
(indication). What follows the purchase is then no measure of an effect: such a medicine is listed as <b>rise before
exposure</b>, never as raising the risk. A fall before the purchase mostly means that the event delays the medicine.
"""
WITHHELD = """
Counts of 1 to 10 persons show as <b>&lt;11</b>; <b>hidden</b> marks a larger count that would give one of them back.
"""


def report_page(findings: Findings, figures: Mapping[str, bytes], verdict: Mapping[str, Any] | None) -> str:
    """The report as HTML; `figures` are PNG by name: forest, flowchart, breakdowns, curves-01, curves-02, ..."""
    sections = [
        *synthetic_banner(findings.synthetic),
        _header(findings),
        _facts(findings, verdict),
        *_differences(findings),
        section("What stands out", _standing_out(findings), f"<p>{HOW_TO_READ}</p>"),
        section("Peaks", _figure(figures, "forest", "Window that stands out most of each medicine")),
        section("Before the exposure", f"<p>{BEFORE_THE_PURCHASE}</p>", _before(findings)),
        section("Curves", *_curves(findings, figures)),
        section(
            "From the data to the study", _figure(figures, "flowchart", "Attrition flowchart"), f"<p>{WITHHELD}</p>"
        ),
        section("Cases", _figure(figures, "breakdowns", "Cases by site, age and follow-up"), *_notes(findings)),
        section("All medicines", folded("Table of all peaks", _peaks_table(findings.peaks.to_dict("records")))),
        section("Settings", folded("Resolved parameters of the study", _settings(findings.settings))),
    ]
    sections.append(_certificate(findings.metrics))
    return web_page(" · ".join(filter(None, (findings.mark, findings.title))), sections)


def _header(findings: Findings) -> str:
    over = f"Study {findings.cohort} · run {findings.fingerprint}"
    return header(over, findings.title, f"{findings.subtitle}. {findings.source}")


def _differences(findings: Findings) -> Iterable[str]:
    """What a what-if run changed."""
    if findings.changes:
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in (name, each["run"], each["file"])) + "</tr>"
            for name, each in findings.changes.items()
        )
        said = "<p>This run answers another question than the study: these parameters were changed for it.</p>"
        yield section("What differs from the study file", said, table(("parameter", "this run", "study file"), rows))


def _facts(findings: Findings, verdict: Mapping[str, Any] | None) -> str:
    gate = "not run" if verdict is None else "passed" if verdict.get("passed") else "refused"
    facts = {
        "persons followed": shown(findings.persons_followed),
        "cases": shown(findings.cases),
        "medicines screened": shown(len(findings.peaks)),
        "medicines selected": shown(int(findings.peaks["selected"].sum())),
        "quality gate": gate,
    }
    return tiles(facts)


def _standing_out(findings: Findings) -> str:
    flagged = [findings.flagged(flag) for flag in (RAISED, LOWERED, BEFORE)]
    if all(rows.empty for rows in flagged):
        return "<p>No medicine is flagged: no curve differs from 1 by more than chance explains.</p>"
    raises, lowers, before = (len(rows) for rows in flagged)
    sentence = f"<p>{raises} flagged as raising the risk, {lowers} as lowering it"
    sentence += f"; {before} rise before the purchase already.</p>" if before else ".</p>"
    return sentence + _peaks_table([row for rows in flagged for row in rows.to_dict("records")])


PEAKS_HEAD = (
    *("medicine", "code", "exposed cases", "relative incidence", "95% interval", "days of the window", "p value"),
    *("selected (share)", "before the exposure", "flag"),
)


def _peaks_table(rows: Sequence[Mapping[Any, Any]]) -> str:
    return table(PEAKS_HEAD, "".join(_peak_row(row) for row in rows))


def _peak_row(row: Mapping[Any, Any]) -> str:
    tested = row["ri"] == row["ri"]
    cells = (
        *(row["name"], row["drug"], shown(row["exposed"]), ratio_text(row["ri"])),
        interval_text(row["lower"], row["upper"]),
        row["peak_days"] if tested else "–",
        f"{row['p_value']:.2g}" if tested else "–",
        _selected(row),
        before_text(row),
        row["flag"] if row["flag"] != NOT_FLAGGED else "",
    )
    return _row(row["flag"], cells)


def _row(flag: str, cells: Iterable[Any]) -> str:
    kind = flag.replace(" ", "-")
    return f"<tr class={escape(kind)}>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _selected(row: Mapping[Any, Any]) -> str:
    share = row["selected_share"]
    word = "yes" if row["selected"] else "no"
    return word if share != share else f"{word} ({share:.0%})"


def _before(findings: Findings) -> str:
    """The medicines whose events rise or fall before the purchase."""
    rows = findings.peaks[findings.peaks["before"] != NOT_FLAGGED].to_dict("records")
    if not rows:
        return "<p>No medicine of this run: nothing rises or falls in these days by more than chance explains.</p>"
    head = ("medicine", "code", "relative incidence before", INTERVAL_BEFORE, "p value", "after the purchase", "flag")
    return table(head, "".join(_before_row(row) for row in rows))


def _before_row(row: Mapping[Any, Any]) -> str:
    cells = (
        *(row["name"], row["drug"], ratio_text(row["before_ri"])),
        interval_text(row["before_lower"], row["before_upper"]),
        f"{row['before_p_value']:.2g}",
        ratio_text(row["ri"]),
        row["flag"] if row["flag"] != NOT_FLAGGED else "",
    )
    return _row(row["flag"], cells)


def _certificate(metrics: Mapping[str, float]) -> str:
    """The small print: how well the fit was solved, and with which penalties."""
    if "certificate_residual" not in metrics:
        return ""
    return (
        f"<p class=note>Fit: penalties tv {metrics['tv']:.3g} and group {metrics['group']:.3g} chosen by "
        f"cross-validation, {metrics['share']:.0%} of the shrinkage undone; breach of optimality "
        f"{metrics['certificate_residual']:.1e} of the largest term of the gradient after "
        f"{metrics['iterations']:.0f} steps, {metrics['certificate_tolerance']:.0e} allowed.</p>"
    )


def _curves(findings: Findings, figures: Mapping[str, bytes]) -> Iterable[str]:
    """Pages with a flagged medicine are open, the others folded."""
    from parcours.reporting.curves import A_PAGE

    pages = sorted(name for name in figures if name.startswith("curves-"))
    flagged = int((findings.peaks["flag"] != NOT_FLAGGED).sum())
    for number, name in enumerate(pages):
        picture = _figure(figures, name, f"Curves of relative incidence, page {number + 1}")
        is_open = number == 0 or number * A_PAGE < flagged
        yield picture if is_open else folded(f"Page {number + 1} of {len(pages)}", picture)


def _settings(settings: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in _flat(settings, prefix="")
    )
    return table(("parameter", "value"), rows)


def _flat(value: Any, prefix: str) -> Iterable[tuple[str, str]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(inner)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _notes(findings: Findings) -> list[str]:
    return [f"<p class=note>{escape(note)}</p>" for note in findings.notes]


def _figure(figures: Mapping[str, bytes], name: str, description: str) -> str:
    if name not in figures:
        return ""
    data = base64.b64encode(figures[name]).decode()
    return f'<figure><img alt="{escape(description)}" src="data:image/png;base64,{data}"></figure>'
