"""Texts in the formats of a delivery -> days, read without the locale of the machine."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from parcours.errors import InputError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Each takes its whole width: 201512 is no day in %Y%m%d, whatever day a shorter %m and %d would make of it.
DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d{2})",
    "d": r"(?P<d>\d{2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "H": r"(?P<H>[01]\d|2[0-3])",
    "M": r"(?P<M>[0-5]\d)",
    "S": r"(?P<S>[0-5]\d)",
    "f": r"(?P<f>\d{1,6})",
    "z": r"(?P<z>Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)",
    "%": "%",
}
ISO = "%Y-%m-%d"


@cache
def date_reader(formats: tuple[str, ...]) -> Callable[[str], date | None]:
    """A function that reads one text as the day that it shows in the first format that fits, None when none does.

    Raises InputError as `moment_reader` does.
    """
    read = moment_reader(formats)

    def day(text: str) -> date | None:
        found = read(text)
        return found.date() if found else None

    return day


@cache
def moment_reader(formats: tuple[str, ...]) -> Callable[[str], datetime | None]:
    """A function that reads one text as a moment in the first format that fits, None when none does.

    Month names are English, in any case; what a format does not say is midnight, and no zone. A day of the calendar
    that does not exist fits no format. Raises InputError for a directive other than those above, or a format that
    does not give one day.
    """
    patterns = [_pattern(form) for form in formats]

    @cache
    def read(text: str) -> datetime | None:
        for pattern in patterns:
            found = pattern.fullmatch(text)
            moment = _moment(found.groupdict()) if found else None
            if moment is not None:
                return moment
        return None

    return read


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts, directives = [], []
    for plain, directive in re.findall(r"([^%]+)|%(.?)", form, re.DOTALL):
        if not plain and directive not in DIRECTIVES:
            raise InputError(f"date_formats: %{directive} in {form!r} cannot be read; use %Y %m %d %b %H %M %S %f %z.")
        parts.append(re.escape(plain) if plain else DIRECTIVES[directive])
        directives += [directive] if directive not in ("", "%") else []
    if not {"Y", "d"} <= set(directives) or ("m" in directives) == ("b" in directives):
        raise InputError(f"date_formats: {form!r} does not give a day; it needs %Y, %m or %b, and %d.")
    if len(set(directives)) < len(directives):
        raise InputError(f"date_formats: {form!r} has a directive twice; write each of them once.")
    return re.compile("".join(parts), re.ASCII)


def _moment(found: dict[str, str]) -> datetime | None:
    name = found.get("b")
    if name is not None and name.lower() not in MONTHS:
        return None
    month = MONTHS.index(name.lower()) + 1 if name else int(found["m"])
    if not int(found["Y"]):
        # A day of year 0 is a first day of year 1 that went through another calendar (see sentinels.yaml).
        return datetime(1, 1, 1)
    hour, minute, second = (int(found.get(part) or 0) for part in "HMS")
    micros = int((found.get("f") or "0").ljust(6, "0"))
    try:
        day = datetime(int(found["Y"]), month, int(found["d"]), hour, minute, second, micros)
        return day.replace(tzinfo=zone_named(found.get("z")))
    except ValueError:
        return None


# --- moments -> days ---------------------------------------------------------------------------------------------


@cache
def zone_named(name: str | None) -> tzinfo | None:
    """The time zone of a name such as Europe/Paris, or of an offset such as +01:00; None for None.

    Raises ValueError when there is no such zone.
    """
    if name is None:
        return None
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name)
    if offset:
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-shift if offset[1] == "-" else shift)
    try:
        return UTC if name == "Z" else ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone") from error


def day_of(moment: datetime, zone: tzinfo | None) -> tuple[date, bool]:
    """The day of a moment, and whether it can be told: of an instant that is not midnight only where `zone` is given.

    A moment without zone is a day when it is midnight, and else an instant in UTC; one with a zone of its own always
    is an instant. Instants belong to the day that it was in `zone`.
    """
    at_midnight = moment.time() == datetime.min.time()
    if (moment.tzinfo is None and at_midnight) or zone is None:
        return moment.date(), at_midnight
    instant = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return instant.astimezone(zone).date(), True
    except OverflowError:  # the first or the last day that there is
        return moment.date(), True
