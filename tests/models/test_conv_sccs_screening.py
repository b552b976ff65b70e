"""Windows, tests and intervals of ConvSCCS: each against brute force, and test against interval."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from scipy.stats import norm

from parcours.models import CaseSeries, ConvSCCS
from parcours.models.baseline import Baseline
from parcours.models.exposed_masses import exposed_masses
from parcours.models.likelihood import likelihood_of
from parcours.models.observed_days import LagAxis, observe
from parcours.models.peaks import BEFORE_LEVEL
from parcours.models.profile import bound, maximum, signed_root, tied
from parcours.models.screening import LEVELS, _kept_share, false_discovery_flags, joint_level
from parcours.models.windows import Windows, critical, effective_number, p_value, unions, windows_of
from parcours.reporting.findings import INTERVAL_BEFORE
from tests.models.simulation import Truth, draw_series, planted_curve

# --- windows -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(lags=st.integers(0, 30), before=st.integers(0, 20), bucket=st.integers(1, 9), per_lag=st.floats(0.0, 50.0))
def test_windows_are_runs_of_lags_that_hold_enough_expected_events(lags, before, bucket, per_lag):
    axis = LagAxis(lags, bucket, before)
    windows = windows_of(np.full((1, axis.width), per_lag), axis)
    numbers, early, late = windows.of_lag[0], int(windows.before[0]), int(windows.after[0])
    assert np.diff(numbers).min(initial=0) >= 0
    assert np.unique(numbers).tolist() == list(range(early + late))
    assert (numbers[:before] < early).all()
    assert (numbers[before:] >= early).all()
    assert 1 <= late <= min(8, lags + 1)
    assert early <= 3
    assert late == 1 or per_lag * (lags + 1) / late >= 8
    assert windows.lags_of(0, early, early + late - 1).tolist() == list(range(before, axis.width))


def test_a_rare_drug_has_one_window_and_a_common_one_eight_and_three():
    axis = LagAxis(13, 14, 7)
    windows = windows_of(np.array([[0.1] * 21, [10.0] * 21]), axis)
    assert windows.before.tolist() == [1, 3]
    assert windows.after.tolist() == [1, 8]
    assert windows.of_lag[1, :7].tolist() == [
        0,
        0,
        0,
        0,
        1,
        1,
        2,
    ]  # the last weeks before the exposure are looked at closely


def test_windows_that_are_tested_are_the_base_windows_and_unions_of_neighbours():
    assert unions(0) == ()
    assert unions(1) == ((0, 0),)
    assert unions(3) == ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))
    eight = unions(8)
    assert {(3, 3), (3, 4), (2, 5), (0, 7)} <= set(eight)
    assert len(eight) == len(set(eight)) == 8 + 7 + 3 + 1


@pytest.mark.parametrize("base", [2, 3, 5, 8])
def test_the_largest_statistic_over_windows_exceeds_as_often_as_told(base):
    drawn = np.random.default_rng(99).standard_normal((150_000, base))
    sums = np.cumsum(np.pad(drawn, ((0, 0), (1, 0))), axis=1)
    largest = np.max(
        [np.abs(sums[:, last + 1] - sums[:, first]) / np.sqrt(last + 1 - first) for first, last in unions(base)], axis=0
    )
    number = np.array(effective_number(base, False))
    for level in (0.05, 0.01):
        assert (largest > critical(level, number)).mean() == pytest.approx(level, rel=0.15)
    assert 1 < number < len(unions(base))


def test_a_p_value_and_its_statistic_are_one_another():
    number = np.array([1.0, 3.7, 12.0])
    assert p_value(critical(0.03, number), number) == pytest.approx([0.03] * 3)
    assert p_value(np.array([1.96]), np.array([1.0]))[0] == pytest.approx(0.05, abs=1e-4)
    assert effective_number(1, False) == effective_number(0, True) == 1.0


def test_a_common_drug_shows_its_windows_in_parts_of_five_expected_events():
    axis = LagAxis(15, 1, 4)
    windows = windows_of(np.array([np.full(20, 6.0), np.full(20, 1.2)]), axis)
    assert windows.after.tolist() == [8, 2]
    assert (windows.parts - windows.parts_before).tolist() == [
        16,
        2,
    ]  # two lags of six events, or eight of ten together
    assert windows.parts_before.tolist() == windows.before.tolist()
    nested = {(part, window) for part, window in zip(windows.part_of_lag[0], windows.of_lag[0], strict=True)}
    assert len(nested) == windows.parts[0]


# --- profile -----------------------------------------------------------------------------------------------------


def small_screen(seed=0, persons=150):
    """A likelihood, coefficients of a fitted model, and four windows of its first drug: two before, two after."""
    truth = Truth(
        curves={"D0": planted_curve("early", 3.0, 40), "D1": planted_curve("constant", 2.0, 40)},
        exposed={"D0": 0.6, "D1": 0.6},
        days=240,
    )
    axis, baseline = LagAxis(3, 10, 4), Baseline(calendar=(80, 160))
    likelihood = likelihood_of(observe(draw_series(truth, persons, seed), axis, baseline), baseline)
    at = np.random.default_rng(seed).normal(size=likelihood.n_coefficients) / 4
    two = np.array([2, 2])
    of_lag = np.tile([0, 0, 0, 1, 2, 3, 3, 3], (2, 1))
    windows = Windows(of_lag, of_lag, two, two, two, two + two)
    return likelihood, at, windows


def negative_log_likelihood(likelihood, at, windows, theta):
    """Of the whole model, where the first drug has these levels in its windows."""
    coefficients = at.copy()
    coefficients[: likelihood.days.axis.width] = theta[windows.of_lag[0]]
    return -likelihood.event_log_probabilities(coefficients).sum()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("tested", [(2, 2), (2, 3), (0, 1)])
def test_estimate_deviance_and_bounds_are_those_of_brute_force(seed, tested):
    likelihood, at, windows = small_screen(seed)
    mass, rest, events, counts = exposed_masses(likelihood, at, windows).of(0)
    assert mass.sum(axis=1) + rest == pytest.approx(np.ones(len(rest)))
    number = np.arange(4)
    shares = (number >= tested[0]) & (number <= tested[1])
    group = np.unique(np.where(shares, 0, 1 + number), return_inverse=True)[1]
    summed_mass, summed = tied(mass, counts, group)
    share = 0.8
    best = maximum(summed_mass, rest, events, summed, share)

    def value(parameters):
        return negative_log_likelihood(likelihood, at, windows, parameters[group])

    brute = minimize(value, np.zeros(len(summed)), method="BFGS", options={"gtol": 1e-6})
    assert best.theta == pytest.approx(brute.x, abs=1e-4)

    def root(there):
        inner = minimize(lambda rest: value(np.append(there, rest)), brute.x[1:], method="BFGS", options={"gtol": 1e-6})
        return np.sign(brute.x[0] - there) * np.sqrt(max(2 * (inner.fun - brute.fun), 0))

    for there in (0.0, 0.5):
        found = signed_root(best, there, best.theta.copy())
        assert found == pytest.approx(np.sqrt(share) * root(there), abs=2e-3)
    for level in (1.96, -1.96):
        found = bound(best, level)
        expected = brentq(
            lambda there, level=level: np.sqrt(share) * root(there) - level, brute.x[0] - 3, brute.x[0] + 3
        )
        assert found == pytest.approx(expected, abs=5e-3)


def test_a_window_without_events_has_no_lower_bound_and_one_with_all_of_them_no_upper_one():
    mass, rest = np.array([[0.1, 0.2]]), np.array([0.9, 0.8])
    for counts, events, side in (([0.0], [1.0, 1.0], -1), ([2.0], [1.0, 1.0], 1)):
        best = maximum(mass, rest, np.array(events), np.array(counts), 1.0)
        bounds = [bound(best, side * level) for level in (-1.96, 1.96)]
        assert best.estimate * side > 10
        assert bounds[0] == side * np.inf
        assert np.isfinite(bounds[1])


def test_the_kept_share_is_what_the_estimation_of_the_others_leaves():
    root = np.random.default_rng(0).normal(size=(20, 5))
    whole = root.T @ root
    own, cross = whole[:3, :3], whole[:3, 3:]
    efficient = own - cross @ np.linalg.solve(whole[3:, 3:], cross.T)
    expected = (1 / np.linalg.inv(whole)[0, 0]) / (1 / np.linalg.inv(own)[0, 0])
    assert _kept_share(own, efficient, 0, 0) == pytest.approx(expected, abs=1e-6)
    assert _kept_share(own, own, 0, 1) == pytest.approx(1.0)
    assert _kept_share(own, np.zeros((3, 3)), 1, 2) == pytest.approx(0.0, abs=1e-6)


def test_a_day_in_two_windows_belongs_to_the_one_after_an_exposure_then_to_the_latest_start():
    persons = pd.DataFrame({"person_id": [1], "start": [0], "end": [99]})
    exposures = pd.DataFrame({"person_id": 1, "drug": "x", "start": [20, 35, 50]})
    series = CaseSeries(persons, pd.DataFrame({"person_id": [1], "day": [48]}), exposures)
    axis = LagAxis(1, 10, 1)  # days 20-39 and 35-54 and 50-69 after, 10-19 25-34 40-49 before
    likelihood = likelihood_of(observe(series, axis, Baseline()), Baseline())
    of_lag, one, two = np.array([[0, 1, 2]]), np.array([1]), np.array([2])
    windows = Windows(of_lag, of_lag, one, two, one, one + two)
    mass, rest, _, counts = exposed_masses(likelihood, np.zeros(3), windows).of(0)
    assert (mass[0] * 100).round().tolist() == [10, 10 + 10 + 10, 5 + 5 + 10]
    assert rest[0] == pytest.approx(0.40)
    assert counts.tolist() == [0, 0, 1]


# --- flags and intervals -----------------------------------------------------------------------------------------


def test_flags_follow_benjamini_and_hochberg():
    p_values = np.array([0.01, 0.04, 0.03, 0.9, np.nan])
    # Ordered 0.01 0.03 0.04 0.9 against 0.0125 0.025 0.0375 0.05: only the first passes at 5%.
    assert false_discovery_flags(p_values, 0.05).tolist() == [True, False, False, False, False]
    assert false_discovery_flags(p_values, 0.06).tolist() == [True, True, True, False, False]
    assert joint_level(p_values, np.array([True, False, False, False, False]), 0.05) == pytest.approx(0.0125)
    assert joint_level(p_values, np.zeros(5, dtype=bool), 0.05) == pytest.approx(0.0125)


@pytest.fixture(scope="module")
def many_models():
    """Models of series with strong, weak and no effects, few and many cases, rare and common drugs."""
    shapes = ["early", "constant", "delayed", "decaying"]
    models = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        curves = {f"D{n}": planted_curve(shapes[n % 4], float(rng.choice([0.01, 0.5, 2, 4, 8])), 60) for n in range(5)}
        exposed = {f"D{n}": float(rng.uniform(0.05, 0.6)) for n in range(12)}
        series = draw_series(Truth(curves, exposed, days=500), int(rng.choice([60, 250, 700])), seed)
        model = ConvSCCS(lags=5, bucket=10, tv=0.003, group=0.002, calendar_cuts=[170, 340], pre_lags=9 * (seed % 2))
        models.append(model.fit(series).bootstrap(0))
    return models


@settings(deadline=None, max_examples=60)
@given(place=st.integers(0, 5), level=st.floats(0.001, 0.6))
def test_an_interval_holds_no_effect_exactly_where_there_is_no_flag(many_models, place, level):
    peaks = many_models[place].peaks(false_discovery=level).to_dict("records")
    for row in peaks:
        for part, flag in (("", row["flag"]), ("before_", row["before"])):
            low, estimate, high, p_value = (row[f"{part}{name}"] for name in ("lower", "log_ri", "upper", "p_value"))
            if np.isnan(estimate):  # too few exposed for any test
                assert flag == "" and np.isnan([low, high, p_value]).all()
            else:
                assert (low <= 0 <= high) == (flag == ""), row
                assert low <= estimate <= high
        if row["flag"] in ("raised", "lowered"):
            assert (row["log_ri"] > 0) == (row["flag"] == "raised")
        assert (row["flag"] == "rise before exposure") <= (row["before"] == "raised" and row["log_ri"] > 0)


def test_the_flags_of_that_property_are_of_all_kinds(many_models):
    flags = pd.concat([model.peaks(0.1) for model in many_models])
    assert {"raised", "lowered", ""} <= set(flags.flag)
    assert np.isinf(flags.lower[flags.flag == "lowered"]).any()
    assert flags.log_ri.isna().any()


@settings(deadline=None, max_examples=20)
@given(place=st.integers(0, 5), levels=st.tuples(st.floats(0.001, 0.5), st.floats(0.001, 0.5)))
def test_more_confidence_is_a_wider_interval(many_models, place, levels):
    tests = many_models[place].screen_.after
    (low, high), (lower, upper) = (tests.bounds(level) for level in sorted(levels, reverse=True))
    tested = ~np.isnan(tests.statistic)
    assert tested.any()
    assert (lower[tested] <= low[tested]).all()
    assert (upper[tested] >= high[tested]).all()


def test_bounds_between_kept_levels_are_those_of_the_profile(many_models):
    tests = many_models[1].screen_.after
    for number, level in enumerate(LEVELS):
        wanted = 2 * norm.sf(level)
        single = np.isclose(tests.number, 1.0) & ~np.isnan(tests.statistic)
        assert single.any()
        lower, upper = tests.bounds(float(wanted))
        assert lower[single] == pytest.approx(tests.low[single, number], abs=1e-6)
        assert upper[single] == pytest.approx(tests.high[single, number], abs=1e-6)


def test_pointwise_bounds_lie_inside_the_band_and_hold_the_estimate(many_models):
    for model in many_models:
        curves = model.curves()
        assert (curves.band_lower <= curves.lower + 1e-3).all()
        assert (curves.lower <= curves.log_ri).all()
        assert (curves.log_ri <= curves.upper).all()
        assert (curves.upper <= curves.band_upper + 1e-3).all()
        assert curves.lag.min() == -9
        assert curves.groupby("drug").size().unique().tolist() == [9 + 6]


def test_the_report_names_the_interval_of_the_days_before_as_the_model_makes_it():
    assert f"{1 - BEFORE_LEVEL:.0%} interval" == INTERVAL_BEFORE
