"""PMSI MCO tables of one block of persons and one year of discharge."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from parcours.synth.facts import codes, prior
from parcours.synth.hospital_columns import (
    HOSPITALS,
    NOBODY,
    day_columns,
    draw_failing,
    hospital_codes,
    person_columns,
    return_code_columns,
)
from parcours.synth.population import Population
from parcours.synth.stays import FRACTURE, Stays
from parcours.synth.table_rows import table_rows

TABLES = ("MCO_B", "MCO_C", "MCO_A", "MCO_D", "MCO_UM")


@dataclass(frozen=True)
class StayNumbers:
    """Keys and irregularities of stays: hospital and stay numbers, which return code fails (-1 none), GHM 90."""

    hospital: np.ndarray
    number: np.ndarray
    failing: np.ndarray
    ungrouped: np.ndarray


def number_stays(rng: np.random.Generator, stays: Stays, offset: int, return_code: float, ghm_90: float) -> StayNumbers:
    """Draw the keys of stays; `offset` keeps numbers of several blocks apart."""
    count = len(stays)
    hospital = hospital_codes()[rng.integers(0, HOSPITALS, count)]
    number = np.array([f"{offset + place + 1:010d}" for place in range(count)], object)
    failing = draw_failing(rng, codes()["return_codes"], count, return_code)
    return StayNumbers(hospital, number, failing, rng.random(count) < ghm_90)


def stay_columns(
    people: Population, stays: Stays, numbers: StayNumbers, secondary: np.ndarray, acts: np.ndarray, units: np.ndarray
) -> dict[str, np.ndarray]:
    """Columns of tables B and C that the simulation fills, one value a stay."""
    leaving = stays.entry + stays.nights
    known = person_columns(people, stays.person, stays.entry)
    errors = np.array(codes()["ghm_error"], object)[np.arange(len(stays)) % len(codes()["ghm_error"])]
    return {
        **known,
        **return_code_columns(codes()["return_codes"], numbers.failing),
        **day_columns({"entry": stays.entry, "leaving": leaving}),
        "NIR_ANO_17": np.where(numbers.failing == 0, NOBODY, known["NIR_ANO_17"]),
        "SEJ_NUM": np.array([f"{n % 100000:05d}" for n in range(len(stays))], object),
        "DGN_PAL": stays.diagnosis, "DGN_REL": stays.linked,
        "GRG_GHM": np.where(numbers.ungrouped, errors, stays.ghm),
        "GRC_GHM": np.where(numbers.ungrouped, errors, stays.ghm),
        "GHS_NUM": np.array([f"{1000 + sum(map(ord, ghm)) * 7 % 8000:04d}" for ghm in stays.ghm], object),
        "SEJ_NBJ": stays.nights,
        "SOR_MOD": np.where(stays.died, "9", "8"), "SOR_DES": np.where(stays.died, "", "0"),
        "NBR_DGN": secondary + 1, "NBR_ACT": acts, "NBR_RUM": units,
    }  # fmt: skip


def _secondary(rng: np.random.Generator, stays: Stays) -> tuple[np.ndarray, np.ndarray]:
    """Stay and code of each secondary diagnosis: drawn at random; a fall for fractures; rarely an old fracture."""
    pool = np.array(codes()["secondary_diagnoses"], object)
    count = rng.poisson(prior("stays.das_mean"), len(stays))
    stay = np.repeat(np.arange(len(stays)), count)
    code = pool[rng.integers(0, len(pool), len(stay))]
    fallen = np.flatnonzero((stays.reason == FRACTURE) & (rng.random(len(stays)) < 0.7))
    old = np.flatnonzero((stays.reason != FRACTURE) & (rng.random(len(stays)) < 0.01))
    stay = np.concatenate([stay, fallen, old])
    code = np.concatenate([code, np.full(len(fallen), "W190", object), np.full(len(old), "S7200", object)])
    order = np.argsort(stay, kind="stable")
    return stay[order], code[order]


def _place(stay: np.ndarray) -> np.ndarray:
    """Position from 1 of each row within its stay; rows come stay by stay."""
    return np.arange(len(stay)) - np.searchsorted(stay, stay) + 1


def _acts(stays: Stays) -> tuple[np.ndarray, np.ndarray]:
    code = np.column_stack([stays.act_1, stays.act_2]).ravel()
    stay = np.repeat(np.arange(len(stays)), 2)
    done = code != ""
    return stay[done], code[done]


def mco_rows(
    rng: np.random.Generator, people: Population, stays: Stays, numbers: StayNumbers, year: int
) -> dict[str, pa.Array]:
    """Rows of the five MCO tables for the stays that end in `year`."""
    diagnosed, diagnosis = _secondary(rng, stays)
    acted, act = _acts(stays)
    units = 1 + ((stays.nights > 8) & (rng.random(len(stays)) < 0.35))
    unit_of = np.repeat(np.arange(len(stays)), units)
    counted = [np.bincount(place, minlength=len(stays)) for place in (diagnosed, acted)]
    main = stay_columns(people, stays, numbers, counted[0], counted[1], units)

    def detail(place: np.ndarray, **known: np.ndarray) -> dict[str, np.ndarray]:
        return {"ETA_NUM": numbers.hospital[place], "RSA_NUM": numbers.number[place], **known}

    delay = np.minimum(rng.integers(0, 3, len(acted)), stays.nights[acted])
    tables = {
        "MCO_B": detail(np.arange(len(stays)), **main),
        "MCO_C": detail(np.arange(len(stays)), **main),
        "MCO_A": detail(acted, CDC_ACT=act, ENT_DAT_DEL=delay),
        "MCO_D": detail(diagnosed, ASS_DGN=diagnosis, DGN_ASS_NUM=_place(diagnosed)),
        "MCO_UM": detail(
            unit_of, DGN_PAL=stays.diagnosis[unit_of], DGN_REL=stays.linked[unit_of],
            ETA_NUM_GEO=numbers.hospital[unit_of],
            PAR_DUR_SEJ=stays.nights[unit_of] // units[unit_of], UM_ORD_NUM=_place(unit_of),
        ),
    }  # fmt: skip
    return {name: table_rows(rng, name, year, known, len(known["ETA_NUM"])) for name, known in tables.items()}
