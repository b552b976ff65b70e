"""truth.json: what was planted."""

from collections import Counter
from typing import Any

import numpy as np

from parcours.synth.curves import HORIZON_DAYS, relative_incidence
from parcours.synth.facts import medicines
from parcours.synth.settings import SynthSettings


def planted_medicines(exposed: np.ndarray) -> list[dict[str, Any]]:
    """Each medicine with its kind, curve, peak and relative incidence by day since first purchase.

    exposed: (medicines, 2) persons who start it from the second year on, and the fracture cases among them.
    """
    return [
        {
            "atc": m.atc,
            "name": m.name,
            "kind": m.kind,
            "curve": m.curve,
            "peak_ri": m.peak_ri,
            "relative_incidence": np.round(relative_incidence(m.curve, m.peak_ri), 6).tolist(),
            "new_users": int(users),
            "exposed_cases": int(cases),
        }
        for m, (users, cases) in zip(medicines(), exposed, strict=True)
    ]


def truth(
    settings: SynthSettings,
    exposed: np.ndarray,
    irregularities: Counter[str],
    counts: Counter[str],
    faults: list[dict[str, str]],
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
        "medicines": planted_medicines(exposed),
        "irregularities": dict(sorted(irregularities.items())),
        "rates": settings.rates,
        "counts": dict(sorted(counts.items())),
        "faults": faults,
    }
