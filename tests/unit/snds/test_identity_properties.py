"""Random referentials: persons, counts and look-ups equal a plain reading of the rules, in whatever order they come."""

import hashlib
import tempfile
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.errors import InputError
from parcours.snds.identity import build_identity, foreseen_identity, lookup_name
from parcours.snds.person_columns import PersonColumns
from parcours.snds.persons_of_rows import keys_of, resolve_persons

TABLES = ("IR_BEN_R", "IR_BEN_R_ARC")
NOBODY = {"xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXD", "XXXXXXXXXXXXXXXXS", ""}
CLAIMS, STAYS = PersonColumns("BEN_NIR_PSA", "BEN_RNG_GEM"), PersonColumns("BEN_NIR_PSA", None)
SCHEMA = pa.schema(
    [
        ("BEN_NIR_PSA", pa.string()),
        ("BEN_RNG_GEM", pa.int64()),
        ("BEN_IDT_ANO", pa.string()),
        ("BEN_DTE_MAJ", pa.date32()),
    ]
)
PSAS = ["ANNE", "ANNE ", "BOB", "BOB|1", "É", "xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXS", "", "  ", None]
row = st.tuples(
    st.one_of(st.sampled_from(["ANNE", "BOB"]), st.sampled_from(PSAS)),
    st.one_of(st.just(1), st.sampled_from([0, 1, 2, 10, None])),
    st.sampled_from(["ID-1", "ID-2", "ID-2 ", "ANNE|1", "", None]),
    st.sampled_from([date(2013, 1, 1), date(2016, 6, 1), None]),
)
tables = st.fixed_dictionaries({name: st.lists(row, max_size=10) for name in TABLES})


def table(found):
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, values, strict=True)) for values in found], SCHEMA)


def number(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big") >> 1


def clean(text):
    return (text or "").rstrip(" ")


def by_the_rules(found):
    """{(psa, rank): (person, archived)} and the counts, row by row."""
    best, unidentified = {}, 0
    for place, name in enumerate(TABLES):
        for psa, rank, idt, day in found[name]:
            if clean(psa) in NOBODY:
                unidentified += 1
                continue
            couple = (clean(psa), 1 if rank is None else rank)
            best[couple] = max(best.get(couple, ()), (-place, day or date.min, clean(idt)))
    persons = {(psa, rank): number(idt or f"{psa}|{rank}") for (psa, rank), (_, _, idt) in best.items()}
    couples_of, of_psa = Counter(persons.values()), defaultdict(set)
    for (psa, _), person in persons.items():
        of_psa[psa].add(person)
    rows = sum(len(part) for part in found.values())
    return persons, of_psa, {
        "rows": rows,
        "couples": len(persons),
        "persons": len(couples_of),
        "archived": sum(place < 0 for place, _, _ in best.values()),
        "merged": sum(couples_of[person] > 1 for person in persons.values()),
        "ambiguous": sum(len(of_psa[psa]) > 1 for psa, _ in persons),
        "dropped": rows - unidentified - len(persons),
        "unidentified": unidentified,
    }  # fmt: skip


def has_nobody(found):
    """Whether a table has rows and not one identifier, which is refused."""
    return any(part and all(clean(psa) in NOBODY for psa, *_ in part) for part in found.values())


def refused(found):
    try:
        foreseen_identity({name: [table(part)] for name, part in found.items()}, CLAIMS)
    except InputError:
        return True
    return False


@settings(max_examples=50, deadline=None)
@given(tables)
def test_persons_counts_and_look_ups_are_those_of_the_rules(found):
    assert refused(found) == has_nobody(found)
    if has_nobody(found):
        return
    persons, of_psa, counts = by_the_rules(found)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        identity = build_identity({name: [table(part)] for name, part in found.items()}, CLAIMS, directory)
        assert asdict(identity.counts) == counts
        written = pq.read_table(directory / "identity.parquet").to_pylist()
        assert {(one["psa"], one["rank"]): one["person_id"] for one in written} == persons
        assert sum(one["merged"] for one in written) == counts["merged"]
        assert sum(one["ambiguous"] for one in written) == counts["ambiguous"]
        asked = [(psa, rank) for psa in [*PSAS, "NEW"] for rank in (0, 1, 2, None)]
        lookup = directory / lookup_name(identity.mapping)
        rows = table([(psa, rank, None, None) for psa, rank in asked])
        claims, stays = (resolve_persons(rows, columns, lookup)[0].to_pylist() for columns in (CLAIMS, STAYS))
    for (psa, rank), claim, stay in zip(asked, claims, stays, strict=True):
        if clean(psa) in NOBODY:
            assert (claim, stay) == (None, None)
            continue
        assert claim == of_claim(clean(psa), 1 if rank is None else rank, persons, of_psa)
        assert stay == alone(clean(psa), 1, of_psa)


@settings(max_examples=30, deadline=None)
@given(tables.filter(lambda found: not has_nobody(found)), st.randoms(use_true_random=False), st.data())
def test_neither_the_order_nor_the_cut_into_files_nor_a_second_delivery_changes_a_person(found, random, data):
    first = foreseen_identity({name: [table(part)] for name, part in found.items()}, CLAIMS).mapping
    shuffled = {name: random.sample(part, len(part)) for name, part in found.items()}
    cuts = {name: data.draw(st.integers(0, len(part))) for name, part in found.items()}
    split = {name: [table(part[: cuts[name]]), table(part[cuts[name] :])] for name, part in shuffled.items()}
    assert foreseen_identity(split, CLAIMS).mapping == first
    twice = {name: [table(part), *split[name]] for name, part in found.items()}
    assert foreseen_identity(twice, CLAIMS).mapping == first
    with tempfile.TemporaryDirectory() as name:
        once, again = (
            build_identity(given, CLAIMS, Path(name) / str(number)).counts
            for number, given in enumerate((split, twice))
        )
    assert again.rows == 2 * once.rows
    assert again.dropped == once.dropped + once.rows - once.unidentified
    for same in ("couples", "persons", "archived", "merged", "ambiguous"):
        assert getattr(again, same) == getattr(once, same)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PSAS), st.sampled_from([0, 1, 2, None])), max_size=30))
