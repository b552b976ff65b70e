"""Texts of the columns that describe a person, one row a version of the person (see Population.version)."""

import numpy as np

from parcours.synth.facts import codes
from parcours.synth.population import Population
from parcours.synth.text import Texts, as_text, texts


def residence(people: Population, moved: bool) -> tuple[np.ndarray, np.ndarray]:
    """Department and commune texts before or after the move; an unknown commune is empty."""
    place = int(moved)
    department = np.array(codes()["departments"], object)[people.department[:, place]]
    number = people.commune[:, place]
    commune = np.array(["", *(f"{code:03d}" for code in range(1, 1000))], object)[number]
    return department, commune


def regime(people: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Regime, large regime and organism texts of each person."""
    declared = list(codes()["regimes"].values())
    small, large, prefix = (
        np.array([str(row[place]) for row in declared], object)[people.regime] for place in range(3)
    )
    department = np.array(codes()["departments"], object)[people.department[:, 0]]
    return small, large, prefix + department + "000"


def birth_texts(people: Population) -> tuple[np.ndarray, np.ndarray]:
    """Year and month of birth as texts."""
    month = people.birth.astype("datetime64[D]").astype("datetime64[M]").astype("U7").astype(object)
    return np.array([text[:4] for text in month], object), np.array([text[5:] for text in month], object)


def _four(*values: np.ndarray) -> np.ndarray:
    """Values of the four versions of each person: (not moved, moved) x (first, second identity)."""
    return np.column_stack(values).ravel()


def person_texts(people: Population) -> dict[str, Texts]:
    """Columns of DCIR that hold for a person, indexed by "version"; the last 4 n rows have no PSA (a planted fault)."""
    (dep, com), (dep_2, com_2) = residence(people, False), residence(people, True)
    small, large, organism = regime(people)
    year, _ = birth_texts(people)
    doctor = np.array(
        [f"{(number % 89_999_999) + 10_000_000:08d}" for number in (people.birth * 7919 % 97_003 * 911).tolist()],
        object,
    )
    rank_a, rank_b = people.rank_a.astype("U2").astype(object), people.rank_b.astype("U2").astype(object)
    same = {
        "BEN_SEX_COD": people.sex.astype("U1").astype(object), "BEN_NAI_ANN": year,
        "BEN_CDI_NIR": np.where(people.fictive, "03", "00").astype(object),
        "RGM_COD": small, "RGM_GRG_COD": large, "ORG_AFF_BEN": organism, "ORG_CLE_NUM": organism,
        "ORG_CLE_NEW": organism, "PRS_MTT_NUM": doctor, "PFS_PRE_NUM": doctor,
    }  # fmt: skip
    versions = {
        "BEN_NIR_PSA": _four(people.psa_a, people.psa_b, people.psa_a, people.psa_b),
        "BEN_RNG_GEM": _four(rank_a, rank_b, rank_a, rank_b),
        "BEN_RES_DPT": _four(dep, dep, dep_2, dep_2),
        "BEN_RES_COM": _four(com, com, com_2, com_2),
        **{name: _four(values, values, values, values) for name, values in same.items()},
    }
    nameless = {**versions, "BEN_NIR_PSA": np.full(4 * len(people), "", object)}
    return {
        name: texts(as_text(np.concatenate([values, nameless[name]]).tolist()), "version")
        for name, values in versions.items()
    }
