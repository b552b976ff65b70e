"""The stages of a study that looks at purchases and outcomes before it follows anybody."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_root import BISOPROLOL, FILLERS, FIRST_FILLER, ZOLPIDEM, build_root, filled, person, purchase, stay

from parcours.cohort.plan import write_run
from parcours.cohort.study import load_study
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events

STUDY = load_study(Path(__file__).parents[3] / "cohorts" / "fall.yaml")
# Who buys on these days is not lost track of, by 24 months without a purchase.
LATER = ("2016-06-01", "2017-06-01")
KEPT = range(FIRST_FILLER, FIRST_FILLER + FILLERS)
CLAIMS = [
    # Two lines of one statement.
    purchase(1, "2014-10-01", ZOLPIDEM, 1),
    purchase(1, "2014-10-01", BISOPROLOL, 1, PRS_ORD_NUM=2),
    *(purchase(number, day, ZOLPIDEM, 10 + n) for number in (1, 3) for n, day in enumerate(LATER)),
    purchase(3, "2014-10-01", ZOLPIDEM, 3),
    purchase(4, "2014-10-01", ZOLPIDEM, 4),
    purchase(4, "2015-11-01", ZOLPIDEM, 5),
    *(purchase(number, day, ZOLPIDEM, 20 + n) for number in KEPT for n, day in enumerate(("2014-09-01", *LATER))),
]
STAYS = [
    *stay(1, "2016-03-01", 1, "S720"),
    *stay(2, "2016-03-01", 2, "S720"),
    *stay(3, "2015-01-10", 3, "S720"),
    *stay(3, "2016-03-01", 4, "S720"),
    *stay(4, "2015-12-01", 5, "S720"),
]
PACKS = [{"PHA_CIP_C13": BISOPROLOL, "PHA_ATC_C07": "C07AB07"}, {"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02"}]
TABLES = {
    "DCIR": {"2015-06": CLAIMS},
    "MCO": {"2015": STAYS},
    "IR_BEN_R": {"all": [person(number, "1930") for number in range(1, 5)]},
    "IR_PHA_R": {"all": PACKS},
}
OBSERVED = {
    "incomplete_data": "accept",
    "observation_from": "first_purchase",
    "trackloss_months": 24,
    "prior_outcome": "drop",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return build_root(tmp_path_factory.mktemp("root"), filled(TABLES))


def made(root, changes):
    """The folder of the cohort and that of the features."""
    path = write_run(root, STUDY, {**OBSERVED, **changes})
    run_events(path)
    return Path(run_cohort(path)["directory"]), Path(run_features(path)["directory"])


def rows_of(folder, name, *columns):
    """The rows of the persons that are not there to fill the study."""
    rows = [row for row in pq.read_table(folder / f"{name}.parquet").to_pylist() if row["person_id"] < FIRST_FILLER]
    return {tuple(str(row[column]) for column in columns) for row in rows}


def test_who_is_followed_depends_on_purchases_and_outcomes(root):
    cohort, features = made(root, {"level": "prescription"})
    assert rows_of(cohort, "follow_up", "person_id", "start", "end", "end_reason") == {
        ("1", "2015-10-01", "2017-12-31", "study_end"),
        ("4", "2015-10-01", "2016-01-01", "trackloss"),
    }
    chain = json.loads((cohort / "attrition.json").read_text("utf-8"))
    lost = {step["step"]: step["lost"] for step in chain[-6:]}
    assert lost == {"purchase": 1, "begins": 0, "alive": 0, "tracked": 0, "prior_outcome": 1, "cases": 0}
    assert rows_of(cohort, "exposures", "person_id", "drug", "start", "end") == {
        ("1", "C07AB07_N05CF02", "2014-10-01", "2017-12-31"),
        ("1", "N05CF02", "2016-06-01", "2017-12-31"),
        ("4", "N05CF02", "2014-10-01", "2016-01-01"),
    }
    # The effect of the first purchase is over when follow-up starts.
    drugs = json.loads((features / "summary.json").read_text("utf-8"))["drugs"]
    assert drugs == {"C07AB07_N05CF02": {"exposed_cases": 0}, "N05CF02": {"exposed_cases": 1}}


def test_medicines_at_once_reach_the_design(root):
    cohort, features = made(root, {"interaction_level": 2})
    assert rows_of(cohort, "exposures", "person_id", "drug", "start") == {
        ("1", "C07AB07_N05CF02", "2014-10-01"),
        ("4", "N05CF02", "2014-10-01"),
    }
    assert rows_of(features, "exposures", "person_id", "drug") == {("1", "C07AB07_N05CF02"), ("4", "N05CF02")}
