"""Reports of drawn persons, made by the code that makes real ones: their attrition, breakdowns and exposed cases."""

import numpy as np
import pandas as pd

from parcours.release.cells import Told
from parcours.release.withhold import comparable, withhold
from parcours.reporting.compile import Material, compile_findings
from parcours.reporting.texts import ENGLISH
from parcours.stages.report_cells import cells_of_report, findings_as_told

EVERYBODY, STEPS, DRUGS = 9000, ("persons", "known", "age", "alive", "cases"), 12
SITES = ("hip", "wrist", "ankle", "spine", "rib", "skull")
FIRST_DAY, LAST_DAY = 16436, 17531  # 2015-01-01 to 2017-12-31
PEAKS = ("log_ri", "lower", "upper", "before_log_ri", "before_lower", "before_upper", "p_value", "before_p_value")


def drawn_persons(rng, cases):
    """Followed persons of 66 and over, one row each: whether a case, of which site, how long, with which medicines."""
    size = cases + int(rng.integers(0, 400))
    weights = rng.dirichlet(np.full(len(SITES), 0.6))
    shares = rng.uniform(0.1, 0.9, DRUGS)
    return pd.DataFrame(
        {
            "age": rng.integers(66, 96, size),
            "alive": rng.random(size) < 0.95,
            "case": np.arange(size) < cases,
            "site": rng.choice(SITES, size, p=weights),
            "days": rng.integers(30, LAST_DAY - FIRST_DAY, size),
            "event": rng.random(size),
            **{f"D{drug:02d}": rng.random(size) < shares[drug] for drug in range(DRUGS)},
        }
    ).assign(case=lambda table: table["case"] & table["alive"])


def run_of(name, youngest, data):
    """A run: what decides its sets, and nothing else; `data` is the version of its data."""
    population = {"study_start": "2014-01-01", "study_end": "2017-12-31", "sex": "all"}
    study = {
        "population": {**population, "age_minimum": youngest, "age_maximum": 120},
        "outcomes": {"outcome_events": "first"},
        "model": {"bucket_days": 14, "lags": 100},
    }
    names = ("population", "exposures", "outcomes", "features")
    steps = [{"step": step, "made_of": {"persons": data}} for step in names]
    return {"cohort": "fall", "fingerprint": name, "study": study, "data": {"DCIR": {}}, "steps": steps}


def report_of(persons, run):
    """What the stages left behind of these persons."""
    cases = persons[persons["case"]].reset_index(drop=True)
    day = FIRST_DAY + (cases["days"] * cases["event"]).astype(int)
    chain = (EVERYBODY, EVERYBODY - 20, len(persons), int(persons["alive"].sum()), len(cases))
    exposed = {drug: int(cases[drug].sum()) for drug in cases if drug.startswith("D")}
    screened = [drug for drug, count in exposed.items() if count >= 11]
    peaks = pd.DataFrame({"drug": screened, **dict.fromkeys(PEAKS, 0.0)})
    peaks = peaks.assign(selected=False, selected_share=0.0, first_lag=0, last_lag=1, peak_lag=0, flag="", before="")
    curves = pd.DataFrame({"drug": screened, "lag": 0, **dict.fromkeys(("log_ri", "lower", "upper"), 0.0)})
    taken = [pd.DataFrame({"person_id": cases.index[cases[drug]], "drug": drug}) for drug in exposed]
    born = FIRST_DAY - 365 - (cases["age"] * 365.25 + 100).astype(int)
    return Material(
        run=run,
        peaks=peaks,
        curves=curves.assign(band_lower=0.0, band_upper=0.0, penalised=0.0),
        metrics={},
        summary={
            **{"cases": len(cases), "events": len(cases), "persons_followed": chain[3]},
            "drugs": {drug: {"exposed_cases": count} for drug, count in exposed.items()},
        },
        attrition=[{"step": step, "description": step, "persons": n} for step, n in zip(STEPS, chain, strict=True)],
        persons=pd.DataFrame(
            {"person_id": cases.index, "start": FIRST_DAY, "end": FIRST_DAY + cases["days"], "birth": born}
        ),
        events=pd.DataFrame({"person_id": cases.index, "day": day}),
        # From the first day to the last, so that every exposed case has its event under the curve.
        exposures=pd.concat(taken).assign(start=FIRST_DAY, end=LAST_DAY),
        outcomes=pd.DataFrame(
            {
                "person_id": cases.index,
                "site": cases["site"],
                "date": pd.Timestamp("1970-01-01") + pd.to_timedelta(day, unit="D"),
            }
        ),
        names={},
        missing_care={"measured": False},
    )


def released(material, former):
    """The findings as they leave after `former`, and the cells that the ledger then holds of them."""
    findings = compile_findings(material, ENGLISH)
    cells, name = cells_of_report(material, findings), material.run["fingerprint"]
    left = withhold(comparable(cells, "fall", former), name, "fall", cells)
    told = findings_as_told(findings, {cell.name: cell.shown for cell in left}, material)
    return told, [Told(name, "fall", cell) for cell in left]


def numbers_told(findings):
    """{(table, label): what is told} of findings, read as a reader does."""
    told = {("persons", step.description): step.persons for step in findings.attrition}
    told |= {("lost", step.description): step.lost for step in findings.attrition[1:]}
    for panel in findings.breakdowns:
        told |= {(panel.title, label): count for label, count in zip(panel.labels, panel.counts, strict=True)}
        told[panel.title, "total"] = panel.total
    exposed = zip(findings.peaks["drug"], findings.peaks["exposed"], strict=True)
    return told | {("exposed", drug): count for drug, count in exposed}
