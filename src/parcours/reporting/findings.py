"""What a report tells, as plain tables: made once, then drawn, written and tracked. No row is about a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.leaving import Published

if TYPE_CHECKING:
    import pandas as pd

# Flags as the models give them; a medicine without one has NOT_FLAGGED.
RAISED, LOWERED, NOT_FLAGGED = "raised", "lowered", "none"


@dataclass(frozen=True)
class AttritionStep:
    """A step of the way from everybody to the study, with counts as they may leave."""

    description: str
    persons: Published
    lost: Published


@dataclass(frozen=True)
class Breakdown:
    """Counts of one kind, by label, as they may leave, with their total."""

    title: str
    labels: list[str]
    counts: list[Published]
    total: Published


@dataclass(frozen=True)
class Findings:
    """Everything in a report.

    - peaks: one row a medicine, in reading order: drug, name, exposed (as it may leave), selected, peak_lag, peak_day
      (first day of the bucket), ri, lower, upper, p_value, flag;
    - curves: one row a medicine and lag: drug, name, lag, day, ri, lower, upper;
    - cases, events, persons_followed: counts as they may leave;
    - changes: {parameter: {file, run}} for a what-if run, else empty; synthetic: whether the persons are made up.
    """

    cohort: str
    title: str
    subtitle: str
    changes: Mapping[str, Mapping[str, Any]]
    synthetic: bool
    fingerprint: str
    source: str
    bucket_days: int
    interval: str
    peaks: "pd.DataFrame"
    curves: "pd.DataFrame"
    attrition: list[AttritionStep]
    breakdowns: list[Breakdown]
    cases: Published
    events: Published
    persons_followed: Published
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    notes: list[str]

    @property
    def mark(self) -> str:
        """What no reader of a figure may overlook: `SYNTHETIC DATA · WHAT-IF RUN`; empty for a study on real data."""
        said = {"SYNTHETIC DATA": self.synthetic, "WHAT-IF RUN": bool(self.changes)}
        return " · ".join(word for word, holds in said.items() if holds)

    @property
    def last_day(self) -> int:
        """First day after the window in which effects are estimated."""
        return int(self.curves["day"].max()) + self.bucket_days

    def flagged(self, flag: str) -> "pd.DataFrame":
        """Peaks of the medicines with this flag."""
        return self.peaks[self.peaks["flag"] == flag]
