"""What a column becomes: typed values, and which of its rows need to be counted or rejected."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from parcours.snds.contracts import sentinel_dates

ARROW_TYPES = {"string": pa.string(), "integer": pa.int64(), "decimal": pa.float64(), "date": pa.date32()}
NOT_READABLE = {
    "integer": "is not an integer",
    "decimal": "is not a decimal number (with a point)",
    "date": "is not a date in the formats of the delivery",
    "string": "is not a text",
}
# Read, and yet no value of the column.
NOT_POSSIBLE = {
    "integer": "is a float too large to tell which integer it was, or is infinite",
    "decimal": "is not a finite number",
    "date": "is of a year that this column cannot hold",
    "string": "is a number that lost its digits: infinite, too large a float, or written as 3.4E+12",
}
Years = tuple[int, int]
EVER: Years = (1, 9999)
NO_ROW = np.iinfo(np.int64).min
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Texts:
    """How what a delivery holds stands for values; `time_zone` is that of its instants."""

    null_values: tuple[str, ...]
    date_formats: tuple[str, ...]
    time_zone: str | None = None


@dataclass(frozen=True)
class Converted:
    """A typed column, and which of its rows need to be counted (None: none of them).

    `bad` could not be read, or, where `strange`, can be no value of the column; `sentinel` held a date that means "not
    known"; `canonical` were written otherwise than they are stored: a text padded with blanks, an integer as
    3400930000001.0. `unzoned`: some are instants that are not midnight, and their day cannot be told.
    """

    values: pa.Array
    bad: np.ndarray | None
    sentinel: np.ndarray | None
    canonical: np.ndarray | None = None
    strange: np.ndarray | None = None
    unzoned: bool = False

    def reason(self, row: int, kind: str) -> str:
        """Why a bad row is bad."""
        return (NOT_POSSIBLE if self.strange is not None and self.strange[row] else NOT_READABLE)[kind]


def some(flags: np.ndarray) -> np.ndarray | None:
    """Flags, or None when none is set."""
    return flags if flags.any() else None


def days_known(days: np.ndarray, valid: np.ndarray, years: Years) -> Converted:
    """Days since 1970-01-01 -> dates; sentinels are null, and days of other years than those are bad.

    All days of a year 0 are the sentinel of year 1, which went through another calendar.
    """
    sentinels = [date.fromisoformat(day).toordinal() - EPOCH for day in sentinel_dates()]
    year_one = 1 - EPOCH
    sentinel = valid & (np.isin(days, sentinels) | ((days < year_one) & (days >= year_one - 366)))
    first, last = date(years[0], 1, 1).toordinal() - EPOCH, date(years[1], 12, 31).toordinal() - EPOCH
    strange = valid & ~sentinel & ((days < first) | (days > last))
    kept = valid & ~sentinel & ~strange
    values = pa.array(np.where(kept, days, 0).astype(np.int32), pa.int32(), mask=~kept).cast(pa.date32())
    return Converted(values, some(strange), some(sentinel), None, some(strange))
