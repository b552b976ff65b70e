"""Events of any category on demand: made once of what is published, and again when what they are made of changes."""

from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.cohort.steps import event_steps
from parcours.engine.results import files_in
from parcours.errors import InputError
from parcours.events.extractors import extractors
from parcours.snds.identity import build_identity
from parcours.snds.person_columns import PersonColumns
from parcours.stages.all_events import extract_events
from parcours.storage.manifest import write_json
from parcours.storage.publication import publish
from parcours.storage.root import Root, ensure_layout

PSA = PersonColumns("BEN_NIR_PSA", "BEN_RNG_GEM")
EVERYTHING = {
    name: {"all": f"{name} as it is"}
    for name in ("DCIR", "MCO", "IR_PHA_R", "IR_BEN_R", "IR_IMB_R", "KI_CCI_R", "KI_ECD_R")
}


def published(root: Root, product: str, rows: pa.Table, state: str) -> None:
    """A flat reference that passed the gate."""
    period = root.period(product, "all")
    period.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, period / "0.parquet")
    write_json(period / "_MANIFEST.json", {"fingerprint": state, "files": [{"path": "0.parquet"}]})
    publish(root, product, root.path / "verdict.json", {"all": state})


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root with two persons, of whom one has a long-term disease."""
    root = Root(tmp_path / "root")
    ensure_layout(root)
    persons = pa.table({"BEN_NIR_PSA": ["a", "b"], "BEN_RNG_GEM": [1, 1], "BEN_IDT_ANO": ["IDT1", "IDT2"]})
    mapping = build_identity({"IR_BEN_R": [persons]}, PSA, root.identity).mapping
    write_json(root.identity / "_MANIFEST.json", {"mapping": mapping, "columns": asdict(PSA)})
    published(root, "IR_BEN_R", persons, "first")
    published(root, "IR_IMB_R", diseases("E11"), "first")
    return root


def diseases(code: str) -> pa.Table:
    begin = pa.array(["2010-01-01"]).cast(pa.date32())
    return pa.table({"BEN_NIR_PSA": ["a"], "BEN_RNG_GEM": [1], "MED_MTF_COD": [code], "IMB_ALD_DTD": begin})


def codes(root: Root) -> list[str]:
    """Codes of the state that was made last."""
    latest = max((root.path / "events" / "imb_diagnosis").iterdir(), key=lambda path: path.stat().st_mtime)
    files = files_in(latest)
    return [row["code"] for some in files.values() for file in some for row in pq.read_table(file).to_pylist()]


def test_all_categories_whose_products_are_published_are_made_once(root):
    first = extract_events(str(root.path))
    assert first["computed"] == ["imb_diagnosis"]
    assert codes(root) == ["E11"]
    assert {"DCIR", "MCO", "KI_CCI_R"} <= {*first["not_delivered"]}
    again = extract_events(str(root.path), ["imb_diagnosis"])
    assert (again["status"], again["computed"]) == ("reused", [])
    assert (again["rows"], again["events"]) == (first["rows"], first["events"])


def test_a_new_state_of_the_reference_is_read_again(root):
    extract_events(str(root.path))
    published(root, "IR_IMB_R", diseases("G20"), "second")
    extract_events(str(root.path))
    assert codes(root) == ["G20"]


def test_what_is_asked_for_must_be_there(root):
    with pytest.raises(InputError, match="fracture is no category of events"):
        extract_events(str(root.path), ["fracture"])
    with pytest.raises(InputError, match="dcir_ngap_act is of DCIR, not published"):
        extract_events(str(root.path), ["dcir_ngap_act"])
    with pytest.raises(InputError, match="Nothing that events are made of is published"):
        extract_events(str(root.path / "elsewhere"))


@pytest.mark.parametrize(
    ("changed", "made_again"),
    [
        ("identity", {"imb_diagnosis", "initial_cause_of_death", "cause_of_death"}),
        ("IR_BEN_R", {"initial_cause_of_death", "cause_of_death"}),
        ("IR_IMB_R", {"imb_diagnosis"}),
        ("IR_PHA_R", {"drug_purchase", "prescribed_purchase", "molecule_purchase"}),
        ("MCO", {name for name, one in extractors().items() if one.product == "MCO"}),
    ],
)
def test_a_step_is_made_of_what_it_reads_and_no_more(changed, made_again):
    wanted = [name for name, one in extractors().items() if one.product in EVERYTHING]
    data = {**EVERYTHING, **({changed: {"all": "changed"}} if changed in EVERYTHING else {})}
    before = event_steps(wanted, EVERYTHING, "identity", {})
    after = event_steps(wanted, data, "another" if changed == "identity" else "identity", {})
    assert {name for name in wanted if before[name].fingerprint != after[name].fingerprint} == made_again
