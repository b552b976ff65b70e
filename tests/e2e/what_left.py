"""Searches what left a root for persons: identifiers, and counts of 1 to 10, in every text, table and database.

A number counts persons when the name it stands under says so (`cases`, `rows_read`, `persons`), or the words beside it
(`8 cases`, `couples 3`). Nothing is known of who wrote it, so that a place that is new is searched like the others.
"""

import csv
import gzip
import io
import json
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

from parcours.cohort.parameters import parameter_table
from parcours.quality.catalogue import catalogue_names, load_catalogue

# What is counted, and what a count of it is called.
COUNTED = frozenset({
    "after", "ambiguous", "archived", "before", "cases", "case", "claims", "count", "counts", "couples", "deaths",
    "death", "dropped", "during", "element", "elements", "events", "exposed", "exposures", "found", "joined", "kept",
    "lost", "merged", "observed", "orphaned", "outcomes", "patients", "persons", "person", "prevalent", "purchases",
    "read", "records", "rejected", "removed", "rows", "row", "stays", "unexpected", "unidentified", "written",
})  # fmt: skip
NUMBER = r"(?<![\w.,:/=-])(?:[1-9]|10)(?:\.0)?(?![\w:/-]|[.,]\d)"
NOUN = r"(?:cases?|couples|deaths?|events?|exposures?|outcomes?|patients?|persons?|purchases?|records?|rows?|stays?)"
SENTENCES = (
    re.compile(rf"{NUMBER} (?:[a-z]+ ){{0,2}}{NOUN}\b", re.IGNORECASE),
    re.compile(rf"\b(?:{NOUN}|ambiguous|archived|merged|dropped|unidentified|rejected|orphaned)(?: ?[:=] ?| ){NUMBER}"),
)
# How the project names what it withholds.
THRESHOLD = re.compile(r"\b1 to 10 (?:cases|events|persons|rows)")
BLOCKS = frozenset({"div", "h1", "h2", "h3", "h4", "li", "p", "td", "th", "tr"})
RULE_TEXTS = ("description", "problem", "source", "where_to_look")
TOKEN = re.compile(r"\d{4}-\d\d-\d\d(?!\d)|[0-9A-Za-z]{8,}")
DATA_URI = re.compile(r"data:[\w/+;.-]+;base64,[A-Za-z0-9+/=]+")
COMPRESSED = {b"\x28\xb5\x2f\xfd": lambda data: _frames(data)}
COMPRESSED |= {b"\x1f\x8b": gzip.decompress, b"\x78": zlib.decompress}


@dataclass(frozen=True, order=True)
class Leak:
    """What was found, and where."""

    kind: str
    what: str
    where: str


def leaks(folders: Iterable[Path], identifiers: frozenset[str]) -> list[Leak]:
    """Every identifier and every small count in the files of these folders."""
    found: set[Leak] = set()
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        for where, content in contents(path):
            found.update(_of_content(where, content, identifiers))
    return sorted(found)


def identifiers_alone(folders: Iterable[Path], identifiers: frozenset[str]) -> list[Leak]:
    """The identifiers in the files of these folders, which may hold counts."""
    return [leak for leak in leaks(folders, identifiers) if leak.kind == "identifier"]


def contents(path: Path) -> Iterator[tuple[str, Any]]:
    """What a file holds: texts, and tables as {column: value} rows."""
    if path.suffix == ".png":
        return
    data = path.read_bytes()
    if data.startswith(b"SQLite format 3"):
        yield from _database(path)
    elif path.suffix == ".parquet":
        yield from ((path.name, row) for row in pq.read_table(path).to_pylist())
    else:
        text = _text(data)
        if path.suffix == ".csv":
            yield from ((str(path), row) for row in csv.DictReader(io.StringIO(text)))
        elif path.suffix == ".html":
            yield from ((str(path), part) for part in _page(text))
        yield str(path), DATA_URI.sub("", text)


