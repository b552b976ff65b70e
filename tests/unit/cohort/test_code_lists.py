"""The code lists of the project: complete, dated, and written so that they match what the SNDS holds."""

import csv
import re
import shutil
from pathlib import Path

import pytest
import yaml

from parcours.cohort.definitions import check_uses, definition_names, load_definition
from parcours.errors import InputError
from parcours.events.codelists import LISTS, check_codelists, read_codelist

FOLDER = Path(__file__).parents[3] / "codelists"
FILES = sorted(FOLDER.glob("*.csv"))
SHAPES = {"icd10": r"[A-Z]\d\d[0-9?]{0,3}", "ccam": r"[A-Z]{4}\d{3}"}


def table(name):
    return read_codelist(FOLDER / name)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_row_has_a_source_and_a_date(file):
    for row in read_codelist(file):
        assert row["source"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"])


@pytest.mark.parametrize("name", definition_names(FOLDER))
def test_every_definition_has_a_source_and_a_date_and_names_lists_that_are_there(name):
    declared = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    assert declared["source"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(declared["date"]))
    assert all((FOLDER / file).is_file() for file in load_definition(FOLDER, name).files)


@pytest.mark.parametrize("name", ["fracture_codes.csv", "fracture_sites.csv", "fracture_surgery.csv"])
def test_codes_are_written_as_the_data_hold_them(name):
    wrong = [row["code"] for row in table(name) if not re.fullmatch(SHAPES[row["vocabulary"]], row["code"])]
    assert wrong == []


def test_no_code_stands_twice_for_one_use():
    codes = [(row["use"], row["code"]) for row in table("fracture_codes.csv")]
    assert len(codes) == len(set(codes))
    sites = [row["code"] for row in table("fracture_sites.csv")]
    assert len(sites) == len(set(sites))


def test_the_lists_have_the_size_of_their_sources():
    uses = [row["use"] for row in table("fracture_codes.csv")]
    assert {use: uses.count(use) for use in uses} == {
        "hospital_diagnosis": 18,
        "outpatient_act": 44,
        "material_removal": 31,
    }
    assert len(table("finess_double_count.csv")) == 166


def test_codes_that_scalpel_could_never_match_are_here():
    codes = {row["code"] for row in table("fracture_codes.csv")} | {row["code"] for row in table("fracture_sites.csv")}
    assert {"MBEB001", "T142", "M484", "M485", "M80?1", "M80?5"} <= codes


def test_every_outpatient_act_has_a_site():
    sited = {row["code"] for row in table("fracture_sites.csv")}
    acts = {row["code"] for row in table("fracture_codes.csv") if row["use"] == "outpatient_act"}
    assert acts <= sited


def test_an_act_of_material_removal_is_not_surgery_for_a_fracture():
    removal = {row["code"] for row in table("fracture_codes.csv") if row["use"] == "material_removal"}
    assert not removal & {row["code"] for row in table("fracture_surgery.csv")}


def test_a_code_with_a_dot_or_a_comma_is_refused(tmp_path):
    for code in ("T14.2", "MBEB001,"):
        path = tmp_path / f"{len(code)}.csv"
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([["code", "match"], [code, "prefix"]])
        with pytest.raises(InputError, match=r"line 2: .* is not a code"):
            read_codelist(path)


def written(tmp_path, *rows):
    path = tmp_path / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (("code", "match"), ("S720", "startswith"), r'line 2: match is "startswith", but must be one of exact, prefix'),
        (("code", "match"), ("S720", ""), r'line 2: match is ""'),
        (("code", "match"), ("M80?1", "prefix"), r'line 2: the code M80\?1 has a "\?", but its match is prefix'),
        (
            ("family", "atc_prefix", "action"),
            ("a", "N05B", "included"),
            r'action is "included", but must be one of incl',
        ),
        (("family", "atc_prefix", "action"), ("a", "n05b", "include"), r'"n05b" is not a code'),
    ],
)
def test_a_word_that_means_nothing_is_refused_not_passed_over(tmp_path, header, row, said):
    with pytest.raises(InputError, match=said):
        read_codelist(written(tmp_path, header, row))


def test_a_use_that_no_definition_asks_for_is_refused_when_a_run_is_planned(tmp_path):
    check_uses(FOLDER)
    folder = shutil.copytree(FOLDER, tmp_path / "codelists")
    with (folder / "fracture_codes.csv").open("a", encoding="utf-8") as out:
        out.write("hospital_diagnoses,icd10,S72,prefix,,me,2026-11-29,\n")
    with pytest.raises(InputError, match=r'line 95: use is "hospital_diagnoses", but must be one of hospital_diagnos'):
        check_uses(folder)


def test_a_list_without_a_column_that_is_read_is_refused_when_a_run_is_planned(tmp_path):
    written(tmp_path, ("use", "code"), ("surgery", "LABA001")).rename(tmp_path / "fracture_surgery.csv")
    with pytest.raises(InputError, match=r"fracture_surgery\.csv has no column match: separate columns by commas"):
        check_codelists(tmp_path)


def test_every_list_of_the_project_is_read_by_its_columns():
    assert {file.name for file in FILES} == set(LISTS)
    check_codelists(FOLDER)
