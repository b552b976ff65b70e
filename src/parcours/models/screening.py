"""A test and an interval of each medicine, from one pass over the persons: no medicine is fitted again.

For each tested window of lags (`windows.unions`) one log relative incidence is estimated, with the medicine's other
windows at their best and the other medicines as fitted; the signed root of its profile deviance, shrunk for what the
estimation of the others takes away, is close to a standard normal also for few events. The largest over the windows is
compared with the law of the largest. Test and interval are the same thing read twice: the interval of the window that
stands out most, at the level of the test, holds no effect exactly when the test does not reject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from parcours.models.exposed_masses import ExposedMasses, exposed_masses
from parcours.models.information import information
from parcours.models.likelihood import Likelihood
from parcours.models.profile import Maximum, bound, maximum, tied
from parcours.models.tasks import Arrays, RunTasks
from parcours.models.windows import Windows, critical, effective_number, p_value, unions, windows_of

#: A window is tested when its expected number of events reaches this: below, no count is surprising enough.
LEAST_EXPECTED = 3.0
#: Statistics at which the bounds of the window that stands out most are kept, for whatever level flags will have.
LEVELS = np.array([1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 7.0])
#: Medicines of one piece of work.
DRUGS_A_TASK = 20


@dataclass(frozen=True)
class Screen:
    """Results a drug; lags are numbers of the axis, log relative incidences are natural logs, nan where untested.

    estimate, lower, upper, band_lower, band_upper: (drugs, width) of each lag's part of a window: pointwise and
    simultaneous over the parts from the start of exposure on.
    after, before: the window that stands out most from the start on, and before it.
    """

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    band_lower: np.ndarray
    band_upper: np.ndarray
    after: WindowTests
    before: WindowTests


@dataclass(frozen=True)
class WindowTests:
    """The tested window that stands out most, one entry a drug; low, high (drugs, levels) its bounds at `LEVELS`."""

    first_lag: np.ndarray
    last_lag: np.ndarray
    estimate: np.ndarray
    statistic: np.ndarray  # signed: above 0 where the window holds more events than expected
    number: np.ndarray  # how many independent tests it is the largest of
    low: np.ndarray
    high: np.ndarray

    def p_values(self) -> np.ndarray:
        """Probability of so large a statistic without effect, (drugs,); nan where nothing is tested."""
        return p_value(self.statistic, self.number)

    def bounds(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """lower and upper, (drugs,), of the windows at 1 - level, simultaneous over all tested windows of a drug."""
        pairs = [_bounds_at(self, drug, level) for drug in range(len(self.statistic))]
        lower, upper = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return lower, upper


def _bounds_at(tests: WindowTests, drug: int, level: float) -> tuple[float, float]:
    """Bounds between the kept ones; at the statistic itself one of them is exactly no effect."""
    statistic = abs(tests.statistic[drug])
    if np.isnan(statistic):
        return np.nan, np.nan
    wanted = float(critical(level, tests.number[drug]))
    sides = []
    for side, kept in ((1.0, tests.low[drug]), (-1.0, tests.high[drug])):
        levels, values = np.append(0.0, LEVELS), np.append(tests.estimate[drug], kept)
        if side * tests.statistic[drug] > 0:
            place = int(np.searchsorted(levels, statistic))
            levels, values = np.insert(levels, place, statistic), np.insert(values, place, 0.0)
        sides.append(_between(levels, values, wanted))
    return sides[0], sides[1]


def _between(levels: np.ndarray, values: np.ndarray, wanted: float) -> float:
    """Linear between two kept levels; where the outer one is infinite, so is what lies beyond the inner one."""
    place = min(int(np.searchsorted(levels, wanted)), len(levels) - 1)
    low, high = values[place - 1], values[place]
    if not np.isfinite(high):
        return float(low if wanted <= levels[place - 1] else high)
    return float(low + (high - low) * min((wanted - levels[place - 1]) / (levels[place] - levels[place - 1]), 1.0))


@dataclass(frozen=True)
class _Setting:
    """What the tests of all drugs share."""

    masses: ExposedMasses
    windows: Windows
    expected: np.ndarray  # (drugs, width) events expected without effect
    information: np.ndarray
    offset: np.ndarray  # (drugs + 1,) first column of each drug
    nuisance: np.ndarray  # columns of the other medicines in the model, and of the baseline
    before: int
    confidence: float


def screen(
    likelihood: Likelihood, coefficients: np.ndarray, resting: np.ndarray, confidence: float, run: RunTasks
) -> Screen:
    """Test every drug beside the fitted others.

    likelihood: laid out with the lags before the exposure that are to be tested. coefficients: the fitted model on it;
    resting: the same with every curve at zero, from which the windows come.
    """
    setting = _setting(likelihood, coefficients, resting, confidence)
    drugs = likelihood.days.drugs
    names = {
        f"medicines-{first:04d}": range(first, min(first + DRUGS_A_TASK, drugs))
        for first in range(0, drugs, DRUGS_A_TASK)
    }

    def work(name: str) -> Arrays:
        rows = [_test_drug(setting, drug) for drug in names[name]]
        return {key: np.array([row[key] for row in rows]) for key in rows[0]}

    parts = list(run(work, list(names)))
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}
    return _screen_of(joined, likelihood.days.axis.width)


def _screen_of(joined: Arrays, width: int) -> Screen:
    fields = {name: joined.get(name, np.zeros((0, width))) for name in CURVES}
    tests = []
    for part in ("after", "before"):
        columns = {name: joined.get(f"{part}_{name}", np.zeros(0)) for name in TESTS}
        lags = {name: columns[name].astype(np.int64) for name in ("first_lag", "last_lag")}
        tests.append(WindowTests(**(columns | lags)))
    return Screen(**fields, after=tests[0], before=tests[1])


CURVES = ("estimate", "lower", "upper", "band_lower", "band_upper")
TESTS = ("first_lag", "last_lag", "estimate", "statistic", "number", "low", "high")


def _setting(likelihood: Likelihood, coefficients: np.ndarray, resting: np.ndarray, confidence: float) -> _Setting:
    axis, drugs = likelihood.days.axis, likelihood.days.drugs
    expected = likelihood.expected(resting)[1].reshape(drugs, axis.width)
    windows = windows_of(expected, axis)
    offset = np.append(0, np.cumsum(windows.before + windows.after))
    column = (windows.of_lag + offset[:-1, None]).ravel()
    whole = information(likelihood, coefficients, column, int(offset[-1]))
    curves = coefficients[: likelihood.n_curves].reshape(drugs, axis.width)
    kept = [np.unique(column.reshape(drugs, -1)[drug][curves[drug] != 0]) for drug in range(drugs)]
    rest = np.arange(offset[-1], len(whole))
    nuisance = np.concatenate([*kept, rest]).astype(np.int64)
    masses = exposed_masses(likelihood, coefficients, windows)
    return _Setting(masses, windows, expected, whole, offset, nuisance, axis.before, confidence)


def _test_drug(setting: _Setting, drug: int) -> Arrays:
    """Estimates, bounds and tests of one drug."""
    windows = setting.windows
    before, after, parts = int(windows.before[drug]), int(windows.after[drug]), int(windows.parts[drug])
    mass, rest, events, counts = setting.masses.of(drug)
    lag_of_part = np.unique(windows.part_of_lag[drug], return_index=True)[1]
    given = _Drug(
        mass[:, :parts], rest, events, counts[:parts], windows.of_lag[drug][lag_of_part], *_informations(setting, drug)
    )
    levels = [given.part(part) for part in range(parts)]
    of_lag = windows.part_of_lag[drug]
    pointwise = float(-ndtri((1 - setting.confidence) / 2))
    band = float(
        critical(1 - setting.confidence, np.array(effective_number(parts - int(windows.parts_before[drug]), True)))
    )
    out: Arrays = {"estimate": np.array([level.estimate for level in levels])[of_lag]}
    for name, root in (("", pointwise), ("band_", band)):
        for side, sign in (("lower", 1.0), ("upper", -1.0)):
            out[name + side] = np.array([bound(level, sign * root) for level in levels])[of_lag]
    for name, first, number in (("after", before, after), ("before", 0, before)):
        tested = _largest(setting, drug, given, first, number)
        out |= {f"{name}_{key}": value for key, value in tested.items()}
    return out


def _informations(setting: _Setting, drug: int) -> tuple[np.ndarray, np.ndarray]:
    """Information of a drug's base windows, others held, and what is left of it when the others are estimated."""
    columns = np.arange(setting.offset[drug], setting.offset[drug + 1])
    others = np.setdiff1d(setting.nuisance, columns)
    own = setting.information[np.ix_(columns, columns)]
    cross = setting.information[np.ix_(others, columns)]
    nuisance = setting.information[np.ix_(others, others)] + 1e-8 * np.eye(len(others))
    return own, own - cross.T @ np.linalg.solve(nuisance, cross)


