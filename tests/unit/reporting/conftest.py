"""A report's findings, small and made up: curves of a known shape."""

import numpy as np
import pandas as pd
import pytest

from parcours.reporting.findings import AttritionStep, Breakdown, Findings
from parcours.reporting.tables import CURVES

NAMES = [
    *["zolpidem", "alprazolam", "paroxetine", "furosemide", "paracetamol", "metformin", "calcium, vitamin D"],
    *["omeprazole", "levothyroxine sodium", "amlodipine", "perindopril and diuretics", "simvastatin", "warfarin"],
    "digoxin",
]
LAGS, BEFORE_LAGS = 14, 7

CERTIFICATE = {
    **{"tv": 0.0021, "group": 0.00013, "share": 0.5, "iterations": 214.0},
    **{"certificate_residual": 3.1e-05, "certificate_tolerance": 1e-4},
}


def curve_of(place):
    """One level a window of two lags from the purchase on, and one of the seven lags before it."""
    lag = np.arange(LAGS) // 2 * 2
    if place < 5:
        return (0.9 - 0.12 * place) * np.exp(-lag / (3 + place))
    return -0.45 * (lag > 4) if place == 6 else np.zeros(LAGS)


@pytest.fixture(scope="session")
def findings():
    """Fourteen medicines: five raise, one rises before the purchase too, one lowers, the others do nothing."""
    rng = np.random.default_rng(4)
    rows = []
    for place, name in enumerate(NAMES):
        levels = np.append(np.full(BEFORE_LAGS, 0.5 if place == 4 else 0.05), curve_of(place))
        width = 0.15 + 0.02 * place + 0.05 * np.repeat(rng.random(8), [BEFORE_LAGS, *[2] * 7])
        for lag, log_ri, half in zip(range(-BEFORE_LAGS, LAGS), levels, width, strict=True):
            pointwise, band = (np.exp([log_ri - wide, log_ri + wide]) for wide in (half, 1.4 * half))
            rows.append(
                (f"N{place:02d}AA01", name, lag, lag * 14, np.exp(log_ri), *pointwise, *band, np.exp(0.8 * log_ri))
            )
    curves = pd.DataFrame(rows, columns=CURVES)
    return Findings(
        language="en",
        cohort="fall",
        name="fall",
        title="Medicines and fractures after a fall: 65 and over, 2014 to 2017",
        subtitle="All medicines, by substance; fractures of all sites; followed from 2015-01-01 to 2017-12-31",
        changes={},
        synthetic=False,
        fingerprint="0123456789abcdef",
        source="Source: SNDS (DCIR, MCO) 2014 to 2017, study fall, run 01234567, data 89abcdef, code 0.1.0.",
        bucket_days=14,
        peaks=peaks_of(curves),
        curves=curves,
        attrition=[
            AttritionStep("Persons in the reference of beneficiaries", 2_345_678, 0),
            AttritionStep("Aged 65 or more at the start of the study", 512_004, 1_833_674),
            AttritionStep("One identity: no two persons share the number", "hidden", "<11"),
            AttritionStep("Followed for 12 months or more after the start of the study", 430_220, "hidden"),
            AttritionStep("With a fracture in follow-up (cases)", 12_406, 417_814),
        ],
        breakdowns=[
            Breakdown("Fractures by site", ["hip", "wrist", "spine", "ribs"], [5210, 3600, "hidden", "<11"], 12_406),
            Breakdown("Fractures by year", ["2015", "2016", "2017"], [4100, 4190, 4116], 12_406),
            Breakdown("Cases by months followed", ["0 to 11", "12 to 23", "24 to 36"], [1406, 1000, 10_000], 12_406),
        ],
        cases=12_406,
        events=12_406,
        persons_followed=430_220,
        settings={"model": {"bucket_days": 14, "lags": 13}, "population": {"age_minimum": 65}},
        metrics={"held_out_likelihood": -3.214, "medicines_selected": 6, **CERTIFICATE},
        notes=[],
    )


def peaks_of(curves):
    rows = [_peak(place, drug, curve) for place, (drug, curve) in enumerate(curves.groupby("drug"))]
    return pd.DataFrame(rows)


def _peak(place, drug, curve):
    after, before = curve[curve["lag"] >= 0], curve[curve["lag"] < 0].iloc[0]
    top = after.iloc[int(np.abs(np.log(after["ri"])).to_numpy().argmax())]
    flag = "raised" if top["lower"] > 1 else "lowered" if top["upper"] < 1 else "none"
    rises = before["lower"] > 1
    return {
        "drug": drug,
        "name": top["name"],
        "exposed": 4000 - 290 * place if place < 13 else "<11",
        "events_after": 900 - 60 * place if place < 12 else "<11",
        "selected": flag != "none",
        "selected_share": 0.97 if flag != "none" else 0.02,
        "peak_lag": int(top["lag"]),
        "peak_day": int(top["day"]),
        "first_day": int(top["day"]),
        "last_day": int(top["day"]) + 27,
        **{name: top[name] for name in ("ri", "lower", "upper")},
        "p_value": 0.00123456,
        "flag": "rise before exposure" if rises and flag == "raised" else flag,
        "before": "raised" if rises else "none",
        **{f"before_{name}": before[name] for name in ("ri", "lower", "upper")},
        "before_p_value": 0.0004 if rises else 0.6,
    }
