"""What texts stand for: integers, decimals, dates, strings; nulls, sentinels, and what cannot be read."""

from datetime import date

import pyarrow as pa
import pytest

from parcours.errors import InputError
from parcours.flatten.convert import Texts, convert
from parcours.flatten.dates import date_reader

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
