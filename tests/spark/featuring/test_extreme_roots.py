"""Roots at the edge: a person of a million lines, a bucket of one person or none, a product without a period."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_root import (
    BISOPROLOL,
    FIRST_FILLER,
    SCHEMAS,
    ZOLPIDEM,
    build_root,
    filled,
    person,
    purchase,
    stay,
)

from parcours.cohort.plan import step_directory, write_run
from parcours.cohort.study import load_study
from parcours.errors import InputError
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events
from parcours.storage.manifest import read_manifest, write_manifest
from parcours.storage.publication import publish

HOME = Path(__file__).parents[3]
PACKS = [
    {"PHA_CIP_C13": BISOPROLOL, "PHA_ATC_C07": "C07AB07", "PHA_CND_TOP": None},
    {"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02", "PHA_CND_TOP": None},
]
LINES = 1_000_000


def tables(claims, stays, persons):
    return {
        "DCIR": {"2015-06": claims},
        "MCO": {"2015": stays},
        "IR_BEN_R": {"all": persons},
        "IR_PHA_R": {"all": PACKS},
    }


def chain(root, **changes):
    study = load_study(HOME / "cohorts" / "fall.yaml")
    path = write_run(root, study, {"incomplete_data": "accept", **changes})
    return path, {"events": run_events(path), "cohort": run_cohort(path), "features": run_features(path)}


def purchases_of(path, number):
    run = json.loads(Path(path).read_text("utf-8"))
    table = pq.read_table(step_directory(run, "drug_purchase"))
    return table.filter(pa.compute.equal(table["person_id"], number))


def a_million_lines(root, number):
    """One box a line on 1,000 days, and a cancellation of every tenth line in the next flux month."""
    schema = pa.schema(list(SCHEMAS["DCIR"].items()))
    line = purchase(number, "2015-01-01", ZOLPIDEM, 1)
    first_day = line["EXE_SOI_DTD"].toordinal() - 719163  # days since 1970-01-01

    def written(period, claims, boxes):
        columns = {
            name: pa.repeat(pa.scalar(line.get(name), kind), len(claims)) for name, kind in SCHEMAS["DCIR"].items()
        }
        columns["DCT_ORD_NUM"] = pa.array([claim + LINES * (boxes < 0) for claim in claims], pa.int64())
        columns["ER_PHA_F__PHA_ACT_QSN"] = pa.repeat(pa.scalar(boxes, pa.int64()), len(claims))
        columns["EXE_SOI_DTD"] = pa.array([first_day + claim % 1000 for claim in claims], pa.int32()).cast(pa.date32())
        table = pa.table(columns, schema=schema).sort_by("EXE_SOI_DTD")
        directory = root.period("DCIR", period)
        directory.mkdir(parents=True)
        pq.write_table(table, directory / f"{number % 2}.parquet", row_group_size=128 * 1024)
        files = [{"path": f"{number % 2}.parquet", "rows": len(table)}]
        write_manifest(directory, {"product": "DCIR", "period": period, "fingerprint": period, "files": files})

    written("2016-01", range(LINES), 1)
    written("2016-02", range(0, LINES, 10), -1)
    publish(
        root,
        "DCIR",
        root.path / "verdict.json",
        {"2015-06": "DCIR-2015-06", "2016-01": "2016-01", "2016-02": "2016-02"},
    )


def test_a_person_of_a_million_lines(tmp_path):
    root = build_root(tmp_path, filled(tables([], stay(1, "2016-03-01", 1, "S720"), [person(1, "1930")])))
    a_million_lines(root, 1)
    path, told = chain(root)
    bought = purchases_of(path, 1)
    # Of 1,000 lines a day, those whose number ends in 0 were taken back: whole days, every tenth.
    assert len(bought) == 900
    assert set(bought["weight"].to_pylist()) == {1000.0}
    rows = told["events"]["rows"]["drug_purchase"]
    assert rows["read"] == LINES + LINES // 10
    assert rows["became_events"] == LINES - LINES // 10
    assert rows["netted"] == 2 * LINES // 10


def test_a_bucket_of_one_person_and_one_of_nobody(tmp_path):
    whole = filled(
        tables([purchase(2, "2015-05-01", ZOLPIDEM, 4)], stay(2, "2015-06-01", 1, "S720"), [person(2, "1940")])
    )
    odd = [row for row in whole["MCO"]["2015"] if row["person_id"] % 2 == 0 or row["person_id"] == 2]
    persons = [row for row in whole["IR_BEN_R"]["all"] if int(row["BEN_NIR_PSA"][3:]) % 2 == 0]
    # 22 persons of even numbers: the other bucket has nobody.
    more = list(range(FIRST_FILLER + 100, FIRST_FILLER + 120, 2))
    odd += [row for number in more for row in stay(number, "2016-06-01", number, "S720")]
    persons += [person(number, "1930") for number in more]
    root = build_root(tmp_path / "even", {**whole, "MCO": {"2015": odd}, "IR_BEN_R": {"all": persons}})
    path, told = chain(root)
    assert len(purchases_of(path, 2)) == 1
    assert told["cohort"]["persons_followed"] == told["features"]["cases"] == len(persons)
    # Now one person in the other bucket.
    one = [*persons, person(3, "1930")]
    root = build_root(
        tmp_path / "one",
        {**whole, "MCO": {"2015": [*odd, *stay(3, "2016-06-01", 9, "S720")]}, "IR_BEN_R": {"all": one}},
    )
    _, told = chain(root)
    assert told["features"]["cases"] == len(persons) + 1


@pytest.mark.parametrize("product", ["DCIR", "MCO_CE"])
def test_a_product_without_any_row_gives_no_event_and_says_so(tmp_path, product):
    given = filled(tables([], stay(1, "2015-06-01", 1, "S720"), [person(1, "1930")]))
    root = build_root(tmp_path, given)
    directory = root.period(product, "2015-06" if product == "DCIR" else "2015")
    if product == "MCO_CE":
        directory.mkdir(parents=True)
        write_manifest(directory, {"product": product, "period": "2015", "fingerprint": "none", "files": []})
        publish(root, product, root.path / "verdict.json", {"2015": "none"})
    assert (read_manifest(directory) or {})["files"] == []
    _, told = chain(root)
    category = {"DCIR": "drug_purchase", "MCO_CE": "mco_ce_ccam_act"}[product]
    assert told["events"]["events"][category] == 0
    assert told["events"]["rows"][category] == {"read": 0, "became_events": 0}


def test_a_study_of_claims_alone_needs_no_hospital(tmp_path):
    given = filled(tables([], [], [person(1, "1930")]))
    acts = [
        {
            **purchase(number, "2016-05-01", ZOLPIDEM, number),
            "ER_CAM_F__CAM_ORD_NUM": 1,
            "ER_CAM_F__CAM_PRS_IDE": "MADP001",
        }
        for number in range(FIRST_FILLER, FIRST_FILLER + 12)
    ]
    without = {name: periods for name, periods in given.items() if name != "MCO"}
    root = build_root(tmp_path, {**without, "DCIR": {"2015-06": acts}})
    _, told = chain(root, rules="liberal_act")
    assert told["features"]["cases"] == 12
    with pytest.raises(InputError, match="MCO has not been flattened"):
        write_run(root, load_study(HOME / "cohorts" / "fall.yaml"), {"incomplete_data": "accept"})
