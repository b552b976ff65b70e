"""The catalogue holds together, says one sentence for each thing that is wrong, and is what expectations/ holds."""

from copy import deepcopy
from typing import Any

import pytest

from parcours.errors import InputError
from parcours.home import project_home
from parcours.quality.catalogue import catalogue_names, load_catalogue, parse_catalogue
from parcours.quality.context import context_root
from parcours.quality.reference import PAGE, rules_page
from parcours.quality.suites import expectation_files, write_expectations
from parcours.quality.tables import flat_types

VIEW = {"name": "V", "level": "rows", "description": "All rows.", "sql": "SELECT 1"}
RULE = {
    "id": "sex_domain",
    "view": "V",
    "expectation": "expect_column_values_to_be_in_set",
    "arguments": {"column": "SEX", "value_set": [1, 2], "mostly": 0.99},
    "severity": "critical",
    "description": "Sex is 1 or 2.",
    "problem": "Sex is unknown",
    "source": "dictionary",
    "where_to_look": "SEX",
}
DECLARED: dict[str, Any] = {"catalogue": "X", "product": None, "columns": [], "views": [VIEW], "rules": [RULE]}


def changed(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(DECLARED), "rules": [{**deepcopy(RULE), **changes}]}


def test_there_are_at_least_24_rules_over_dcir_and_mco() -> None:
    assert sum(len(load_catalogue(name).rules) for name in ("DCIR", "MCO")) >= 24


def test_rule_ids_are_unique_over_all_catalogues() -> None:
    ids = [rule.id for name in catalogue_names() for rule in load_catalogue(name).rules]
    assert len(ids) == len(set(ids))


def test_views_have_names_of_their_own_over_all_catalogues() -> None:
    views = [view.name for name in catalogue_names() for view in load_catalogue(name).views]
    assert len(views) == len(set(views))


@pytest.mark.parametrize("name", ["DCIR", "MCO"])
def test_every_column_that_rules_read_has_one_type_in_the_contracts(name: str) -> None:
    catalogue = load_catalogue(name)
    assert set(flat_types(name, catalogue.columns)) == set(catalogue.columns)


def test_a_column_that_no_contract_has_is_named() -> None:
    with pytest.raises(InputError, match="Quality rules read BEN_SEX, which has 0 types"):
        flat_types("DCIR", ["BEN_SEX"])


def test_a_warning_and_its_critical_sister_agree_on_which_is_stricter() -> None:
    for name in catalogue_names():
        rules = {rule.id: rule for rule in load_catalogue(name).rules}
        for high in (rule for rule in rules.values() if rule.id.endswith("_high")):
            sister = rules[high.id.removesuffix("_high")]
            assert (high.severity, sister.severity) == ("critical", "warning")
            assert high.arguments["max_value"] > sister.arguments["max_value"]


def test_committed_expectations_are_those_of_the_catalogue() -> None:
    folder = project_home() / "expectations"
    committed = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in [folder / "great_expectations.yml", *folder.glob("*/*.json")]
    }
    assert committed == expectation_files(), "run `python -m parcours.quality.suites` and commit expectations/"


def test_a_suite_that_the_catalogue_no_longer_has_is_removed(tmp_path: Any) -> None:
    write_expectations(tmp_path)
    (tmp_path / "suites" / "OLD.json").write_text("{}")
    write_expectations(tmp_path)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.json")) == sorted(
        name for name in expectation_files() if name.endswith(".json")
    )


def test_a_checkout_without_expectations_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cohorts").mkdir()
    monkeypatch.setenv("PARCOURS_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"holds no great_expectations\.yml; set PARCOURS_HOME"):
        context_root()


def test_a_sound_catalogue_is_read() -> None:
    catalogue = parse_catalogue(DECLARED, "X.yaml")
    assert catalogue.rules[0].unit == "row(s)"
    assert [view.name for view in catalogue.checked_views()] == ["V"]


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (changed(severity="fatal"), "X.yaml: rule sex_domain has severity fatal; allowed are critical and warning."),
        (changed(view="W"), "X.yaml: rule sex_domain is on view W, which is not among ['V']."),
        (changed(id="Sex domain"), "X.yaml: rule Sex domain: an id is lower-case letters, digits and underscores."),
        (changed(hint="?"), "X.yaml: rule sex_domain has an unknown setting hint; mend its spelling."),
        (changed(arguments={"value_set": [1]}), "X.yaml: rule sex_domain names no column in its arguments."),
        (
            changed(arguments={"column": "SEX", "min_value": 1}),
            "X.yaml: rule sex_domain: expect_column_values_to_be_in_set takes no min_value.",
        ),
        (
            changed(arguments={"column": "SEX"}),
            "X.yaml: rule sex_domain: expect_column_values_to_be_in_set needs value_set.",
        ),
        (
            changed(arguments={"column": "SEX", "value_set": [1], "mostly": 99}),
            "X.yaml: rule sex_domain: mostly is 99; it is a share above 0 and up to 1.",
        ),
        (
            {**DECLARED, "rules": [RULE, RULE]},
            "X.yaml: two rules are called sex_domain; give each rule an id of its own.",
        ),
        (
            {**DECLARED, "views": [{**VIEW, "level": "deep"}]},
            "X.yaml: view V has level deep; allowed are rows, counts, profile.",
        ),
        ({**DECLARED, "views": [{"name": "V"}]}, "X.yaml: view V lacks description, level, sql."),
        (
            {**DECLARED, "rules": [{k: v for k, v in RULE.items() if k != "where_to_look"}]},
            "X.yaml: rule sex_domain lacks where_to_look.",
        ),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_one_sentence(declared: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_catalogue(declared, "X.yaml")
    assert str(raised.value) == sentence


def test_an_expectation_outside_the_list_is_refused() -> None:
    with pytest.raises(InputError, match="uses expect_column_mean_to_be_between; allowed are"):
        parse_catalogue(changed(expectation="expect_column_mean_to_be_between"), "X.yaml")


def test_the_reference_page_is_that_of_the_catalogue() -> None:
    page = (project_home() / PAGE).read_text("utf-8")
    assert page == rules_page(), "run `python -m parcours.quality.reference` and commit the page"
