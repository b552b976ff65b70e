"""What the two runs of a comparison are called where they are told apart."""

from dataclasses import dataclass

from parcours.comparison.compare import Comparison
from parcours.comparison.finished import FinishedRun

SEPARATOR = " · "


@dataclass(frozen=True)
class Labels:
    """What tells both runs apart, what they have in common, and what no reader may overlook.

    Of `fall · 65 and over` and `fall · 75 and over`: `65 and over`, `75 and over` and `fall`; of two runs of one name
    the fingerprints. `mark` is `SYNTHETIC DATA`, or empty on real data.
    """

    earlier: str
    later: str
    common: str
    mark: str


def labels_of(comparison: Comparison) -> Labels:
    """The runs by the parts of their names that differ."""
    runs = (comparison.earlier, comparison.later)
    names = [run.name.split(SEPARATOR) for run in runs]
    common = [part for part in names[0] if part in names[1]]
    own = [SEPARATOR.join(part for part in name if part not in common) for name in names]
    if not all(own):  # nothing tells one of them apart but what it is made of
        own = [f"run {run.fingerprint[:8]}" for run in runs]
    mark = "SYNTHETIC DATA" if any(run.synthetic for run in runs) else ""
    return Labels(own[0], own[1], SEPARATOR.join(common), mark)


def source_of(comparison: Comparison) -> str:
    """Where the numbers come from, for the foot of a figure."""
    runs = (comparison.earlier, comparison.later)
    source = "SYNTHETIC data" if any(run.synthetic for run in runs) else "SNDS"
    return f"Source: {source}; {' and '.join(_told(run) for run in runs)}."


def _told(run: FinishedRun) -> str:
    products = ", ".join(product for product in sorted(run.run["data"]) if not product.startswith("IR_"))
    return f"study {run.cohort}, run {run.fingerprint[:8]} ({products})"


def short(text: str, most: int) -> str:
    """A text that fits in so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
