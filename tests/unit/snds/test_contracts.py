"""The table contracts: facts of the portal's dictionary that a reader can check by eye."""

import pytest

from parcours.errors import InputError
from parcours.snds.contracts import KNOWN_YEARS, load_table, sentinel_dates, table_names


@pytest.mark.parametrize(
    ("table", "columns_by_year"),
    [
        # Number of columns of the portal's dictionary; of KWIKLY since 2015. The current claims are those of 2013.
        ("ER_PRS_F", {2006: 108, 2009: 108, 2010: 109, 2011: 112, 2012: 116, 2013: 122}),
        ("ER_PHA_F", {2006: 23, 2013: 23}),
        ("ER_CAM_F", {2010: 34, 2011: 35, 2013: 35}),
        ("ER_ETE_F", {2006: 24, 2013: 24}),
        ("ER_UCD_F", {2007: 24, 2013: 24}),
        ("ER_BIO_F", {2006: 13, 2013: 13}),
        ("ER_TIP_F", {2006: 21, 2013: 21}),
        ("ER_INV_F", {2006: 13, 2013: 13}),
        ("ER_TRS_F", {2007: 18, 2009: 18, 2010: 20, 2011: 20, 2012: 22, 2013: 22}),
        ("ER_ARO_F", {2006: 26, 2013: 26}),
        ("ER_LOT_F", {2013: 16}),
        ("ER_DCT_F", {2006: 21, 2012: 21, 2013: 20}),
        ("ER_ANO_F", {2013: 17}),
        (
            "MCO_B",
            {2005: 47, 2006: 55, 2007: 56, 2008: 60, 2009: 65, 2010: 67, 2011: 62, 2012: 65, 2013: 66, 2014: 66}
            | {2015: 70, 2016: 73, 2017: 69, 2018: 69, 2019: 72},
        ),
        ("MCO_C", {2005: 12, 2008: 15, 2009: 23, 2013: 29, 2015: 37, 2019: 40}),
        ("MCO_A", {2007: 12, 2008: 13, 2014: 13}),
        ("MCO_D", {2013: 4, 2014: 5}),
        ("MCO_UM", {2006: 8, 2008: 9, 2009: 10, 2010: 16, 2012: 18, 2013: 17, 2014: 18}),
        ("MCO_MED", {2008: 12, 2009: 13, 2010: 14, 2014: 14}),
        ("MCO_MEDATU", {2012: 14, 2014: 14}),
        ("MCO_MEDTHROMBO", {2012: 14, 2014: 14}),
        ("MCO_DMIP", {2008: 11, 2009: 12, 2014: 12}),
        ("MCO_FA", {2005: 20, 2008: 24, 2012: 26, 2014: 27}),
        ("MCO_FB", {2005: 23, 2008: 25, 2013: 26}),
        ("MCO_FC", {2005: 20, 2008: 22, 2013: 23}),
        ("MCO_FH", {2005: 13, 2008: 15, 2013: 16}),
        ("MCO_FI", {2005: 7, 2008: 9, 2013: 10}),
        ("MCO_FL", {2012: 11, 2014: 11}),
        ("MCO_FM", {2005: 33, 2008: 35, 2013: 36}),
        ("MCO_FP", {2005: 14, 2008: 15, 2013: 16}),
        ("MCO_CSTC", {2008: 7, 2009: 17, 2011: 15, 2014: 15}),
        ("MCO_FASTC", {2008: 23, 2009: 26, 2012: 28, 2014: 30}),
        ("MCO_FBSTC", {2008: 21, 2013: 22, 2014: 23}),
        ("MCO_FCSTC", {2008: 21, 2013: 22, 2014: 24}),
        ("MCO_FHSTC", {2009: 15, 2013: 16}),
        ("MCO_FLSTC", {2012: 11, 2014: 11}),
        ("MCO_FMSTC", {2008: 35, 2013: 36}),
        ("MCO_FPSTC", {2011: 15, 2013: 16}),
        ("MCO_VALOACE", {2013: 36, 2014: 36}),
        ("SSR_B", {2005: 57, 2007: 72, 2009: 43, 2010: 45, 2013: 46, 2014: 45, 2019: 54}),
        ("SSR_C", {2005: 12, 2006: 13, 2009: 21, 2011: 19, 2013: 21}),
        ("SSR_A", {2005: 6, 2008: 6}),
        ("SSR_CCAM", {2009: 8, 2010: 11, 2014: 11}),
        ("SSR_D", {2009: 5, 2014: 5}),
        ("SSR_CSARR", {2014: 17}),
        ("SSR_MED", {2010: 13, 2014: 13}),
        ("SSR_MEDATU", {2012: 13, 2014: 13}),
        ("SSR_CSTC", {2013: 15, 2014: 15}),
        ("SSR_FASTC", {2012: 28, 2014: 29}),
        ("SSR_FBSTC", {2012: 21, 2013: 22}),
        ("SSR_FCSTC", {2012: 21, 2013: 22}),
        ("SSR_FMSTC", {2012: 35, 2013: 36}),
        ("SSR_FLSTC", {2012: 11, 2014: 11}),
        ("HAD_B", {2005: 39, 2007: 52, 2010: 51, 2012: 53, 2014: 54}),
        ("HAD_C", {2007: 14, 2008: 16, 2009: 24, 2011: 22, 2013: 24}),
        ("HAD_A", {2010: 12, 2014: 12}),
        ("HAD_D", {2010: 6, 2014: 6}),
        ("HAD_MED", {2009: 15, 2010: 16, 2014: 16}),
        ("HAD_MEDATU", {2012: 16, 2014: 17}),
        ("RIP_RSA", {2007: 39, 2012: 40, 2014: 40}),
        ("RIP_C", {2007: 14, 2009: 24, 2011: 22, 2013: 24}),
        ("RIP_RSAD", {2007: 6, 2011: 7}),
        ("RIP_R3A", {2007: 23, 2012: 25}),
        ("RIP_R3AD", {2007: 5, 2011: 6}),
        ("IR_BEN_R", {2015: 20}),
        ("IR_BEN_R_ARC", {2015: 20}),
        ("IR_IMB_R", {2015: 13}),
        ("IR_PHA_R", {2015: 64}),
        ("KI_ECD_R", {2015: 12}),
    ],
)
def test_a_table_has_the_documented_number_of_columns_in_a_year(table: str, columns_by_year: dict[int, int]) -> None:
    contract = load_table(table)
    found = {
        year: sum(not column.optional for column in contract.columns_of(year).values()) for year in columns_by_year
    }
    assert found == columns_by_year


