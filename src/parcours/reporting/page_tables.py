"""The tables of report.html: the first cell of a row is its heading."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from parcours.reporting.findings import NOT_FLAGGED, Breakdown, Findings
from parcours.reporting.forest import before_text
from parcours.reporting.style import flag_key
from parcours.reporting.texts import Texts
from parcours.reporting.web_page import table
from parcours.reporting.wording import parameter_title

Row = Mapping[Any, Any]


def peaks_table(rows: Sequence[Row], caption: str, texts: Texts) -> str:
    """One row a medicine: its window, interval and p value, how often it is selected, and its flag."""
    keys = (
        *("head_medicine", "head_code", "head_exposed", "head_events", "relative_incidence", "interval_of_windows"),
        *("head_days", "head_p", "head_selected", "head_before", "head_flag"),
    )
    return _table(keys, (_peak(row, texts) for row in rows), caption, texts)


def before_table(rows: Sequence[Row], texts: Texts) -> str:
    """Medicines whose events rise or fall before the purchase."""
    keys = (*("head_medicine", "head_code", "head_before_ri", "interval_before", "head_p", "head_after", "head_flag"),)
    return _table(keys, (_before(row, texts) for row in rows), texts.say("caption_before"), texts)


def attrition_table(findings: Findings) -> str:
    """Persons left after each step, and left out in it."""
    texts = findings.texts
    rows = (
        _row("", (step.description, texts.count(step.persons), texts.count(step.lost))) for step in findings.attrition
    )
    return _table(("head_step", "head_persons", "head_lost"), rows, texts.say("caption_attrition"), texts)


def breakdown_table(panel: Breakdown, texts: Texts) -> str:
    """Counts by group, with their total."""
    counts = [*zip(panel.labels, panel.counts, strict=True), (texts.say("total"), panel.total)]
    rows = (_row("", (label, texts.count(count))) for label, count in counts)
    return _table(("head_group", "head_count"), rows, texts.say("caption_breakdown", title=panel.title), texts)


def differences_table(findings: Findings) -> str:
    """Parameters that were changed for a what-if run."""
    texts = findings.texts
    rows = (
        _row("", (name, parameter_title(name, texts), texts.value(each["run"]), texts.value(each["file"])))
        for name, each in findings.changes.items()
    )
    keys = ("head_parameter", "head_name", "head_this_run", "head_file")
    return _table(keys, rows, texts.say("caption_differences"), texts)


def settings_table(findings: Findings) -> str:
    """Every parameter of the study with its value."""
    texts = findings.texts
    rows = (
        _row("", (name, parameter_title(name.split(".")[-1], texts), value))
        for name, value in _flat(findings.settings, "", texts)
    )
    keys = ("head_parameter", "head_name", "head_value")
    return _table(keys, rows, texts.say("caption_settings"), texts)


def _table(keys: Iterable[str], rows: Iterable[str], caption: str, texts: Texts) -> str:
    label = texts.say("scroll", caption=caption)
    return table([texts.say(key) for key in keys], "".join(rows), caption, label)


def _peak(row: Row, texts: Texts) -> str:
    tested = row["ri"] == row["ri"]
    cells = (
        *(row["name"], row["drug"], texts.count(row["exposed"]), texts.count(row["events_after"])),
        *(texts.ratio(row["ri"]), texts.interval(row["lower"], row["upper"])),
        texts.days(row["first_day"], row["last_day"]) if tested else "–",
        texts.p_value(row["p_value"]) if tested else "–",
        _selected(row, texts),
        before_text(row, texts),
        _flag(row, texts),
    )
    return _row(row["flag"], cells)


def _before(row: Row, texts: Texts) -> str:
    cells = (
        *(row["name"], row["drug"], texts.ratio(row["before_ri"])),
        texts.interval(row["before_lower"], row["before_upper"]),
        texts.p_value(row["before_p_value"]),
        texts.ratio(row["ri"]),
        _flag(row, texts),
    )
    return _row(row["flag"], cells)


def _flag(row: Row, texts: Texts) -> str:
    return texts.say(flag_key(row["flag"])) if row["flag"] != NOT_FLAGGED else ""


def _selected(row: Row, texts: Texts) -> str:
    share, word = row["selected_share"], texts.say("word_yes" if row["selected"] else "word_no")
    return word if share != share else texts.say("selected_share", word=word, share=texts.share(share))


def _row(flag: str, cells: Sequence[str]) -> str:
    kind = f' class="{escape(flag.replace(" ", "-"))}"' if flag else ""
    first, *others = (escape(cell) for cell in cells)
    return f"<tr{kind}><th scope=row>{first}</th>" + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"


def _flat(values: Mapping[str, Any], prefix: str, texts: Texts) -> Iterator[tuple[str, str]]:
    for name, inner in values.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.", texts)
        else:
            yield f"{prefix}{name}", texts.value(inner)
