"""Numbers of numpy beside columns of Arrow: distinct values, combinations, order."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcours.engine.arrays import column, combined, order_of, ranked

WHOLE = st.integers(-(2**62), 2**62)


@given(st.lists(WHOLE))
def test_ranks_are_the_places_among_the_distinct_numbers(numbers):
    values = np.array(numbers, np.int64)
    assert ranked(values).tolist() == [sorted(set(numbers)).index(each) for each in numbers]


@given(st.lists(st.integers(0, 20) | st.integers(2**60, 2**62)))
def test_equal_numbers_stay_in_the_order_in_which_they_stand(numbers):
    assert order_of(np.array(numbers, np.int64)).tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)


def test_a_table_without_a_row_has_no_combination():
    without_a_chunk = pa.chunked_array([], pa.string())  # as DuckDB gives it
    told, number = combined(pa.table({"word": without_a_chunk}))
    assert (len(told), len(number)) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, None]))))
def test_each_combination_is_told_once_with_its_rows(rows):
    table = pa.Table.from_pylist(
        [{"word": word, "whole": whole} for word, whole in rows],
        pa.schema([("word", pa.string()), ("whole", pa.int64())]),
    )
    told, number = combined(table)
    known = {(row["word"], row["whole"]): (row["number"], row["rows"]) for row in told.to_pylist()}
    assert len(known) == len(told)
    assert known == {each: (known[each][0], rows.count(each)) for each in rows}
    assert number.tolist() == [known[each][0] for each in rows]


@pytest.mark.parametrize("numbers", [[], [3, 1, 2]])
def test_a_column_has_the_numbers_of_an_array(numbers):
    values = np.array(numbers, np.int64)[::-1]  # not contiguous
    assert column(values).to_pylist() == values.tolist()
