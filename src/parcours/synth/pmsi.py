"""PMSI MCO tables of one block of persons and one year of discharge."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from parcours.snds.contracts import load_table
from parcours.synth.block import Block
from parcours.synth.dcir import columns_of
from parcours.synth.facts import codes, prior
from parcours.synth.faults import RETURN_CODE_SPIKE
from parcours.synth.filler import POOL, filler
from parcours.synth.population import Population
from parcours.synth.raw import RawFiles
from parcours.synth.settings import SynthSettings
from parcours.synth.stays import FRACTURE, Stays
from parcours.synth.text import Texts, as_text, lines_of, merge, row_by_row

TABLES = ("MCO_B", "MCO_C", "MCO_A", "MCO_D", "MCO_UM")
HOSPITALS = 60
BLOCK_STAYS = 1_000_000  # stay numbers set aside for each block in each year


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
    hospitals = np.array(
        [f"{dep[-2:]}0{780000 + 13 * place:06d}" for place, dep in enumerate(codes()["departments"] * 2)], object
    )
    hospital = hospitals[rng.integers(0, HOSPITALS, count)]
    number = np.array([f"{offset + place + 1:010d}" for place in range(count)], object)
    weights = np.array(list(codes()["return_codes"].values()))
    failing = rng.choice(len(weights), count, p=weights / weights.sum())
    failing = np.where(rng.random(count) < return_code, failing, -1)
    return StayNumbers(hospital, number, failing, rng.random(count) < ghm_90)


def _dates(day: np.ndarray) -> dict[str, np.ndarray]:
    iso = day.astype("datetime64[D]").astype("U10").astype(object)
    return {
        "iso": iso,
        "compact": np.array([text[8:10] + text[5:7] + text[:4] for text in iso], object),
        "year_month": np.array([text[:4] + text[5:7] for text in iso], object),
        "year": np.array([text[:4] for text in iso], object),
        "month": np.array([text[5:7] for text in iso], object),
    }


def stay_columns(
    people: Population, stays: Stays, numbers: StayNumbers, secondary: np.ndarray, acts: np.ndarray, units: np.ndarray
) -> dict[str, np.ndarray]:
    """Columns of tables B and C that the simulation fills, one value a stay."""
    person = stays.person
    entry, leaving = _dates(stays.entry), _dates(stays.entry + stays.nights)
    version = people.version(person, stays.entry)
    psa = np.where(version % 2 == 1, people.psa_b[person], people.psa_a[person])
    failed = {name: np.where(numbers.failing == place, "1", "0") for place, name in enumerate(codes()["return_codes"])}
    errors = np.array(codes()["ghm_error"], object)[np.arange(len(stays)) % len(codes()["ghm_error"])]
    home = np.array(codes()["departments"], object)[people.department[person, (version >= 2).astype(int) % 2]]
    return {
        "NIR_ANO_17": np.where(numbers.failing == 0, "xxxxxxxxxxxxxxxxx", psa), **failed,
        "EXE_SOI_DTD": entry["iso"], "EXE_SOI_AMD": entry["year_month"], "ENT_DAT": entry["compact"],
        "ENT_AM": entry["year_month"], "SOR_AM": leaving["year_month"],
        "ENT_ANN": entry["year"], "ENT_MOI": entry["month"],
        "EXE_SOI_DTF": leaving["iso"], "EXE_SOI_AMF": leaving["year_month"], "SOR_DAT": leaving["compact"],
        "SOR_ANN": leaving["year"], "SOR_MOI": leaving["month"],
        "SEJ_NUM": np.array([f"{n % 100000:05d}" for n in range(len(stays))], object),
        "DGN_PAL": stays.diagnosis, "DGN_REL": stays.linked,
        "GRG_GHM": np.where(numbers.ungrouped, errors, stays.ghm),
        "GRC_GHM": np.where(numbers.ungrouped, errors, stays.ghm),
        "GHS_NUM": np.array([f"{1000 + sum(map(ord, ghm)) * 7 % 8000:04d}" for ghm in stays.ghm], object),
        "SEJ_NBJ": stays.nights, "AGE_ANN": people.age(person, stays.entry).astype(np.int64),
        "COD_SEX": people.sex[person],
        "SOR_MOD": np.where(stays.died, "9", "8"), "SOR_DES": np.where(stays.died, "", "0"),
        "BDI_DEP": np.array([code[-2:] for code in home], object),
        "BDI_COD": np.array([code[-2:] + "000" for code in home], object),
        "NBR_DGN": secondary + 1, "NBR_ACT": acts, "NBR_RUM": units,
        "RNG_BEN": np.where(version % 2 == 1, people.rank_b[person], people.rank_a[person]),
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


def _rows(table: str, year: int, known: dict[str, np.ndarray], pool: np.ndarray) -> pa.Array:
    contract = load_table(table).columns_of(year)
    names = columns_of(table, year)
    columns: list[Texts] = [row_by_row(name) if name in known else filler(contract[name]) for name in names]
    indices: dict[str, object] = {name: as_text(known[name].tolist()) for name in names if name in known}
    return lines_of(merge(columns), {**indices, "pool": pool})


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
    return {
        name: _rows(name, year, known, rng.integers(0, POOL, len(known["ETA_NUM"]), dtype=np.int32))
        for name, known in tables.items()
    }


def write_stays(raw: RawFiles, block: Block, settings: SynthSettings, number: int) -> Counter[str]:
    """Append the block's stays to the files of their year of discharge; returns what was planted."""
    rng = block.generator("pmsi")
    rates, stays = settings.rates, block.stays
    years = (stays.entry + stays.nights).astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    planted: Counter[str] = Counter()
    for year in range(settings.years[0], settings.years[1] + 1):
        chosen = stays.take(years == year)
        spike = "bad_return_codes" in settings.faults and year == settings.years[1]
        return_code = RETURN_CODE_SPIKE if spike else rates["return_code"]
        numbers = number_stays(rng, chosen, number * BLOCK_STAYS, return_code, rates["ghm_90"])
        planted["stays_with_a_return_code"] += int((numbers.failing >= 0).sum())
        planted["stays_with_ghm_90"] += int(numbers.ungrouped.sum())
        for table, lines in mco_rows(rng, block.people, chosen, numbers, year).items():
            raw.append(table, f"T_MCO{year % 100:02d}{table[4:]}.csv", year, lines, of_year=year)
    return planted
