"""Reference tables: persons (IR_BEN_R), long-term illness (IR_IMB_R), packs (IR_PHA_R)."""

import numpy as np
import pyarrow as pa

from parcours.synth.days import FAR, Calendar, day_of
from parcours.synth.facts import cip13, codes, medicines, prior
from parcours.synth.people_texts import birth_texts, regime, residence
from parcours.synth.population import Population, draw_population, trait_names
from parcours.synth.table_rows import table_rows


def _iso(day: np.ndarray, missing: str) -> np.ndarray:
    known = day < FAR
    text = np.where(known, day, 0).astype("datetime64[D]").astype("U10").astype(object)
    return np.where(known, text, missing)


def ben_rows(rng: np.random.Generator, people: Population, span: Calendar, year: int) -> pa.Array:
    """IR_BEN_R: one row for each (PSA, rank) a person has had."""
    known = ben_columns(rng, people, span)
    return table_rows(rng, "IR_BEN_R", year, known, len(known["BEN_NIR_PSA"]))


def ben_columns(rng: np.random.Generator, people: Population, span: Calendar) -> dict[str, np.ndarray]:
    """Columns of IR_BEN_R that the simulation fills."""
    changed = np.flatnonzero(people.switch_day < FAR)
    person = np.concatenate([np.arange(len(people)), changed])
    second = np.arange(len(person)) >= len(people)
    moved = people.move_day <= span.last
    (dep, com), (dep_2, com_2) = residence(people, False), residence(people, True)
    birth_year, birth_month = birth_texts(people)
    _, _, organism = regime(people)
    death = np.where((people.death <= span.last + 180) & ~people.death_missing, people.death, FAR)
    dead = _iso(death, "1600-01-01")[person]
    updated = np.where(second, np.minimum(people.switch_day[person], span.last), span.first) + rng.integers(
        0, 90, len(person)
    )
    return {
        "BEN_NIR_PSA": np.where(second, people.psa_b[person], people.psa_a[person]),
        "BEN_RNG_GEM": np.where(second, people.rank_b[person], people.rank_a[person]),
        "BEN_IDT_ANO": people.idt_ano[person], "BEN_NIR_ANO": people.nir_ano[person],
        "BEN_IDT_TOP": (people.nir_ano[person] != "").astype(int),
        "ASS_NIR_ANO": people.nir_ano[person], "BEN_CDI_NIR": np.where(people.fictive[person], "03", "00"),
        "BEN_NAI_ANN": birth_year[person], "BEN_NAI_MOI": birth_month[person], "BEN_SEX_COD": people.sex[person],
        "BEN_RES_DPT": np.where(moved, dep_2, dep)[person], "BEN_RES_COM": np.where(moved, com_2, com)[person],
        "ORG_AFF_BEN": organism[person], "ORG_CLE_NEW": organism[person],
        "BEN_DTE_INS": _iso(updated - 400, ""), "BEN_DTE_MAJ": _iso(updated, ""), "MAX_TRT_DTD": _iso(updated, ""),
        "BEN_DCD_DTE": dead, "BEN_DCD_AME": np.array([text[:4] + text[5:7] for text in dead], object),
    }  # fmt: skip


def archive_columns(
    rng: np.random.Generator, count: int, minimum_age: int, span: Calendar, rates: dict[str, float]
) -> dict[str, np.ndarray]:
    """Columns of IR_BEN_R_ARC: `count` persons of whom nothing else is delivered, last seen before 2013."""
    people = draw_population(rng, count, minimum_age, span, rates)
    known = ben_columns(rng, people, span)
    seen = min(span.first, day_of(2013)) - 1 - rng.integers(0, 1500, len(known["BEN_NIR_PSA"]))
    dead = _iso(np.where(rng.random(len(seen)) < prior("archive.dead_share"), seen + 10, FAR), "1600-01-01")
    return {
        **known,
        **dict.fromkeys(("BEN_DTE_MAJ", "MAX_TRT_DTD"), _iso(seen, "")),
        "BEN_DTE_INS": _iso(seen - 2000, ""),
        "BEN_DCD_DTE": dead,
        "BEN_DCD_AME": np.array([text[:4] + text[5:7] for text in dead], object),
    }


def imb_rows(rng: np.random.Generator, people: Population, span: Calendar, year: int) -> pa.Array:
    """IR_IMB_R: one row for each long-term illness that a trait stands for."""
    persons, numbers, diagnoses = [], [], []
    for trait, (number, diagnosis) in codes()["long_term_illness"].items():
        chosen = np.flatnonzero(people.traits[:, trait_names().index(trait)] & (rng.random(len(people)) < 0.8))
        persons.append(chosen)
        numbers += [number] * len(chosen)
        diagnoses += [diagnosis] * len(chosen)
    person = np.concatenate(persons)
    begin = span.first - rng.integers(0, 3000, len(person))
    known = {
        "BEN_NIR_PSA": people.psa_a[person], "BEN_RNG_GEM": people.rank_a[person], "IMB_ALD_NUM": numbers,
        "MED_MTF_COD": diagnoses, "IMB_ALD_DTD": _iso(begin, ""),
        "IMB_ALD_DTF": np.where(rng.random(len(person)) < 0.3, "1600-01-01", _iso(begin + 5 * 365 + 3000, "")),
        "INS_DTE": _iso(begin + 20, ""), "UPD_DTE": _iso(begin + 30, ""),
    }  # fmt: skip
    return table_rows(rng, "IR_IMB_R", year, known, len(person))


def pha_rows(rng: np.random.Generator, year: int, without_atc: float) -> tuple[pa.Array, int]:
    """IR_PHA_R: both packs of every medicine, and some packs without ATC code; returns those too as a count."""
    packs = [(m, size, cip7) for m in medicines() for size, cip7 in enumerate(m.cip7)]
    nameless = max(1, round(len(packs) * without_atc)) if without_atc else 0
    last = max(cip7 for _, _, cip7 in packs)
    extra = [last + 2 * place + 2 for place in range(nameless)]
    blank = [""] * nameless
    names = [m.name.upper() for m, _, _ in packs]
    known: dict[str, object] = {
        "PHA_CIP_C13": [cip13(c) for _, _, c in packs] + [cip13(c) for c in extra],
        "PHA_PRS_IDE": [c for _, _, c in packs] + extra,
        "PHA_ATC_C07": [m.atc for m, _, _ in packs] + blank, "PHA_ATC_L07": names + blank,
        "PHA_ATC_C03": [m.atc[:3] for m, _, _ in packs] + blank, "PHA_NOM_PA": names + ["HOMEOPATHIE"] * nameless,
        "PHA_MED_NOM": [f"{m.name[:30].upper()} {30 + 60 * size} CP" for m, size, _ in packs]
        + ["TUBE GRANULES"] * nameless,
        "PHA_CND_TOP": ["GC" if size else "" for _, size, _ in packs] + blank,
        "PHA_PRI_UNI": [f"{m.price_euros * (2.6 if size else 1):.2f}" for m, size, _ in packs] + ["2.50"] * nameless,
    }  # fmt: skip
    return table_rows(rng, "IR_PHA_R", year, known, len(packs) + nameless), nameless
