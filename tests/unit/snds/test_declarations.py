"""A slip in the YAML facts is told by file and field as soon as they are loaded."""

from pathlib import Path

import pytest

from parcours.snds.contracts import load_table, read_product, read_table
from parcours.snds.declarations import year_ranges

TABLE = 'table: T\nlabel: "A table"\nsource: "a dictionary"\n'
PRODUCT = "product: P\nform: union\nperiod: {step: year}\nkey: [ETA_NUM, RSA_NUM]\nmain: MCO_B\npatient: MCO_C\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_column_is_read_with_its_variants(tmp_path: Path) -> None:
    text = (
        TABLE + 'years: "2006-"\ncolumns:\n  A: {type: integer, length: 4, formerly: B}\n'
        '  C:\n    - {type: string, years: "-2008,2010"}\n    - {type: date, years: "2011-", optional: true}\n'
    )
    table = read_table(write(tmp_path, "T", text))
    assert not table.exists_in(2005)
    assert list(table.columns_of(2009)) == ["A"]
    assert table.columns_of(2009)["A"].formerly == "B"
    assert {year: table.columns_of(year)["C"].type for year in (2008, 2010, 2011, None)} == {
        2008: "string",
        2010: "string",
        2011: "date",
        None: "date",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TABLE + "columns: {A: {type: text}}", "column A has the unknown `type` 'text'"),
        (TABLE + "columns: {A: {type: string, lenght: 3}}", "column A has the unknown field `lenght`"),
        (TABLE + "columns: {A: {length: 3}}", "column A needs the field `type`"),
        (TABLE + "columns: {A: {type: string, length: three}}", "column A has the `length` 'three'"),
        (TABLE + "columns: {A: string}", "column A must map fields to values"),
        (TABLE + 'columns: {A: {type: string, years: "since 2011"}}', "column A has `years` 'since 2011'"),
        (TABLE + 'columns: {A: {type: string, years: "2012-2010"}}', "which end before they begin"),
        (
            TABLE + 'columns: {A: [{type: string, years: "-2010"}, {type: date, years: "2010-"}]}',
            "column A has two forms in one year",
        ),
        (TABLE + "colums: {}", "needs the field `columns`"),
        (TABLE + "columns: {A: {type: string}}\nkey: [A]", "unknown field `key`"),
        (TABLE + "columns: [A]", "`columns` must map"),
        (TABLE.replace("table: T", "table: U") + "columns: {}", "`table` is 'U', not the name of the file"),
    ],
)
def test_a_slip_in_a_contract_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError) as slip:
        read_table(write(tmp_path, "T", text))
    assert says in str(slip.value)
    assert "T.yaml" in str(slip.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PRODUCT + "joind: [MCO_A]", "unknown field `joind`"),
        (PRODUCT.replace("main: MCO_B\n", ""), "needs the field `main`"),
        (PRODUCT + "joined: [MCO_X]", "table MCO_X has no contract; write tables/MCO_X.yaml"),
        (PRODUCT + "joined: [MCO_A]\nwhere_present: [MCO_A]", "table MCO_A is named twice"),
        (PRODUCT.replace("form: union", "form: joins"), "`form` is 'joins'"),
        (PRODUCT.replace("{step: year}", "{step: week}"), "`period.step` is 'week'"),
        (PRODUCT.replace("{step: year}", "{step: month}"), "`period.column` goes with the step month"),
        (PRODUCT.replace("{step: year}", "{steps: year}"), "`period` needs the field `step`"),
        (PRODUCT + "joined: MCO_A", "`joined` must be a list of names, not 'MCO_A'"),
        (PRODUCT + "keys: [MCO_A]", "`keys` must map fields to values"),
        (PRODUCT + "keys: {MCO_C: ETA_NUM}", "the key of MCO_C must be a list of names"),
        (PRODUCT + "joined: [SSR_D]", "key column RSA_NUM is not in SSR_D of 2009; limit `years`, or give"),
        (PRODUCT + "keys: {MCO_A: [ETA_NUM]}", "`keys` names MCO_A, which is no table of the product"),
        (PRODUCT + "keys: {MCO_C: [SEJ_NUM]}", "the key of MCO_C has columns that `key` does not have"),
        (PRODUCT + "person: {nir: NIR_ANO_17}", "`person` must map psa"),
        (PRODUCT + "person: {psa: BEN_NIR_PSA}", "`person.psa` names BEN_NIR_PSA, which is no"),
        (PRODUCT + "date: SOR_DAT", "`date` names SOR_DAT, which is no date of MCO_B or MCO_C"),
        (PRODUCT + "amounts: [DGN_PAL]", "`amounts` names DGN_PAL, which is no decimal or integer of MCO_B"),
        (PRODUCT.replace("form: union", "form: reference"), "a reference has one table"),
        (PRODUCT.replace("product: P", "product: Q"), "`product` is 'Q', not the name of the file"),
    ],
)
def test_a_slip_in_a_product_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError) as slip:
        read_product(write(tmp_path, "P", text))
    assert says in str(slip.value)
    assert "P.yaml" in str(slip.value)


def own_tables(folder: Path, monkeypatch: pytest.MonkeyPatch, **columns: str) -> None:
    """Contracts of these tables alone, each of one year and with these columns."""
    (folder / "tables").mkdir()
    for table, declared in columns.items():
        write(folder / "tables", table, f'table: {table}\nlabel: ""\nsource: ""\nyears: "2010"\ncolumns: {declared}')
    monkeypatch.setattr("parcours.snds.contracts.HERE", folder)


OWN = "product: P\nform: union\nperiod: {step: year}\nkey: [K]\nmain: T_MAIN\njoined: [T_JOINED]\n"


@pytest.mark.parametrize(
    ("joined", "says"),
    [
        ("{K: {type: integer}}", "key column K of T_JOINED of 2010 is not of the type that the main table has"),
        ("{K: {type: string, optional: true}}", "key column K is not in T_JOINED of 2010"),
    ],
)
def test_a_key_column_has_one_type_and_is_always_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joined: str, says: str
) -> None:
    load_table.cache_clear()
    own_tables(tmp_path, monkeypatch, T_MAIN="{K: {type: string}}", T_JOINED=joined)
    with pytest.raises(ValueError) as slip:
        read_product(write(tmp_path, "P", OWN))
    assert says in str(slip.value)


def test_years_that_the_product_does_not_cover_need_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_table.cache_clear()
    own_tables(tmp_path, monkeypatch, T_MAIN="{K: {type: string}}", T_JOINED="{A: {type: string}}")
    assert read_product(write(tmp_path, "P", OWN + 'years: "2011-"')).covers(2011)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        (None, ()),
        ("2011-", ((2011, 9999),)),
        ("-2010", ((0, 2010),)),
        ("2009-2012", ((2009, 2012),)),
        (2016, ((2016, 2016),)),
        ("2006, 2008-", ((2006, 2006), (2008, 9999))),
    ],
)
def test_years_are_read_as_inclusive_ranges(tmp_path: Path, text: object, ranges: tuple[tuple[int, int], ...]) -> None:
    assert year_ranges(tmp_path, "it", text) == ranges
