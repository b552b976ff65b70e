"""Columns that the tables of every hospital field share: hospital, person, days, return codes."""

import hashlib
from functools import cache

import numpy as np

from parcours.synth.days import day_texts_in_forms
from parcours.synth.facts import codes
from parcours.synth.population import Population

HOSPITALS = 60
NOBODY = "x" * 17  # NIR_ANO_17 where the identifier could not be read


@cache
def hospital_codes() -> np.ndarray:
    """The hospitals, by number."""
    departments = codes()["departments"] * 2
    return np.array([f"{code[-2:]}0{780000 + 13 * place:06d}" for place, code in enumerate(departments)], object)


def person_columns(people: Population, person: np.ndarray, day: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that describe the person on the day of entry."""
    version = people.version(person, day)
    second = version % 2 == 1
    home = np.array(codes()["departments"], object)[people.department[person, (version >= 2).astype(int) % 2]]
    return {
        "NIR_ANO_17": np.where(second, people.psa_b[person], people.psa_a[person]),
        "AGE_ANN": people.age(person, day).astype(np.int64),
        "COD_SEX": people.sex[person],
        "BDI_DEP": np.array([code[-2:] for code in home], object),
        "BDI_COD": np.array([code[-2:] + "000" for code in home], object),
        "RNG_BEN": np.where(second, people.rank_b[person], people.rank_a[person]),
    }


def day_columns(moments: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns that hold a day of care, for the days of `entry`, `leaving` and `end` (see care_days in codes.yaml)."""
    columns: dict[str, np.ndarray] = {}
    for moment, days in moments.items():
        texts = day_texts_in_forms(days)
        for form, names in codes()["care_days"][moment].items():
            columns |= dict.fromkeys(names, texts[form])
    return columns


def draw_failing(rng: np.random.Generator, weights: dict[str, float], count: int, rate: float) -> np.ndarray:
    """Which return code of each stay is not 0, by its place in `weights`; -1 for none."""
    shares = np.array(list(weights.values()))
    failing = rng.choice(len(shares), count, p=shares / shares.sum())
    return np.where(rng.random(count) < rate, failing, -1)


def return_code_columns(weights: dict[str, float], failing: np.ndarray) -> dict[str, np.ndarray]:
    """The return codes, 1 where they fail."""
    return {name: np.where(failing == place, "1", "0") for place, name in enumerate(weights)}


def patient_code(person: np.ndarray, hospital: np.ndarray) -> np.ndarray:
    """IPP_IRR_CRY: the person inside one hospital, 16 characters."""
    texts = [f"{who}|{where}" for who, where in zip(person.tolist(), hospital.tolist(), strict=True)]
    return np.array([hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16] for text in texts], object)
