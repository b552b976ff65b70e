"""Pages that people read in a browser: each is one file that opens anywhere and fetches nothing."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from parcours.reporting.texts import ENGLISH, Texts, texts_in

STYLE = Path(__file__).with_name("page.css")
PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def web_page(title: str, parts: Iterable[str], language: str = ENGLISH, style: str = "") -> str:
    """A whole page from its title (text) and the parts of its body (HTML); `style` is CSS of this kind of page."""
    body, css = "\n".join(parts), STYLE.read_text("utf-8") + style
    return PAGE.format(language=language, title=escape(title), style=css, body=body)


def synthetic_banner(synthetic: bool, texts: Texts | None = None) -> list[str]:
    """The first thing that a page of made-up data says, in English where no texts are given; nothing on others."""
    said = (texts or texts_in(ENGLISH)).say("synthetic")
    return [f"<p class=synthetic>{escape(said)}</p>"] if synthetic else []


def header(over: str, title: str, under: str) -> str:
    """The head of a page: a line above its title and one below; texts."""
    return f"<header><p class=over>{escape(over)}</p><h1>{escape(title)}</h1><p>{escape(under)}</p></header>"


def tiles(facts: dict[str, str]) -> str:
    """A few numbers that are read first, each with its name."""
    each = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return f"<dl class=facts>{each}</dl>"


def table(head: Sequence[str], body: str, caption: str = "", label: str = "") -> str:
    """A table that scrolls by itself on a narrow screen, also by keyboard; `body` is its rows as HTML.

    `caption` is what it shows, `label` what a screen reader calls the part that scrolls (else its first heading).
    """
    names = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class=scroll tabindex=0 role=group aria-label="{escape(label or caption or head[0])}">'
        f"<table>{said}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def section(title: str, *parts: str) -> str:
    """A part of the page with a heading."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def folded(summary: str, inner: str) -> str:
    """HTML that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"
