"""Registers of persons that are written when asked for: causes of death (KI_CCI_R, KI_ECD_R), archived persons."""

import hashlib
import math
from collections import Counter

import numpy as np

from parcours.synth import faults
from parcours.synth.block import Block
from parcours.synth.days import Calendar, day_texts_in_forms
from parcours.synth.facts import codes, prior
from parcours.synth.people_texts import birth_texts, residence
from parcours.synth.raw import RawFiles
from parcours.synth.references import archive_columns
from parcours.synth.settings import SynthSettings
from parcours.synth.table_rows import table_rows

Columns = dict[str, np.ndarray]
LINES = 6  # of a certificate


def write_registers(raw: RawFiles, block: Block, settings: SynthSettings, span: Calendar) -> Counter[str]:
    """Append the registers that are asked for."""
    planted: Counter[str] = Counter()
    for name in ("KI_CCI_R", "KI_ECD_R", "IR_BEN_R_ARC"):
        if name not in settings.products:
            continue
        rng = block.generator(name)
        if name == "IR_BEN_R_ARC":
            count = math.ceil(prior("archive.share") * len(block.people))
            known = archive_columns(rng, count, settings.minimum_age, span, settings.rates)
        else:
            known = certificates(block.generator("deaths"), block, span)[name]
        lines = table_rows(rng, name, settings.years[1], known, len(next(iter(known.values()))))
        lines, planted[f"malformed_{name}"] = faults.damage(rng, lines, settings.rates["malformed"])
        raw.append(name, f"{name}.csv", settings.years[1], lines)
    return planted


def certificates(rng: np.random.Generator, block: Block, span: Calendar) -> dict[str, Columns]:
    """Columns of KI_CCI_R, one certificate for each person who dies in the period, and of KI_ECD_R, its causes.

    A certificate that is not matched has no identifier of a person.
    """
    people = block.people
    dead = np.flatnonzero(people.death <= span.last)
    matched = (rng.random(len(dead)) < prior("death.matched_share")) & (people.idt_ano[dead] != "")
    day = day_texts_in_forms(people.death[dead])
    causes = rng.choice(np.array(codes()["causes_of_death"], object), len(dead))
    shared = {
        "DCD_IDT_ENC": _numbers(block.seed, dead),
        "BEN_DCD_DTE": day["iso"],
        "BEN_DCD_AME": day["year_month"],
        "FLX_PER_ANN": day["year"],
        "DCD_IDT_TOP": matched.astype(int),
        "BEN_IDT_TOP": (matched & (people.nir_ano[dead] != "")).astype(int),
        "BEN_IDT_ANO": np.where(matched, people.idt_ano[dead], ""),
        "BEN_NIR_ANO": np.where(matched, people.nir_ano[dead], ""),
    }
    return {
        "KI_CCI_R": {**shared, **_person(block, dead), "DCD_CIM_COD": causes},
        "KI_ECD_R": _causes(rng, shared, causes),
    }


def _numbers(seed: tuple[int, int], dead: np.ndarray) -> np.ndarray:
    texts = [hashlib.sha256(f"{seed}|{person}".encode()).hexdigest() for person in dead.tolist()]
    return np.array(texts, object)


def _person(block: Block, dead: np.ndarray) -> Columns:
    department, commune = residence(block.people, False)
    year, month = birth_texts(block.people)
    return {
        "BEN_SEX_COD": block.people.sex[dead],
        "BEN_NAI_ANN": year[dead],
        "BEN_NAI_MOI": month[dead],
        **dict.fromkeys(("BEN_RES_DPT", "DCD_DPT_COD"), department[dead]),
        **dict.fromkeys(("BEN_RES_COM", "DCD_COM_COD"), commune[dead]),
    }


def _causes(rng: np.random.Generator, shared: Columns, first: np.ndarray) -> Columns:
    """The initial cause, then others; each on its line of the certificate."""
    row = np.repeat(np.arange(len(first)), 1 + rng.poisson(prior("death.further_causes"), len(first)))
    rank = np.arange(len(row)) - np.searchsorted(row, row) + 1
    others = rng.choice(np.array(codes()["causes_of_death"], object), len(row))
    return {
        **{name: values[row] for name, values in shared.items()},
        "CER_LIG_NUM": np.minimum(rank, LINES),
        "ECD_CAU_RNG": rank,
        "ECD_CIM_COD": np.where(rank == 1, first[row], others),
    }
