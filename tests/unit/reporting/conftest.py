"""A report's findings, small and made up: curves of a known shape."""

import numpy as np
import pandas as pd
import pytest

from parcours.reporting.findings import AttritionStep, Breakdown, Findings

NAMES = [
    *["zolpidem", "alprazolam", "paroxetine", "furosemide", "paracetamol", "metformin", "calcium, vitamin D"],
    *["omeprazole", "levothyroxine sodium", "amlodipine", "perindopril and diuretics", "simvastatin", "warfarin"],
    "digoxin",
]
LAGS = 14


def curve_of(place):
    lag = np.arange(LAGS)
    if place < 5:
        return (0.9 - 0.12 * place) * np.exp(-lag / (3 + place))
    return -0.45 * (lag > 4) if place == 6 else np.zeros(LAGS)


@pytest.fixture(scope="session")
def findings():
    """Fourteen medicines: five raise, one lowers, the others do nothing."""
    rng = np.random.default_rng(4)
    rows = []
    for place, name in enumerate(NAMES):
        for lag, log_ri in enumerate(curve_of(place)):
            width = 0.12 + 0.02 * place + 0.05 * rng.random()
            low, high = np.exp(log_ri - width), np.exp(log_ri + width)
            rows.append((f"N{place:02d}AA01", name, lag, lag * 14, np.exp(log_ri), low, high))
    curves = pd.DataFrame(rows, columns=["drug", "name", "lag", "day", "ri", "lower", "upper"])
    return Findings(
        cohort="fall",
        title="Medicines and fractures after a fall: 65 and over, 2014 to 2017",
        subtitle="All medicines, by substance; fractures of all sites; followed from 2015-01-01 to 2017-12-31",
        changes={},
        synthetic=False,
        fingerprint="0123456789abcdef",
        source="Source: SNDS (DCIR, MCO) 2014 to 2017, study fall, run 01234567.",
        bucket_days=14,
        interval="95% bootstrap interval",
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
        metrics={"held_out_likelihood": -3.214, "medicines_selected": 6},
        notes=[],
    )


def peaks_of(curves):
    rows = []
    for place, (drug, curve) in enumerate(curves.groupby("drug")):
        top = curve.iloc[int(np.abs(np.log(curve["ri"])).to_numpy().argmax())]
        flag = "raised" if top["lower"] > 1 else "lowered" if top["upper"] < 1 else "none"
        days = f"{top['day']} to {top['day'] + 13}"
        rows.append((drug, top["name"], 4000 - 290 * place if place < 13 else "<11", flag != "none", int(top["lag"]),
                     int(top["day"]), days, top["ri"], top["lower"], top["upper"], 0.00123456, flag))  # fmt: skip
    columns = [
        "drug",
        "name",
        "exposed",
        "selected",
        "peak_lag",
        "peak_day",
        "peak_days",
        "ri",
        "lower",
        "upper",
        "p_value",
        "flag",
    ]
    return pd.DataFrame(rows, columns=columns)