@pytest.mark.parametrize(
    ("table", "column", "types"),
    [
        ("MCO_A", "ENT_DAT_DEL", {2010: "string", 2011: "integer"}),
        ("MCO_B", "DLY_ACT", {2005: "integer", 2006: "string"}),
        ("SSR_B", "JP_HWE", {2008: "integer", 2009: "string"}),
        ("SSR_B", "JP_WE", {2008: "integer", 2009: "string"}),
        ("ER_PRS_F", "IJR_EMP_NUM", {2012: "integer", 2013: "string"}),
    ],
)
def test_a_column_that_changed_type_has_each_type_in_its_years(table: str, column: str, types: dict[int, str]) -> None:
    assert {year: load_table(table).columns_of(year)[column].type for year in types} == types


def test_no_other_column_changes_its_type() -> None:
    changing = {
        (table, column.name)
        for table in table_names()
        for column in load_table(table).columns
        if len({other.type for other in load_table(table).columns if other.name == column.name}) > 1
    }
    assert changing == {
        ("MCO_A", "ENT_DAT_DEL"),
        ("MCO_B", "DLY_ACT"),
        ("SSR_B", "JP_HWE"),
        ("SSR_B", "JP_WE"),
        ("ER_PRS_F", "IJR_EMP_NUM"),
    }


