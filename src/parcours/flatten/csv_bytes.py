"""What the bytes of a block of CSV show: whether all its values can be typed at once, or need to be looked at."""

import re
from functools import cache

import numpy as np

CACHED_BYTES = 1 << 17
# No-break spaces and the byte order mark, as UTF-8.
WIDE_PADDING = ("\u00a0".encode(), "\u202f".encode(), "\ufeff".encode())


def plain_utf8(data: bytes, encoding: str) -> bytes | None:
    """The block as UTF-8 when it holds no quote, lone carriage return or byte that is not of the encoding."""
    if b'"' in data:
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    if data.isascii():
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError:
        return None


def holds_odd_text(data: bytes, delimiter: str) -> bool:
    """Whether a NUL, an odd blank, a number such as 3.4E+12 or 0x1F may be there, which are told text by text."""
    if any(mark in data for mark in (b"\0", b"\v", b"\f")):
        return True
    if not data.isascii() and any(mark in data for mark in WIDE_PADDING):
        return True
    if b"+" in data and (b"E+" in data or b"e+" in data):
        return True
    return _holds_hexadecimal(data, delimiter)


def holds_padding(data: bytes, delimiter: str) -> bool:
    """Whether a field begins or ends with a blank or a tab."""
    tab = " " if delimiter == "\t" else "\t"
    if b" " not in data and tab.encode() not in data:
        return False
    edge = np.zeros(256, bool)
    edge[list(f"\r\n{delimiter}".encode())] = True
    codes = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    for start in range(1, len(codes), CACHED_BYTES):
        some = codes[start : start + CACHED_BYTES]
        at = np.flatnonzero((some == ord(" ")) | (some == ord(tab))) + start
        if edge[codes[at - 1]].any() or edge[codes[np.minimum(at + 1, len(codes) - 1)]].any():
            return True
    return False


def _holds_hexadecimal(data: bytes, delimiter: str) -> bool:
    """Whether a field such as 0x1F is there, which the CSV reader would take for an integer."""
    field = _hexadecimal_field(delimiter)
    before = np.zeros(256, bool)
    before[list(f"-\n \t{delimiter}".encode())] = True
    codes = np.frombuffer(data, np.uint8)
    for mark in (b"x", b"X"):
        # Seldom there: the few letters are looked at, not each pair of bytes.
        found = np.flatnonzero(codes[1:] == mark[0]) if mark in data else np.zeros(0, np.int64)
        found = found[codes[found] == ord("0")]
        starts = found[(found == 0) | before[codes[found - 1]]]
        if any(field.match(data, at) for at in starts.tolist()):
            return True
    return False


@cache
def _hexadecimal_field(delimiter: str) -> re.Pattern[bytes]:
    return re.compile(rb"0[xX][0-9A-Fa-f]+[ \t]*(?:[\r\n" + re.escape(delimiter).encode() + rb"]|\Z)")
