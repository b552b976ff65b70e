"""The tolerance by which tick stops when it is as good as ours; needs numpy only."""

import numpy as np

DEFAULT = 1e-5  # tolerance of tick when none is given: none here is looser
RECORDED = 10  # tick looks at its tolerance after the first epoch and after every ten from there on


def loosest(told: np.ndarray) -> float:
    """The largest power of ten below every relative change that tick looks at before the last epoch.

    told: the objective after each epoch, (epochs,).
    """
    looked = told[::RECORDED]
    changes = np.abs(np.diff(looked)) / np.abs(looked[:-1])
    before_last = changes[: max(len(told) - 2, 0) // RECORDED]
    return float(10.0 ** (np.ceil(np.log10(before_last.min(initial=DEFAULT * 10))) - 1))
