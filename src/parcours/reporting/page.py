"""report.html: one file that opens anywhere, without a network."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from parcours.reporting.findings import LOWERED, NOT_FLAGGED, RAISED, Findings
from parcours.reporting.suppression import shown
from parcours.reporting.web_page import folded, header, section, synthetic_banner, table, tiles, web_page

HOW_TO_READ = """
The model compares each case with itself: was the event more frequent in the days after the first purchase of a medicine
than in the rest of that person's follow-up? What stays the same in a person (sex, chronic illness, habits) cancels out.
A <b>relative incidence</b> of 2 means twice as frequent, 1 no change, 0.5 half as frequent. A medicine is
<b>selected</b> when the penalised model keeps its curve, and <b>flagged</b> when its test, corrected for the number of
medicines, also says that the effect is not chance. A flag is a signal to look into, not a cause: an illness that brings
both the medicine and the event raises the same curve.
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
        section("Peaks", _figure(figures, "forest", "Relative incidence at the peak of each medicine")),
        section("Curves", *_curves(findings, figures)),
        section(
            "From the data to the study", _figure(figures, "flowchart", "Attrition flowchart"), f"<p>{WITHHELD}</p>"
        ),
        section("Cases", _figure(figures, "breakdowns", "Cases by site, age and follow-up"), *_notes(findings)),
        section("All medicines", folded("Table of all peaks", _peaks_table(findings.peaks.to_dict("records")))),
        section("Settings", folded("Resolved parameters of the study", _settings(findings.settings))),
    ]
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
    raises, lowers = findings.flagged(RAISED), findings.flagged(LOWERED)
    if raises.empty and lowers.empty:
        return "<p>No medicine is flagged: no curve differs from 1 by more than chance explains.</p>"
    sentence = f"<p>{len(raises)} flagged as raising the risk, {len(lowers)} as lowering it.</p>"
    return sentence + _peaks_table([*raises.to_dict("records"), *lowers.to_dict("records")])


def _peaks_table(rows: Sequence[Mapping[Any, Any]]) -> str:
    head = ("medicine", "code", "exposed cases", "relative incidence at peak", "interval", "days of peak", "flag")
    body = "".join(_peak_row(row) for row in rows)
    return table(head, body)


def _peak_row(row: Mapping[Any, Any]) -> str:
    interval = f"{row['lower']:.2f} to {row['upper']:.2f}" if row["lower"] == row["lower"] else "–"
    days = row["peak_days"] if row["selected"] else "–"
    flag = row["flag"] if row["flag"] != NOT_FLAGGED else ""
    cells = (row["name"], row["drug"], shown(row["exposed"]), f"{row['ri']:.2f}", interval, days, flag)
    return f"<tr class={escape(row['flag'])}>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


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
