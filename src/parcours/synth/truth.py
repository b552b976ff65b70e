"""truth.json: what was planted."""

from collections import Counter
from typing import Any

import numpy as np

from parcours.synth.curves import HORIZON_DAYS, relative_incidence
from parcours.synth.facts import medicines
from parcours.synth.settings import SynthSettings


def planted_medicines() -> list[dict[str, Any]]:
    """Each medicine with its kind, curve, peak and relative incidence by day since first purchase."""
    return [
        {
            "atc": m.atc,
            "name": m.name,
            "kind": m.kind,
            "curve": m.curve,
            "peak_ri": m.peak_ri,
            "relative_incidence": np.round(relative_incidence(m.curve, m.peak_ri), 6).tolist(),
        }
        for m in medicines()
    ]


def truth(
    settings: SynthSettings, irregularities: Counter[str], counts: Counter[str], faults: list[dict[str, str]]
) -> dict[str, Any]:
    """The whole of truth.json for counts gathered over blocks."""
    return {
        "seed": settings.seed,
        "persons": settings.persons,
        "years": list(settings.years),
        "minimum_age": settings.minimum_age,
        "lines_per_person_year": settings.lines_per_person_year,
        "outcome": "fracture",
        "horizon_days": HORIZON_DAYS,
        "medicines": planted_medicines(),
        "irregularities": dict(sorted(irregularities.items())),
        "rates": settings.rates,
        "counts": dict(sorted(counts.items())),
        "faults": faults,
    }
