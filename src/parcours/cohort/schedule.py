"""The cron line of a study file, its time zone and its deadline, checked before Airflow reads them."""

import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from parcours.errors import InputError

TIMEZONE = "Europe/Paris"
LONGEST_HOURS = 24 * 365
PRESETS = ("@daily", "@weekly", "@monthly", "@yearly")
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# What each field of a cron line counts: its name, its lowest and highest number, and the words that stand for numbers.
FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("weekday", 0, 7, WEEKDAYS),
)


def checked_schedule(value: Any, path: Path) -> str | None:
    """The cron line of a study file, or None.

    Raises InputError: one sentence with the file, the line and the field that is wrong.
    """
    if value is None:
        return None
    if value in PRESETS:
        return str(value)
    fields = value.split() if isinstance(value, str) else []
    if len(fields) != len(FIELDS):
        raise InputError(f'{path}: schedule is "{value}", but must be a cron line such as "0 6 1 * *", or null.')
    for field, (name, low, high, words) in zip(fields, FIELDS, strict=True):
        if not all(_fits(part, low, high, words) for part in field.lower().split(",")):
            raise InputError(
                f'{path}: schedule is "{value}", whose {name} "{field}" is not one of {low} to {high}, *, a range such '
                f"as {low}-{low + 3}, or every so many, such as */2."
            )
    return " ".join(fields)


def checked_timezone(value: Any, path: Path) -> str:
    """The name of the zone that a cron line is read in. Raises InputError when no such zone is known."""
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of the zones, or a path
        raise InputError(f'{path}: timezone is "{value}", but must be a zone such as "{TIMEZONE}" or "UTC".') from None


def checked_deadline(value: Any, path: Path) -> float | None:
    """Hours after which a run that has not ended is late, or None. Raises InputError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_HOURS:
        raise InputError(
            f'{path}: deadline_hours is "{value}", but must be a number of hours up to {LONGEST_HOURS}, such as 48.'
        )
    return float(value)


def _fits(part: str, low: int, high: int, words: list[str]) -> bool:
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?", part)
    if not found:
        return False
    bounds = [_number(word, low, words) for word in found.groups()[:2] if word]
    return all(low <= bound <= high for bound in bounds) and bounds == sorted(bounds)


def _number(word: str, low: int, words: list[str]) -> int:
    """The number that a word of a field stands for; -1 for none."""
    if word in words:
        return words.index(word) + low
    return int(word) if word.isdecimal() else -1
