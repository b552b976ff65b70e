"""The table contracts: facts of the portal's dictionary that a reader can check by eye."""

import pytest

from parcours.errors import InputError
from parcours.snds.contracts import load_product, load_table, product_names, sentinel_dates, table_names

DCIR_KEY = {
    "DCT_ORD_NUM",
    "FLX_DIS_DTD",
    "FLX_EMT_NUM",
    "FLX_EMT_ORD",
    "FLX_EMT_TYP",
    "FLX_TRT_DTD",
    "ORG_CLE_NUM",
    "PRS_ORD_NUM",
    "REM_TYP_AFF",
}


@pytest.mark.parametrize(
    ("table", "year", "columns"),
    [
        # Number of columns of the archived and current tables in the portal's dictionary.
        ("ER_PRS_F", 2006, 108),
        ("ER_PRS_F", 2010, 109),
        ("ER_PRS_F", 2011, 112),
        ("ER_PRS_F", 2012, 116),
        ("ER_PHA_F", 2015, 23),
        ("ER_CAM_F", 2008, 34),
        ("ER_CAM_F", 2015, 35),
        ("ER_ETE_F", 2015, 24),
        ("ER_UCD_F", 2015, 24),
        ("ER_BIO_F", 2015, 13),
        ("MCO_B", 2014, 66),
        ("MCO_B", 2016, 73),
        ("MCO_C", 2014, 29),
    ],
)
def test_a_table_has_the_documented_number_of_columns_in_a_year(table: str, year: int, columns: int) -> None:
    required = [column for column in load_table(table).columns_of(year).values() if not column.optional]
    assert len(required) == columns


def test_a_column_that_changed_type_has_both_types() -> None:
    acts = load_table("MCO_A")
    assert acts.columns_of(2010)["ENT_DAT_DEL"].type == "string"
    assert acts.columns_of(2011)["ENT_DAT_DEL"].type == "integer"


def test_stays_have_no_exact_dates_before_2009() -> None:
    stays = load_table("MCO_C")
    assert "EXE_SOI_DTD" not in stays.columns_of(2008)
    assert stays.columns_of(2009)["EXE_SOI_DTD"].type == "date"


def test_dcir_joins_on_its_nine_columns() -> None:
    assert set(load_product("DCIR").key) == DCIR_KEY


@pytest.mark.parametrize("product", product_names())
def test_every_table_of_a_product_has_its_key_and_the_columns_that_the_product_names(product: str) -> None:
    definition = load_product(product)
    main = load_table(definition.main).columns_of(2016)
    person_table = load_table(definition.patient or definition.main).columns_of(2016)
    assert set(definition.person.values()) <= set(person_table)
    assert set(definition.amounts) <= set(main)
    for table in definition.tables:
        assert set(definition.key_of(table)) <= set(load_table(table).columns_of(2016)), table


@pytest.mark.parametrize("table", table_names())
def test_a_contract_is_named_like_its_file_and_types_every_column(table: str) -> None:
    contract = load_table(table)
    assert contract.name == table
    assert {column.type for column in contract.columns} <= {"string", "integer", "decimal", "date"}
    names = [column.name for column in contract.columns if column.present_in(2016)]
    assert len(names) == len(set(names))


def test_both_sentinel_dates_of_the_documentation_are_known() -> None:
    assert sentinel_dates() == ("0001-01-01", "1600-01-01")


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="ER_PRS_F"):
        load_table("ER_PRX_F")
    with pytest.raises(InputError, match="DCIR"):
        load_product("DCIRS")
