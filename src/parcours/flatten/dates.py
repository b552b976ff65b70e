"""Dates in the formats of a delivery, read without the locale of the machine."""

import re
from collections.abc import Callable
from datetime import date
from functools import cache

from parcours.errors import InputError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "H": r"(?:[01]?\d|2[0-3])",
    "M": r"[0-5]?\d",
    "S": r"[0-5]?\d",
    "f": r"\d{1,6}",
    "%": "%",
}
ISO = "%Y-%m-%d"


@cache
def date_reader(formats: tuple[str, ...]) -> Callable[[str], date | None]:
    """A function that reads one text as a day in the first format that fits, None when none does.

    Month names are English, in any case; a time of day is checked and cut off. A day of the calendar
    that does not exist fits no format. Raises InputError for a directive other than those above.
    """
    patterns = [_pattern(form) for form in formats]

    @cache
    def read(text: str) -> date | None:
        for pattern in patterns:
            found = pattern.fullmatch(text)
            day = _day(found.groupdict()) if found else None
            if day is not None:
                return day
        return None

    return read


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts = []
    for plain, directive in re.findall(r"([^%]+)|%(.)", form):
        if directive and directive not in DIRECTIVES:
            raise InputError(f"date_formats: %{directive} in {form!r} cannot be read; use %Y %m %d %b %H %M %S %f.")
        parts.append(DIRECTIVES[directive] if directive else re.escape(plain))
    if not {"%Y", "%d"} <= set(re.findall("%.", form)):
        raise InputError(f"date_formats: {form!r} does not give a day; it needs %Y, %m or %b, and %d.")
    return re.compile("".join(parts), re.ASCII)


def _day(found: dict[str, str]) -> date | None:
    name = found.get("b")
    if name is not None and name.lower() not in MONTHS:
        return None
    month = MONTHS.index(name.lower()) + 1 if name else int(found["m"])
    try:
        # A day of year 0 is a first day of year 1 that went through another calendar (see sentinels.yaml).
        return date(int(found["Y"]), month, int(found["d"])) if int(found["Y"]) else date(1, 1, 1)
    except ValueError:
        return None
