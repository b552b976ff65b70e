"""The gate on real Spark and real Great Expectations: clean data pass, every planted fault is counted and named."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from planted_faults import BATCHES, Fault
from quality_roots import SECRET_PSA, clean_tables, write_root

from parcours.errors import GateRefused, InputError, ParcoursError, RetryableFault
from parcours.quality.catalogue import load_catalogue
from parcours.quality.gate import check_root
from parcours.storage.commit import exclusive_writer
from parcours.storage.publication import published_periods
from parcours.storage.root import Root

pytestmark = pytest.mark.spark

CATALOGUES = [load_catalogue(name) for name in ("DCIR", "MCO", "RECONCILIATION")]
RULES = {rule.id: rule for catalogue in CATALOGUES for rule in catalogue.rules}
FAULTS = [(batch, fault) for batch, faults in BATCHES.items() for fault in faults]


def no_session() -> Any:
    raise AssertionError("a Spark session was started although nothing had to be computed")


@pytest.fixture(scope="module")
def clean(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Root:
    root = write_root(tmp_path_factory.mktemp("clean"), clean_tables())
    check_root(lambda: spark, root, None, "manual__2026-11-24T03:00:00+00:00")
    return root


@pytest.fixture(scope="module")
def refused(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Per batch of planted faults: the root, the verdict on disk, and the sentence of the refusal."""
    found = {}
    for batch, faults in BATCHES.items():
        tables = clean_tables()
        for fault in faults:
            fault.plant(tables, fault.period)
        tables.flat["DCIR"]["2015-01"]["ORG_CLE_NUM"] = [
            SECRET_PSA if value else value for value in tables.flat["DCIR"]["2015-01"]["ORG_CLE_NUM"]
        ]
        root = write_root(tmp_path_factory.mktemp(batch), tables)
        with pytest.raises(GateRefused) as refusal:
            check_root(lambda: spark, root, None, "planted")
        verdict = json.loads((root.quality("planted") / "verdict.json").read_text())
        found[batch] = {"root": root, "verdict": verdict, "refusal": str(refusal.value)}
    return found


def test_clean_data_pass_every_rule_and_are_published(clean: Root) -> None:
    folder = clean.quality("manual__2026-11-24T03:00:00+00:00")
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["passed"]
    assert [rule["id"] for rule in verdict["rules"] if not rule["success"]] == []
    assert {rule["id"] for rule in verdict["rules"]} == set(RULES)
    assert Path(verdict["data_docs"]) == folder / "data_docs" / "index.html"
    assert len(published_periods(clean, "DCIR")) == 14
    assert set(published_periods(clean, "MCO")) == {"2014", "2015"}


def test_every_row_is_looked_at(clean: Root) -> None:
    folder = clean.quality("manual__2026-11-24T03:00:00+00:00")
    looked_at = {r["id"]: r["element_count"] for r in json.loads((folder / "verdict.json").read_text())["rules"]}
    assert looked_at["dcir_sex_domain"] == 14 * 121
    assert looked_at["mco_main_diagnosis"] == 2 * 720
    assert looked_at["mco_act"] == 2 * 1440


def test_the_same_data_under_the_same_name_are_not_checked_again(clean: Root) -> None:
    again = check_root(no_session, clean, None, "manual__2026-11-24T03:00:00+00:00")
    assert again["status"] == "reused"
    assert again["passed"]


def test_every_rule_has_a_violating_example() -> None:
    assert sorted(fault.rule for _, fault in FAULTS) == sorted(RULES)


@pytest.mark.parametrize(("batch", "fault"), FAULTS, ids=[fault.rule for _, fault in FAULTS])
def test_a_planted_fault_is_counted_where_it_is(batch: str, fault: Fault, refused: dict[str, dict[str, Any]]) -> None:
    record = next(rule for rule in refused[batch]["verdict"]["rules"] if rule["id"] == fault.rule)
    assert not record["success"]
    # Reconciliation names product and period, the rules of a product the period alone.
    places = {place.split()[-1]: rows for place, rows in record["periods"].items()}
    assert places[fault.period.split()[-1]] == fault.rows
    stops = f"(rule {fault.rule}, critical)" in refused[batch]["refusal"]
    assert stops == (RULES[fault.rule].severity == "critical")


@pytest.mark.parametrize("batch", BATCHES)
def test_rules_without_a_planted_fault_pass(batch: str, refused: dict[str, dict[str, Any]]) -> None:
    failed = {rule["id"] for rule in refused[batch]["verdict"]["rules"] if not rule["success"]}
    assert failed == {name for fault in BATCHES[batch] for name in (fault.rule, *fault.also)}


def test_a_refusal_says_which_rule_that_few_rows_fail_and_where_to_look(refused: dict[str, dict[str, Any]]) -> None:
    root = refused["scattered"]["root"].path
    assert (
        f"DCIR key is not unique: fewer than 11 rows in 2015-02 (rule dcir_key_unique, critical). Look at rows with"
        f" claim_row = 1 and equal key in {root}/flat/DCIR/period=2015-02; often a file delivered twice."
    ) in refused["scattered"]["refusal"]


