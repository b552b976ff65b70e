"""What texts stand for: integers, decimals, dates, strings; nulls, sentinels, and what cannot be read."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from parcours.errors import InputError
from parcours.flatten.convert import Texts, convert
from parcours.flatten.dates import date_reader
from parcours.snds.contracts import plausible_years

TEXTS = Texts(("", "NULL"), ("%Y-%m-%d", "%d/%m/%Y", "%d%b%Y", "%d%b%Y:%H:%M:%S"))
BAD = "cannot be read"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "12", 12),
        ("integer", "12.0", 12),
        ("integer", "12.", 12),
        ("integer", "  12 ", 12),
        ("integer", "007", 7),
        ("integer", "-3", -3),
        ("integer", "+3", 3),
        ("integer", "", None),
        ("integer", "   ", None),
        ("integer", "NULL", None),
        ("integer", "12.5", BAD),
        ("integer", "0x1F", BAD),
        ("integer", "12a", BAD),
        ("integer", "99999999999999999999", BAD),
        ("decimal", "12.5", 12.5),
        ("decimal", " .5", 0.5),
        ("decimal", "1e3", 1000.0),
        ("decimal", "-0.01", -0.01),
        ("decimal", "12,5", BAD),
        ("decimal", "nan", BAD),
        ("decimal", "inf", BAD),
        ("decimal", "1e999", BAD),
        ("date", "2016-02-29", date(2016, 2, 29)),
        ("date", "29/02/2016", date(2016, 2, 29)),
        ("date", "29FEB2016", date(2016, 2, 29)),
        ("date", "29feb2016", date(2016, 2, 29)),
        ("date", "02Jan2007:22:12:17", date(2007, 1, 2)),
        ("date", "30/02/2016", BAD),
        ("date", "02Jan2007:25:12:17", BAD),
        ("date", "20160229", BAD),
        ("date", "0001-01-01", None),
        ("date", "01/01/1600", None),
        ("string", "AB  ", "AB"),
        ("string", "  AB", "  AB"),
        ("string", "   ", None),
        ("string", "NULL", None),
        ("string", "NULL ", None),
        ("string", "0012", "0012"),
    ],
)
def test_one_text_one_value(kind, text, value):
    read = convert(pa.array([text, "", text]), kind, TEXTS)
    if value == BAD:
        assert read.bad.tolist() == [True, False, True]
    else:
        assert read.bad is None
        assert read.values.to_pylist() == [value, None, value]


def test_sentinel_dates_are_counted_and_other_nulls_are_not():
    read = convert(pa.array(["1600-01-01", "", "2016-01-01", "01JAN0001"]), "date", TEXTS)
    assert read.sentinel.tolist() == [True, False, False, True]
    assert read.values.to_pylist() == [None, None, date(2016, 1, 1), None]


def test_the_first_format_that_fits_wins():
    assert date_reader(("%d/%m/%Y", "%m/%d/%Y"))("03/04/2016") == date(2016, 4, 3)
    assert date_reader(("%d/%m/%Y", "%m/%d/%Y"))("04/13/2016") == date(2016, 4, 13)


@pytest.mark.parametrize("form", ["%Y%j", "%H:%M", "%x"])
def test_a_format_that_gives_no_day_is_named(form):
    with pytest.raises(InputError, match="date_formats"):
        date_reader((form,))


@pytest.mark.parametrize("text", ["0001-01-01", "0000-12-30", "0001-01-03", "1582-10-15", "1600-01-01"])
def test_a_sentinel_date_is_null_and_counted_whatever_calendar_it_went_through(text):
    read = convert(pa.array([text, "2016-05-04"]), "date", Texts(("",), ("%Y-%m-%d",)))
    assert read.values.to_pylist() == [None, date(2016, 5, 4)]
    assert read.bad is None and read.sentinel.tolist() == [True, False]


def test_values_written_otherwise_than_they_are_stored_are_counted():
    """A CIP13 that went through a float, a code padded with blanks."""
    how = Texts(("",), ("%Y-%m-%d",))
    packs = convert(pa.array(["3400930000001.0", "3400930000001", " 12", "", None]), "integer", how)
    assert packs.values.to_pylist() == [3400930000001, 3400930000001, 12, None, None]
    assert packs.canonical.tolist() == [True, False, True, False, False]
    codes = convert(pa.array(["S72   ", "S72", "   ", None]), "string", how)
    assert codes.values.to_pylist() == ["S72", "S72", None, None]
    assert codes.canonical.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("form", "text", "day"),
    [
        ("%Y%m%d", "20151231", date(2015, 12, 31)),
        ("%Y%m%d", "201512", None),
        ("%Y%m%d", "2015123", None),
        ("%Y%m%d", "201512311", None),
        ("%d%m%Y", "01022016", date(2016, 2, 1)),
        ("%d%m%Y", "1022016", None),
        ("%d/%m/%Y", "1/2/2016", None),
        ("%Y-%m-%d", "16-02-01", None),
        ("%d%b%Y", "1FEB2016", None),
        ("%Y-%m-%d %H:%M:%S", "2016-02-01 0:00:00", None),
        ("%Y-%m-%d %H:%M:%S.%f", "2016-02-01 00:00:00.000", date(2016, 2, 1)),
        ("%Y-%m-%dT%H:%M:%S%z", "2016-02-01T00:00:00Z", date(2016, 2, 1)),
        ("%Y-%m-%d%%", "2016-02-01%", date(2016, 2, 1)),
    ],
)
def test_each_directive_takes_its_whole_width(form, text, day):
    assert date_reader((form,))(text) == day


@pytest.mark.parametrize("form", ["%Y%d", "%Y%m%b%d", "%Y%m%d%Y", "%Y-%m-%d%", "%Y-%m-%d %p"])
def test_a_format_that_gives_no_single_day_is_named(form):
    with pytest.raises(InputError, match="date_formats"):
        date_reader((form,))


def test_a_day_of_a_year_that_a_column_cannot_hold_is_bad_for_that_reason():
    texts = pa.array(["1102-01-01", "2016-01-01", "2999-12-31", "soon"])
    flux = convert(texts, "date", TEXTS, plausible_years("FLX_DIS_DTD"))
    assert flux.bad.tolist() == [True, False, True, True]
    assert [flux.reason(row, "date") for row in (0, 2, 3)] == [
        "is of a year that this column cannot hold",
        "is of a year that this column cannot hold",
        "is not a date in the formats of the delivery",
    ]
    end_of_validity = convert(texts, "date", TEXTS, plausible_years("IMB_ALD_DTF"))
    assert end_of_validity.bad.tolist() == [True, False, False, True]


def test_each_year_that_a_period_can_be_of_is_one_that_care_can_be_of():
    assert plausible_years("FLX_DIS_DTD")[0] >= plausible_years("EXE_SOI_DTD")[0]
    assert plausible_years("FLX_DIS_DTD")[1] <= plausible_years("EXE_SOI_DTD")[1]


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Paris", date(2016, 1, 1)), ("America/Guadeloupe", date(2015, 12, 31)), ("UTC", date(2015, 12, 31))],
)
def test_an_instant_is_the_day_that_it_was_in_the_zone(zone, day):
    how = Texts(("",), ("%Y-%m-%d %H:%M:%S",), zone)
    moment = datetime(2015, 12, 31, 23, 30)
    for column in (
        pa.array([str(moment)]),
        pa.array([moment], pa.timestamp("ns")),
        pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("s", "UTC")),
        pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("ms", "+01:00")),
    ):
        read = convert(column, "date", how)
        assert (read.values.to_pylist(), read.unzoned) == ([day], False)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_fraction_after_midnight_is_not_midnight(unit):
    read = convert(pa.array([0, 1], pa.int64()).cast(pa.timestamp(unit)), "date", TEXTS)
    assert read.unzoned
    assert not convert(pa.array([0, None], pa.int64()).cast(pa.timestamp(unit)), "date", TEXTS).unzoned


def test_days_of_no_calendar_are_bad_and_no_crash():
    read = convert(pa.array([2**31 - 1, -(2**31), 0], pa.int32()).cast(pa.date32()), "date", TEXTS)
    assert read.bad.tolist() == [True, True, False]
    far = convert(pa.array([2**62, -(2**62)], pa.int64()).cast(pa.timestamp("s", "UTC")), "date", TEXTS)
    assert far.bad.tolist() == [True, True]


def test_null_values_are_null_in_every_form():
    how = Texts(("", "999", "9999-12-31"), ("%Y-%m-%d",))
    for column in (pa.array([999, 1]), pa.array([999.0, 1.0]), pa.array(["999", "1"])):
        for kind, one in (("integer", 1), ("decimal", 1.0), ("string", "1")):
            assert convert(column, kind, how).values.to_pylist() == [None, one]
    for column in (pa.array(["9999-12-31", "2016-01-01"]), pa.array([date(9999, 12, 31), date(2016, 1, 1)])):
        assert convert(column, "date", how).values.to_pylist() == [None, date(2016, 1, 1)]
