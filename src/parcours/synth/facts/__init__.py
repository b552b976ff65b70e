"""Facts of the generator, read from the CSV and YAML files beside this module."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from parcours.snds.declarations import read_facts

HERE = Path(__file__).parent


def rows(name: str) -> list[dict[str, str]]:
    """Rows of one fact table, every value as text."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def prior(key: str) -> float:
    """One number of priors.csv; KeyError when there is none of that name."""
    return _priors()[key]


@cache
def _priors() -> dict[str, float]:
    return {row["key"]: float(row["value"]) for row in rows("priors.csv")}


def priors_under(prefix: str) -> dict[str, float]:
    """Numbers whose key starts with `prefix` and a dot, by the rest of the key, in file order."""
    return {key.partition(".")[2]: value for key, value in _priors().items() if key.startswith(f"{prefix}.")}


@cache
def irregularity_rates() -> dict[str, float]:
    """Default rate of each irregularity."""
    return {row["name"]: float(row["rate"]) for row in rows("irregularities.csv")}


@cache
def known_faults() -> tuple[str, ...]:
    """Names of the faults that can be planted."""
    return tuple(row["name"] for row in rows("faults.csv"))


@cache
def codes() -> dict[str, Any]:
    """Codes that are drawn rather than modelled."""
    loaded: dict[str, Any] = read_facts(HERE / "codes.yaml")
    return loaded


@dataclass(frozen=True)
class Detail:
    """How often a table has rows: the share of its rows' parents that have one, and how many more they have."""

    of: str
    share: float
    further: float

    def places(self, rng: np.random.Generator, eligible: np.ndarray, share: float | None = None) -> np.ndarray:
        """Parents of the rows to write, each as often as it has rows; `share` replaces the share of the facts."""
        chosen = eligible[rng.random(len(eligible)) < (self.share if share is None else share)]
        return np.repeat(chosen, 1 + rng.poisson(self.further, len(chosen)))


@cache
def details() -> dict[str, Detail]:
    """The tables of details.csv; a table that has no line there is not written."""
    return {row["table"]: Detail(row["of"], float(row["share"]), float(row["further"])) for row in rows("details.csv")}


@dataclass(frozen=True)
class Medicine:
    """One substance: how often it is started, by whom, and what it does to the fracture hazard."""

    atc: str
    name: str
    kind: str
    curve: str
    peak_ri: float
    chronic: bool
    pack_days: int
    start_rate: float
    prevalent_share: float
    persistence_days: float
    age_slope: float
    trait: str
    start_ratio: float
    price_euros: float
    cip7: tuple[int, int]


@cache
def medicines() -> tuple[Medicine, ...]:
    """Every medicine of the generator, in file order."""
    return tuple(
        Medicine(
            atc=row["atc"],
            name=row["name"],
            kind=row["kind"],
            curve=row["curve"],
            peak_ri=float(row["peak_ri"]),
            chronic=row["use"] == "chronic",
            pack_days=int(row["pack_days"]),
            start_rate=float(row["start_rate"]),
            prevalent_share=float(row["prevalent_share"]),
            persistence_days=float(row["persistence_days"]),
            age_slope=float(row["age_slope"]),
            trait=row["trait"],
            start_ratio=float(row["start_ratio"]),
            price_euros=float(row["price_euros"]),
            cip7=(int(row["cip7_small"]), int(row["cip7_large"])),
        )
        for row in rows("medicines.csv")
    )


def cip13(cip7: int) -> int:
    """CIP13 of a CIP7: 3400, 9, the seven digits and the EAN-13 check digit (CIP code, 2009)."""
    digits = [int(digit) for digit in f"34009{cip7:07d}"]
    total = sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return int("".join(map(str, digits)) + str(-total % 10))


def column(table: str, name: str, kind: type = float) -> np.ndarray:
    """One column of a fact table as an array; empty text counts as 0 for numbers."""
    values = [row[name] for row in rows(table)]
    if kind is str:
        return np.array(values, dtype=object)
    return np.array([kind(value or 0) for value in values])
