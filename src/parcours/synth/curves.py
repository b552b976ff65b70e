"""Planted curves: relative incidence of a fracture by days since the first purchase of a medicine.

Every curve is exp(log(peak) x shape(day)) over `HORIZON_DAYS` days and 1 afterwards, so one set of
shapes serves medicines that raise the hazard (peak over 1) and that lower it (peak under 1).
Shapes, all in [0, 1]:
  early     1 until day 41, then half a cosine down to 0 at day 98
  delayed   0 until day 42, then half a cosine up to 1 at day 84, then 1
  constant  1
  decaying  exp(-day / 60)
  none      0
"""

import numpy as np

HORIZON_DAYS = 196


def _descent(day: np.ndarray, start: int, end: int) -> np.ndarray:
    return 0.5 * (1 + np.cos(np.pi * np.clip((day - start) / (end - start), 0, 1)))


def shape(curve: str) -> np.ndarray:
    """Shape of a named curve, one value a day over the horizon; KeyError for an unknown name."""
    day = np.arange(HORIZON_DAYS)
    return {
        "early": _descent(day, 42, 98),
        "delayed": 1 - _descent(day, 42, 84),
        "constant": np.ones(HORIZON_DAYS),
        "decaying": np.exp(-day / 60),
        "none": np.zeros(HORIZON_DAYS),
    }[curve]


def relative_incidence(curve: str, peak: float) -> np.ndarray:
    """Relative incidence by day since first purchase, `HORIZON_DAYS` values; peak > 0 is reached by the shape."""
    return np.asarray(np.exp(np.log(peak) * shape(curve)))
