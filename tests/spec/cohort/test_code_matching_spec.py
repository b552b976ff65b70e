"""Codes of a list against the codes of events: exact, by beginning, or by a pattern."""

from parcours.events.codelists import Code, looked_up, matching

CODES = ("S720", "S7201", "M8015", "M805", "MBEB001", "MBEB0019", "Z90", None)
LIST = {Code("S72", "prefix"): "femur", Code("M80?5", "pattern"): "pelvis", Code("MBEB001", "exact"): "wrist"}


def test_a_code_is_matched_as_its_row_says_and_by_nothing_else():
    """Of each code: whether the list has it, and the name that the list gives."""
    in_list = matching((code for code in CODES if code), LIST)
    assert {code: (code in in_list, looked_up(code, LIST)) for code in CODES} == {
        "S720": (True, "femur"),
        "S7201": (True, "femur"),
        "M8015": (True, "pelvis"),
        "M805": (False, None),
        "MBEB001": (True, "wrist"),
        "MBEB0019": (False, None),
        "Z90": (False, None),
        None: (False, None),
    }


def test_a_list_of_one_kind_matches_by_that_kind_alone():
    assert matching(["S72", "S720"], [Code("S72", "exact")]) == {"S72"}
    assert matching(["S72", "T142"], [Code("S72", "pattern")]) == {"S72"}
    assert matching(["S72"], []) == set()


def test_the_code_itself_goes_before_its_beginnings_and_a_longer_beginning_before_a_shorter():
    names = {Code("S72", "prefix"): "femur", Code("S720", "prefix"): "neck", Code("S7200", "exact"): "closed"}
    assert [looked_up(code, names) for code in ("S7200", "S7201", "S729")] == ["closed", "neck", "femur"]


def test_of_two_beginnings_as_long_the_one_that_says_more_decides():
    names = {Code("M80?5", "pattern"): "pelvis", Code("M8015", "prefix"): "hand"}
    assert [looked_up(code, names) for code in ("M8015", "M8025")] == ["hand", "pelvis"]
