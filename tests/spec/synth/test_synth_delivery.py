"""What a synthetic delivery holds, read back from its files."""

import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from parcours.errors import InputError
from parcours.snds.contracts import load_product, load_table
from parcours.snds.delivery import load_delivery
from parcours.synth.delivery import write_delivery
from parcours.synth.settings import SynthSettings

KEY = list(load_product("DCIR").key)
CHILDREN = ["ER_PHA_F", "ER_CAM_F", "ER_ETE_F", "ER_UCD_F", "ER_BIO_F"]
# Rates well above the documented ones, so that a small delivery holds each irregularity.
MANY = {"two_psa": 0.1, "rank_duplicate": 0.05, "twins": 0.1, "orphan_child": 0.01, "ghm_90": 0.05, "idt_missing": 0.05}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("delivery")
    settings = SynthSettings(400, (2014, 2015), 7, lines_per_person_year=14, irregularities=MANY, block_persons=250)
    summary = write_delivery(settings, out)
    (out.parent / "summary.json").write_text(json.dumps(summary))
    return out


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text())


@pytest.fixture(scope="module")
def read(folder: Path):
    delivery, cache = load_delivery(folder), {}

    def table(name: str) -> pd.DataFrame:
        if name not in cache:
            files = delivery.files_of(name)
            frames = [pd.read_csv(f.path, sep=";", dtype=str, keep_default_na=False) for f in files]
            cache[name] = pd.concat(frames, ignore_index=True)
        return cache[name]

    return table


def _content(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_each_file_has_the_columns_of_its_year_in_the_portals_order(folder):
    for raw in load_delivery(folder).files:
        year = raw.year or (int(raw.path.stem[-7:-3]) if raw.table.startswith("ER_") else 2015)
        expected = [name for name, column in load_table(raw.table).columns_of(year).items() if not column.optional]
        with raw.path.open() as file:
            assert file.readline().rstrip("\n").split(";") == expected, raw.path.name


def test_columns_appear_and_go_with_the_year(tmp_path):
    write_delivery(SynthSettings(40, (2009, 2010), 1, lines_per_person_year=5), tmp_path)
    early = (tmp_path / "raw" / "T_MCO09UM.csv").read_text().split("\n")[0].split(";")
    late = (tmp_path / "raw" / "T_MCO10UM.csv").read_text().split("\n")[0].split(";")
    claims = (tmp_path / "raw" / "ER_PRS_F_2010-05.csv").read_text().split("\n")[0].split(";")
    assert "UM_TYP" in early and "UM_TYP" not in late and "AUT_TYP1_UM" in late
    assert "PRE_IND_PEL" in claims and "BEN_CTA_TYP" not in claims


def test_cells_fit_the_type_and_length_of_their_column(folder):
    patterns = {"integer": r"-?\d+", "decimal": r"-?\d+(\.\d+)?", "date": r"\d{4}-\d\d-\d\d", "string": r".*"}
    months = ("2014-06", "2015-06")
    files = [raw for raw in load_delivery(folder).files if raw.table[:3] != "ER_" or raw.path.stem[-7:] in months]
    assert len({raw.table for raw in files}) == 14
    for raw in files:
        columns = load_table(raw.table).columns_of(raw.year or 2015)
        for name, values in pd.read_csv(raw.path, sep=";", dtype=str, keep_default_na=False).items():
            kind, length = columns[name].type, columns[name].length
            for value in set(values) - {""}:
                assert re.fullmatch(patterns[kind], value), (raw.table, name)
                assert kind == "date" or not length or len(value.lstrip("-")) <= length, (raw.table, name)


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path):
    threads = pa.cpu_count()
    try:
        for name, count in (("one", 1), ("two", 2)):
            pa.set_cpu_count(count)
            write_delivery(SynthSettings(60, (2015, 2015), 5, lines_per_person_year=10), tmp_path / name)
    finally:
        pa.set_cpu_count(threads)
    write_delivery(SynthSettings(60, (2015, 2015), 6, lines_per_person_year=10), tmp_path / "other")
    assert _content(tmp_path / "one") == _content(tmp_path / "two")
    assert _content(tmp_path / "one") != _content(tmp_path / "other")


