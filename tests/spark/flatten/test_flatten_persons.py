"""Persons over several deliveries into one root: which referentials count, and which periods must be given again."""

import gzip
import hashlib

import duckdb
import pytest
import yaml

from parcours.errors import InputError
from parcours.flatten.persons import count_persons, planned_owners
from parcours.flatten.run import flatten
from parcours.flatten.scan import scan_and_keep, scan_delivery
from parcours.flatten.selection import Selection
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery
from parcours.stages.flatten import plan_flatten
from parcours.storage.manifest import read_manifest
from parcours.storage.root import open_root

pytestmark = pytest.mark.spark
REF = "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ;BEN_DCD_DTE\n"
ANNE = "ANNE;1;ID-A;2015-01-01;\n"
PSAS = ("ANNE", "BOB", "TWIN")


def deliver(folder, person=None, column="NIR_ANO_17", **references):
    """Three stays of 2016, and the referentials given: IR_BEN_R="lines", IR_BEN_R_ARC="lines"."""
    folder.mkdir(exist_ok=True)
    stays = {
        "MCO_B": "ETA_NUM;RSA_NUM\n" + "".join(f"1;{n}\n" for n, _ in enumerate(PSAS)),
        "MCO_C": f"ETA_NUM;RSA_NUM;{column}\n" + "".join(f"1;{n};{psa}\n" for n, psa in enumerate(PSAS)),
        "MCO_D": "ETA_NUM;RSA_NUM;ASS_DGN\n",
    }
    for name, text in {**stays, **references}.items():
        (folder / f"{name}.csv").write_text(text)
    tables = {
        name: {"files": f"{name}.csv", **({"year": 2016} if name in stays else {})} for name in stays | references
    }
    settings = {"name": folder.name, "tables": tables, **({"person": person} if person else {})}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.fixture
def root(tmp_path):
    return open_root(str(tmp_path / "root"))


def run_once(spark, folder, root, *products):
    return flatten(spark, load_delivery(folder), root, Selection(list(products) or None), lambda *_: None)["products"]


def planned(folder, root):
    return {entry["product"]: entry["status"] for entry in plan_flatten(folder, str(root.path))}


def owners(root):
    """PSA -> person_id of its stay."""
    files = [str(path) for path in root.period("MCO", "2016").glob("*.parquet")]
    found = duckdb.read_parquet(files, union_by_name=True)
    columns = [name for name in ("NIR_ANO_17", "NUM_ENQ") if name in found.columns]
    return dict(
        found.query("found", f"SELECT DISTINCT coalesce({', '.join(columns)}), person_id FROM found").fetchall()
    )


