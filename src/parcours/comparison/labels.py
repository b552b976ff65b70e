"""What the two runs of a comparison are called where they are told apart."""

from dataclasses import dataclass

from parcours.comparison.compare import Comparison
from parcours.comparison.finished import FinishedRun

SEPARATOR = " · "


@dataclass(frozen=True)
class Labels:
    """Names of both runs, which differ, and what no reader may overlook: `SYNTHETIC DATA`; empty on real data."""

    earlier: str
    later: str
    mark: str


def labels_of(comparison: Comparison) -> Labels:
    """The runs by their names; the fingerprint is added where the names are the same."""
    runs = (comparison.earlier, comparison.later)
    alike = runs[0].name == runs[1].name
    earlier, later = (f"{run.name}{SEPARATOR}{run.fingerprint[:8]}" if alike else run.name for run in runs)
    return Labels(earlier, later, "SYNTHETIC DATA" if any(run.synthetic for run in runs) else "")


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