def numbers(content: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """(name, number) of all that stands under a name, however deep, in JSON in texts too."""
    if isinstance(content, dict):
        if "columns" in content and "data" in content:  # a table as MLflow keeps it
            content = [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]
            yield from numbers(content, name)
            return
        if isinstance(content.get("key"), str) and "value" in content:  # a metric, a parameter, an XCom
            content = {**content, content["key"]: content["value"]}
        for key, value in content.items():
            yield from numbers(value, str(key))
    elif isinstance(content, list | tuple):
        for value in content:
            yield from numbers(value, name)
    elif isinstance(content, str):
        yield from _numbers_of_text(content, name)
    elif isinstance(content, bytes):
        yield from _numbers_of_text(_text(content), name)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield name, content


def differences(told: Iterable[tuple[str, float]]) -> list[Leak]:
    """Counts of one study that give a small one back: persons, cases and events that differ by 1 to 10."""
    whole = sorted({number for _, number in told if number > 10})
    pairs = [(low, high) for low in whole for high in whole if 1 <= high - low <= 10]
    return [Leak("difference", f"{high:g} - {low:g} = {high - low:g}", "study") for low, high in pairs]


def _of_content(where: str, content: Any, identifiers: frozenset[str]) -> Iterator[Leak]:
    texts = [content] if isinstance(content, str) else list(_texts(content))
    for text in texts:
        yield from (Leak("identifier", token, where) for token in identifiers.intersection(TOKEN.findall(text)))
        yield from (Leak("sentence", sentence, where) for sentence in _sentences(text))
    for name, number in numbers(content):
        if counts_persons(name) and 1 <= number <= 10 and number == int(number):
            yield Leak("count", f"{name} = {number:g}", where)


def counts_persons(name: str) -> bool:
    """Whether a number under this name is one of persons, rows or events."""
    last = name.rpartition(".")[2]
    return last not in parameter_table() and bool(COUNTED.intersection(re.split(r"[^a-z]+", last.lower())))


def _sentences(text: str) -> Iterator[str]:
    for own in own_words():
        text = text.replace(own, "")
    text = THRESHOLD.sub("", text)
    for form in SENTENCES:
        yield from (found.group(0) for found in form.finditer(text))


@cache
def own_words() -> tuple[str, ...]:
    """Sentences of rules and of the help of parameters: the same for every data set."""
    catalogues = [load_catalogue(name) for name in catalogue_names()]
    views = [view.description for catalogue in catalogues for view in catalogue.views]
    rules = [getattr(rule, name) for catalogue in catalogues for rule in catalogue.rules for name in RULE_TEXTS]
    helps = [text for one in parameter_table().values() for text in (one.help, one.form_help)]
    return tuple(sorted({*views, *rules, *helps}, key=len, reverse=True))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        yield from (text for value in content.values() for text in _texts(value))
    elif isinstance(content, list | tuple):
        yield from (text for value in content for text in _texts(value))
    elif isinstance(content, bytes):
        yield _text(content)
    elif content is not None:
        yield str(content)


def _numbers_of_text(text: str, name: str) -> Iterator[tuple[str, float]]:
    """A text that is a number, JSON, or lines that hold JSON."""
    if re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", text):
        yield name, float(text)
        return
    if not any(mark in text for mark in '{["'):
        return
    if (whole := _json(text)) is not None:
        yield from numbers(whole, name)
        return
    for line in text.splitlines():
        start = min((at for mark in "{[" if (at := line.find(mark)) >= 0), default=None)
        if start is not None and (held := _json(line[start:])) is not None:
            yield from numbers(held, name)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _text(data: bytes) -> str:
    for magic, opened in COMPRESSED.items():
        if data.startswith(magic):
            try:
                return _text(opened(data))
            except (zlib.error, OSError, zstandard.ZstdError):
                break
    return data.decode("utf-8", "replace")


def _frames(data: bytes) -> bytes:
    """Spark writes a frame at a time, and the last one of a job that was killed has no end."""
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


def _database(path: Path) -> Iterator[tuple[str, Any]]:
    """Every row of every table."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            yield f"{path}: {table}", dict(row)
    connection.close()


class _Tables(HTMLParser):
    """The rows of a page's tables, each cell under its header; and the page's words."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, str]] = []
        self.words: list[str] = []
        self._header: list[str] = []
        self._cells: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        if tag in BLOCKS:
            self.words.append("|")
        if tag == "table":
            self._header = []
        elif tag == "tr":
            self._cells = []
        elif tag in ("th", "td"):
            self._cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag != "tr":
            return
        if not self._header:
            self._header = self._cells
        else:
            self.rows.append(dict(zip(self._header, self._cells, strict=False)))
        self._cells = []

    def handle_data(self, data: str) -> None:
        if self._cells:
            self._cells[-1] += data.strip()
        self.words.append(data)


def _page(text: str) -> Iterator[Any]:
    page = _Tables()
    page.feed(DATA_URI.sub("", text))
    yield from page.rows
    yield " ".join(" ".join(page.words).split())
