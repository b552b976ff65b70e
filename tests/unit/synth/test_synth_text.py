"""Rows of text: merging neighbours changes the speed, not the text."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.synth.text import as_text, cents, content, lines_of, merge, row_by_row, texts

CELL = st.text(alphabet="ab0", max_size=3)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["x", "y", ""]), st.lists(CELL, min_size=4, max_size=4)), min_size=1, max_size=6
    ),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5),
)
def test_merged_columns_give_the_same_lines_as_a_plain_join(columns, places):
    picked = {"x": [x for x, _ in places], "y": [y for _, y in places]}
    direct = {f"own{n}": [values[row % 4] for row in range(len(places))] for n, (_, values) in enumerate(columns)}
    layout = [texts(values, index) if index else row_by_row(f"own{n}") for n, (index, values) in enumerate(columns)]
    indices = {name: np.array(rows, np.int64) for name, rows in picked.items()}
    indices |= {name: as_text(pa.array(values, pa.string())) for name, values in direct.items()}
    expected = "".join(
        ";".join(
            values[picked[index][row]] if index else direct[f"own{n}"][row] for n, (index, values) in enumerate(columns)
        )
        + "\n"
        for row in range(len(places))
    )
    assert bytes(content(lines_of(merge(layout), indices))).decode() == expected


def test_cents_are_written_with_two_decimals_and_a_sign():
    assert cents(np.array([0, 5, -1234, 100])).to_pylist() == ["0.00", "0.05", "-12.34", "1.00"]


def test_missing_values_are_empty_texts():
    assert as_text([1, None, 3]).to_pylist() == ["1", "", "3"]