def _largest(setting: _Setting, drug: int, given: _Drug, first: int, number: int) -> Arrays:
    """The window that stands out most among `number` base windows from `first` on."""
    tested: list[tuple[Maximum, tuple[int, int]]] = []
    for low, high in unions(number):
        lags = setting.windows.lags_of(drug, first + low, first + high)
        if setting.expected[drug, lags].sum() >= LEAST_EXPECTED:
            window = given.window(first + low, first + high)
            tested.append((window, (int(lags[0]) - setting.before, int(lags[-1]) - setting.before)))
    if not tested:
        empty = np.full(len(LEVELS), np.nan)
        return _row(0, 0, np.nan, np.nan, 1.0, empty, empty)
    best, (first_lag, last_lag) = max(tested, key=lambda pair: abs(pair[0].statistic))
    low_bounds = np.array([bound(best, level) for level in LEVELS])
    high_bounds = np.array([bound(best, -level) for level in LEVELS])
    number_of_tests = effective_number(number, False)
    return _row(first_lag, last_lag, best.estimate, best.statistic, number_of_tests, low_bounds, high_bounds)


def _row(*values: object) -> Arrays:
    return {name: np.asarray(value, dtype=np.float64) for name, value in zip(TESTS, values, strict=True)}


@dataclass(frozen=True)
class _Drug:
    """A drug's exposed persons, and the information of its base windows, others held and others estimated.

    window_of_part: (parts,) the base window that each part belongs to.
    """

    mass: np.ndarray
    rest: np.ndarray
    events: np.ndarray
    counts: np.ndarray
    window_of_part: np.ndarray
    own: np.ndarray
    efficient: np.ndarray

    def window(self, first: int, last: int) -> Maximum:
        """The base windows first..last with one relative incidence, every other one with its own."""
        shared = (self.window_of_part >= first) & (self.window_of_part <= last)
        group = np.where(shared, 0, 1 + self.window_of_part)
        return self._estimated(group, _kept_share(self.own, self.efficient, first, last))

    def part(self, number: int) -> Maximum:
        """One part alone: the rest of its base window has a relative incidence of its own, as every other window."""
        group = 1 + self.window_of_part
        group[number] = 0
        whole = int(self.window_of_part[number])
        return self._estimated(group, _kept_share(self.own, self.efficient, whole, whole))

    def _estimated(self, group: np.ndarray, share: float) -> Maximum:
        mass, counts = tied(self.mass, self.counts, np.unique(group, return_inverse=True)[1])
        return maximum(mass, self.rest, self.events, counts, share)


