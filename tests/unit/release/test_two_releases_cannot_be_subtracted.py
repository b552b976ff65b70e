"""Pairs of cohorts that differ by 1 to 10 persons: no number from 1 to 10 can be worked out from two reports.

`PAIRS=200 pytest ...` (`make test-releases`) draws as many; a few are drawn otherwise.
"""

import os
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from parcours.reporting.compile import compile_findings, describe_cases
from parcours.reporting.texts import ENGLISH, texts_in
from tests.unit.release.drawn_reports import STEPS, drawn_persons, numbers_told, released, report_of, run_of
from tests.unit.release.reader import SAID, Reader, add, shape_is_known

PAIRS = int(os.environ.get("PAIRS", "24"))
# Of two age ranges, one within the other, or of two versions of the data; the larger cohort first, or the smaller one.
KINDS = {
    "a narrower age": (True, True),
    "a wider age": (True, False),
    "data with fewer": (False, True),
    "data with more": (False, False),
}
ALWAYS_THE_SAME = {"deadline": None, "database": None, "derandomize": True, "phases": [Phase.generate]}
ALWAYS_THE_SAME |= {"suppress_health_check": list(HealthCheck)}
TEN_VALUES = 9  # from the first to the last
# Tables of which a report is silent tell nothing; of the others, what is not listed is empty.
TOTALS = ("persons", "lost", "exposed")

pairs = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "cases": st.integers(25, 400),
        "differ": st.integers(1, 10),
    }
)


def two_reports(pair):
    """The persons of the larger and the smaller cohort, and their runs: of 65 and over and of 66 and over, or of two
    versions of the data.
    """
    rng = np.random.default_rng(pair["seed"])
    larger = drawn_persons(rng, pair["cases"])
    gone = rng.choice(len(larger), pair["differ"], replace=False)
    if pair["declared"]:
        larger.loc[gone, "age"] = 65
    smaller = larger.drop(index=gone)
    second = (66, "data") if pair["declared"] else (65, "other data")
    materials = [report_of(larger, run_of("larger", 65, "data")), report_of(smaller, run_of("smaller", *second))]
    return materials if pair["larger_first"] else materials[::-1]


def true_numbers(material):
    """Every number of a report, and of all that could have been in it."""
    findings = compile_findings(material, ENGLISH)
    drugs = {drug: each["exposed_cases"] for drug, each in material.summary["drugs"].items()}
    chain = {step["step"]: step["persons"] for step in material.attrition}
    numbers = {("persons", step): count for step, count in chain.items()}
    numbers |= {("lost", step): chain[before] - chain[step] for before, step in pairwise(STEPS)}
    for title, _, counts in describe_cases(material, texts_in(ENGLISH)):
        numbers |= {(title, label): count for label, count in counts.items()}
    return numbers | {("exposed", drug): drugs[drug] for drug in findings.peaks["drug"]}


def tables_of(told):
    tables = {}
    for numbers in told:
        for table, label in numbers:
            if table not in TOTALS and label != "total":
                tables.setdefault(table, {})[label] = None
    return {table: list(labels) for table, labels in tables.items()}


def say(reader, rows, told, tables):
    """What a report says of its own numbers; a label that a table of it does not list stands for nobody."""
    listed = {table for table, _ in told}
    for name, row in rows.items():
        table, label = name
        if name in told:
            said = told[name]
            reader.learn(row, *(SAID[said] if isinstance(said, str) else (said, said)))
        elif table in tables and table in listed and label in tables[table]:
            reader.learn(row, 0, 0)


def names_of(tables, drugs):
    names = [("persons", step) for step in STEPS]
    names += [(table, label) for table, labels in tables.items() for label in (*labels, "total")]
    return names + [("exposed", drug) for drug in drugs]


def rows_of(reader, tables, drugs, declared):
    """The rows of the larger and of the smaller cohort, or of two cohorts of which nobody told how they overlap."""
    names, late = names_of(tables, drugs), STEPS[2:]  # from the age on
    if declared:
        small, more = ({name: reader.unknown(who, name) for name in names} for who in ("small", "more"))
        shape_is_known(reader, "small", tables, STEPS, drugs)
        shape_is_known(reader, "more", tables, late, drugs)
        early = {("persons", step) for step in STEPS if step not in late}
        large = {name: small[name] if name in early else add(small[name], more[name]) for name in names}
        reader.learn(add(large["persons", "known"], large["persons", "age"], -1), 0, None)
        both = [large, small]
    else:
        both = [{name: reader.unknown(who, name) for name in names} for who in ("first", "second")]
        for who in ("first", "second"):
            shape_is_known(reader, who, tables, STEPS, drugs)
    for rows in both:
        for before, step in pairwise(STEPS):
            rows["lost", step] = add(rows["persons", before], rows["persons", step], -1)
    return both


