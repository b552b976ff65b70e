"""The product definitions: which tables become one flat table, and by which keys.

Both are those of SCALPEL-Flattening (RIP and RIP3A: of its DREES branch).
"""

import pytest

from parcours.errors import InputError
from parcours.snds.contracts import load_product, load_table, product_names

STATEMENT = ("DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM")
DCIR = (*STATEMENT, "PRS_ORD_NUM", "REM_TYP_AFF")
SSR_STAY = ("ETA_NUM", "RHA_NUM")
RIP_STAY = ("ETA_NUM_EPMSI", "RIP_NUM")


@pytest.mark.parametrize(
    ("product", "key", "keys", "common"),
    [
        ("DCIR", DCIR, {"ER_DCT_F": STATEMENT}, STATEMENT),
        ("MCO", ("ETA_NUM", "RSA_NUM"), {}, ("ETA_NUM", "RSA_NUM")),
        ("MCO_CE", ("ETA_NUM", "SEQ_NUM"), {}, ("ETA_NUM", "SEQ_NUM")),
        ("SSR", (*SSR_STAY, "RHS_NUM"), {"SSR_C": SSR_STAY}, SSR_STAY),
        ("SSR_CE", ("ETA_NUM", "SEQ_NUM"), {}, ("ETA_NUM", "SEQ_NUM")),
        ("HAD", ("ETA_NUM_EPMSI", "RHAD_NUM"), {}, ("ETA_NUM_EPMSI", "RHAD_NUM")),
        ("RIP", (*RIP_STAY, "SEQ_SEQ_NUM"), {"RIP_C": RIP_STAY}, RIP_STAY),
        ("RIP3A", ("ETA_NUM_EPMSI", "ORD_NUM", "SEJ_IDT"), {}, ("ETA_NUM_EPMSI", "ORD_NUM", "SEJ_IDT")),
        ("IR_BEN_R_ARC", ("BEN_NIR_PSA", "BEN_RNG_GEM"), {}, ("BEN_NIR_PSA", "BEN_RNG_GEM")),
        ("KI_CCI_R", ("DCD_IDT_ENC",), {}, ("DCD_IDT_ENC",)),
        ("KI_ECD_R", ("DCD_IDT_ENC",), {}, ("DCD_IDT_ENC",)),
    ],
)
def test_tables_join_on_the_documented_keys(
    product: str, key: tuple[str, ...], keys: dict[str, tuple[str, ...]], common: tuple[str, ...]
) -> None:
    definition = load_product(product)
    assert {table: definition.key_of(table) for table in definition.tables} == {
        table: keys.get(table, key) for table in definition.tables
    }
    assert definition.common_key == common


@pytest.mark.parametrize(
    ("product", "main", "patient", "joined", "where_present"),
    [
        (
            "DCIR",
            "ER_PRS_F",
            None,
            "ER_PHA_F ER_CAM_F ER_ETE_F ER_UCD_F ER_BIO_F",
            "ER_TIP_F ER_INV_F ER_TRS_F ER_ARO_F ER_LOT_F ER_DCT_F ER_ANO_F",
        ),
        (
            "MCO",
            "MCO_B",
            "MCO_C",
            "MCO_A MCO_D MCO_UM",
            "MCO_MED MCO_MEDATU MCO_MEDTHROMBO MCO_DMIP MCO_FA MCO_FB MCO_FC MCO_FH MCO_FI MCO_FL MCO_FM MCO_FP",
        ),
        (
            "MCO_CE",
            "MCO_FASTC",
            "MCO_CSTC",
            "MCO_FMSTC MCO_FBSTC MCO_FCSTC",
            "MCO_FHSTC MCO_FLSTC MCO_FPSTC MCO_VALOACE",
        ),
        ("SSR", "SSR_B", "SSR_C", "SSR_CCAM SSR_D SSR_CSARR SSR_MED SSR_MEDATU", "SSR_A"),
        ("SSR_CE", "SSR_FASTC", "SSR_CSTC", "SSR_FBSTC SSR_FCSTC SSR_FMSTC", "SSR_FLSTC"),
        ("HAD", "HAD_B", "HAD_C", "HAD_A HAD_D HAD_MED HAD_MEDATU", ""),
        ("RIP", "RIP_RSA", "RIP_C", "RIP_RSAD", ""),
        ("RIP3A", "RIP_R3A", None, "RIP_R3AD", ""),
    ],
)
def test_a_product_has_its_tables_the_main_one_first_the_patient_second(
    product: str, main: str, patient: str | None, joined: str, where_present: str
) -> None:
    definition = load_product(product)
    patients = [patient] if patient else []
    assert list(definition.tables) == [main, *patients, *joined.split(), *where_present.split()]
    assert definition.patient == patient
    assert list(definition.where_present) == where_present.split()


@pytest.mark.parametrize(
    ("product", "first"), [("MCO", 2005), ("MCO_CE", 2008), ("SSR_CE", 2013), ("HAD", 2007), ("RIP3A", 2011)]
)
def test_years_whose_tables_lack_the_key_are_not_covered(product: str, first: int) -> None:
    definition = load_product(product)
    assert definition.covers(first)
    if first > 2005:
        assert not definition.covers(first - 1)


@pytest.mark.parametrize(
    ("table", "year", "missing"),
    [
        ("MCO_FASTC", 2007, "SEQ_NUM"),
        ("HAD_B", 2006, "ETA_NUM_EPMSI"),
        ("HAD_C", 2006, "ETA_NUM_EPMSI"),
        ("RIP_R3AD", 2010, "SEJ_IDT"),
        ("SSR_C", 2016, "RHS_NUM"),
        ("RIP_C", 2016, "SEQ_SEQ_NUM"),
        ("ER_DCT_F", 2016, "PRS_ORD_NUM"),
    ],
)
def test_these_tables_truly_lack_a_key_column(table: str, year: int, missing: str) -> None:
    assert missing not in load_table(table).columns_of(year)


def test_persons_are_known_by_psa_by_identity_or_not_at_all() -> None:
    assert load_product("DCIR").person == {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"}
    assert {load_product(name).person["psa"] for name in ("MCO", "MCO_CE", "SSR", "SSR_CE", "HAD", "RIP")} == {
        "NIR_ANO_17"
    }
    assert load_product("KI_CCI_R").person == {"identity": "BEN_IDT_ANO"}
    assert load_product("RIP3A").person == {}


def test_periods_are_months_of_claims_years_of_stays_and_all_of_a_reference() -> None:
    steps = {name: (load_product(name).form, load_product(name).period_step) for name in product_names()}
    assert {name for name, (_, step) in steps.items() if step == "month"} == {"DCIR"}
    assert {step for form, step in steps.values() if form == "union"} == {"year"}
    assert {step for form, step in steps.values() if form == "reference"} == {"all"}


def test_no_table_is_in_two_products() -> None:
    tables = [table for name in product_names() for table in load_product(name).tables]
    assert len(tables) == len(set(tables))


def test_an_unknown_product_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="DCIR"):
        load_product("DCIRS")
