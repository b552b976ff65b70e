"""A delivery in which nobody has died: what is counted on the rows of deaths is counted all the same."""

from pathlib import Path

from small_root import FILLERS, ZOLPIDEM, build_root, filled, person, purchase, stay

from parcours.cohort.plan import write_run
from parcours.cohort.study import load_study
from parcours.stages.events import run_events

HOME = Path(__file__).parents[3]


def test_events_of_a_delivery_without_any_death_are_counted(tmp_path):
    tables = {
        "DCIR": {"2015-06": [purchase(1, "2015-06-01", ZOLPIDEM, 1)]},
        "MCO": {"2015": stay(1, "2015-09-01", 1, "S720")},
        "IR_BEN_R": {"all": [person(1, "1930")]},
        "IR_PHA_R": {"all": [{"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02"}]},
    }
    root = build_root(tmp_path / "root", filled(tables))
    events = run_events(write_run(root, load_study(HOME / "cohorts" / "fall.yaml"), {"incomplete_data": "accept"}))
    assert events["rows"]["persons"] == {"read": 1 + FILLERS}
    assert events["deaths"] == {"told": {}, "not_credible": {}, "by_source": {}, "disagree": 0, "certificates": {}}
