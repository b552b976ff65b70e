"""Two finished runs side by side: pure, and nothing in it is about a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import isfinite, log, nan, sqrt
from re import sub

from parcours.comparison.counts import SharedCases, Told
from parcours.comparison.differences import Change, DataChange, Versions, changed_data, changed_parameters, versions
from parcours.comparison.finished import FinishedRun, Level, Step
from parcours.comparison.signals import SIGNALS, Signal, flag_in, signals_gained, signals_lost, signals_turned
from parcours.reporting.findings import BEFORE, LOWERED, RAISED

# What became of a medicine's flag. NOTHING: it is flagged in neither run.
GAINED, LOST, TURNED, KEPT, NOTHING = "gained", "lost", "turned", "kept", ""
READING_ORDER = {RAISED: 0, LOWERED: 1, BEFORE: 2}


@dataclass(frozen=True)
class Pair:
    """A medicine in both runs; None: the run did not estimate it. `exposed`: exposed cases, as they may leave."""

    drug: str
    name: str
    earlier: Signal | None
    later: Signal | None
    exposed: tuple[Told, Told]
    change: str

    @property
    def flags(self) -> tuple[str, str]:
        """Its flag in each run; empty where the run did not estimate it."""
        return tuple(str(each["flag"]) if each else "" for each in (self.earlier, self.later))  # type: ignore[return-value]


@dataclass(frozen=True)
class StepPair:
    """A step of the attrition in both runs; None: the run has no such step."""

    earlier: Step | None
    later: Step | None


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs.

    - counts: {cases, events, persons_followed: (earlier, later)}, as the reports tell them;
    - medicines: every medicine of either run in reading order: raising, lowering, rising before the exposure in either
      run, then the others by the strength of their effect;
    - cases: how many cases the runs share, None where it is not known.
    """

    earlier: FinishedRun
    later: FinishedRun
    parameters: list[Change]
    data: list[DataChange]
    versions: Versions
    counts: Mapping[str, tuple[Told, Told]]
    attrition: list[StepPair]
    medicines: list[Pair]
    cases: SharedCases | None

    @property
    def other_study(self) -> bool:
        """Whether the runs are of two studies."""
        return self.earlier.cohort != self.later.cohort

    @property
    def same_results(self) -> bool:
        """Whether both reports hold the same attrition, peaks and curves."""
        first, second = self.earlier, self.later
        tables = ("attrition", "signals", "exposed", "curves")
        return all(getattr(first, name) == getattr(second, name) for name in tables)

    def of_change(self, change: str) -> list[Pair]:
        """Medicines of which this became, in reading order."""
        return [pair for pair in self.medicines if pair.change == change]


def compare(earlier: FinishedRun, later: FinishedRun, cases: SharedCases | None = None) -> Comparison:
    """What differs between two runs; `cases` are those that they share, as they may leave, where they are known.

    Counts stand as the two reports tell them: what both together would give away was withheld from the report that left
    last (parcours.release).
    """
    return Comparison(
        earlier=earlier,
        later=later,
        parameters=changed_parameters(earlier.run["study"], later.run["study"]),
        data=changed_data(earlier.run["data"], later.run["data"]),
        versions=versions(earlier.run, later.run),
        counts={name: (_count(earlier, name), _count(later, name)) for name in ("cases", "persons_followed", "events")},
        attrition=[StepPair(*steps) for steps in aligned(earlier.attrition, later.attrition)],
        medicines=_medicines(earlier, later),
        cases=cases,
    )


def _count(run: FinishedRun, name: str) -> Told:
    return run.cases if name == "cases" else run.counts.get(name)


def aligned(earlier: Sequence[Step], later: Sequence[Step]) -> list[tuple[Step | None, Step | None]]:
    """Steps of two attritions that say the same but for their numbers side by side; the last are the cases."""
    first_kinds, other_kinds = (
        [sub(r"\d+", "#", step.description) for step in steps[:-1]] for steps in (earlier, later)
    )
    rows: list[tuple[Step | None, Step | None]] = []
    for kind, first, end, other, other_end in SequenceMatcher(
        a=first_kinds, b=other_kinds, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            rows += zip(earlier[first:end], later[other:other_end], strict=True)
        else:
            rows += [(step, None) for step in earlier[first:end]]
            rows += [(None, step) for step in later[other:other_end]]
    return [*rows, (earlier[-1], later[-1])]


def _medicines(earlier: FinishedRun, later: FinishedRun) -> list[Pair]:
    drugs = list(dict.fromkeys([*earlier.signals, *later.signals]))
    pairs = [_pair(drug, earlier, later) for drug in drugs]
    return sorted(pairs, key=lambda pair: (_rank(pair), -_strength(pair), pair.name, pair.drug))


def _pair(drug: str, earlier: FinishedRun, later: FinishedRun) -> Pair:
    before, after = earlier.signals.get(drug), later.signals.get(drug)
    return Pair(
        drug=drug,
        name=str((after or before or {})["name"]),
        earlier=before,
        later=after,
        exposed=(earlier.exposed.get(drug), later.exposed.get(drug)),
        change=_change(drug, earlier, later),
    )


def _change(drug: str, earlier: FinishedRun, later: FinishedRun) -> str:
    first, second = earlier.signals, later.signals
    for change, which in ((GAINED, signals_gained), (LOST, signals_lost), (TURNED, signals_turned)):
        if drug in which(first, second):
            return change
    return KEPT if flag_in(second, drug) in SIGNALS else NOTHING


def _rank(pair: Pair) -> int:
    return min(READING_ORDER.get(flag, len(READING_ORDER)) for flag in pair.flags)


def _strength(pair: Pair) -> float:
    return max(abs(_log(each["ri"])) if each and each["ri"] else 0.0 for each in (pair.earlier, pair.later))


def shift(pair: Pair) -> float:
    """By how much a relative incidence moved between the runs, in standard errors; 0 where one is not estimated.

    Runs that share cases move less than this makes believe: it orders medicines, and is no test.
    """
    if pair.earlier is None or pair.later is None:
        return 0.0
    moved = _log(pair.later["ri"]) - _log(pair.earlier["ri"])
    wide = sqrt(_width(pair.earlier) ** 2 + _width(pair.later) ** 2)
    return abs(moved) / wide if isfinite(moved) and wide > 0 and isfinite(wide) else 0.0


def _width(signal: Signal) -> float:
    return (_log(signal["upper"]) - _log(signal["lower"])) / (2 * 1.96)


def _log(value: float | None) -> float:
    if value is None:
        return nan
    return log(value) if value > 0 else -float("inf")


def curves_worth_drawing(comparison: Comparison, most: int) -> list[Pair]:
    """Medicines whose curves are drawn: those whose flag changed, other flagged ones, the most shifted."""
    drawable = [pair for pair in comparison.medicines if _levels(comparison, pair)]
    order = sorted(
        drawable,
        key=lambda pair: (
            pair.change not in (GAINED, LOST, TURNED),
            not set(pair.flags) & READING_ORDER.keys(),
            -shift(pair),
            pair.name,
        ),
    )
    return order[:most]


def _levels(comparison: Comparison, pair: Pair) -> Sequence[Level]:
    return [*comparison.earlier.curves.get(pair.drug, []), *comparison.later.curves.get(pair.drug, [])]
