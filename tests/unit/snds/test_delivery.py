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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tables: {ER_PRX_F: a.csv}", "ER_PRX_F has no contract"),
        ("tables: {ER_PRS_F: missing_*.csv}", "no file of table ER_PRS_F matches missing_"),
        ("tables: {ER_PRS_F: {year: 2015}}", "needs `files:`"),
        ("tables: {}", "names no file"),
        ("tables: {ER_PRS_F: a.csv}\ndelimeter: ','", "unknown setting delimeter"),
        ("tables: {ER_PRS_F: a.csv}\nperson: {nir: X}", "`person` must be"),
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


def test_a_missing_delivery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no delivery at"):
        load_delivery(tmp_path / "nowhere")