def _kept_share(own: np.ndarray, efficient: np.ndarray, first: int, last: int) -> float:
    """Share of the information of windows first..last, as one, that is left when the other medicines are estimated."""
    alone = [window for window in range(len(own)) if not first <= window <= last]
    tie = np.zeros((len(own), len(alone) + 1))
    tie[first : last + 1, 0] = 1.0
    tie[alone, 1 + np.arange(len(alone))] = 1.0
    unit, small = np.eye(tie.shape[1])[0], 1e-9 * np.eye(tie.shape[1])
    held, free = (float(np.linalg.solve(tie.T @ matrix @ tie + small, unit)[0]) for matrix in (own, efficient))
    return float(np.clip(held / free, 0.0, 1.0)) if min(held, free) > 0 else 0.0


def false_discovery_flags(values: np.ndarray, level: float) -> np.ndarray:
    """Benjamini-Hochberg: True for the drugs declared at the given false discovery rate; nan is never declared."""
    tested = np.flatnonzero(~np.isnan(values))
    flags = np.zeros(len(values), dtype=bool)
    order = tested[np.argsort(values[tested], kind="stable")]
    passed = np.flatnonzero(values[order] <= level * np.arange(1, len(order) + 1) / max(len(order), 1))
    if len(passed):
        flags[order[: passed[-1] + 1]] = True
    return flags


def joint_level(values: np.ndarray, flags: np.ndarray, level: float) -> float:
    """Level of each interval beside Benjamini-Hochberg flags at `level`: false-coverage adjusted (Benjamini and
    Yekutieli
    2005), level * flagged / tested. An interval at 1 - this level holds no effect exactly where the flag is not set.
    """
    tested = int((~np.isnan(values)).sum())
    return level * max(int(flags.sum()), 1) / max(tested, 1)