@pytest.mark.parametrize("batch", BATCHES)
def test_nothing_is_published_after_a_refusal(batch: str, refused: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="has not passed the gate"):
        published_periods(refused[batch]["root"], "DCIR")


@pytest.mark.parametrize("batch", BATCHES)
def test_no_value_of_a_row_reaches_a_report(batch: str, refused: dict[str, dict[str, Any]]) -> None:
    folder = refused[batch]["root"].quality("planted")
    pages = [path for path in folder.rglob("*") if path.suffix in (".html", ".json")]
    assert any(path.name == "index.html" for path in pages)
    for path in pages:
        text = path.read_text("utf-8")
        # Pseudonyms, the value planted in a key column, codes planted in rows: none of them is a rule's argument.
        for value in (SECRET_PSA, "PSA00000000", "MBEB001", "S72.0", "50000001", "3400930000"):
            assert value not in text, path


def rows_of(page: Path) -> dict[str, tuple[str, str]]:
    """By rule, its result and what was found, as the page's tables say them."""
    rows = re.findall(r'<tr class="(\w+)">.*?<small>(\w+)</small></td><td class=found>([^<]*)', page.read_text("utf-8"))
    return {rule: (result, found) for result, rule, found in rows}


def test_data_docs_tell_of_each_rule_what_was_found(refused: dict[str, dict[str, Any]]) -> None:
    for batch, planted in refused.items():
        told = rows_of(planted["root"].quality("planted") / "data_docs" / "index.html")
        for rule in planted["verdict"]["rules"]:
            state = "passed" if rule["success"] else "failed" if rule["severity"] == "critical" else "warned"
            assert told[rule["id"]] == (state, rule["found"]), batch


def test_the_page_of_a_table_tells_its_rules_and_the_periods_that_fail(refused: dict[str, dict[str, Any]]) -> None:
    docs = refused["scattered"]["root"].quality("planted") / "data_docs"
    (page,) = docs.glob("validations/MCO_stays/planted/*/*.html")
    assert rows_of(page)["mco_main_diagnosis"] == ("failed", "20 rows")
    text = page.read_text("utf-8")
    assert "20 rows<small>in 2015</small>" in text
    assert "MCO_B__SEJ_NBJ lies between 0 and 3660, in at least 99.9 % of them" in text
    assert (page.parent / re.findall(r'href="([^"]+index.html)"', text)[0]).resolve() == docs / "index.html"


def test_data_docs_of_made_up_persons_say_so_on_every_page(spark: Any, tmp_path: Path) -> None:
    root = write_root(tmp_path, clean_tables())
    manifest = root.period("MCO", "2014") / "_MANIFEST.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "config": {"synthetic": True}}))
    check_root(lambda: spark, root, ["MCO"], "made-up")
    pages = list((root.quality("made-up") / "data_docs").rglob("*.html"))
    assert len(pages) > 5 and all("<p class=synthetic>SYNTHETIC DATA: " in page.read_text("utf-8") for page in pages)


def test_data_docs_name_no_other_site(refused: dict[str, dict[str, Any]]) -> None:
    docs = refused["scattered"]["root"].quality("planted") / "data_docs"
    assert {path.suffix for path in docs.rglob("*") if path.is_file()} == {".html"}
    for page in docs.rglob("*.html"):
        assert "//" not in page.read_text("utf-8"), page


def test_a_page_that_cannot_be_drawn_is_a_fault_and_no_verdict(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcours.quality.data_docs.TablePage.render", lambda self, result: 1 / 0)
    root = write_root(tmp_path, clean_tables())
    with pytest.raises(ParcoursError, match="could not draw all pages of Data Docs"):
        check_root(lambda: spark, root, ["MCO"], "undrawn")
    assert not (root.quality("undrawn") / "verdict.json").exists()


def test_a_second_check_of_the_same_run_is_told_to_wait(clean: Root) -> None:
    with exclusive_writer(clean, clean.quality("busy")), pytest.raises(RetryableFault, match="run again"):
        check_root(no_session, clean, None, "busy")


def test_a_refused_verdict_is_reused_and_refuses_again(refused: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(GateRefused, match="dcir_key_unique"):
        check_root(no_session, refused["scattered"]["root"], None, "planted")


def test_a_product_that_was_never_flattened_is_named(clean: Root) -> None:
    with pytest.raises(InputError, match="IR_BEN_R has not been flattened"):
        check_root(no_session, clean, ["IR_BEN_R"], "x")


def test_a_run_name_that_is_a_path_is_refused(clean: Root) -> None:
    with pytest.raises(InputError, match="cannot be a folder name"):
        check_root(no_session, clean, None, "../elsewhere")