def test_rows_are_counted_as_they_were_written(folder, read):
    summary = json.loads((folder.parent / "summary.json").read_text())
    assert {name: len(read(name)) for name in summary["rows"]} == summary["rows"]
    assert summary["bytes"] == sum(path.stat().st_size for path in (folder / "raw").iterdir())


def test_the_nine_columns_are_a_key_and_details_hang_on_it(read, truth):
    claims = read("ER_PRS_F")[KEY]
    assert not claims.duplicated().any()
    for name in CHILDREN:
        joined = read(name)[KEY].merge(claims, on=KEY, how="left", indicator=True)
        assert (joined["_merge"] == "left_only").sum() == truth["irregularities"][f"orphans_{name}"], name
    assert sum(truth["irregularities"][f"orphans_{name}"] for name in CHILDREN) > 0


def test_the_flux_month_is_in_the_file_name_and_after_the_care(folder, read):
    for raw in load_delivery(folder).files_of("ER_PRS_F")[::7]:
        flux = pd.read_csv(raw.path, sep=";", dtype=str)["FLX_DIS_DTD"]
        assert (flux == f"{raw.path.stem[-7:]}-01").all()
    claims = read("ER_PRS_F")
    care, entered, flux = claims["EXE_SOI_DTD"], claims["FLX_TRT_DTD"], claims["FLX_DIS_DTD"]
    real = care != "0001-01-01"
    assert (care[real] < flux[real]).all() and (care[real] < entered[real]).all() and (entered <= flux).all()


def _deaths(read) -> pd.Series:
    persons = read("IR_BEN_R")
    dead = persons[persons["BEN_DCD_DTE"] != "1600-01-01"]
    return dead.drop_duplicates("BEN_NIR_PSA", keep=False).set_index("BEN_NIR_PSA")["BEN_DCD_DTE"]


def test_nobody_has_care_after_death(read):
    deaths = _deaths(read)
    claims, stays = read("ER_PRS_F"), read("MCO_C")
    claim_death, stay_death = claims["BEN_NIR_PSA"].map(deaths), stays["NIR_ANO_17"].map(deaths)
    single = set(read("IR_BEN_R")["BEN_NIR_PSA"].value_counts().loc[lambda n: n == 1].index)
    claim_alone, stay_alone = claims["BEN_NIR_PSA"].isin(single), stays["NIR_ANO_17"].isin(single)
    assert claim_death.notna().sum() > 100 and stay_death.notna().sum() > 20
    assert not (claims["EXE_SOI_DTD"] > claim_death)[claim_death.notna() & claim_alone].any()
    assert not (stays["EXE_SOI_DTF"] > stay_death)[stay_death.notna() & stay_alone].any()


def test_a_death_in_hospital_is_the_death_of_the_person(read):
    deaths = _deaths(read)
    stays = read("MCO_B").merge(read("MCO_C"), on=["ETA_NUM", "RSA_NUM", "SOR_ANN"])
    died = stays[(stays["SOR_MOD"] == "9") & stays["NIR_ANO_17"].isin(deaths.index)]
    assert len(died) > 5
    assert (died["NIR_ANO_17"].map(deaths) == died["EXE_SOI_DTF"]).all()


def test_identifiers_are_irregular_as_often_as_the_truth_says(read, truth):
    persons, planted = read("IR_BEN_R"), truth["irregularities"]
    known = persons[persons["BEN_IDT_ANO"] != ""]
    psa_of_person = known.groupby("BEN_IDT_ANO")["BEN_NIR_PSA"].nunique()
    assert (psa_of_person == 2).sum() == planted["persons_with_two_psa"] > 0
    rank_of_person = known.groupby("BEN_IDT_ANO")["BEN_RNG_GEM"].nunique()
    assert (rank_of_person == 2).sum() == planted["persons_with_two_ranks"] > 0
    assert (persons["BEN_IDT_ANO"] == "").sum() == planted["persons_without_idt_ano"] > 0
    two_ranks = persons.groupby("BEN_NIR_PSA")["BEN_RNG_GEM"].nunique()
    shared = (two_ranks == 2).sum() - planted["persons_with_two_ranks"]
    assert 2 * shared == planted["twins_sharing_a_psa"] > 0
    assert not persons.duplicated(["BEN_NIR_PSA", "BEN_RNG_GEM"]).any()