def what_a_reader_asks(pair, told, true):
    """(what, its row, its true value) of each number, of each difference, and of the cases without each medicine."""
    reader, tables = Reader(), tables_of(told)
    drugs = sorted({label for numbers in told for table, label in numbers if table == "exposed"})
    rows = rows_of(reader, tables, drugs, pair["declared"])
    rows = rows if pair["larger_first"] else rows[::-1]
    names = list(rows[0])
    for each, numbers in zip(rows, told, strict=True):
        say(reader, each, numbers, tables)
    asked = [
        (name, each[name], numbers[name])
        for each, numbers in zip(rows, true, strict=True)
        for name in names
        if name in numbers
    ]
    for name in set(true[0]) & set(true[1]) & set(names):
        asked.append((("difference", *name), add(rows[0][name], rows[1][name], -1), true[0][name] - true[1][name]))
    for drug in drugs:
        rests = []
        for each, numbers in zip(rows, true, strict=True):
            if ("exposed", drug) in numbers:
                row = add(each["persons", "cases"], each["exposed", drug], -1)
                rests.append((("not exposed", drug), row, numbers["persons", "cases"] - numbers["exposed", drug]))
        asked += rests
        if len(rests) == 2:
            (_, row, count), (_, other, less) = rests
            asked.append((("difference", "not exposed", drug), add(row, other, -1), count - less))
    return reader, asked


def safe_and_lost(first, alone, second):
    """Of the cells of the second report that are told when it is alone and differ from the first by 0 or more than 10,
    how many there are, and how many are withheld.
    """
    safe = [
        name
        for name, count in alone.items()
        if isinstance(count, int) and not (isinstance(first.get(name), int) and 1 <= abs(first[name] - count) <= 10)
    ]
    return len(safe), sum(second.get(name) == "withheld" for name in safe)


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_from_1_to_10_can_be_worked_out_and_few_others_are_withheld(kind):
    relation = dict(zip(("declared", "larger_first"), KINDS[kind], strict=True))
    drawn, safe, lost, told_apart = [], 0, 0, 0

    @settings(max_examples=PAIRS // len(KINDS), **ALWAYS_THE_SAME)
    @given(pairs)
    def pair_is_safe(drawn_pair):
        nonlocal safe, lost, told_apart
        pair = drawn_pair | relation
        first, second = two_reports(pair)
        findings, ledger = released(first, [])
        after, _ = released(second, ledger)
        told = [numbers_told(findings), numbers_told(after)]
        reader, asked = what_a_reader_asks(pair, told, [true_numbers(first), true_numbers(second)])
        for what, row, value in asked:
            if 1 <= abs(value) <= 10:
                least, most = reader.bounds(row)
                assert most - least >= TEN_VALUES - 1e-6, f"{what} is {value}: {least} to {most}"
        counted, withheld = safe_and_lost(told[0], numbers_told(released(second, [])[0]), told[1])
        drawn.append(pair)
        safe, lost = safe + counted, lost + withheld
        told_apart += sum(1 for what, _, value in asked if what[0] == "difference" and 1 <= abs(value) <= 10)

    pair_is_safe()
    counted = f"{len(drawn)} pairs, {told_apart} differences of 1 to 10; {lost} of {safe} safe cells withheld"
    sys.stdout.write(f"{kind}: {counted} ({lost / safe:.2%})\n")
    assert len(drawn) >= PAIRS // len(KINDS) and told_apart > 10 * len(drawn)
    assert lost <= 0.05 * safe


def test_the_reader_finds_what_two_reports_that_ignore_each_other_give_away():
    pair = {"seed": 7, "cases": 200, "differ": 7, "declared": True, "larger_first": True}
    materials = two_reports(pair)
    told = [numbers_told(released(material, [])[0]) for material in materials]
    reader, asked = what_a_reader_asks(pair, told, [true_numbers(material) for material in materials])
    found = {what: reader.bounds(row) for what, row, value in asked if 1 <= abs(value) <= 10}
    assert found["difference", "persons", "age"] == pytest.approx([7, 7])
