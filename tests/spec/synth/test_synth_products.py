"""The products that are written when asked for: real layout, keys, persons, and nothing changed in the rest."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from parcours.snds.contracts import load_product, load_table, product_names
from parcours.snds.delivery import load_delivery
from parcours.synth.delivery import write_delivery
from parcours.synth.facts import column, rows
from parcours.synth.settings import SynthSettings

MANY = {"two_psa": 0.1, "orphan_child": 0.06, "return_code": 0.2, "ghm_90": 0.1, "sentinel_care_date": 0.02}
SETTINGS = {"persons": 900, "years": (2013, 2014), "seed": 5, "minimum_age": 75, "lines_per_person_year": 9}
FIELDS = ["MCO", "MCO_CE", "SSR", "SSR_CE", "HAD", "RIP", "RIP3A"]
PATTERNS = {"integer": r"-?\d+", "decimal": r"-?\d+(\.\d+)?", "date": r"\d{4}-\d\d-\d\d", "string": r".*"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("products")
    asked = SynthSettings(**SETTINGS, irregularities=MANY, products=tuple(product_names()), block_persons=500)
    write_delivery(asked, out)
    return out


@pytest.fixture(scope="module")
def planted(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text())["irregularities"]


@pytest.fixture(scope="module")
def read(folder: Path):
    delivery, cache = load_delivery(folder), {}

    def table(name: str) -> pd.DataFrame:
        if name not in cache:
            files = delivery.files_of(name)
            frames = [pd.read_csv(f.path, sep=";", dtype=str, keep_default_na=False) for f in files]
            cache[name] = pd.concat([frame.assign(year=f.year or 0) for frame, f in zip(frames, files, strict=True)])
        return cache[name]

    return table


def _key(product: str, table: str) -> list[str]:
    return [*load_product(product).key_of(table), "year"]


def test_every_table_of_the_years_is_written_with_the_columns_of_its_year(folder):
    delivery = load_delivery(folder)
    for name in FIELDS:
        product = load_product(name)
        for table in product.tables:
            found = {raw.year for raw in delivery.files_of(table)}
            assert found == {year for year in (2013, 2014) if load_table(table).exists_in(year)}, table
    for raw in delivery.files:
        year = raw.year or (int(raw.path.stem[-7:-3]) if raw.table.startswith("ER_") else 2014)
        expected = [name for name, column in load_table(raw.table).columns_of(year).items() if not column.optional]
        with raw.path.open() as file:
            assert file.readline().rstrip("\n").split(";") == expected, raw.path.name


def test_cells_fit_the_type_and_length_of_their_column(folder):
    base = {"ER_PRS_F", "ER_PHA_F", "ER_CAM_F", "ER_ETE_F", "ER_UCD_F", "ER_BIO_F"}
    files = [f for f in load_delivery(folder).files if f.table not in base and f.path.stem[-7:] != "2014-06"]
    for raw in files:
        columns = load_table(raw.table).columns_of(raw.year or 2014)
        for name, values in pd.read_csv(raw.path, sep=";", dtype=str, keep_default_na=False).items():
            kind, length = columns[name].type, columns[name].length
            for value in set(values) - {""}:
                assert re.fullmatch(PATTERNS[kind], value), (raw.table, name, value)
                assert kind == "date" or not length or len(value.lstrip("-")) <= length, (raw.table, name, value)


@pytest.mark.parametrize("name", ["DCIR", *FIELDS])
def test_details_hang_on_the_main_table_but_for_the_orphans(name, read, planted):
    product = load_product(name)
    for table in product.tables[1:]:
        if f"orphans_{table}" not in planted:
            continue
        key = _key(name, table)
        joined = read(table)[key].merge(read(product.main)[key].drop_duplicates(), on=key, how="left", indicator=True)
        assert (joined["_merge"] == "left_only").sum() == planted[f"orphans_{table}"], table
    assert sum(planted[f"orphans_{table}"] for table in product.tables if f"orphans_{table}" in planted) > 0


def test_a_statement_has_one_row_or_two_and_several_lines(read):
    key = _key("DCIR", "ER_DCT_F")
    heads, lines = read("ER_DCT_F").groupby(key).size(), read("ER_PRS_F").groupby(key).size()
    assert 0.9 < (heads == 1).mean() < 1 and heads.max() >= 2
    assert (lines > 1).mean() > 0.2
    assert set(lines.index) <= set(heads.index)
    assert not read("ER_PRS_F")[_key("DCIR", "ER_PRS_F")].duplicated().any()


@pytest.mark.parametrize("table", ["ER_TIP_F", "ER_TRS_F", "ER_ARO_F", "ER_LOT_F"])
def test_claim_lines_have_details_as_often_as_the_facts_say(table, read):
    expected = next(float(row["share"]) for row in rows("details.csv") if row["table"] == table)
    sizes = read(table).groupby(_key("DCIR", table)).size()
    assert len(sizes) / len(read("ER_PRS_F")) == pytest.approx(expected, rel=0.25)
    assert sizes.max() >= 2


@pytest.mark.parametrize(
    ("main", "key"),
    [("SSR_B", ["ETA_NUM", "RHA_NUM", "RHS_NUM"]), ("RIP_RSA", ["ETA_NUM_EPMSI", "RIP_NUM", "SEQ_SEQ_NUM"]),
     ("HAD_B", ["ETA_NUM_EPMSI", "RHAD_NUM", "SSEQ_NUM"]), ("RIP_R3A", ["ETA_NUM_EPMSI", "ORD_NUM"])],
)  # fmt: skip
def test_weeks_and_sequences_are_numbered_in_their_stay(main, key, read):
    found = read(main)
    assert len(found) > 10 and not found[[*key, "year"]].duplicated().any()
    if main != "RIP_R3A":
        assert found.groupby([*key[:2], "year"]).size().max() > 1


def test_some_visits_have_two_invoices(read):
    twice = read("MCO_FASTC")[["ETA_NUM", "SEQ_NUM", "year"]].duplicated()
    assert 0.005 < twice.mean() < 0.05
    assert set(read("MCO_FASTC")["NUM_FAC"][twice]) == {"002"}


def test_public_stays_have_medicines_and_private_ones_an_invoice(read):
    public, private = set(read("MCO_MED")["ETA_NUM"]), set(read("MCO_FA")["ETA_NUM"])
    assert public and private and not public & private
    assert 0.2 < read("MCO_FA")["RSA_NUM"].nunique() / len(read("MCO_B")) < 0.5


def test_every_episode_is_of_a_known_person_before_death(read):
    persons = read("IR_BEN_R")
    dead = persons[persons["BEN_DCD_DTE"] != "1600-01-01"].drop_duplicates("BEN_NIR_PSA", keep=False)
    deaths = dead.set_index("BEN_NIR_PSA")["BEN_DCD_DTE"]
    for table in ("MCO_CSTC", "SSR_C", "SSR_CSTC", "HAD_C", "RIP_C"):
        stays = read(table)
        assert set(stays["NIR_ANO_17"]) <= set(persons["BEN_NIR_PSA"]) | {"x" * 17}, table
        death = stays["NIR_ANO_17"].map(deaths)
        assert not (stays["EXE_SOI_DTF"] > death)[death.notna()].any(), table
        assert (stays["EXE_SOI_DTD"] <= stays["EXE_SOI_DTF"]).all(), table
    ended = read("SSR_B").merge(read("SSR_C"), on=["ETA_NUM", "RHA_NUM", "year"])
    ended = ended[(ended["SOR_MOD"] == "9") & ended["NIR_ANO_17"].isin(deaths.index)]
    assert (ended["NIR_ANO_17"].map(deaths) == ended["EXE_SOI_DTF"]).all()


def test_return_codes_and_errors_of_grouping_are_as_many_as_counted(read, planted):
    for table, codes in (("SSR_C", ["NIR_RET", "SEX_RET", "NAI_RET", "SEJ_RET", "FHO_RET"]),
                         ("MCO_CSTC", ["NIR_RET", "SEX_RET", "NAI_RET", "IAS_RET", "ENT_DAT_RET"])):  # fmt: skip
        assert (read(table)[codes] != "0").any(axis=1).sum() == planted[f"return_codes_{table}"] > 0
    assert read("SSR_B")["GRG_GME"].str.startswith("90").any()
    assert (read("MCO_CSTC")["EXE_SOI_DTD"] == "0001-01-01").any()


def test_an_ambulatory_psychiatric_act_is_of_a_patient_of_the_hospital_not_of_a_person(read):
    acts = read("RIP_R3A")
    assert "NIR_ANO_17" not in acts.columns
    assert (acts.groupby("IPP_IRR_CRY")["ETA_NUM_EPMSI"].nunique() == 1).all()


def test_rehabilitation_follows_the_stay(read):
    stays, after = read("MCO_C"), read("SSR_C")
    ends = set(zip(stays["NIR_ANO_17"], stays["EXE_SOI_DTF"], strict=True))
    begins = after[~after["NIR_ANO_17"].str.startswith("x") & (after["EXE_SOI_DTD"] != "0001-01-01")]
    found = [couple in ends for couple in zip(begins["NIR_ANO_17"], begins["EXE_SOI_DTD"], strict=True)]
    # The others: the stay in MCO lost its person to a return code, or the person changed PSA in between.
    assert sum(found) / len(found) > 0.7


def test_some_fractures_treated_outside_hospital_are_seen_in_a_public_one(read):
    acts = set(column("fractures.csv", "outpatient_act", str)) - {""}
    assert read("MCO_FMSTC")["CCAM_COD"].isin(acts).any()


def test_most_certificates_are_of_a_person_who_died_then(read):
    deaths, persons = read("KI_CCI_R"), read("IR_BEN_R")
    known = persons[(persons["BEN_DCD_DTE"] != "1600-01-01") & (persons["BEN_IDT_ANO"] != "")]
    known = known.drop_duplicates("BEN_IDT_ANO").set_index("BEN_IDT_ANO")["BEN_DCD_DTE"]
    matched = deaths[deaths["DCD_IDT_TOP"] == "1"]
    assert 0.8 < len(matched) / len(deaths) < 0.97 and len(deaths) > 50
    day = matched["BEN_IDT_ANO"].map(known)
    assert (day == matched["BEN_DCD_DTE"])[day.notna()].all() and day.notna().mean() > 0.95
    assert set(matched["BEN_IDT_ANO"]) <= set(persons["BEN_IDT_ANO"])
    assert (deaths["BEN_IDT_ANO"][deaths["DCD_IDT_TOP"] == "0"] == "").all()
    first = read("KI_ECD_R")[read("KI_ECD_R")["ECD_CAU_RNG"] == "1"].set_index("DCD_IDT_ENC")["ECD_CIM_COD"]
    assert (deaths["DCD_IDT_ENC"].map(first) == deaths["DCD_CIM_COD"]).all()
    assert len(read("KI_ECD_R")) > 1.5 * len(deaths)


def test_archived_persons_are_others_and_were_last_seen_before_2013(read):
    archived, persons = read("IR_BEN_R_ARC"), read("IR_BEN_R")
    assert len(archived) >= 0.05 * 900
    assert not set(archived["BEN_NIR_PSA"]) & set(persons["BEN_NIR_PSA"])
    assert (archived["MAX_TRT_DTD"] < "2013").all()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "raw").iterdir()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    write_delivery(SynthSettings(120, (2013, 2014), 5, lines_per_person_year=9), out)
    return out


def test_what_is_not_asked_for_is_written_as_ever(tmp_path, plain):
    others = tuple(name for name in product_names() if name != "DCIR")
    asked = SynthSettings(120, (2013, 2014), 5, lines_per_person_year=9, products=others)
    write_delivery(asked, tmp_path)
    before, after = _files(plain), _files(tmp_path)
    assert len(after) > len(before) + 60
    assert {name: after[name] for name in before} == before


def test_dcir_asked_for_whole_gathers_lines_in_statements_and_changes_nothing_else(tmp_path, plain):
    asked = SynthSettings(120, (2013, 2014), 5, lines_per_person_year=9, products=("DCIR",))
    write_delivery(asked, tmp_path)
    statement = {"DCT_ORD_NUM", "PRS_ORD_NUM", "FLX_TRT_DTD", "FLX_EMT_NUM"}
    for name, before in _files(plain).items():
        path = tmp_path / "raw" / name
        if not name.startswith("ER_"):
            assert path.read_bytes() == before, name
            continue
        found, expected = (
            pd.read_csv(p, sep=";", dtype=str).drop(columns=[*statement]) for p in (path, plain / "raw" / name)
        )
        pd.testing.assert_frame_equal(found, expected)


def test_the_order_of_the_products_does_not_matter(tmp_path):
    for name, products in (("one", ("SSR", "KI_ECD_R", "HAD")), ("two", ("HAD", "SSR", "KI_ECD_R", "SSR"))):
        write_delivery(SynthSettings(60, (2014, 2014), 5, lines_per_person_year=9, products=products), tmp_path / name)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_malformed_rows_are_in_every_table_that_was_asked_for(tmp_path):
    asked = SynthSettings(
        400, (2014, 2014), 5, lines_per_person_year=9, products=("MCO_CE", "DCIR"), irregularities={"malformed": 0.05}
    )
    write_delivery(asked, tmp_path)
    planted = json.loads((tmp_path / "truth.json").read_text())["irregularities"]
    for table in ("ER_DCT_F", "ER_ARO_F", "MCO_FASTC", "MCO_CSTC", "MCO_FCSTC"):
        assert planted[f"malformed_{table}"] > 3, table
    lines = (tmp_path / "raw" / "T_MCO14CSTC.csv").read_text().splitlines()
    assert any(line.count(";") != lines[0].count(";") for line in lines)
