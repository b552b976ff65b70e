"""Random small deliveries, and a synthetic one with every irregularity, equal an independent oracle row by row."""

import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest
import yaml
from flat_here import KEY, flatten_here, key, write_delivery
from flat_oracle import UNKNOWN, Oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.flatten import engine, source
from parcours.flatten.run import flatten
from parcours.flatten.selection import Selection
from parcours.snds.contracts import load_product, product_names
from parcours.snds.delivery import load_delivery
from parcours.storage.manifest import committed_periods
from parcours.storage.root import open_root
from parcours.synth.delivery import write_delivery as synthesise
from parcours.synth.facts import irregularity_rates
from parcours.synth.settings import SynthSettings

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


statements = st.builds(
    lambda number, month: key(number, month).rsplit(";", 2)[0], st.sampled_from(["1", "2", " 3", "", "x"]), months
)
claims = st.fixed_dictionaries({
    "ER_PRS_F": lines(keys, psas, ranks, days, numbers),
    "ER_PHA_F": lines(keys, packs, numbers),
    "ER_CAM_F": lines(keys, texts),
    "ER_UCD_F": lines(keys, texts, most=3),
    "ER_TIP_F": st.none() | lines(keys, packs, texts, most=3),
    "ER_DCT_F": st.none() | lines(statements, days, texts, most=4),
})  # fmt: skip
HEADERS = {
    "ER_PRS_F": f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT",
    "ER_PHA_F": f"{KEY};PHA_PRS_C13;PHA_ACT_QSN",
    "ER_CAM_F": f"{KEY};CAM_PRS_IDE",
    "ER_UCD_F": f"{KEY};UCD_UCD_COD",
    "ER_TIP_F": f"{KEY};TIP_PRS_IDE;TIP_SIR_NUM",
    "ER_DCT_F": f"{KEY.rsplit(';', 2)[0]};DCT_REM_DTD;DCT_INT_VER",
    "IR_BEN_R": "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ",
    "IR_BEN_R_ARC": "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ",
}
couples = st.tuples(st.sampled_from(["ANNE", "BOB", "TWIN"]), st.sampled_from(["1", "2"]))
persons = st.dictionaries(couples, st.sampled_from(["", "ID-1", "ID-2"]), max_size=5).map(
    lambda found: [f"{psa};{rank};{idt};2016-01-01" for (psa, rank), idt in found.items()]
)
referentials = st.fixed_dictionaries({}, optional={"IR_BEN_R": persons, "IR_BEN_R_ARC": persons})


@settings(max_examples=15, deadline=None)
@given(
    tables=claims,
    referentials=referentials,
    ending=st.sampled_from(["\n", "\r\n"]),
    block=st.sampled_from([150, 1 << 20]),
)
def test_random_claims_equal_the_oracle(tables, referentials, ending, block):
    with _small(block):
        _check_random("DCIR", HEADERS, {**tables, **referentials}, None, ending)


stay = st.builds(lambda a, b: f"{a};{b}", st.sampled_from(["75", "69"]), st.sampled_from(["1", "2", ""]))
stays = st.fixed_dictionaries({
    "MCO_B": lines(stay, texts, numbers, most=5),
    "MCO_C": lines(stay, psas, days, most=5),
    "MCO_A": lines(stay, texts, numbers, most=5),
    "MCO_D": st.none() | lines(stay, texts, most=5),
    "MCO_UM": st.none() | lines(stay, texts, most=3),
    "MCO_FA": st.none() | lines(stay, numbers, most=3),
})  # fmt: skip
STAY_HEADERS = {
    "MCO_B": "ETA_NUM;RSA_NUM;DGN_PAL;SEJ_NBJ",
    "MCO_C": "ETA_NUM;RSA_NUM;NIR_ANO_17;EXE_SOI_DTD",
    "MCO_A": "ETA_NUM;RSA_NUM;CDC_ACT;ENT_DAT_DEL",
    "MCO_D": "ETA_NUM;RSA_NUM;ASS_DGN",
    "MCO_UM": "ETA_NUM;RSA_NUM;DGN_PAL",
    "MCO_FA": "ETA_NUM;RSA_NUM;PH_MNT",
    "IR_BEN_R": HEADERS["IR_BEN_R"],
    "IR_BEN_R_ARC": HEADERS["IR_BEN_R_ARC"],
}


@settings(max_examples=10, deadline=None)
@given(tables=stays, referentials=referentials)
def test_random_stays_equal_the_oracle(tables, referentials):
    with _small(1 << 20):
        _check_random("MCO", STAY_HEADERS, {**tables, **referentials}, 2016)


