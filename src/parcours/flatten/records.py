"""Bytes -> records: where each record starts and ends, and which lines are none."""

import re
from dataclasses import dataclass
from functools import cache

LONGEST_RECORD = 1 << 20
MOST_LINES = 100


@dataclass(frozen=True)
class Records:
    """Records of one block of a file; lines count from 1 in the file. `rest` is where an unfinished record starts."""

    texts: list[bytes]
    lines: list[int]
    bad: list[tuple[int, str, bytes]]  # line, reason, raw line
    rest: int
    rest_line: int


def split_records(data: bytes, first_line: int, fields: int, delimiter: str, *, last: bool) -> Records:
    """Split a block into records of `fields` fields; blank lines are none.

    A quoted field may hold delimiters, doubled quotes and line breaks, up to 100 lines or 1 MiB. Where a quote is
    not closed, or closing it swallows lines and gives a wrong number of fields, its first line alone is bad and
    reading goes on at the next line. With `last` false, a record still open at the end of the block is left over.
    """
    texts: list[bytes] = []
    lines: list[int] = []
    bad: list[tuple[int, str, bytes]] = []
    mark = delimiter.encode()
    at, line = 0, first_line
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        text = data[at:end].removesuffix(b"\r")
        taken = 1
        if b'"' in text:
            if not last and _may_go_on(data, at, delimiter):
                break
            text, end, taken, problem = _quoted(data, at, end, fields, delimiter)
        else:
            problem = _problem(text, mark, fields)
        if problem:
            bad.append((line, problem, text))
        elif text:
            texts.append(text)
            lines.append(line)
        at, line = end + 1, line + taken
    return Records(texts, lines, bad, min(at, len(data)), line)


def _problem(text: bytes, mark: bytes, fields: int) -> str | None:
    if not text:
        return None
    if b"\r" in text:
        return "a carriage return stands inside the line"
    return _miscounted(text.count(mark) + 1, fields, text.endswith(mark))


def _miscounted(found: int, fields: int, open_end: bool) -> str | None:
    if found == fields:
        return None
    advice = "; see trailing_delimiter of delivery.yaml" if open_end and found == fields + 1 else ""
    return f"{found} fields where the header has {fields}{advice}"


@cache
def _patterns(delimiter: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    mark = re.escape(delimiter).encode()
    plain = rb'[^"\r\n' + mark + rb"][^\r\n" + mark + rb"]*+"
    field = rb'(?>"(?:[^"]|"")*+"|' + plain + rb"|)"
    record = re.compile(field + rb"(?:" + mark + field + rb")*+(?=\r?(?:\n|\Z))")
    return record, re.compile(field + rb"(" + mark + rb"|(?=\r?(?:\n|\Z)))")


def _may_go_on(data: bytes, at: int, delimiter: str) -> bool:
    """Whether more data could still close the record that starts at `at`."""
    if len(data) - at >= LONGEST_RECORD or data.count(b"\n", at) >= MOST_LINES:
        return False
    found = _patterns(delimiter)[0].match(data, at)
    return found is None or found.end() >= len(data) - 1


def _quoted(data: bytes, at: int, end: int, fields: int, delimiter: str) -> tuple[bytes, int, int, str | None]:
    """The record at `at`, whose first line (to `end`) holds a quote: text, end, lines taken, problem."""
    first = data[at:end].removesuffix(b"\r")
    record, field = _patterns(delimiter)
    stop = min(len(data), at + LONGEST_RECORD)
    found = record.match(data, at, stop)
    if found is None or (found.end() == stop < len(data)):
        return first, end, 1, "a quote is not closed"
    text = found.group()
    taken = text.count(b"\n") + 1
    count = sum(1 for mark in field.findall(text) if mark) + 1
    if taken > MOST_LINES or (taken > 1 and count != fields):
        return first, end, 1, "a quote is not closed"
    problem = _miscounted(count, fields, text.endswith(delimiter.encode()))
    after = data.find(b"\n", found.end())
    return text, len(data) if after < 0 else after, taken, problem


def decoded(records: Records, encoding: str) -> Records:
    """The same records in UTF-8; those with bytes that are not of the encoding become bad."""
    texts, lines, bad = [], [], list(records.bad)
    for text, line in zip(records.texts, records.lines, strict=True):
        try:
            texts.append(text if text.isascii() else text.decode(encoding).encode())
            lines.append(line)
        except UnicodeDecodeError:
            bad.append((line, f"holds bytes that are not {encoding}", text))
    return Records(texts, lines, bad, records.rest, records.rest_line)
