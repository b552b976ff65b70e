"""Where records start and end: quotes, line breaks, unclosed quotes, wrong numbers of fields."""

import csv
import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from parcours.flatten.records import decoded, split_records


def split(text, fields=3, last=True):
    return split_records(text.encode(), 2, fields, ";", last=last)


def test_plain_lines_are_records_and_blank_lines_are_none():
    found = split("a;b;c\r\n\r\nd;e;f\n\n")
    assert found.texts == [b"a;b;c", b"d;e;f"]
    assert found.lines == [2, 4]
    assert found.bad == []


def test_a_quoted_field_holds_delimiters_quotes_and_line_breaks():
    found = split('a;"b;""x""\nc";d\ne;f;g\n')
    assert found.texts == [b'a;"b;""x""\nc";d', b"e;f;g"]
    assert found.lines == [2, 4]


def test_a_quote_inside_a_field_is_a_letter():
    assert split('a;5" disk;c\n').texts == [b'a;5" disk;c']


def test_a_quote_that_is_not_closed_costs_its_line_only():
    found = split('a;"b;c\nd;e;f\ng;h;i\n')
    assert found.bad == [(2, "a quote is not closed", b'a;"b;c')]
    assert found.texts == [b"d;e;f", b"g;h;i"]
    assert found.lines == [3, 4]


def test_a_quote_that_swallows_lines_into_a_wrong_record_costs_its_first_line_only():
    found = split('a;"b;c\nd;"e";f\ng;h";i;j\nk;l;m\n')
    assert [line for line, _, _ in found.bad] == [2, 4]
    assert found.texts == [b'd;"e";f', b"k;l;m"]


def test_a_wrong_number_of_fields_is_said():
    found = split("a;b\nc;d;e;f\n")
    assert [reason for _, reason, _ in found.bad] == [
        "2 fields where the header has 3",
        "4 fields where the header has 3",
    ]


def test_a_carriage_return_inside_a_line_is_refused():
    assert split("a;b\rc;d\n").bad == [(2, "a carriage return stands inside the line", b"a;b\rc;d")]


def test_a_record_open_at_the_end_of_a_block_is_left_for_the_next():
    found = split('a;b;c\nd;"e\n', last=False)
    assert found.texts == [b"a;b;c"]
    assert (found.rest, found.rest_line) == (6, 3)


def test_bytes_of_another_encoding_reject_their_row():
    records = split_records("a;é;c\nd;e;f\n".encode("latin-1"), 2, 3, ";", last=True)
    assert decoded(records, "latin-1").texts == ["a;é;c".encode(), b"d;e;f"]
    read = decoded(records, "utf-8")
    assert read.texts == [b"d;e;f"]
    assert read.bad == [(2, "holds bytes that are not utf-8", b"a;\xe9;c")]


field = st.text(alphabet='ab;"\n é', max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(field, field, field), max_size=8))
@example([("\n", ";", '"')])
def test_what_a_csv_writer_wrote_is_read_back(rows):
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    found = split_records(out.getvalue().encode(), 2, 3, ";", last=True)
    again = [next(csv.reader(io.StringIO(text.decode(), newline=""), delimiter=";")) for text in found.texts]
    assert [tuple(row) for row in again] == rows
    assert found.bad == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab;"\n\r', max_size=60))
def test_every_line_that_is_not_blank_is_in_a_record_or_bad(text):
    found = split(text)
    taken = {
        line
        for start, record in zip(found.lines, found.texts, strict=True)
        for line in range(start, start + record.count(b"\n") + 1)
    }
    taken |= {line for line, _, _ in found.bad}
    lines = {number for number, line in enumerate(text.split("\n"), 2) if line.removesuffix("\r")}
    assert lines <= taken