week = st.builds(lambda a, b: f"{a};{b}", stay, st.sampled_from(["1", "2", ""]))
weeks = st.fixed_dictionaries({
    "SSR_B": lines(week, texts, numbers, most=6),
    "SSR_C": st.none() | lines(stay, psas, days, most=4),
    "SSR_D": st.none() | lines(week, texts, most=4),
    "SSR_MED": st.none() | lines(week, numbers, most=3),
    "SSR_A": st.none() | lines(week, texts, most=3),
})  # fmt: skip
WEEK_HEADERS = {
    "SSR_B": "ETA_NUM;RHA_NUM;RHS_NUM;MOR_PRP;SEJ_ANT",
    "SSR_C": "ETA_NUM;RHA_NUM;NIR_ANO_17;EXE_SOI_DTD",
    "SSR_D": "ETA_NUM;RHA_NUM;RHS_NUM;DGN_COD",
    "SSR_MED": "ETA_NUM;RHA_NUM;RHS_NUM;ADM_NBR",
    "SSR_A": "ETA_NUM;RHA_NUM;RHS_NUM;CDC_ACT",
    "IR_BEN_R": HEADERS["IR_BEN_R"],
    "IR_BEN_R_ARC": HEADERS["IR_BEN_R_ARC"],
}


@settings(max_examples=10, deadline=None)
@given(tables=weeks, referentials=referentials)
def test_random_weeks_whose_person_is_known_by_stay_equal_the_oracle(tables, referentials):
    with _small(1 << 20):
        _check_random("SSR", WEEK_HEADERS, {**tables, **referentials}, 2016)


def _small(block):
    """Many blocks and many buckets even for a few lines."""
    return mock.patch.multiple(engine, BUCKET_BYTES=600, TASK_BYTES=block) if block > 1000 else _Both(block)


class _Both:
    def __init__(self, block):
        self.patches = [
            mock.patch.multiple(engine, BUCKET_BYTES=600, TASK_BYTES=3 * block),
            mock.patch.object(source, "BLOCK", block),
        ]

    def __enter__(self):
        for patch in self.patches:
            patch.start()

    def __exit__(self, *_):
        for patch in self.patches:
            patch.stop()


