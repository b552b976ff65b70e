"""What a claim line can be for: consultations, packs, biology, acts, hospital medicines, institution fees."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from parcours.synth.facts import cip13, column, medicines, rows

KINDS = ("plain", "pha", "bio", "cam", "ucd", "ete")


@dataclass(frozen=True)
class Items:
    """One row an item; `kind` indexes KINDS, prices are cents. Packs come first: 2 x medicine + size."""

    kind: np.ndarray
    code: np.ndarray
    nature: np.ndarray
    price: np.ndarray
    rate: np.ndarray
    specialty: np.ndarray
    activity: np.ndarray
    weight: np.ndarray

    def of_kind(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Items of one kind that are drawn at random, with the share of each."""
        chosen = np.flatnonzero((self.kind == KINDS.index(kind)) & (self.weight > 0))
        return chosen, self.weight[chosen] / self.weight[chosen].sum()

    def act(self, code: str) -> int:
        """Item of a CCAM act."""
        return int(np.flatnonzero(self.code == code)[0])


@cache
def items() -> Items:
    """Every item: two packs a medicine, items.csv, then the acts that treat a fracture outside hospital."""
    packs = [
        (cip13(cip7), m.price_euros * factor)
        for m in medicines()
        for cip7, factor in zip(m.cip7, (1, 2.6), strict=True)
    ]
    acts = sorted({row["outpatient_act"] for row in rows("fractures.csv")} - {""})
    listed = rows("items.csv")
    count = len(packs) + len(listed) + len(acts)

    def joined(pack: list, name: str, act: object, kind: type) -> np.ndarray:
        values = [*pack, *(kind(row[name]) for row in listed), *([act] * len(acts))]
        return np.array(values, dtype=object if kind is str else None)

    constant = [0] * len(packs)
    prices = np.array([p for _, p in packs] + list(column("items.csv", "price_euros")) + [60.0] * len(acts))
    code = joined([str(c) for c, _ in packs], "code", "", str)
    code[count - len(acts) :] = acts
    return Items(
        kind=np.array(
            [KINDS.index("pha")] * len(packs)
            + [KINDS.index(r["kind"]) for r in listed]
            + [KINDS.index("cam")] * len(acts)
        ),
        code=code,
        nature=joined([3313] * len(packs), "nature", 1321, int),
        price=np.rint(prices * 100).astype(np.int64),
        rate=joined([0.65] * len(packs), "rate", 0.70, float),
        specialty=joined(constant, "specialty", 41, int),
        activity=joined([50] * len(packs), "activity", 0, int),
        weight=joined([1.0] * len(packs), "weight", 0.0, float),
    )
