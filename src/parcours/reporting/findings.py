"""What a report tells, as plain tables: made once, then drawn, written and tracked. No row is about a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.leaving import Published
from parcours.reporting.texts import Texts, texts_in

if TYPE_CHECKING:
    import pandas as pd

# Flags as the models give them; a medicine without one has NOT_FLAGGED.
RAISED, LOWERED, BEFORE, NOT_FLAGGED = "raised", "lowered", "rise before exposure", "none"
# Interval of the days before the purchase, where each medicine is looked at by itself at 1%.
INTERVAL_BEFORE = "99% interval"


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

    - language: in which titles, steps, breakdowns and notes are; flags, sites as codes and columns are in no language;
    - name: the sentence that the run is listed by;
    - peaks: one row a medicine, in reading order: drug, name, exposed and events_after (cases, and their events on the
      days of the curve from the purchase on, as they may leave), selected, selected_share, peak_lag, peak_day (first
      day of that bucket), first_day, last_day (of the window that stands out most), ri, lower, upper, p_value, flag;
      before (raised, lowered or none), before_ri, before_lower, before_upper, before_p_value of the days before the
      exposure; ri is nan where too little is expected for a test;
    - curves: one row a medicine and lag: drug, name, lag, day, ri, lower, upper, band_lower, band_upper, penalised_ri;
      lags below 0 lie before the exposure;
    - cases, events, persons_followed: counts as they may leave;
    - changes: {parameter: {file, run}} for a what-if run, else empty; synthetic: whether the persons are made up.
    """

    language: str
    cohort: str
    name: str
    title: str
    subtitle: str
    changes: Mapping[str, Mapping[str, Any]]
    synthetic: bool
    fingerprint: str
    source: str
    bucket_days: int
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
        said = {"mark_synthetic": self.synthetic, "mark_what_if": bool(self.changes)}
        return " · ".join(self.texts.say(word) for word, holds in said.items() if holds)

    @property
    def texts(self) -> Texts:
        """The texts of its language."""
        return texts_in(self.language)

    @property
    def tested(self) -> int:
        """Medicines that have a p value: so many are corrected for."""
        return int(self.peaks["p_value"].notna().sum())

    @property
    def first_day(self) -> int:
        """First day of the curves, counted from the exposure: 0 or below."""
        return int(self.curves["day"].min())

    @property
    def last_day(self) -> int:
        """First day after the window in which effects are estimated."""
        return int(self.curves["day"].max()) + self.bucket_days

    def flagged(self, flag: str) -> "pd.DataFrame":
        """Peaks of the medicines with this flag."""
        return self.peaks[self.peaks["flag"] == flag]