def person(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big") >> 1


def test_what_is_computed_for_persons_is_said_to_be_done(spark, tmp_path, root):
    folder = deliver(tmp_path / "d", IR_BEN_R=REF + ANNE)
    assert run_once(spark, folder, root) == {"IR_BEN_R": {"all": "done"}, "MCO": {"2016": "done"}}
    assert run_once(spark, folder, root) == {"IR_BEN_R": {"all": "reused"}, "MCO": {"2016": "reused"}}
    deliver(folder, IR_BEN_R=REF + ANNE + "BOB;1;ID-B;2015-01-01;\n")
    assert run_once(spark, folder, root, "MCO") == {"IR_BEN_R": {"all": "done"}, "MCO": {"2016": "done"}}


def test_new_facts_about_the_same_persons_leave_the_periods_valid(spark, tmp_path, root):
    folder = deliver(tmp_path / "d", IR_BEN_R=REF + ANNE + "BOB;1;ID-B;2015-01-01;\n")
    run_once(spark, folder, root)
    before = read_manifest(root.period("MCO", "2016"))
    # Bob died, Anne's row is of another day, and the file is in another order.
    deliver(folder, IR_BEN_R=REF + "BOB;1;ID-B;2016-01-01;2016-02-03\nANNE;1;ID-A;2016-01-01;\n")
    assert planned(folder, root) == {"IR_BEN_R": "replace", "MCO": "reuse"}
    assert run_once(spark, folder, root) == {"IR_BEN_R": {"all": "done"}, "MCO": {"2016": "reused"}}
    assert planned(folder, root) == {"IR_BEN_R": "reuse", "MCO": "reuse"}
    assert read_manifest(root.period("MCO", "2016")) == before
    # Bob is another person now.
    deliver(folder, IR_BEN_R=REF + ANNE + "BOB;1;ID-X;2016-01-01;\n")
    assert planned(folder, root) == {"IR_BEN_R": "replace", "MCO": "replace"}
    assert run_once(spark, folder, root) == {"IR_BEN_R": {"all": "done"}, "MCO": {"2016": "done"}}
    assert owners(root) == {"ANNE": person("ID-A"), "BOB": person("ID-X"), "TWIN": person("TWIN|1")}


def test_a_refreshed_referential_touches_only_the_periods_of_persons_who_changed(spark, tmp_path, root):
    """Each step adds or changes persons; stays of 2016 are of Anne, Bob and Twin, rows find them by PSA alone."""
    steps = [
        ("Anne is known", ANNE, "compute"),
        ("Carl is new and has no stay", ANNE + "CARL;1;ID-C;2015-01-01;\n", "reuse"),
        ("Carl was somebody else", ANNE + "CARL;1;ID-D;2016-01-01;\n", "reuse"),
        ("a twin of Carl", ANNE + "CARL;1;ID-D;2016-01-01;\nCARL;2;ID-E;2016-01-01;\n", "reuse"),
        ("Carl is forgotten, as he was at first", ANNE, "reuse"),
        ("Bob is known, who had a stay before", ANNE + "BOB;1;ID-B;2016-01-01;\n", "replace"),
        ("Carl again", ANNE + "BOB;1;ID-B;2016-01-01;\nCARL;1;ID-C;2015-01-01;\n", "reuse"),
        ("a twin of Bob", ANNE + "BOB;1;ID-B;2016-01-01;\nBOB;2;ID-F;2016-01-01;\n", "replace"),
        ("the twin is gone", ANNE + "BOB;1;ID-B;2016-01-01;\n", "replace"),
    ]
    for number, (what, lines, status) in enumerate(steps):
        folder = deliver(tmp_path / str(number), IR_BEN_R=REF + lines)
        fresh = open_root(str(tmp_path / f"root-{number}"))
        assert planned(folder, root)["MCO"] == status, what
        done = run_once(spark, folder, root)["MCO"]
        assert done == {"2016": "reused" if status == "reuse" else "done"}, what
        assert planned(folder, root)["MCO"] == "reuse", what
        run_once(spark, folder, fresh)
        assert owners(root) == owners(fresh), what


def test_a_delivery_of_one_referential_uses_the_other_one_of_the_root(spark, tmp_path, root):
    twins = {"IR_BEN_R": REF + ANNE + "TWIN;1;ID-T;2015-01-01;\n", "IR_BEN_R_ARC": REF + "TWIN;2;ID-U;2012-01-01;\n"}
    archive = deliver(tmp_path / "archive", IR_BEN_R_ARC=twins["IR_BEN_R_ARC"])
    assert run_once(spark, archive, root)["IR_BEN_R_ARC"] == {"all": "done"}
    assert owners(root) == {"ANNE": person("ANNE|1"), "BOB": person("BOB|1"), "TWIN": person("ID-U")}
    current = deliver(tmp_path / "current", IR_BEN_R=twins["IR_BEN_R"])
    assert planned(current, root) == {"IR_BEN_R": "compute", "MCO": "replace"}
    run_once(spark, current, root)
    assert owners(root) == {"ANNE": person("ID-A"), "BOB": person("BOB|1"), "TWIN": None}
    # A delivery of stays alone, and one of both referentials at once: the same persons.
    for name, given in (("none", {}), ("both", twins)):
        assert planned(deliver(tmp_path / name, **given), root)["MCO"] == "reuse"
    manifest = read_manifest(root.identity)
    assert {name: manifest[name] for name in ("rows", "couples", "persons", "archived", "merged", "ambiguous")} == {
        "rows": 3, "couples": 3, "persons": 3, "archived": 1, "merged": 0, "ambiguous": 2,
    }  # fmt: skip


def test_the_plan_knows_the_persons_that_flattening_will_find(spark, tmp_path, root):
    folder = deliver(
        tmp_path / "d",
        IR_BEN_R=REF + ANNE + '"TWIN";1;"ID;T";2015-01-01;\nBOB;one;ID-B;2015-01-01;\nBOB;1;ID-C;2015-01-01;never\n',
        IR_BEN_R_ARC="",
    )
    (folder / "IR_BEN_R_ARC.csv").unlink()
    (folder / "arc.csv.gz").write_bytes(gzip.compress((REF + "TWIN;2;ID-U;2012-01-01;\nANNE;1;OLD;;\n").encode()))
    declared = yaml.safe_load((folder / "delivery.yaml").read_text())
    declared["tables"]["IR_BEN_R_ARC"] = {"files": "arc.csv.gz"}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(declared))
    delivery = load_delivery(folder)
    products = [load_product(name) for name in ("IR_BEN_R", "IR_BEN_R_ARC", "MCO")]
    scans = scan_delivery(root, delivery, products, lambda todo: [scan_and_keep(one) for one in todo])
    before = sorted(path for path in root.path.rglob("*") if path.is_file())
    foreseen = planned_owners(root, delivery, scans, 8).mapping
    assert sorted(path for path in root.path.rglob("*") if path.is_file()) == before
    run_once(spark, folder, root)
    assert read_manifest(root.identity)["mapping"] == foreseen
    assert planned_owners(root, delivery, scans, 8).mapping == foreseen
    # Two rows of Bob cannot be read: he is not in the referential.
    assert owners(root) == {"ANNE": person("ID-A"), "BOB": person("BOB|1"), "TWIN": None}


