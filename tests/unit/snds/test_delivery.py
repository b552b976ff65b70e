"""Reading `delivery.yaml`: every wrong input gets one sentence that says what to mend."""

from pathlib import Path

import pytest

from parcours.errors import InputError
from parcours.snds.delivery import load_delivery


def write(folder: Path, text: str, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("A;B\n")
    (folder / "delivery.yaml").write_text(text, "utf-8")
    return folder


def test_files_are_found_by_pattern_and_by_list_with_their_year(tmp_path: Path) -> None:
    write(
        tmp_path,
        "name: d\ntables:\n  ER_PRS_F: {files: 'raw/prs_*.csv'}\n  MCO_B:\n"
        "  - {files: [b15.csv], year: 2015}\n  - {files: b16.csv, year: 2016}\n",
        "raw/prs_2.csv",
        "raw/prs_1.csv",
        "b15.csv",
        "b16.csv",
    )
    delivery = load_delivery(tmp_path)
    assert [raw.path.name for raw in delivery.files_of("ER_PRS_F")] == ["prs_1.csv", "prs_2.csv"]
    assert [(raw.path.name, raw.year) for raw in delivery.files_of("MCO_B")] == [("b15.csv", 2015), ("b16.csv", 2016)]


def test_what_is_not_said_has_the_documented_defaults(tmp_path: Path) -> None:
    delivery = load_delivery(write(tmp_path, "tables: {ER_PRS_F: a.csv}", "a.csv"))
    assert (delivery.name, delivery.delimiter, delivery.encoding) == (tmp_path.name, ";", "utf-8")
    assert delivery.person == {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"}


@pytest.mark.parametrize(("said", "synthetic"), [("", False), ("synthetic: false", False), ("synthetic: true", True)])
def test_a_delivery_says_whether_its_persons_are_made_up(tmp_path: Path, said: str, synthetic: bool) -> None:
    delivery = load_delivery(write(tmp_path, f"tables: {{ER_PRS_F: a.csv}}\n{said}", "a.csv"))
    assert delivery.synthetic is synthetic


def test_values_are_the_texts_that_are_written(tmp_path: Path) -> None:
    text = "name: 2018\nnull_values: [NO, 0010, ~, 1600-01-01, true]\ntables: {ER_PRS_F: a.csv}"
    delivery = load_delivery(write(tmp_path, text, "a.csv"))
    assert delivery.name == "2018"
    assert delivery.null_values == ("NO", "0010", "~", "1600-01-01", "true")


def test_a_table_may_be_a_name_a_list_or_a_map(tmp_path: Path) -> None:
    text = "tables:\n  ER_PRS_F: a.csv\n  ER_PHA_F: [b.csv, {files: [c.csv, d.csv]}]"
    delivery = load_delivery(write(tmp_path, text, "a.csv", "b.csv", "c.csv", "d.csv"))
    assert [raw.path.name for raw in delivery.files_of("ER_PHA_F")] == ["b.csv", "c.csv", "d.csv"]


def test_files_may_be_anywhere(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    text = f"tables: {{ER_PRS_F: '{tmp_path}/there/*.csv', ER_PHA_F: '../there/b.csv'}}"
    write(tmp_path, "", "there/a.csv", "there/b.csv")
    folder.mkdir()
    delivery = load_delivery(write(folder, text))
    assert [raw.path.name for raw in delivery.files] == ["a.csv", "b.csv", "b.csv"]


@pytest.mark.parametrize(
    ("name", "table", "year"),
    [
        ("ER_PRS_F_2012", "ER_PRS_F", 2012),
        ("ER_UCD_F_2007", "ER_UCD_F", 2007),
        ("T_MCO16B", "MCO_B", 2016),
        ("T_MCO09MEDATU", "MCO_MEDATU", 2009),
        ("T_MCO19FASTC", "MCO_FASTC", 2019),
        ("T_SSR16CCAM", "SSR_CCAM", 2016),
        ("T_HAD16B", "HAD_B", 2016),
        ("T_RIP16RSA", "RIP_RSA", 2016),
        ("T_RIP16R3AD", "RIP_R3AD", 2016),
        ("T_MCOaaB", "MCO_B", None),
        ("MCO_B", "MCO_B", None),
        ("IR_BEN_R_ARC", "IR_BEN_R_ARC", None),
    ],
)
def test_the_portals_names_stand_for_a_table_and_its_year(
    tmp_path: Path, name: str, table: str, year: int | None
) -> None:
    delivery = load_delivery(write(tmp_path, f"tables: {{{name}: a.csv}}", "a.csv"))
    assert [(raw.table, raw.year) for raw in delivery.files] == [(table, year)]


def test_years_may_come_from_names_and_from_year(tmp_path: Path) -> None:
    text = (
        "tables:\n  T_MCO15B: a.csv\n  MCO_B: {files: b.csv, year: 2016}\n  T_MCO17B: {files: c.csv, year: 2017}\n"
        "  T_MCOaaB: {files: d.csv, year: '2018'}"
    )
    delivery = load_delivery(write(tmp_path, text, "a.csv", "b.csv", "c.csv", "d.csv"))
    assert [raw.year for raw in delivery.files_of("MCO_B")] == [2015, 2016, 2017, 2018]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tables: {ER_PRX_F: a.csv}", "ER_PRX_F has no contract"),
        ("tables: {ER_PRS_F: missing_*.csv}", "no file of table ER_PRS_F matches missing_"),
        ("tables: {ER_PRS_F: {year: 2015}}", "needs `files:`"),
        ("tables: {}", "names no file"),
        ("tables:", "names no file"),
        ("tables: ER_PRS_F", "names no file"),
        ("tables: [ER_PRS_F]", "names no file"),
        ("tables: {ER_PRS_F: }", "table ER_PRS_F needs `files:`"),
        ("tables: {ER_PRS_F: []}", "table ER_PRS_F needs `files:`"),
        ("tables: {ER_PRS_F: {files: }}", "table ER_PRS_F needs `files:`"),
        ("tables: {ER_PRS_F: {files: []}}", "table ER_PRS_F needs `files:`"),
        ("tables: {ER_PRS_F: {files: {a: b}}}", "`files` of table ER_PRS_F must be texts, not a map"),
        ("tables: {ER_PRS_F: {files: [a.csv, []]}}", "`files` of table ER_PRS_F must be texts, not a list"),
        ("tables: {ER_PRS_F: {files: true}}", "no file of table ER_PRS_F matches true"),
        ("tables: {ER_PRS_F: {files: a**b}}", "a**b is no pattern"),
        ("tables: {ER_PRS_F: {files: a.csv, yaer: 2015}}", "nothing else"),
        ("tables: {ER_PRS_F: [[a.csv]]}", "table ER_PRS_F needs `files:`"),
        ("tables: {ER_PRS_F: {files: [a.csv, '*.csv']}}", "a.csv is given 2 times for ER_PRS_F"),
        ("tables: {ER_PRS_F: a.csv, ER_PRS_F_2012: a.csv}", "a.csv is given 2 times for ER_PRS_F"),
        ("tables: {MCO_B: {files: a.csv, year: last}}", "`year` of table MCO_B must be four digits"),
        ("tables: {MCO_B: {files: a.csv, year: 16}}", "`year` of table MCO_B must be four digits"),
        ("tables: {MCO_B: {files: a.csv, year: yes}}", "`year` of table MCO_B must be four digits"),
        ("tables: {MCO_B: {files: a.csv, year: [2016]}}", "must be four digits such as 2016, not a list"),
        ("tables: {T_MCO16B: {files: a.csv, year: 2015}}", "table T_MCO16B is of 2016, but `year` says 2015"),
        ("tables: {T_MCO16_03B: a.csv}", "T_MCO16_03B is a file of some months, whose stay numbers (RSA_NUM) change"),
        ("tables: {T_MCO16XYZ: a.csv}", "T_MCO16XYZ stands for MCO_XYZ, which has no contract"),
        ("tables: {ER_PRX_F_2012: a.csv}", "ER_PRX_F_2012 stands for ER_PRX_F, which has no contract"),
        ("tables: {? [a] : a.csv}", "cannot be read as YAML"),
        ("tables: {ER_PRS_F: a.csv, ER_PRS_F: b.csv}", "ER_PRS_F is written twice"),
        ("tables: {ER_PRS_F: a.csv}\nname: [a]", "`name` must be a text, not a list"),
        ("tables: {ER_PRS_F: a.csv}\nname:", "`name` must be a text, not nothing"),
        ("tables: {ER_PRS_F: a.csv}\ndelimiter: true", "`delimiter` must be one character"),
        ("tables: {ER_PRS_F: a.csv}\ndelimiter: |", "`delimiter` must be one character"),
        ("tables: {ER_PRS_F: a.csv}\ndelimiter: {}", "`delimiter` must be one character"),
        ("tables: {ER_PRS_F: a.csv}\nencoding: [utf-8]", "`encoding` must be a text, not a list"),
        ("tables: {ER_PRS_F: a.csv}\nnull_values: NULL", "`null_values` must be a list of texts"),
        ("tables: {ER_PRS_F: a.csv}\nnull_values: {NA: 1}", "`null_values` must be a list of texts"),
        ("tables: {ER_PRS_F: a.csv}\nnull_values: [[NA]]", "`null_values` must be a list of texts"),
        ("tables: {ER_PRS_F: a.csv}\nnull_values:", "`null_values` must be a list of texts"),
        ("tables: {ER_PRS_F: a.csv}\ndate_formats: '%d/%m/%Y'", "`date_formats` must be a list of texts"),
        ("tables: {ER_PRS_F: a.csv}\nsynthetic: perhaps", "`synthetic` must be true or false, not 'perhaps'"),
        ("tables: {ER_PRS_F: a.csv}\nsynthetic: [true]", "`synthetic` must be true or false, not a list"),
        ("tables: {ER_PRS_F: a.csv}\nperson: NUM_ENQ", "`person` must be"),
        ("tables: {ER_PRS_F: a.csv}\nperson: {psa: [a]}", "`person` must be"),
        ("tables: {ER_PRS_F: a.csv}\nperson: {column: }", "`person` must be"),
        ("tables: {ER_PRS_F: a.csv}\ndelimeter: ','", "unknown setting delimeter"),
        ("tables: {ER_PRS_F: a.csv}\nperson: {nir: X}", "`person` names nir, which has no persons"),
        ("- a list", "must map settings"),
        ("a: [1", "cannot be read as YAML"),
    ],
)
def test_a_wrong_delivery_is_refused_with_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, text, "a.csv")
    with pytest.raises(InputError) as refusal:
        load_delivery(tmp_path)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_delivery_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "delivery.yaml").write_bytes(b"name: \xe9t\xe9")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        load_delivery(tmp_path)


