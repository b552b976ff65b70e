"""The run of a study on a root made by hand: one medicine doubles to triples the risk for 8 weeks, one does nothing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from parcours.cohort.plan import stage_key, step_directory
from parcours.cohort.planned_copies import codelist_checksums
from parcours.cohort.study import load_study, resolve
from parcours.quality.catalogue import catalogue_version
from parcours.quality.passed import features_state
from parcours.storage.manifest import read_manifest, write_manifest

HOME = Path(__file__).parents[3]
FIRST_DAY, LAST_DAY = 16436, 17531  # 2015-01-01 to 2017-12-31
CHANGES = {
    "washout_months": 5,  # with 28 weeks of lags within the gap of 12 months
    "lags": 7,
    "bucket_days": 28,
    "cv_folds": 2,
    "bootstrap": 20,
    "pre_exposure_days": 56,
    "season": False,
    "age_cuts_years": [75, 85],
    "tv_grid": [0.001],
    "group_grid": [0.0005],
}
# The steps that training and the report look at.
STEPS = {"medicines": "events", "flux_lags": "events", "population": "cohort", "exposures": "cohort"}
STEPS |= {"outcomes": "cohort", "features": "features", "model": "model"}


def cases(persons, seed):
    """Follow-up, one event a person and exposures; half of those who take RAISE fall within 8 weeks of its start."""
    rng = np.random.default_rng(seed)
    day = rng.integers(FIRST_DAY, LAST_DAY, persons)
    start = {drug: rng.integers(FIRST_DAY, LAST_DAY - 56, persons) for drug in ("RAISE01", "NOTHIN1", "RARE001")}
    takes = {
        "RAISE01": rng.random(persons) < 0.5,
        "NOTHIN1": rng.random(persons) < 0.5,
        "RARE001": np.arange(persons) < 5,
    }
    struck = takes["RAISE01"] & (rng.random(persons) < 0.3)
    day[struck] = start["RAISE01"][struck] + rng.integers(0, 56, struck.sum())
    exposures = pd.concat(
        pd.DataFrame({"person_id": np.flatnonzero(taken), "drug": drug, "start": start[drug][taken], "end": LAST_DAY})
        for drug, taken in takes.items()
    )
    birth = FIRST_DAY - rng.integers(65 * 365, 95 * 365, persons)
    people = pd.DataFrame({"person_id": range(persons), "start": FIRST_DAY, "end": LAST_DAY, "birth": birth})
    return people, pd.DataFrame({"person_id": range(persons), "day": day}), exposures


def old_enough(tables, study):
    """Of the cases those of the study's ages, in completed years at study start (birthdays are those of follow-up)."""
    people, *others = tables
    years = (FIRST_DAY - 365 - people["birth"]) // 365.25
    kept = people["person_id"][years >= study.population.age_minimum]
    return [table[table["person_id"].isin(kept)] for table in (people, *others)]


def make_run(root, persons=400, **changes):
    """run.json and the committed cohort and features of a study with this many cases, or those of its `age_minimum`."""
    study = resolve(load_study(HOME / "cohorts" / "fall.yaml"), CHANGES | changes)
    mark = f"{changes.get('age_minimum', 0):08x}{persons:08x}"
    run = {
        "cohort": "fall",
        "title": "Falls",
        "fingerprint": mark,
        "root": str(root),
        "study": study.as_dict(),
        "data": {"DCIR": {"2015-01": "aa"}, "MCO": {"2015": "bb"}},
        "codelists": codelist_checksums(HOME / "codelists"),
        "codelists_folder": str(HOME / "codelists"),
        "steps": [
            {"step": step, "stage": stage, "fingerprint": f"{step}-{mark}", "made_of": {"persons": f"{persons}"}}
            for step, stage in STEPS.items()
        ],
        "code_version": "test",
        "airflow": None,
    }
    folder = root / "studies" / "fall" / run["fingerprint"]
    people, events, exposures = cases(persons, seed=3)
    if "age_minimum" in changes:
        people, events, exposures = old_enough((people, events, exposures), study)
    features, cohort = folder / "features", folder / "cohort"
    for stage in (features, cohort):
        stage.mkdir(parents=True)
    for name, table in (("persons", people), ("events", events), ("exposures", exposures)):
        table.to_parquet(features / f"{name}.parquet", index=False)
    exposed = exposures.groupby("drug")["person_id"].nunique()
    drugs = {drug: {"exposed_cases": int(count)} for drug, count in exposed.items()}
    counts = {"cases": len(people), "events": len(events), "persons_followed": 5000}
    write(features / "summary.json", {**counts, "drugs": drugs})
    dates = pd.Timestamp("1970-01-01") + pd.to_timedelta(events["day"], unit="D")
    outcomes = pd.DataFrame({"person_id": events["person_id"], "date": dates, "site": "hip"})
    (cohort / "outcomes.parquet").mkdir()  # of all slices
    outcomes.to_parquet(cohort / "outcomes.parquet" / "0-0.parquet", index=False)
    steps = [("persons", "everybody", 5000, 0), ("cases", "cases", len(people), 5000 - len(people))]
    names = ("step", "description", "persons", "lost")
    write(cohort / "attrition.json", [dict(zip(names, step, strict=True)) for step in steps])
    write(cohort / "summary.json", {"missing_care": {"measured": True, "study": 0.01, "last_month": 0.2, "months": {}}})
    packs = {"PHA_CIP_C13": ["1"], "PHA_ATC_C07": ["NOTHIN1"], "PHA_ATC_L07": ["NOTHING"], "PHA_NOM_COURT": [None]}
    kept = step_directory(run, "medicines")
    kept.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(packs).to_parquet(kept / "medicine_names.parquet")
    write_manifest(kept, {"fingerprint": kept.name})
    for stage in (features, cohort):
        write_manifest(stage, {"fingerprint": stage_key(run, stage.name)})
    write(folder / "run.json", run)
    decide(folder / "run.json")
    return folder / "run.json"


def decide(run_json, *failed):
    """The gate's verdict on the features as they are: refused for these rules, or passed."""
    record = {"severity": "critical", "success": False, "unexpected_count": 0}
    rules = [{**record, "id": rule, "sentence": f"Wrong (rule {rule}, critical)."} for rule in failed]
    folder = run_json.parent / "quality"
    folder.mkdir(exist_ok=True)
    verdict = {
        "passed": not failed,
        "rules": rules,
        "data_docs": str(folder / "data_docs" / "index.html"),
        "fingerprints": features_state(read_manifest(run_json.parent / "features")),
        "catalogue": catalogue_version(),
    }
    write(folder / "verdict.json", verdict)
    return verdict


def write(path, content):
    path.write_text(json.dumps(content), "utf-8")