def test_a_project_extraction_with_its_referential(spark, tmp_path, root, caplog):
    """ANNE and BOB are pseudonyms of one person, TWIN is one of two."""
    lines = "NUM_ENQ;BEN_IDT_ANO;BEN_DTE_MAJ\nANNE;ID-A;2015-01-01\nBOB;ID-A;2015-01-01\n;ID-Z;\n"
    twins = "TWIN;ID-T;2015-01-01\nTWIN;ID-U;2015-01-01\n"
    folder = deliver(tmp_path / "d", {"column": "NUM_ENQ"}, "NUM_ENQ", IR_BEN_R=lines + twins)
    run_once(spark, folder, root)
    assert owners(root) == {"ANNE": person("ID-A"), "BOB": person("ID-A"), "TWIN": None}
    assert read_manifest(root.period("MCO", "2016"))["persons"] == {
        "known": 2, "by_psa": 0, "ambiguous": 1, "unknown": 0, "unidentified": 0,
    }  # fmt: skip
    # Its stays do not depend on who else is known.
    deliver(folder, {"column": "NUM_ENQ"}, "NUM_ENQ", IR_BEN_R=lines + twins + "CARL;ID-C;2015-01-01\n")
    assert planned(folder, root) == {"IR_BEN_R": "replace", "MCO": "reuse"}
    # Without the referential each pseudonym is a person.
    alone = deliver(tmp_path / "alone", {"column": "NUM_ENQ"}, "NUM_ENQ")
    other = open_root(str(tmp_path / "other"))
    with caplog.at_level("WARNING"):
        run_once(spark, alone, other)
    assert owners(other) == {psa: person(psa) for psa in PSAS}
    assert count_persons(other, ["MCO"]) == 3
    assert "fewer than 11 identifiers in MCO were taken for as many persons" in caplog.text


def test_a_correspondence_says_who_is_who_and_stays_name_persons_by_a_column_of_their_own(spark, tmp_path, root):
    form = {"MCO": {"column": "NUM_ENQ_PMSI"}, "default": {"column": "NUM_ENQ"}}
    told = "NUM_ENQ;NUM_ANO\nANNE;A\nBOB;A\nTWIN;B\nTWIN;C\n"
    folder = deliver(tmp_path / "d", form, "num_enq_pmsi", CORRESPONDANCE=told)
    assert run_once(spark, folder, root)["TABLE_CORRESPONDANCE"] == {"all": "done"}
    files = [str(path) for path in root.period("MCO", "2016").glob("*.parquet")]
    found = duckdb.read_parquet(files).project("NUM_ENQ_PMSI, person_id").distinct().fetchall()
    assert dict(found) == {"ANNE": person("A"), "BOB": person("A"), "TWIN": None}


def test_a_referential_without_the_column_of_the_person_is_refused(spark, tmp_path, root):
    folder = deliver(tmp_path / "d", {"column": "NUM_ENQ"}, "NUM_ENQ", IR_BEN_R=REF + ANNE)
    with pytest.raises(InputError, match="No row of IR_BEN_R has an identifier in column NUM_ENQ"):
        run_once(spark, folder, root)
