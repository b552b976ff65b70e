"""Random small deliveries, and a synthetic one with every irregularity, equal an independent oracle row by row."""

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from flat_here import KEY, flatten_here, key, write_delivery
from flat_oracle import Oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.flatten import engine, source
from parcours.snds.delivery import load_delivery
from parcours.storage.manifest import committed_periods
from parcours.storage.root import open_root

FORMATS = ("%Y-%m-%d", "%d/%m/%Y")
months = st.sampled_from(["2016-01-01", "2016-02-01", "01/02/2016", "0001-01-01", "", "soon"])
keys = st.builds(key, st.sampled_from(["1", "2", "3", "4.0", " 5", "", "x"]), months, st.sampled_from(["1", "2"]))
psas = st.sampled_from(["ANNE", "BOB", "TWIN", "TWIN ", "", "xxxxxxxxxxxxxxxxx"])
ranks = st.sampled_from(["1", "2", "2.0", ""])
days = st.sampled_from(["2016-01-05", "06/01/2016", "1600-01-01", "", "31/02/2016"])
numbers = st.sampled_from(["1", "2.0", "-3.25", " 4", "", "nan", "1,5", "0x1F"])
packs = st.sampled_from(["3400900000001", "3400900000002", "", "0x1F"])
texts = st.sampled_from(["A", "A  ", "é", "", " B"])


def lines(*fields, most=8):
    """Lines of a file, now and then one with a field too many, or a blank one."""
    whole = st.builds(lambda *values: ";".join(values), *fields)
    return st.lists(st.one_of(whole, whole, whole, whole.map(lambda line: line + ";1"), st.just("")), max_size=most)


def file_text(header, found, ending="\n"):
    return header + ending + ending.join(found)


claims = st.fixed_dictionaries({
    "ER_PRS_F": lines(keys, psas, ranks, days, numbers),
    "ER_PHA_F": lines(keys, packs, numbers),
    "ER_CAM_F": lines(keys, texts),
    "ER_UCD_F": lines(keys, texts, most=3),
})  # fmt: skip
HEADERS = {
    "ER_PRS_F": f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT",
    "ER_PHA_F": f"{KEY};PHA_PRS_C13;PHA_ACT_QSN",
    "ER_CAM_F": f"{KEY};CAM_PRS_IDE",
    "ER_UCD_F": f"{KEY};UCD_UCD_COD",
    "IR_BEN_R": "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ",
    "IR_BEN_R_ARC": "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ",
}
couples = st.tuples(st.sampled_from(["ANNE", "BOB", "TWIN"]), st.sampled_from(["1", "2"]))
persons = st.dictionaries(couples, st.sampled_from(["", "ID-1", "ID-2"]), max_size=5).map(
    lambda found: [f"{psa};{rank};{idt};2016-01-01" for (psa, rank), idt in found.items()]
)
referentials = st.fixed_dictionaries({}, optional={"IR_BEN_R": persons, "IR_BEN_R_ARC": persons})


@settings(max_examples=20, deadline=None)
@given(
    tables=claims,
    referentials=referentials,
    ending=st.sampled_from(["\n", "\r\n"]),
    block=st.sampled_from([150, 1 << 20]),
)
def test_random_claims_equal_the_oracle(tables, referentials, ending, block):
    with tempfile.TemporaryDirectory() as name, _small(block):
        folder, out = Path(name) / "d", Path(name) / "out"
        raw = {table: file_text(HEADERS[table], found, ending) for table, found in (tables | referentials).items()}
        write_delivery(folder, raw, date_formats=list(FORMATS))
        flat = flatten_here(folder, "DCIR", out)
        _check(flat, Oracle(load_delivery(folder), FORMATS), "DCIR", ("ER_PRS_F", "ER_PHA_F", "ER_CAM_F", "ER_UCD_F"))


