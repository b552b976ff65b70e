"""report.html: one file that opens anywhere, without a network."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from parcours.leaving import Published
from parcours.reporting.curves import A_PAGE
from parcours.reporting.findings import BEFORE, LOWERED, NOT_FLAGGED, RAISED, Breakdown, Findings
from parcours.reporting.forest import MEDICINES
from parcours.reporting.page_tables import (
    attrition_table,
    before_table,
    breakdown_table,
    differences_table,
    peaks_table,
    settings_table,
)
from parcours.reporting.texts import Texts
from parcours.reporting.web_page import folded, header, section, synthetic_banner, tiles, web_page

Pictures = Mapping[str, bytes]


def report_page(findings: Findings, figures: Pictures, verdict: Mapping[str, Any] | None) -> str:
    """The report as HTML; `figures` are SVG by name: forest, flowchart, breakdowns, curves-01, curves-02, ..."""
    texts = findings.texts
    parts = [
        *synthetic_banner(findings.synthetic, texts),
        _header(findings),
        _facts(findings, verdict),
        *_differences(findings),
        section(texts.say("section_standing_out"), _standing_out(findings), _how_to_read(findings)),
        section(texts.say("section_peaks"), _figure(figures, "forest", _forest_in_words(findings), findings)),
        section(texts.say("section_before"), f"<p>{texts.html('before_the_purchase')}</p>", _before(findings)),
        section(texts.say("section_curves"), *_curves(findings, figures)),
        section(texts.say("section_attrition"), *_attrition(findings, figures)),
        section(texts.say("section_cases"), *_cases(findings, figures)),
        section(texts.say("section_all"), folded(texts.say("all_summary"), _all_peaks(findings))),
        section(texts.say("section_settings"), folded(texts.say("settings_summary"), settings_table(findings))),
        _certificate(findings.metrics, texts),
    ]
    return web_page(" · ".join(filter(None, (findings.mark, findings.title))), parts, texts.language)


def _header(findings: Findings) -> str:
    over = findings.texts.say("over", name=findings.name, run=findings.fingerprint)
    return header(over, findings.title, f"{findings.subtitle}. {findings.source}")


def _facts(findings: Findings, verdict: Mapping[str, Any] | None) -> str:
    texts = findings.texts
    gate = "gate_not_run" if verdict is None else "gate_passed" if verdict.get("passed") else "gate_refused"
    facts: dict[str, Published] = {
        "fact_followed": findings.persons_followed,
        "fact_cases": findings.cases,
        "fact_screened": len(findings.peaks),
        "fact_flagged": int((findings.peaks["flag"] != NOT_FLAGGED).sum()),
    }
    told = {texts.say(name): texts.count(count) for name, count in facts.items()}
    return tiles({**told, texts.say("fact_gate"): texts.say(gate)})


def _differences(findings: Findings) -> Iterable[str]:
    """What a what-if run changed."""
    if findings.changes:
        said = findings.texts.say("differences")
        yield section(findings.texts.say("section_differences"), f"<p>{escape(said)}</p>", differences_table(findings))


def _how_to_read(findings: Findings) -> str:
    return f"<p>{findings.texts.html('how_to_read', tested=findings.tested, days=findings.last_day)}</p>"


def _standing_out(findings: Findings) -> str:
    texts, flagged = findings.texts, [findings.flagged(flag) for flag in (RAISED, LOWERED, BEFORE)]
    if all(rows.empty for rows in flagged):
        return f"<p>{escape(texts.say('no_flag'))}</p>"
    raised, lowered, before = (len(rows) for rows in flagged)
    sentence = texts.say("flags_and_before" if before else "flags", raised=raised, lowered=lowered, before=before)
    rows = [row for rows in flagged for row in rows.to_dict("records")]
    return f"<p>{escape(sentence)}</p>{peaks_table(rows, texts.say('caption_flagged'), texts)}"


def _all_peaks(findings: Findings) -> str:
    texts = findings.texts
    return peaks_table(findings.peaks.to_dict("records"), texts.say("caption_all"), texts)


def _before(findings: Findings) -> str:
    """The medicines whose events rise or fall before the purchase."""
    rows = findings.peaks[findings.peaks["before"] != NOT_FLAGGED].to_dict("records")
    return before_table(rows, findings.texts) if rows else f"<p>{escape(findings.texts.say('no_before'))}</p>"


def _curves(findings: Findings, figures: Pictures) -> Iterable[str]:
    """Pages with a flagged medicine are open, the others folded."""
    texts, pages = findings.texts, sorted(name for name in figures if name.startswith("curves-"))
    flagged = int((findings.peaks["flag"] != NOT_FLAGGED).sum())
    for number, name in enumerate(pages):
        medicines = ", ".join(findings.peaks["name"].iloc[number * A_PAGE : (number + 1) * A_PAGE])
        words = texts.say("picture_curves", first=findings.first_day, last=findings.last_day, medicines=medicines)
        picture = _figure(figures, name, words, findings)
        folds = texts.say("curves_folded", number=number + 1, pages=len(pages), medicines=medicines)
        yield picture if number == 0 or number * A_PAGE < flagged else folded(folds, picture)


def _attrition(findings: Findings, figures: Pictures) -> Iterable[str]:
    texts, steps = findings.texts, findings.attrition
    first, last = (texts.count(steps[place].persons) for place in (0, -1))
    words = texts.say("picture_flowchart", steps=len(steps), first=first, last=last)
    yield _figure(figures, "flowchart", words, findings)
    yield folded(texts.say("as_table"), attrition_table(findings))
    yield f"<p>{texts.html('withheld')}</p>"


def _cases(findings: Findings, figures: Pictures) -> Iterable[str]:
    texts, panels = findings.texts, findings.breakdowns
    if panels:
        words = texts.say("picture_breakdowns", panels="; ".join(_panel_in_words(panel, texts) for panel in panels))
        yield _figure(figures, "breakdowns", words, findings)
        yield folded(texts.say("as_table"), "".join(breakdown_table(panel, texts) for panel in panels))
    for note in findings.notes:
        yield f"<p class=note>{escape(note)}</p>"


def _panel_in_words(panel: Breakdown, texts: Texts) -> str:
    cells = ", ".join(f"{label} {texts.count(n)}" for label, n in zip(panel.labels, panel.counts, strict=True))
    return f"{panel.title}: {cells}"


def _forest_in_words(findings: Findings) -> str:
    texts = findings.texts
    named = {
        key: ", ".join(findings.flagged(flag)["name"]) or texts.say("word_none")
        for key, flag in (("raised", RAISED), ("lowered", LOWERED), ("before", BEFORE))
    }
    return texts.say("picture_forest", shown=min(len(findings.peaks), MEDICINES), **named)


def _certificate(metrics: Mapping[str, float], texts: Texts) -> str:
    """The small print: how well the fit was solved, and with which penalties."""
    if "certificate_residual" not in metrics:
        return ""
    said = texts.say(
        "certificate",
        tv=texts.number(metrics["tv"], ".3g"),
        group=texts.number(metrics["group"], ".3g"),
        share=texts.share(metrics["share"]),
        residual=texts.number(metrics["certificate_residual"], ".1e"),
        steps=texts.count(int(metrics["iterations"])),
        allowed=texts.number(metrics["certificate_tolerance"], ".0e"),
    )
    return f"<p class=note>{escape(said)}</p>"


def _figure(figures: Pictures, name: str, words: str, findings: Findings) -> str:
    """A figure with its words for who does not see it; it scrolls by itself on a narrow screen."""
    if name not in figures:
        return ""
    titles: Sequence[str] = (name.split("-")[0], *name.split("-")[1:])
    label = findings.texts.say("figure_scroll", figure=_short(titles, findings.texts))
    picture = f'<img alt="{escape(words)}" src="data:image/svg+xml;base64,{base64.b64encode(figures[name]).decode()}">'
    return f'<figure tabindex=0 aria-label="{escape(label)}">{picture}</figure>'


def _short(name: Sequence[str], texts: Texts) -> str:
    title = texts.say(f"{name[0]}_title")
    return " ".join((title, *(f"({int(number)})" for number in name[1:])))