@pytest.mark.parametrize(
    ("table", "column", "formerly", "first"),
    [
        ("MCO_UM", "AUT_TYP1_UM", "UM_TYP", 2010),
        ("MCO_UM", "PAR_DUR_SEJ", "PAR_NBR_SEJ", 2010),
        ("MCO_UM", "IGS2_COD", "MCO_B.COD_IGS", 2010),
        ("MCO_UM", "ETA_NUM_GEO", "ETA_NUM_GEO1", 2013),
        ("MCO_C", "ID_MAM_ENF", "NIR_ANO_MAM", 2019),
        ("MCO_FH", "COD_UCD", "COD_UCP_CIP", 2008),
        ("MCO_FP", "LPP_COD", "LPP_COD1", 2008),
        ("HAD_B", "SEQ_NUM", "SEQ_SEJ", 2010),
        ("RIP_C", "ENT_ANN", "SOR_ANN", 2010),
        ("RIP_RSA", "MOD_SOI", "SEJ_LEG", 2012),
    ],
)
def test_a_renamed_column_says_its_former_name(table: str, column: str, formerly: str, first: int) -> None:
    contract = load_table(table)
    assert column not in contract.columns_of(first - 1)
    assert contract.columns_of(first)[column].formerly == formerly


def former_columns() -> list[tuple[str, str, str]]:
    return [
        (table, column.name, column.formerly)
        for table in table_names()
        for column in load_table(table).columns
        if column.formerly
    ]


@pytest.mark.parametrize(("table", "column", "formerly"), former_columns())
def test_a_former_name_ends_where_the_new_one_begins(table: str, column: str, formerly: str) -> None:
    of_table, _, name = formerly.rpartition(".")
    old, new = load_table(of_table or table), load_table(table)
    last = max(year for year in KNOWN_YEARS if name in old.columns_of(year))
    first = min(year for year in KNOWN_YEARS if column in new.columns_of(year))
    assert first == last + 1


def test_stays_have_no_exact_dates_before_2009() -> None:
    for table in ("MCO_C", "SSR_C", "HAD_C", "RIP_C", "MCO_CSTC"):
        contract = load_table(table)
        assert "EXE_SOI_DTD" not in contract.columns_of(2008)
        assert contract.columns_of(2009)["EXE_SOI_DTD"].type == "date"


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [
        ("ER_UCD_F", 2007, 2019),
        ("ER_LOT_F", 2008, 2019),
        ("MCO_UM", 2006, 2019),
        ("MCO_CSTC", 2008, 2019),
        ("MCO_VALOACE", 2013, 2019),
        ("SSR_A", 2005, 2008),
        ("SSR_CCAM", 2009, 2019),
        ("SSR_CSARR", 2012, 2019),
        ("RIP_RSA", 2007, 2019),
    ],
)
def test_a_table_exists_in_its_years(table: str, first: int, last: int) -> None:
    assert [year for year in KNOWN_YEARS if load_table(table).exists_in(year)] == list(range(first, last + 1))
    assert load_table(table).exists_in(None) == (last == 2019)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("ER_TIP_F", "TIP_ACT_PRU"),
        ("ER_ARO_F", "ARO_REM_MNT"),
        ("MCO_FB", "REM_TAU"),
        ("MCO_FHSTC", "FAC_MNT"),
        ("MCO_MED", "ADM_NBR"),
        ("MCO_VALOACE", "MNT_BR_PI"),
        ("SSR_FBSTC", "COEF_SSR"),
        ("HAD_MED", "ACH_PRI_ADM"),
        ("MCO_CSTC", "RAC_MNT_PAT"),
    ],
)
def test_amounts_prices_rates_and_coefficients_may_have_decimals(table: str, column: str) -> None:
    assert {found.type for found in load_table(table).columns if found.name == column} == {"decimal"}


def test_a_column_that_two_sources_date_differently_is_optional_in_the_years_in_doubt() -> None:
    contract = load_table("ER_PRS_F")
    assert "EXE_CTX_PFS" not in contract.columns_of(2008)
    assert contract.columns_of(2010)["EXE_CTX_PFS"].optional
    assert not contract.columns_of(2011)["EXE_CTX_PFS"].optional


@pytest.mark.parametrize("table", table_names())
def test_a_contract_is_named_like_its_file_and_has_columns_in_every_year_of_the_table(table: str) -> None:
    contract = load_table(table)
    assert contract.name == table
    assert contract.label
    assert all(contract.columns_of(year) for year in KNOWN_YEARS if contract.exists_in(year))


def test_the_sentinel_dates_of_the_documentation_and_their_shifted_forms_are_known() -> None:
    assert sentinel_dates() == ("0001-01-01", "0001-01-03", "1582-01-01", "1582-10-15", "1600-01-01")


def test_an_unknown_table_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="ER_PRS_F"):
        load_table("ER_PRX_F")
