"""Names of columns are told apart without case, in the contract's spelling; a file without a key is refused."""

import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flat_here import KEY, flatten_here, key, write_delivery

from parcours.errors import InputError
from parcours.flatten.plan import plan_product
from parcours.flatten.scan import scan_file
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery
from parcours.storage.root import open_root

PRS = f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT"
PHA = f"{KEY};PHA_PRS_C13"
BEN = "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO\n"
SPELLINGS = {
    "lower": str.lower,
    "title": str.title,
    "quoted": lambda name: f'"{name.lower()}"',
    "padded": lambda name: f"  {name} ",
    "padded with NUL": lambda name: f"{name}\0\0",
}


def header(names, spelling):
    return ";".join(SPELLINGS[spelling](name) for name in names.split(";")) + "\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_name_in_another_case_is_that_of_the_contract(tmp_path, spelling, mark):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": mark + header(PRS, spelling) + f"{key(1)};ANNE;1;2016-01-03;10.5\n",
            "ER_PHA_F": mark + header(PHA, spelling) + f"{key(1)};3400930000012\n",
            "IR_BEN_R": mark + header(BEN.strip(), spelling) + "ANNE;1;ID-ANNE\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    columns = ("DCT_ORD_NUM", "BEN_NIR_PSA", "EXE_SOI_DTD", "PRS_PAI_MNT", "ER_PHA_F__PHA_PRS_C13")
    assert flat.rows(*columns) == [(1, "ANNE", date(2016, 1, 3), 10.5, 3400930000012)]
    assert flat.rows("person_id") != [(None,)]
    assert all(not drift["unknown"] for drift in flat.summaries["2016-01"]["drift"].values())


def test_parquet_names_in_another_case_are_those_of_the_contract(tmp_path):
    delivery = write_delivery(tmp_path / "d", {"ER_PRS_F": f"{PRS}\n{key(1)};ANNE;1;2016-01-03;10.5\n"})
    names, cells = PRS.lower().split(";"), f"{key(1)};ANNE;1;2016-01-03;10.5".split(";")
    pq.write_table(pa.table({name: [cell] for name, cell in zip(names, cells, strict=True)}), delivery / "prs.parquet")
    (delivery / "delivery.yaml").write_text("name: x\ntables: {ER_PRS_F: prs.parquet}\n")
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("DCT_ORD_NUM", "BEN_NIR_PSA") == [(1, "ANNE")]


