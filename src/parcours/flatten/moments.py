"""Days and timestamps of Parquet and SAS -> days."""

from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.flatten.converted import EPOCH, Converted, Texts, Years, days_known
from parcours.flatten.dates import day_of, moment_reader, zone_named

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86_400


def is_moment(kind: pa.DataType) -> bool:
    """Whether values are days or timestamps."""
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def read_moments(column: pa.Array, how: Texts, years: Years) -> Converted:
    """Days as they are; timestamps as days of the delivery's time zone (see `day_of`)."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    days, unzoned = _days(column, how)
    missing = [found.toordinal() - EPOCH for found in map(moment_reader(how.date_formats), how.null_values) if found]
    read = days_known(days, valid & ~np.isin(days, missing), years)
    return Converted(read.values, read.bad, read.sentinel, None, read.strange, unzoned)


def _days(column: pa.Array, how: Texts) -> tuple[np.ndarray, bool]:
    """Days since 1970-01-01 (0 for null), and whether some cannot be told without a time zone."""
    if pa.types.is_date32(column.type):
        return column.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64), False
    unit = UNITS["ms"] if pa.types.is_date64(column.type) else UNITS[column.type.unit]
    own = None if pa.types.is_date64(column.type) else column.type.tz
    counts = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    days, rest = np.divmod(counts, DAY * unit)
    odd = rest != 0 if own is None else column.is_valid().to_numpy(zero_copy_only=False)
    if not odd.any():
        return days, False
    distinct, places = np.unique(counts[odd], return_inverse=True)
    told = [_told(int(count), unit, own, how) for count in distinct]
    days[odd] = np.array([day for day, _ in told], np.int64)[places]
    return days, not all(sure for _, sure in told)


def _told(count: int, unit: int, own: str | None, how: Texts) -> tuple[int, bool]:
    """Day of one timestamp, and whether it can be told."""
    seconds, rest = divmod(count, unit)
    try:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=-(-rest * 10**6 // unit))
        moment = instant.astimezone(_zone_of(own)) if own else instant.replace(tzinfo=None)
    except OverflowError:  # of no year from 1 to 9999
        return seconds // DAY, True
    day, sure = day_of(moment, zone_named(how.time_zone))
    return day.toordinal() - EPOCH, sure


def _zone_of(name: str) -> tzinfo | None:
    """The zone that a column states; one that is not known is UTC, in which its instants are stored."""
    try:
        return zone_named(name)
    except ValueError:
        return UTC


def moment_texts(column: pa.Array) -> pa.Array:
    """ISO texts: the day alone at midnight, else with the time of day, and the zone where there is one."""
    if pa.types.is_date32(column.type):
        return column.cast(pa.string())
    if pa.types.is_date64(column.type):
        column = column.cast(pa.timestamp("ms"))
    texts = pc.replace_substring_regex(column.cast(pa.string()), r"\.(\d*?)0+(\D|$)", r".\1\2")
    texts = pc.replace_substring_regex(texts, r"\.(\D|$)", r"\1")
    return pc.replace_substring_regex(texts, r" 00:00:00$", "")
