"""Pieces of HTML that the parts of the front page share."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape


def link(address: str | None, words: str, about: str) -> str:
    """A link, or nothing when there is no address; `about` ends its name for who hears the page."""
    if not address:
        return ""
    return f'<a href="{escape(address)}">{escape(words)}<span class="heard"> {escape(about)}</span></a>'


def elsewhere(address: str | None, words: str, about: str, framed: bool) -> str:
    """A link to a page of another server. A frame may follow none of these, so in a frame there is none."""
    return "" if framed else link(address, words, about)


def table(caption: str, head: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """A table that scrolls by itself, with the keyboard too; its head and rows are HTML, its caption is heard alone."""
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="{kind}"><caption class="heard">{escape(caption)}</caption>'
        f"<thead><tr>{names}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(head: str, cells: Iterable[str], kind: str = "") -> str:
    """A row of HTML cells, the first of which names it."""
    return f'<tr class="{kind}"><th scope="row">{head}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def day(when: str) -> str:
    """`2026-11-30 13:00` of a time as manifests write it, in UTC; an en dash for none."""
    if not when:
        return "–"
    return f'<time datetime="{escape(when)}">{datetime.fromisoformat(when):%Y-%m-%d %H:%M}</time>'


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def root_page(path: str | None) -> str | None:
    """The address of a page of the root."""
    return f"/{path}" if path else None


def several(count: int, one: str, many: str) -> str:
    """`1 month`, `53 months`."""
    return f"{count} {one if count == 1 else many}"