def test_every_claim_and_stay_belongs_to_a_known_person(read):
    persons = read("IR_BEN_R")
    couples = set(zip(persons["BEN_NIR_PSA"], persons["BEN_RNG_GEM"], strict=True))
    claims = read("ER_PRS_F")
    assert set(zip(claims["BEN_NIR_PSA"], claims["BEN_RNG_GEM"], strict=True)) <= couples
    known = set(persons["BEN_NIR_PSA"]) | {"x" * 17}
    assert set(read("MCO_C")["NIR_ANO_17"]) <= known


def test_stays_are_irregular_as_often_as_the_truth_says(read, truth):
    stays = read("MCO_C")
    bad = (stays[["NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET"]] != "0").any(axis=1)
    assert bad.sum() == truth["irregularities"]["stays_with_a_return_code"] > 0
    assert read("MCO_B")["GRG_GHM"].str.startswith("90").sum() == truth["irregularities"]["stays_with_ghm_90"] > 0
    assert len(read("MCO_B")) == len(stays) == len(stays[["ETA_NUM", "RSA_NUM", "SOR_ANN"]].drop_duplicates())
    assert (read("MCO_B")["SEJ_NBJ"].astype(int) >= 0).all()


def test_a_cancellation_undoes_a_line_that_was_delivered_before(read):
    claims = read("ER_PRS_F")
    quantity = claims["PRS_ACT_QTE"].astype(int)
    what = ["BEN_NIR_PSA", "BEN_RNG_GEM", "EXE_SOI_DTD", "PRS_NAT_REF", "BSE_REM_PRU"]
    negative = claims[(quantity < 0) & (claims["EXE_SOI_DTD"] != "0001-01-01")]
    originals = claims[quantity > 0].groupby(what)["FLX_DIS_DTD"].min()
    joined = negative.merge(originals.rename("original").reset_index(), on=what, how="left")
    assert len(joined) > 20
    assert joined["original"].notna().mean() > 0.97  # the rest: the original's own date is lost
    assert (joined["original"].dropna() <= joined["FLX_DIS_DTD"][joined["original"].notna()]).all()
    assert (negative["PRS_PAI_MNT"].astype(float) <= 0).all()
    later = joined["FLX_DIS_DTD"] > joined["original"]
    assert 0.1 < later.mean() < 0.6


def test_information_lines_carry_no_amount(read, truth):
    claims = read("ER_PRS_F")
    informed = claims[claims["DPN_QLF"] == "71"]
    assert (
        0.8 * truth["irregularities"]["information_lines"]
        < len(informed)
        <= truth["irregularities"]["information_lines"]
    )
    assert (informed["PRS_PAI_MNT"].astype(float) == 0).all()


def test_packs_lead_to_the_medicines_of_the_truth(read, truth):
    packs = read("IR_PHA_R").set_index("PHA_CIP_C13")["PHA_ATC_C07"]
    bought = read("ER_PHA_F")["PHA_PRS_C13"].map(packs)
    assert bought.notna().all()
    assert set(bought) == {medicine["atc"] for medicine in truth["medicines"]}
    assert (packs == "").sum() == truth["irregularities"]["packs_without_atc"] > 0


def test_a_synthetic_delivery_says_so(folder):
    assert load_delivery(folder).synthetic


def test_the_truth_repeats_the_settings(truth):
    assert (truth["seed"], truth["persons"], truth["years"], truth["horizon_days"]) == (7, 400, [2014, 2015], 196)
    assert truth["counts"]["persons"] == 400 and truth["faults"] == []


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        write_delivery(SynthSettings(10, (2015, 2015)), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_older_delivery_in_the_folder_is_replaced(tmp_path):
    write_delivery(SynthSettings(20, (2014, 2015), 1, lines_per_person_year=5), tmp_path)
    write_delivery(SynthSettings(20, (2015, 2015), 1, lines_per_person_year=5), tmp_path)
    assert not list((tmp_path / "raw").glob("*2014*"))
    assert {file.name for file in tmp_path.iterdir()} == {"raw", "delivery.yaml", "truth.json"}