def test_a_missing_delivery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no delivery at"):
        load_delivery(tmp_path / "nowhere")


def test_what_stands_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "name: d\ntables: {ER_PRS_F: 'prs*'}\n", "prs1.csv")
    (tmp_path / "prs_old").mkdir()
    assert [raw.path.name for raw in load_delivery(tmp_path).files] == ["prs1.csv"]
    (tmp_path / "prs2.csv").symlink_to(tmp_path / "moved.csv")
    with pytest.raises(InputError, match=r"prs2.csv is a link to a file that is not there"):
        load_delivery(tmp_path)
    (tmp_path / "prs2.csv").unlink()
    (tmp_path / "prs2.csv").mkdir()
    with pytest.raises(InputError, match=r"prs2.csv is no file"):
        load_delivery(tmp_path)


def test_instants_and_trailing_delimiters_are_settings(tmp_path: Path) -> None:
    text = "time_zone: Europe/Paris\ntrailing_delimiter: true\ntables: {ER_PRS_F: a.csv}"
    delivery = load_delivery(write(tmp_path, text, "a.csv"))
    assert (delivery.time_zone, delivery.trailing_delimiter) == ("Europe/Paris", True)


@pytest.mark.parametrize(
    "setting", ["time_zone: Paris", "time_zone: ../etc", "time_zone: [UTC]", "trailing_delimiter: yes"]
)
def test_a_setting_that_is_none_is_refused_by_name(tmp_path: Path, setting: str) -> None:
    with pytest.raises(InputError, match=f"`{setting.partition(':')[0]}`"):
        load_delivery(write(tmp_path, f"{setting}\ntables: {{ER_PRS_F: a.csv}}", "a.csv"))