stay = st.builds(lambda a, b: f"{a};{b}", st.sampled_from(["75", "69"]), st.sampled_from(["1", "2", ""]))
stays = st.fixed_dictionaries({
    "MCO_B": lines(stay, texts, numbers, most=5),
    "MCO_C": lines(stay, psas, days, most=5),
    "MCO_A": lines(stay, texts, numbers, most=5),
    "MCO_D": lines(stay, texts, most=5),
    "MCO_UM": lines(stay, texts, most=3),
})  # fmt: skip
STAY_HEADERS = {
    "MCO_B": "ETA_NUM;RSA_NUM;DGN_PAL;SEJ_NBJ",
    "MCO_C": "ETA_NUM;RSA_NUM;NIR_ANO_17;EXE_SOI_DTD",
    "MCO_A": "ETA_NUM;RSA_NUM;CDC_ACT;ENT_DAT_DEL",
    "MCO_D": "ETA_NUM;RSA_NUM;ASS_DGN",
    "MCO_UM": "ETA_NUM;RSA_NUM;DGN_PAL",
}


@settings(max_examples=15, deadline=None)
@given(tables=stays, referentials=referentials)
def test_random_stays_equal_the_oracle(tables, referentials):
    with tempfile.TemporaryDirectory() as name, _small(1 << 20):
        folder, out = Path(name) / "d", Path(name) / "out"
        raw = {table: (2016, file_text(STAY_HEADERS[table], found)) for table, found in tables.items()}
        raw |= {table: file_text(HEADERS[table], found) for table, found in referentials.items()}
        write_delivery(folder, raw, date_formats=list(FORMATS))
        flat = flatten_here(folder, "MCO", out)
        _check(flat, Oracle(load_delivery(folder), FORMATS), "MCO", tuple(STAY_HEADERS), 2016)


def _small(block):
    """Many blocks and many buckets even for a few lines."""
    return mock.patch.multiple(engine, BUCKET_BYTES=600, TASK_BYTES=block) if block > 1000 else _Both(block)


class _Both:
    def __init__(self, block):
        self.patches = [
            mock.patch.multiple(engine, BUCKET_BYTES=600, TASK_BYTES=block),
            mock.patch.object(source, "BLOCK", block),
        ]

    def __enter__(self):
        for patch in self.patches:
            patch.start()

    def __exit__(self, *_):
        for patch in self.patches:
            patch.stop()


def _check(flat, oracle, product, tables, year=None):
    view = oracle.flat(product, year)
    rejected = {
        table: sum(summary["rows"]["rejected"].get(table, 0) for summary in flat.summaries.values()) for table in tables
    }
    assert rejected == {table: oracle.rejected(table) for table in tables}
    assert len(flat.rejects()) == sum(rejected.values())
    files = [str(path) for path in flat.folder.glob("*/flat/*.parquet")]
    if not files:
        assert oracle.sql.sql(f"SELECT count(*) FROM {view}").fetchall() == [(0,)]
        return
    assert oracle.differences(view, files) == ([], 0, 0)


@pytest.mark.spark
def test_a_synthetic_delivery_with_every_irregularity_equals_the_oracle(spark, tmp_path):
    from parcours.flatten.run import Selection, flatten
    from parcours.synth.delivery import write_delivery as synthesise
    from parcours.synth.facts import irregularity_rates
    from parcours.synth.settings import SynthSettings

    every = {name: max(rate, 0.01) for name, rate in irregularity_rates().items()}
    asked = SynthSettings(persons=5000, years=(2015, 2015), seed=3, lines_per_person_year=1, irregularities=every)
    synthesise(asked, tmp_path / "d")
    delivery, root = load_delivery(tmp_path / "d"), open_root(str(tmp_path / "root"))
    flatten(spark, delivery, root, Selection(["DCIR", "MCO"]), lambda *_: None)
    oracle = Oracle(delivery)
    for product, year in (("DCIR", None), ("MCO", 2015)):
        view = oracle.flat(product, year)
        files = [str(path) for path in root.flat(product).glob("period=*/*.parquet")]
        assert oracle.sql.sql(f"SELECT count(*) > 1000 FROM {view}").fetchall() == [(True,)]
        assert oracle.differences(view, files) == ([], 0, 0)
    found = committed_periods(root, "DCIR").values()
    assert sum(m["rows"]["rejected"].get("ER_PRS_F", 0) for m in found) == oracle.rejected("ER_PRS_F") > 0
    assert sum(m["rows"]["orphaned"].get("ER_PHA_F", 0) for m in found) > 0
