"""What was planted in 1,000 synthetic persons is recovered: every purchase and every fracture, no other."""

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.cohort.definitions import load_definition
from parcours.cohort.outcomes import outcomes_of
from parcours.cohort.study import Outcomes
from parcours.home import project_home
from parcours.stages.all_events import extract_events
from parcours.stages.flatten import run_flatten
from parcours.storage.manifest import committed_periods
from parcours.storage.publication import publish
from parcours.storage.root import open_root
from parcours.synth import dcir
from parcours.synth.block import draw_block
from parcours.synth.claims import INFORMATION, PHA
from parcours.synth.days import calendar
from parcours.synth.delivery import write_delivery
from parcours.synth.facts import codes, irregularity_rates, prior, rows
from parcours.synth.items import items
from parcours.synth.settings import SynthSettings

pytestmark = pytest.mark.spark
# What is taken back and lines for information stay; nothing else is spoiled.
KEPT = ("cancellation", "cancellation_later", "cancellation_replaced", "information_line")
SETTINGS = SynthSettings(
    persons=1000, seed=12, irregularities={name: 0.0 for name in irregularity_rates() if name not in KEPT}
)
EPOCH = date(1970, 1, 1)
BONES = {row["code"] for row in rows("fractures.csv")}
REMOVALS = set(codes()["material_removal_acts"])
CATEGORIES = (
    *("drug_purchase", "dcir_ccam_act", "mco_hospital_stay", "mco_main_diagnosis", "mco_linked_diagnosis"),
    *("mco_associated_diagnosis", "mco_ccam_act"),
)


@pytest.fixture(scope="module")
def planted():
    """The one block of the delivery, before any of it became text."""
    span = calendar(SETTINGS.years, int(prior("flux.months_after")))
    return draw_block(SETTINGS, span, 0, SETTINGS.persons)


@pytest.fixture(scope="module")
def events(spark, tmp_path_factory):
    """{category: its events}, with the PSA in place of person_id, through flattening."""
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        # A second pack of a line is drawn while it is written: no plan tells of it.
        patch.setattr(dcir, "prior", lambda name: 0.0 if name == "lines.pha_two_rows_share" else prior(name))
        write_delivery(SETTINGS, folder / "delivery")
    root = open_root(folder / "root")
    run_flatten(folder / "delivery", str(root.path))
    for product in ("DCIR", "MCO", "IR_BEN_R", "IR_PHA_R"):
        states = {period: manifest["fingerprint"] for period, manifest in committed_periods(root, product).items()}
        publish(root, product, root.path / "verdict.json", states)
    extract_events(str(root.path), CATEGORIES)
    identity = pq.read_table(root.identity / "identity.parquet").to_pydict()
    names = dict(zip(identity["person_id"], identity["psa"], strict=True))
    tables = {name: pq.read_table(root.path / "events" / name) for name in CATEGORIES}
    return tables, names


def day(number: int) -> date:
    return EPOCH + timedelta(int(number))


def test_every_purchase_is_found_and_no_other(planted, events):
    tables, names = events
    lines = planted.lines
    bought: Counter[tuple[str, date, str]] = Counter()
    for row in np.flatnonzero((items().kind[lines.item] == PHA) & (lines.status != INFORMATION)):
        key = (planted.people.psa_a[lines.person[row]], day(lines.day[row]), items().code[lines.item[row]])
        bought[key] += int(lines.quantity[row])
    found = tables["drug_purchase"].select(["person_id", "start", "code", "weight"]).to_pylist()
    assert {(names[row["person_id"]], row["start"], row["code"]): row["weight"] for row in found} == {
        key: boxes for key, boxes in bought.items() if boxes > 0
    }


def test_every_fracture_is_found_and_no_other(planted, events):
    tables, names = events
    folder = project_home() / "codelists"
    rules = ("hospital_stay", "liberal_act", "private_ambulatory_act")
    settings = Outcomes("fracture", rules, (), "site", 0, 1, "all")
    found = outcomes_of(pa.concat_tables(tables.values()), load_definition(folder, "fracture"), settings).to_pylist()
    in_stays = {(names[row["person_id"]], row["date"]) for row in found if row["category"] == "hospital_stay"}
    by_acts = {(names[row["person_id"]], row["date"]) for row in found if row["category"] != "hospital_stay"}
    fractures, people = planted.fractures, planted.people
    outside = np.flatnonzero(fractures.outpatient)
    assert by_acts == {(people.psa_a[fractures.person[n]], day(fractures.day[n])) for n in outside}
    stays = [(psa, when) for psa, when, code, acts in _stays(planted) if code in BONES and not acts & REMOVALS]
    assert in_stays == set(stays)


def test_every_stay_is_found_and_no_other(planted, events):
    tables, names = events
    found = tables["mco_main_diagnosis"].select(["person_id", "start", "code"]).to_pylist()
    assert Counter((names[row["person_id"]], row["start"], row["code"]) for row in found) == Counter(
        dict.fromkeys(((psa, when, code) for psa, when, code, _ in _stays(planted)), 1)
    )


def _stays(planted):
    """(PSA, first day, main diagnosis, acts) of each stay that ended in a year of the delivery."""
    stays, people = planted.stays, planted.people
    for n in range(len(stays)):
        if day(stays.entry[n] + stays.nights[n]).year <= SETTINGS.years[1]:
            acts = {stays.act_1[n], stays.act_2[n]}
            yield people.psa_a[stays.person[n]], day(stays.entry[n]), stays.diagnosis[n], acts