def _check_random(product, headers, tables, year, ending="\n"):
    """Flatten a delivery of these lines (None: no file of the table) and compare it."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / "d", Path(name) / "out"
        raw = {table: file_text(headers[table], found, ending) for table, found in tables.items() if found is not None}
        raw = {table: text if table == "IR_BEN_R" or year is None else (year, text) for table, text in raw.items()}
        write_delivery(folder, raw, date_formats=list(FORMATS))
        flat = flatten_here(folder, product, out)
        assert sum(_check(flat, Oracle(load_delivery(folder), FORMATS), product).values()) == len(flat.rejects())


def _check(flat, oracle, product):
    """Compare every period; returns the number of rejected rows by table."""
    assert sorted(flat.summaries) == oracle.periods(product)
    rejected = Counter()
    for period, summary in flat.summaries.items():
        folder = flat.folder / period
        rejected.update(_check_period(oracle, product, period, summary["rows"], folder / "flat", folder / "orphans"))
    return rejected


def _check_period(oracle, product, period, counted, flat, orphans):
    """Compare the flat rows, orphans and rejects of one period; returns the number of rejected rows by table."""
    delivered = [table for table in load_product(product).tables if table in counted["rejected"]]
    view = None if period == UNKNOWN else oracle.flat(product, period)
    rejected = {table: oracle.rejected(product, table, period) for table in delivered}
    assert counted["rejected"] == rejected
    if view is None:
        return rejected
    assert oracle.differences(view, _parquet(flat)) == ([], 0, 0), (product, period)
    for table in (table for table in delivered if table != load_product(product).main):
        lost = oracle.orphans(product, table)
        found = _parquet(orphans, f"{table}.parquet")
        assert oracle.count(lost) == counted["orphaned"][table]
        assert not found or oracle.differences(lost, found) == ([], 0, 0), (product, period, table)
        assert bool(found) == (oracle.count(lost) > 0)
    return rejected


def _parquet(folder, pattern="*.parquet"):
    return sorted(str(path) for path in folder.glob(pattern))


EVERY = {name: max(rate, 0.01) for name, rate in irregularity_rates().items()}


@pytest.mark.spark
def test_a_synthetic_delivery_with_every_irregularity_equals_the_oracle(spark, tmp_path):
    asked = SynthSettings(persons=5000, years=(2015, 2015), seed=3, lines_per_person_year=1, irregularities=EVERY)
    synthesise(asked, tmp_path / "d")
    delivery, root = load_delivery(tmp_path / "d"), open_root(str(tmp_path / "root"))
    flatten(spark, delivery, root, Selection(["DCIR", "MCO"]), lambda *_: None)
    oracle = Oracle(delivery)
    for product in ("DCIR", "MCO"):
        manifests = committed_periods(root, product)
        assert sorted(manifests) == oracle.periods(product)
        for period, manifest in manifests.items():
            flat, orphans = root.period(product, period), root.orphans(product, period)
            _check_period(oracle, product, period, manifest["rows"], flat, orphans)
    found = committed_periods(root, "DCIR").values()
    assert sum(m["rows"]["written"] for m in found) > 40_000
    assert sum(m["rows"]["rejected"].get("ER_PRS_F", 0) for m in found) > 0
    assert sum(m["rows"]["orphaned"].get("ER_PHA_F", 0) for m in found) > 0


@pytest.fixture(scope="module")
def claims_delivery(tmp_path_factory):
    """DCIR whole in some months at the turn of the year 2012, when columns come and change their type."""
    asked = SynthSettings(
        persons=250, years=(2012, 2012), seed=4, lines_per_person_year=9, irregularities=MANY, products=("DCIR",)
    )
    folder = _synthesised(tmp_path_factory, asked)
    described = yaml.safe_load((folder / "delivery.yaml").read_text())
    claims = {name: entry["files"] for name, entry in described["tables"].items() if name.startswith("ER_")}
    kept = {name: {"files": [file for file in files if file[-11:-4] in MONTHS]} for name, files in claims.items()}
    described["tables"] = {**kept, "IR_BEN_R": described["tables"]["IR_BEN_R"]}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(described))
    return folder


@pytest.fixture(scope="module")
def hospital_delivery(tmp_path_factory):
    """The fields of the hospital that have many rows and every reference; 2012 lacks a table of MCO_CE."""
    asked = {"persons": 220, "years": (2012, 2013), "products": tuple(product_names()), "minimum_age": 80}
    return _synthesised(tmp_path_factory, SynthSettings(**asked, **THIN))


@pytest.fixture(scope="module")
def rare_delivery(tmp_path_factory):
    """The fields that few persons are in."""
    asked = {"persons": 1500, "years": (2013, 2013), "products": tuple(RARE)}
    return _synthesised(tmp_path_factory, SynthSettings(**asked, **THIN))


def _synthesised(tmp_path_factory, asked):
    folder = tmp_path_factory.mktemp("synthetic")
    synthesise(asked, folder)
    return folder


MONTHS = ("2012-12", "2013-01", "2013-06")
MANY = {**EVERY, "malformed": 0.05, "orphan_child": 0.08, "twins": 0.2, "return_code": 0.3}
THIN = {"seed": 6, "lines_per_person_year": 1, "irregularities": MANY}
FREQUENT = {"MCO": 3000, "MCO_CE": 2000, "SSR": 500, "IR_BEN_R": 220, "IR_BEN_R_ARC": 10}
FREQUENT |= {"IR_IMB_R": 30, "IR_PHA_R": 100, "KI_CCI_R": 30, "KI_ECD_R": 80}
RARE = {"HAD": 30, "RIP": 10, "RIP3A": 200, "SSR_CE": 30}


@pytest.mark.parametrize("product", FREQUENT)
def test_each_product_of_the_hospital_and_each_reference_equals_the_oracle(product, hospital_delivery, tmp_path):
    _check_synthetic(hospital_delivery, product, FREQUENT[product], tmp_path)


@pytest.mark.parametrize("product", RARE)
def test_each_rare_product_equals_the_oracle(product, rare_delivery, tmp_path):
    _check_synthetic(rare_delivery, product, RARE[product], tmp_path)


def _check_synthetic(folder, product, least, out):
    """Compare a product that has `least` rows and, where rows are joined, rejects, orphans and unknown persons."""
    flat = flatten_here(folder, product, out)
    rejected = _check(flat, Oracle(load_delivery(folder)), product)
    summaries = flat.summaries.values()
    assert sum(summary["rows"]["written"] for summary in summaries) > least
    if load_product(product).form == "union":
        assert sum(rejected.values()) > 0
        assert sum(sum(summary["rows"]["orphaned"].values()) for summary in summaries) > 0
        assert sum(summary["unidentified"] for summary in summaries) > 0


def test_dcir_with_every_table_equals_the_oracle(claims_delivery, tmp_path):
    flat = flatten_here(claims_delivery, "DCIR", tmp_path)
    oracle = Oracle(load_delivery(claims_delivery))
    rejected = _check(flat, oracle, "DCIR")
    product = load_product("DCIR")
    orphaned = Counter()
    for summary in flat.summaries.values():
        orphaned.update(summary["rows"]["orphaned"])
    for table in ("ER_TIP_F", "ER_ARO_F", "ER_LOT_F", "ER_DCT_F"):
        assert rejected[table] > 0 and orphaned[table] > 0, table
    summaries = flat.summaries.values()
    present = {table: sum(table in s["rows"]["read"] for s in summaries) for table in product.where_present}
    assert present["ER_DCT_F"] == len(MONTHS)
    assert any(0 < count < len(MONTHS) for count in present.values())
