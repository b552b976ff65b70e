"""Codes of a list against the codes of events: exact, by beginning, or by a pattern."""

import pytest
from pyspark.sql import functions as F

from parcours.events.codelists import Code, looked_up, matches

pytestmark = pytest.mark.spark

CODES = ("S720", "S7201", "M8015", "M805", "MBEB001", "MBEB0019", "Z90", None)
LIST = {Code("S72", "prefix"): "femur", Code("M80?5", "pattern"): "pelvis", Code("MBEB001", "exact"): "wrist"}


@pytest.fixture(scope="module")
def found(spark):
    """Of each code: whether the list has it, and the name that the list gives."""
    frame = spark.createDataFrame([(code,) for code in CODES], "code string")
    answer = frame.select("code", matches(F.col("code"), LIST), looked_up(F.col("code"), LIST)).collect()
    return {code: (in_list, name) for code, in_list, name in answer}


def test_a_code_is_matched_as_its_row_says_and_by_nothing_else(found):
    assert found == {
        "S720": (True, "femur"),
        "S7201": (True, "femur"),
        "M8015": (True, "pelvis"),
        "M805": (False, None),
        "MBEB001": (True, "wrist"),
        "MBEB0019": (False, None),
        "Z90": (False, None),
        None: (False, None),
    }


def test_the_code_itself_goes_before_its_beginnings_and_a_longer_beginning_before_a_shorter(spark):
    names = {Code("S72", "prefix"): "femur", Code("S720", "prefix"): "neck", Code("S7200", "exact"): "closed"}
    frame = spark.createDataFrame([("S7200",), ("S7201",), ("S729",)], "code string")
    placed = [row[0] for row in frame.select(looked_up(F.col("code"), names)).collect()]
    assert placed == ["closed", "neck", "femur"]
