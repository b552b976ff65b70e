"""Who a person is: small referentials in, persons of identifiers out."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.errors import InputError, RetryableFault
from parcours.events.filters import filter_table
from parcours.snds.contracts import load_product
from parcours.snds.identity import build_identity, foreseen_identity, lookup_name, person_id
from parcours.snds.person_columns import PersonColumns, placeholders, referential_tables
from parcours.snds.person_forms import columns_of_identity, columns_of_rows
from parcours.snds.persons_of_rows import HowFound, resolve_persons

CLAIMS = PersonColumns("BEN_NIR_PSA", "BEN_RNG_GEM")
STAYS = PersonColumns("NIR_ANO_17", None)
PROJECT = PersonColumns("NUM_ENQ", "BEN_RNG_GEM", pseudonym=True, unranked=True)


def rows(*found, names="BEN_NIR_PSA BEN_RNG_GEM BEN_IDT_ANO BEN_DTE_MAJ"):
    """One part of a referential; days are written as texts."""
    columns = dict(zip(names.split(), zip(*found, strict=True), strict=True))
    if "BEN_DTE_MAJ" in columns:
        columns["BEN_DTE_MAJ"] = [day and datetime.date.fromisoformat(day) for day in columns["BEN_DTE_MAJ"]]
    return pa.table({name: pa.array(values) for name, values in columns.items()})


@pytest.fixture
def build(tmp_path):
    """Builds an identity; gives its rows, its counts, and a function that resolves rows with it."""

    def built(columns=CLAIMS, **referentials):
        identity = build_identity(referentials, columns, tmp_path)
        lookup = tmp_path / lookup_name(identity.mapping)
        found = pq.read_table(tmp_path / "identity.parquet").to_pylist()
        return found, identity.counts, lambda table, asked: resolve_persons(table, asked, lookup)[0].to_pylist()

    return built


def persons(found):
    return {(row["psa"], row["rank"]): row["person_id"] for row in found}


def claims(*couples):
    return rows(*couples, names="BEN_NIR_PSA BEN_RNG_GEM")


def stays(*psas):
    return pa.table({"NIR_ANO_17": pa.array(psas, pa.string())})


def test_the_referential_goes_before_its_archive_whatever_the_dates(build):
    found, counts, resolve = build(
        IR_BEN_R_ARC=[rows(("ANNE", 1, "OLD", "2019-01-01"), ("BOB", 1, "ID-B", "2012-01-01"))],
        IR_BEN_R=[rows(("ANNE", 1, "ID-A", "2014-01-01"), ("CARL", 1, "ID-C", None))],
    )
    assert persons(found) == {
        ("ANNE", 1): person_id("ID-A"), ("BOB", 1): person_id("ID-B"), ("CARL", 1): person_id("ID-C"),
    }  # fmt: skip
    assert (counts.rows, counts.couples, counts.archived, counts.dropped) == (4, 3, 1, 1)
    assert resolve(claims(("BOB", 1), ("ANNE", 1)), CLAIMS) == [person_id("ID-B"), person_id("ID-A")]
    assert referential_tables() == ("IR_BEN_R", "IR_BEN_R_ARC")


def test_a_person_of_the_archive_makes_a_shared_psa_ambiguous(build):
    found, counts, resolve = build(
        IR_BEN_R=[rows(("TWIN", 1, "ID-A", None))], IR_BEN_R_ARC=[rows(("TWIN", 2, "ID-B", None))]
    )
    assert [row["ambiguous"] for row in found] == [True, True]
    assert counts.ambiguous == 2
    assert resolve(stays("TWIN"), STAYS) == [None]
    assert resolve(claims(("TWIN", 1), ("TWIN", 2)), CLAIMS) == [person_id("ID-A"), person_id("ID-B")]


def test_the_archive_alone_is_a_referential(build):
    found, counts, _ = build(IR_BEN_R_ARC=[rows(("ANNE", 1, "ID-A", None))])
    assert persons(found) == {("ANNE", 1): person_id("ID-A")}
    assert (counts.couples, counts.archived) == (1, 1)


def test_of_the_rows_of_a_couple_the_latest_counts_then_the_greatest_identifier(build):
    found, counts, _ = build(
        IR_BEN_R=[
            rows(("ANNE", 1, "ID-Z", None), ("ANNE", 1, "ID-A", "2014-01-01"), ("ANNE", 1, "ID-B", "2014-01-01")),
            rows(("BOB", 1, "ID-B", "2013-01-01"), ("BOB", 1, "ID-B", "2013-01-01"), ("BOB", 1, None, None)),
        ]
    )
    assert persons(found) == {("ANNE", 1): person_id("ID-B"), ("BOB", 1): person_id("ID-B")}
    assert [row["merged"] for row in found] == [True, True]
    assert (counts.rows, counts.couples, counts.dropped, counts.merged, counts.persons) == (6, 2, 4, 2, 1)


def test_without_an_identity_a_person_is_its_psa_and_rank(build):
    found, _, resolve = build(IR_BEN_R=[rows(("EVE", 0, None, None), ("EVE", 1, "  ", None), ("GUS", 2, None, None))])
    assert persons(found) == {
        (psa, rank): person_id(f"{psa}|{rank}") for psa, rank in (("EVE", 0), ("EVE", 1), ("GUS", 2))
    }
    assert {row["source"] for row in found} == {"PSA"}
    assert resolve(stays("EVE", "GUS", "HAL"), STAYS) == [None, person_id("GUS|2"), person_id("HAL|1")]


@pytest.mark.parametrize(
    "ranks",
    [
        pa.array([1, 2, 0, None], pa.int64()),
        pa.array([1, 2, 0, None], pa.int8()),
        pa.array([1, 2, 0, None], pa.float64()),
        pa.array(["1", "2", "0", None]),
        pa.array(["01", " 2 ", "0.0", "x"]),
        pa.array(["+1", "2.", "00", "1.5"]),
        pa.array(["1", "2", "0", ""]).dictionary_encode(),
    ],
    ids=lambda ranks: f"{ranks.type}: {ranks.to_pylist()}",
)
def test_a_rank_is_its_number_and_1_when_it_is_none(build, ranks):
    known = rows(("ANNE", 1, "ID-1", None), ("ANNE", 2, "ID-2", None), ("ANNE", 0, "ID-0", None))
    asked = pa.table({"BEN_NIR_PSA": ["ANNE"] * 4, "BEN_RNG_GEM": ranks})
    _, _, resolve = build(IR_BEN_R=[known])
    expected = [person_id(text) for text in ("ID-1", "ID-2", "ID-0", "ID-1")]
    assert resolve(asked, CLAIMS) == expected
    # The same where it is the referential that writes them so.
    found, _, _ = build(IR_BEN_R=[asked])
    assert sorted(persons(found)) == [("ANNE", 0), ("ANNE", 1), ("ANNE", 2)]


def test_a_rank_of_18_digits_is_a_rank(build):
    found, _, _ = build(IR_BEN_R=[rows(("ANNE", 10**17, None, None))])
    assert persons(found) == {("ANNE", 10**17): person_id(f"ANNE|{10**17}")}


@pytest.mark.parametrize(
    "psas", [pa.array([123, None]), pa.array(["123", None], pa.large_string()), pa.array(["123 ", " "])]
)
def test_a_psa_of_another_type_is_the_same_psa(build, psas):
    _, _, resolve = build(IR_BEN_R=[rows(("123", 1, "ID-A", None))])
    assert resolve(pa.table({"BEN_NIR_PSA": psas, "BEN_RNG_GEM": [1, 1]}), CLAIMS) == [person_id("ID-A"), None]
    found, counts, _ = build(IR_BEN_R=[pa.table({"BEN_NIR_PSA": psas, "BEN_RNG_GEM": [1, 1]})])
    assert list(persons(found)) == [("123", 1)]
    assert counts.unidentified == 1


def test_placeholders_and_blanks_are_nobody(build):
    names = [*placeholders(), "", "   ", None]
    found, counts, resolve = build(
        IR_BEN_R=[rows(("ANNE", 1, "ID-A", None), *((name, 1, "ID-X", None) for name in names))]
    )
    assert len(placeholders()) == 3
    assert persons(found) == {("ANNE", 1): person_id("ID-A")}
    assert (counts.rows, counts.couples, counts.dropped, counts.unidentified) == (7, 1, 0, 6)
    assert resolve(stays(*names), STAYS) == [None] * 6
    assert resolve(claims(*((name, 1) for name in names)), CLAIMS) == [None] * 6
    assert resolve_persons(pa.table({"NUM_ENQ": pa.array(names)}), PROJECT, None)[0].to_pylist() == [None] * 6
    # Like a placeholder, but none of those that the source names.
    assert resolve(stays("XXXXXXXXXXXXXXXXX"), STAYS) == [person_id("XXXXXXXXXXXXXXXXX|1")]


def test_studies_count_stays_with_the_same_placeholders():
    (listed,) = [one.where[0]["is"] for one in filter_table() if one.id == "dummy_identifier"]
    assert tuple(listed) == placeholders()
    # Before the filter of stays without a person, which they are too: the count tells why.
    of_stays = [one.id for one in filter_table() if "MCO" in one.products]
    assert of_stays[:2] == ["dummy_identifier", "no_person"]


def test_a_pseudonym_is_of_the_person_whom_the_referential_names(build):
    """NUM_ENQ is BEN_NIR_PSA encrypted: N1 and N2 are one person, N3 is of twins, nobody names N4."""
    table = rows(
        ("N1", "ID-A", 1), ("N2", "ID-A", 1), ("N3", "ID-B", 1), ("N3", "ID-C", 2), ("N4", None, 1), ("", "ID-D", 1),
        names="NUM_ENQ BEN_IDT_ANO BEN_RNG_GEM",
    )  # fmt: skip
    _found, counts, resolve = build(PROJECT, IR_BEN_R=[table])
    assert (counts.couples, counts.merged, counts.ambiguous, counts.unidentified) == (5, 2, 2, 1)
    of_stays = ("N1", "N2", "N3", "N4", "N5", "")
    assert resolve(pa.table({"NUM_ENQ": of_stays}), PersonColumns("NUM_ENQ", None, pseudonym=True)) == [
        person_id("ID-A"), person_id("ID-A"), None, person_id("N4|1"), person_id("N5"), None,
    ]  # fmt: skip
    assert resolve(rows(("N3", 2), ("N3", None), ("N1", 7), names="NUM_ENQ BEN_RNG_GEM"), PROJECT) == [
        person_id("ID-C"), None, person_id("ID-A"),
    ]  # fmt: skip


@pytest.mark.parametrize("unranked", [True, False], ids=["a rank that is null", "no rank"])
@pytest.mark.parametrize("name", ["BEN_IDT_ANO", "NUM_ENQ_IDT", "NUM_ANO", "NUM_ENQ_ANO", "BEN_NIR_ANO"])
def test_what_names_the_person_has_several_names(build, name, unranked):
    table = rows(("N1", "A"), ("N2", "A"), ("N3", "B"), ("N3", "C"), ("N4", None), names=f"NUM_ENQ {name}")
    table = table.append_column("BEN_RNG_GEM", pa.nulls(5, pa.int64())) if unranked else table
    _, _, resolve = build(PROJECT, IR_BEN_R=[table])
    assert resolve(pa.table({"NUM_ENQ": ["N1", "N2", "N3", "N4"]}), PROJECT) == [
        person_id("A"), person_id("A"), None, person_id("N4"),
    ]  # fmt: skip


def test_a_correspondence_says_who_a_pseudonym_is_and_goes_before_the_referential(build):
    referential = rows(("N1", 1, None), ("N2", 1, "OLD"), ("N3", 1, None), ("N3", 2, None), ("N6", 1, "Z"),
                       names="NUM_ENQ BEN_RNG_GEM BEN_IDT_ANO")  # fmt: skip
    told = rows(("N1", "A"), ("N2", "A"), ("N3", "B"), ("N3", "C"), ("N5", "A"), (None, "D"), names="NUM_ENQ NUM_ANO")
    _, counts, resolve = build(PROJECT, IR_BEN_R=[referential], TABLE_CORRESPONDANCE=[told])
    stays = pa.table({"NUM_ENQ": ["N1", "N2", "N3", "N5", "N6"]})
    assert resolve(stays, PROJECT) == [person_id("A"), person_id("A"), None, person_id("A"), person_id("Z")]
    assert counts.unidentified == 1


def test_a_correspondence_with_ranks_tells_twins_apart(build):
    told = rows(("N1", 1, "A"), ("N1", 2, "B"), ("N2", 2, "B"), names="NUM_ENQ BEN_RNG_GEM NUM_ENQ_ANO")
    _, _, resolve = build(PROJECT, TABLE_CORRESPONDANCE=[told])
    claims = rows(("N1", 1), ("N1", 2), ("N1", None), ("N2", 1), names="NUM_ENQ BEN_RNG_GEM")
    assert resolve(claims, PROJECT) == [person_id("A"), person_id("B"), None, person_id("B")]


def test_a_column_that_names_persons_needs_no_referential(build):
    asked = PersonColumns("NUM_ANO", None, pseudonym=True)
    found, how = resolve_persons(pa.table({"NUM_ANO": ["A", None]}), asked, None)
    assert found.to_pylist() == [person_id("A"), None]
    assert how == HowFound(known=1, unidentified=1)


def test_stays_that_name_the_person_have_the_persons_of_claims_that_name_a_pseudonym(build):
    person = {"DCIR": {"column": "NUM_ENQ"}, "MCO": {"column": "NUM_ANO"}}
    claims_of, stays_of = (columns_of_rows(person, load_product(name)) for name in ("DCIR", "MCO"))
    told = rows(("N1", "ID-A", "A"), ("N2", "ID-B", "A"), names="NUM_ENQ BEN_IDT_ANO NUM_ANO")
    _, _, resolve = build(columns_of_identity(person), IR_BEN_R=[told])
    assert resolve(pa.table({"NUM_ENQ": ["N1", "N2"]}), claims_of) == [person_id("A")] * 2
    assert resolve(pa.table({"NUM_ANO": ["A"]}), stays_of) == [person_id("A")]


def test_without_any_rank_two_persons_of_one_identifier_are_ambiguous(build):
    columns = columns_of_identity({"psa": "NUM_ENQ"})
    told = rows(("N1", "A"), ("N1", "B"), ("N2", "A"), names="NUM_ENQ BEN_IDT_ANO")
    told = told.append_column("BEN_RNG_GEM", pa.nulls(3, pa.int64()))
    _, _, resolve = build(columns, IR_BEN_R=[told])
    assert resolve(pa.table({"NUM_ENQ": ["N1", "N2"]}), PersonColumns("NUM_ENQ", None)) == [None, person_id("A")]


def test_a_rank_that_nobody_knows_leaves_the_psa(build):
    """MSA12 has rank 1 in IR_BEN_R and buys under rank 2; TWIN is of two persons; DOUBLE has two ranks and is one."""
    _, _, resolve = build(IR_BEN_R=[rows(
        ("MSA12", 1, "ID-A", None), ("MSA31", 3, None, None), ("TWIN", 1, "ID-B", None), ("TWIN", 2, "ID-C", None),
        ("DOUBLE", 1, "ID-D", None), ("DOUBLE", 2, "ID-D", None),
    )])  # fmt: skip
    asked = [("MSA12", 2), ("MSA31", 1), ("MSA31", None), ("TWIN", 3), ("TWIN", 0), ("TWIN", 2), ("DOUBLE", 5)]
    expected = ["ID-A", "MSA31|3", "MSA31|3", None, None, "ID-C", "ID-D"]
    assert resolve(claims(*asked), CLAIMS) == [text and person_id(text) for text in expected]


def test_rows_are_counted_by_how_their_person_was_found(tmp_path):
    referential = rows(("ANNE", 1, "A", None), ("TWIN", 1, "B", None), ("TWIN", 2, "C", None))
    identity = build_identity({"IR_BEN_R": [referential]}, CLAIMS, tmp_path)
    lookup = tmp_path / lookup_name(identity.mapping)
    asked = claims(("ANNE", 1), ("ANNE", None), ("ANNE", 9), ("TWIN", 2), ("TWIN", 3), ("CARL", 1), (None, 1), ("", 2))
    assert resolve_persons(asked, CLAIMS, lookup)[1] == HowFound(
        known=3, by_psa=1, ambiguous=1, unknown=1, unidentified=2
    )
    assert resolve_persons(stays("ANNE", "TWIN", "CARL", None), STAYS, lookup)[1] == HowFound(
        known=1, ambiguous=1, unknown=1, unidentified=1
    )
    assert resolve_persons(asked, CLAIMS, None)[1] == HowFound(unknown=6, unidentified=2)


def test_parts_need_not_have_the_same_columns(build):
    found, _, _ = build(
        IR_BEN_R=[
            rows(("ANNE", "ID-A"), names="BEN_NIR_PSA BEN_IDT_ANO"),
            rows(("BOB", 2), names="BEN_NIR_PSA BEN_RNG_GEM"),
            rows(("ID-X",), names="BEN_IDT_ANO"),
        ]
    )
    assert persons(found) == {("ANNE", None): person_id("ID-A"), ("BOB", 2): person_id("BOB|2")}


def test_rows_without_the_identifying_column_are_nobody():
    assert resolve_persons(stays("ANNE"), CLAIMS, None)[0].to_pylist() == [None]


def test_a_referential_without_any_identifier_is_refused(build):
    with pytest.raises(InputError, match="No row of IR_BEN_R_ARC has an identifier in column NUM_ENQ"):
        build(PROJECT, IR_BEN_R=[pa.table({"NUM_ENQ": ["N1"]})], IR_BEN_R_ARC=[rows(("ANNE", 1, "ID-A", None))])


def test_an_empty_referential_gives_the_persons_that_none_gives(build):
    found, counts, resolve = build(IR_BEN_R=[rows(("A", 1, "I", None)).slice(0, 0)])
    assert (found, counts.rows, counts.persons) == ([], 0, 0)
    assert resolve(claims(("ANNE", 2)), CLAIMS) == [person_id("ANNE|2")]


def test_the_mapping_is_that_of_persons_not_of_what_else_is_known_of_them():
    first = rows(("ANNE", 1, "ID-A", "2014-01-01"), ("BOB", 1, "ID-B", None))
    later = rows(("BOB", 1, "ID-B", "2016-01-01"), ("ANNE", 1, "ID-A", "2016-01-01")).append_column("X", [["9", "8"]])
    other = rows(("ANNE", 1, "ID-A", "2014-01-01"), ("BOB", 1, "ID-C", None))
    more = rows(("ANNE", 1, "ID-A", None), ("BOB", 1, "ID-B", None), ("BOB", 2, "ID-B", None))
    mappings = [foreseen_identity({"IR_BEN_R": [table]}, CLAIMS).mapping for table in (first, later, other, more)]
    assert mappings[0] == mappings[1]
    assert len(set(mappings)) == 3
    parted = {"IR_BEN_R": [first.slice(0, 1)], "IR_BEN_R_ARC": [first.slice(1)]}
    assert foreseen_identity(parted, CLAIMS).mapping == mappings[0]


def test_a_look_up_that_was_replaced_is_never_read_in_the_place_of_another(tmp_path):
    with pytest.raises(RetryableFault, match="run again"):
        resolve_persons(claims(("ANNE", 1)), CLAIMS, tmp_path / lookup_name("0123"))
