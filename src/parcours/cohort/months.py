"""Months of the calendar: days some months apart, and the months between two days."""

import datetime as dt
import re

# A month as it is written, 2016-01.
MONTH = r"\d{4}-(0[1-9]|1[0-2])"


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day some months later, or the last day of that month when it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, last_day_of(year, month + 1).day))


def last_day_of(year: int, month: int) -> dt.date:
    """The last day of a month, 1 to 12."""
    return dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)


def months(first: dt.date, last: dt.date) -> list[str]:
    """The months from one day to another, both included, as 2016-01."""
    found, day = [], first.replace(day=1)
    while day <= last:
        found.append(f"{day:%Y-%m}")
        day = add_months(day, 1)
    return found


def month_number(month: str) -> int:
    """Months since year 0 of a month written as 2016-01: the next month has the next number."""
    return int(month[:4]) * 12 + int(month[5:]) - 1


def month_name(number: int) -> str:
    """The month of a number: what `month_number` counts."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def last_month(period: str) -> str | None:
    """The last month of a period, which is a month or a year; None for one that has no date."""
    month = f"{period}-12" if re.fullmatch(r"\d{4}", period) else period
    return month if re.fullmatch(MONTH, month) else None