def test_rows_get_the_same_person_together_as_alone(asked):
    rows = table([(psa, rank, None, None) for psa, rank in asked])
    for columns in (CLAIMS, STAYS):
        together = resolve_persons(rows, columns, None)[0].to_pylist()
        assert together == [
            resolve_persons(rows.slice(i, 1), columns, None)[0].to_pylist()[0] for i in range(len(asked))
        ]


@settings(max_examples=50, deadline=None)
@given(*[tables.filter(lambda found: not has_nobody(found))] * 2)
def test_the_changes_name_every_identifier_of_which_rows_are_of_another_person_now(before, after):
    asked = table([(psa, rank, None, None) for psa in [*PSAS, "NEW"] for rank in (0, 1, 2, None)])
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / "before", Path(name) / "after"]
        given = [{name: [table(part)] for name, part in found.items()} for found in (before, after)]
        first = build_identity(given[0], CLAIMS, folders[0])
        foreseen = foreseen_identity(given[1], CLAIMS, folders[0])
        second = build_identity(given[1], CLAIMS, folders[1], folders[0])
        assert foreseen.changes == second.changes
        lookups = [
            folder / lookup_name(identity.mapping) for folder, identity in zip(folders, (first, second), strict=True)
        ]
        found = [
            [resolve_persons(asked, columns, lookup)[0].to_pylist() for lookup in lookups]
            for columns in (CLAIMS, STAYS)
        ]
        psas = {clean(psa) for psa in asked["BEN_NIR_PSA"].to_pylist()}
        keys = {psa: set(keys_of(table([(psa, 1, None, None)]), CLAIMS).tolist()) for psa in psas}
    assert second.changes is not None
    named = set(second.changes["key"].to_pylist())
    for was, now in found:
        moved = {
            clean(psa) for psa, old, new in zip(asked["BEN_NIR_PSA"].to_pylist(), was, now, strict=True) if old != new
        }
        assert all(keys[psa] <= named for psa in moved)
    # No other is named: by the rules, read plainly.
    (persons, _, _), (later, _, _) = by_the_rules(before), by_the_rules(after)
    apart = {couple[0] for couple, _ in persons.items() ^ later.items()}
    assert named == set().union(*[keys[psa] for psa in apart])


def of_claim(psa, rank, persons, of_psa):
    """The person of a claim: its couple's, else the one of its PSA."""
    return persons[psa, rank] if (psa, rank) in persons else alone(psa, rank, of_psa)


def alone(psa, rank, of_psa):
    """The person of a PSA whose rank says nothing; None when it is of several."""
    known = of_psa.get(psa, {number(f"{psa}|{rank}")})
    return next(iter(known)) if len(known) == 1 else None