def test_person_is_named_in_any_case_too(tmp_path):
    lines = f"{key(1)};E1;1\n"
    delivery = write_delivery(
        tmp_path / "d", {"ER_PRS_F": f"{KEY};num_ENQ;BEN_RNG_GEM\n" + lines}, person={"column": "NUM_ENQ"}
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("NUM_ENQ") == [("E1",)]
    assert flat.rows("person_id") != [(None,)]
    known = write_delivery(
        tmp_path / "e", {"ER_PRS_F": f"{PRS}\n{key(1)};A;1;;\n"}, person={"psa": "ben_nir_psa", "rank": "Ben_Rng_Gem"}
    )
    assert load_delivery(known).person == {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"}


@pytest.mark.parametrize("names", [f"{PRS};prs_pai_mnt", f"{PRS};NEW;new", f"{PRS};NEW; new "])
def test_two_names_of_one_file_that_differ_by_case_only_are_refused(tmp_path, names):
    delivery = write_delivery(tmp_path / "d", {"ER_PRS_F": names + "\n"})
    with pytest.raises(InputError, match="have one name"):
        flatten_here(delivery, "DCIR", tmp_path / "out")


def test_files_of_one_table_may_spell_a_column_of_the_contract_in_two_ways(tmp_path):
    files = [f"{PRS}\n{key(1)};A;1;2016-01-03;1\n", f"{PRS.lower()}\n{key(2)};B;1;2016-01-04;2\n"]
    flat = flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": files}), "DCIR", tmp_path / "out")
    assert flat.rows("BEN_NIR_PSA", "PRS_PAI_MNT") == [("A", 1.0), ("B", 2.0)]


@pytest.mark.parametrize("months", [("2016-01-01", "2016-01-01"), ("2016-01-01", "2016-02-01")])
def test_files_of_one_table_that_spell_another_column_in_two_ways_are_refused(tmp_path, months):
    files = [
        f"{PRS};{name}\n{key(1, month)};A;1;2016-01-03;1;x\n"
        for name, month in zip(("NEW_COLUMN", "new_column"), months, strict=True)
    ]
    with pytest.raises(InputError, match=r"number 14.* in other capitals .*give it one spelling"):
        flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": files}), "DCIR", tmp_path / "out")


def test_a_period_in_the_root_keeps_its_spelling(tmp_path):
    """Spark reads the periods of a product as one table."""
    root, product = open_root(str(tmp_path / "root")), load_product("DCIR")
    held = root.period("DCIR", "2015-12")
    held.mkdir(parents=True)
    drift = {"ER_PRS_F": {"missing": [], "unknown": ["NEW_COLUMN"]}}
    (held / "_MANIFEST.json").write_text(json.dumps({"drift": drift}))
    delivery = load_delivery(
        write_delivery(tmp_path / "d", {"ER_PRS_F": f"{PRS};new_column\n{key(1)};A;1;2016-01-03;1;x\n"})
    )
    scans = [scan_file(raw, delivery, product) for raw in delivery.files]
    with pytest.raises(InputError, match="DCIR 2015-12, which the root holds"):
        plan_product(root, delivery, product, scans, 1, None)


def test_the_column_of_the_person_keeps_the_spelling_of_the_root(tmp_path):
    root, product = open_root(str(tmp_path / "root")), load_product("DCIR")
    held = root.period("DCIR", "2015-12")
    held.mkdir(parents=True)
    (held / "_MANIFEST.json").write_text(json.dumps({"drift": {}, "config": {"person": {"column": "NUM_ENQ"}}}))
    folder = write_delivery(tmp_path / "d", {"ER_PRS_F": f"{KEY};NUM_ENQ\n{key(1)};A\n"}, person={"column": "num_enq"})
    delivery = load_delivery(folder)
    scans = [scan_file(raw, delivery, product) for raw in delivery.files]
    with pytest.raises(InputError, match="DCIR 2015-12, which the root holds"):
        plan_product(root, delivery, product, scans, 1, None)


@pytest.mark.parametrize("name", ["PERSON_ID", "Claim_Row", "source_TABLE"])
def test_a_column_named_as_one_that_flattening_adds_is_refused_in_any_case(tmp_path, name):
    with pytest.raises(InputError, match="a column that flattening adds"):
        flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": f"{PRS};{name}\n"}), "DCIR", tmp_path / "out")


@pytest.mark.parametrize(
    ("product", "table", "names", "column"),
    [
        ("DCIR", "ER_PRS_F", PRS.replace("FLX_DIS_DTD", "FLUX"), "FLX_DIS_DTD"),
        ("DCIR", "ER_PHA_F", PHA.replace("PRS_ORD_NUM;", ""), "PRS_ORD_NUM"),
        ("IR_PHA_R", "IR_PHA_R", "PHA_ATC_C07;PHA_MED_NOM", "PHA_CIP_C13"),
        ("KI_ECD_R", "KI_ECD_R", "BEN_IDT_ANO;BEN_DCD_DTE", "DCD_IDT_ENC"),
        ("MCO", "MCO_A", "ETA_NUM;CDC_ACT", "RSA_NUM"),
    ],
)
def test_a_file_without_a_key_of_its_table_is_refused(tmp_path, product, table, names, column):
    tables = {"DCIR": {"ER_PRS_F": PRS + "\n"}, "MCO": {"MCO_B": (2016, "ETA_NUM;RSA_NUM\n")}}.get(product, {})
    delivery = write_delivery(tmp_path / "d", {**tables, table: (2016, names + "\n")})
    with pytest.raises(InputError, match=f"there is no column {column}, which is a key of {table}"):
        flatten_here(delivery, product, tmp_path / "out", persons=False)


@pytest.mark.parametrize(
    ("table", "names", "column"),
    [
        ("IR_IMB_R", "IMB_ALD_NUM;MED_MTF_COD", "BEN_NIR_PSA"),
        ("IR_IMB_R", "BEN_NIR_PSA,BEN_RNG_GEM,IMB_ALD_NUM", "BEN_NIR_PSA"),  # of another delimiter
        ("IR_BEN_R", "BEN_NIR_PSA;BEN_IDT_ANO", "BEN_RNG_GEM"),
        ("KI_CCI_R", "DCD_IDT_ENC;BEN_DCD_DTE", "BEN_IDT_ANO"),
    ],
)
def test_a_reference_that_does_not_say_whose_its_rows_are_is_refused(tmp_path, table, names, column):
    delivery = write_delivery(tmp_path / "d", {table: f"{names}\n"})
    with pytest.raises(InputError, match=f"there is no column {column}, which says whose the rows of {table} are"):
        flatten_here(delivery, table, tmp_path / "out", persons=False)


def test_a_file_that_is_marked_as_utf_8_is_not_read_as_latin_1(tmp_path):
    text = f"\ufeff{PRS}\n{key(1)};Ann\u00e9;1;2016-01-03;1\n".encode()
    delivery = write_delivery(tmp_path / "d", {"ER_PRS_F": text}, encoding="latin-1")
    with pytest.raises(InputError, match=r"begins with the mark of utf-8.*says latin-1"):
        flatten_here(delivery, "DCIR", tmp_path / "out")


# --- a delimiter that ends each line -----------------------------------------------------------------------------

ENDED = f"{key(1)};A;1;2016-01-03;10.5;\n{key(2)};B;1;2016-01-04;;\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("quote", ["", '"x;\ny"'], ids=["plain", "quoted"])
@pytest.mark.parametrize(
    ("end_of_header", "setting"), [(";", {}), (";", {"trailing_delimiter": True}), ("", {"trailing_delimiter": True})]
)
def test_an_empty_column_after_the_last_delimiter_is_disregarded(tmp_path, end_of_header, setting, quote, ending):
    text = (PRS + end_of_header + "\n" + ENDED).replace("\n", ending).replace("A;1", f"{quote or 'A'};1")
    flat = flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": text}, **setting), "DCIR", tmp_path / "out")
    assert flat.rejects() == []
    assert flat.rows("PRS_PAI_MNT", "EXE_SOI_DTD") == [(10.5, date(2016, 1, 3)), (None, date(2016, 1, 4))]
    assert "" not in flat.relation().columns
    assert all(not drift["unknown"] for drift in flat.summaries["2016-01"]["drift"].values())


def test_a_field_without_a_name_is_not_lost(tmp_path):
    text = f"{PRS};\n{ENDED}{key(3)};C;1;2016-01-05;3;x\n{key(4)};D;1;2016-01-06;4\n"
    flat = flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": text}), "DCIR", tmp_path / "out")
    assert [(line, reason) for _, line, _, reason, _ in flat.rejects()] == [
        (4, "a field stands after the last delimiter, where the header has no name"),
        (5, "13 fields where the header has 14"),
    ]
    assert len(flat.rows("BEN_NIR_PSA")) == 2


def test_lines_alone_that_end_with_a_delimiter_say_which_setting_reads_them(tmp_path):
    flat = flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": f"{PRS}\n{ENDED}"}), "DCIR", tmp_path / "out")
    assert {reason for _, _, _, reason, _ in flat.rejects()} == {
        "14 fields where the header has 13; see trailing_delimiter of delivery.yaml"
    }


@pytest.mark.parametrize("names", [f";{PRS}", PRS.replace(";PRS_PAI", ";;PRS_PAI"), f"{PRS};;"])
def test_any_other_column_without_a_name_is_refused(tmp_path, names):
    with pytest.raises(InputError, match="has no name that can be printed"):
        flatten_here(write_delivery(tmp_path / "d", {"ER_PRS_F": names + "\n"}), "DCIR", tmp_path / "out")
