"""Flat rows of random cells, of which many are empty: none is lost on the way, and their order changes nothing."""

import random
import re
from pathlib import Path

import pyarrow as pa
import pytest

from parcours.engine.duck import duck
from parcours.engine.work import write_rows
from parcours.events.extractors import Pass, passes
from parcours.events.one_pass import events_of, rows_at_hand
from parcours.events.references import pack_references
from parcours.events.schema import EVENT_SCHEMA

CODELISTS = Path(__file__).parents[3] / "codelists"
ROWS = 400
BY_NAME = {"person_id": range(20), "claim_row": [1, 2], "period": ["2015", "2016"], "IMB_ETM_NAT": [41, 11]}
BY_TYPE = {
    pa.int64(): [0, 1, -1],
    pa.float64(): [1.0, -1.0],
    pa.string(): ["0", "S720", "ATU", "02032015"],
    pa.date32(): [16000, 16001],
}
# What packs hold whose codes are such numbers.
CONTENTS = pa.table({"cip13": ["0", "1", "-1"], "molecules": ["A", "A_B", "A"], "milligrams": [0.1, None, 1.7]})
ORDER = ("person_id", "start", "code", "source", "end", "group", "weight")


def random_rows(of: Pass, schema: pa.Schema) -> pa.Table:
    rng = random.Random(of.product)
    told = " ".join([*of.define.values(), *(each for one in of.extractors for each in one.expressions)])
    # Some lines of claims have no detail.
    bare = [bool(of.details) and rng.random() < 0.3 for _ in range(ROWS)]
    columns = []
    for field in schema:
        # What filters alone read, they leave out: few such cells are filled.
        filled = 0.9 if field.name in told or field.name in BY_NAME else 0.02
        tables = {"source_table": sorted(set(re.findall(r"source_table = '(\w+)'", told))) or ["other"]}
        values = (BY_NAME | tables).get(field.name) or BY_TYPE[field.type]
        columns.append(
            pa.array(
                [
                    rng.choice(values) if rng.random() < filled and not (line and "__" in field.name) else None
                    for line in bare
                ],
                field.type,
            )
        )
    return pa.table(columns, schema=schema)


@pytest.mark.parametrize("product", sorted(passes()))
def test_no_row_is_lost_and_their_order_changes_nothing(flat, extracted, product):
    rows = random_rows(passes()[product], flat(product, "person_id\n1").schema)
    categories = [one.category for one in passes()[product].extractors]
    found, counts = extracted(rows, *categories, contents=CONTENTS)
    for category, events in found.items():
        assert events.schema == EVENT_SCHEMA
        told = [tuple((row[name] is None, row[name]) for name in ORDER) for row in events.to_pylist()]
        assert told == sorted(set(told))
        assert counts[category].pop("read") == ROWS == sum(counts[category].values())
        assert len(told) <= counts[category]["became_events"]
        assert len(told) > 5
    for seed in (1, 2):
        shuffled = rows.take(random.Random(seed).sample(range(ROWS), ROWS))
        assert extracted(shuffled, *categories, contents=CONTENTS)[0] == found
    # A category alone or beside others: the same events.
    assert {name: extracted(rows, name, contents=CONTENTS)[0][name] for name in categories} == found


def test_the_same_rows_are_the_same_bytes(flat, no_packs, tmp_path):
    of = passes()["DCIR"]
    rows = random_rows(of, flat("DCIR", "person_id\n1").schema)
    references = pack_references(no_packs, CONTENTS)
    written: list[dict[str, bytes]] = []
    for _ in range(3):
        with duck() as connection:
            given = rows_at_hand(connection, rows, of, of.extractors)
            for category, events, _ in events_of(
                connection, given, len(rows), of, of.extractors, references, CODELISTS
            ):
                assert write_rows(tmp_path / category, events) > 5
        written.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert len(written[0]) == len(of.extractors)
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("product", sorted(passes()))
@pytest.mark.parametrize("rows", [0, 1])
def test_a_product_of_which_no_row_tells_anything_has_no_event(flat, extracted, product, rows):
    categories = [one.category for one in passes()[product].extractors]
    found, counts = extracted(flat(product, "person_id | period\n1 | 2015").slice(0, rows), *categories)
    assert {name: len(events) for name, events in found.items()} == dict.fromkeys(categories, 0)
    assert {(told["read"], told["became_events"]) for told in counts.values()} == {(rows, 0)}
