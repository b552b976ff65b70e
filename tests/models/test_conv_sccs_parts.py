"""The pieces of ConvSCCS, each against an oracle: the likelihood to the day, penalties, solver and refit."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize
from written_model import random_tables, series_of, written_loss

from parcours.models import CaseSeries, ConvSCCS, observed_days
from parcours.models.baseline import Baseline, term_names
from parcours.models.information import information
from parcours.models.likelihood import likelihood_of
from parcours.models.observed_days import LagAxis, observe
from parcours.models.proximal import denoise_total_variation, penalty, shrink_curves
from parcours.models.refit import refit, tied_columns
from parcours.models.solver import NotConverged, Penalty, solve
from tests.models.simulation import Truth, draw_series, planted_curve

CUTS = Baseline(age=(60, 130), calendar=(25, 70), season=(10, 50, 200))


def laid_out(tables, axis, baseline=CUTS, weights=None):
    return likelihood_of(observe(CaseSeries(*tables), axis, baseline), baseline, weights)


def small_series(seed=0, persons=80, drugs=3):
    truth = Truth(
        curves={"D0": planted_curve("constant", 4.0, 30), "D1": planted_curve("early", 3.0, 30)},
        exposed={f"D{number}": 0.6 for number in range(drugs)},
        days=200,
        death_share=0.4,
    )
    return draw_series(truth, persons, seed)


def small_likelihood(seed=0, before=0):
    baseline = Baseline(calendar=(70, 140))
    return likelihood_of(observe(small_series(seed), LagAxis(4, 7, before), baseline), baseline)


# --- the likelihood ----------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    bucket=st.integers(1, 9),
    lags=st.integers(0, 6),
    before=st.integers(0, 4),
    dosed=st.booleans(),
)
def test_the_loss_is_the_written_formula_day_by_day(seed, bucket, lags, before, dosed):
    persons, events, exposures = random_tables(seed, persons=12)
    if not dosed:
        exposures = exposures.assign(dose=1.0).drop_duplicates(["person_id", "drug", "start"])
    tables = (persons, events, exposures)
    axis = LagAxis(lags, bucket, before)
    likelihood = laid_out(tables, axis)
    at = np.random.default_rng(seed).normal(size=likelihood.n_coefficients)
    curves, parameters = np.split(at, [likelihood.n_curves])
    levels = likelihood.design.of_levels(parameters)
    expected = written_loss(tables, axis, CUTS, curves.reshape(-1, axis.width), levels)
    assert likelihood.loss_and_gradient(at)[0] == pytest.approx(expected, abs=1e-10)
    probabilities = likelihood.event_log_probabilities(at)
    assert -probabilities.sum() / likelihood.total == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("axis", [LagAxis(4, 7), LagAxis(5, 4, 3)])
def test_gradient_and_information_agree_with_finite_differences(axis):
    likelihood = laid_out(random_tables(1, persons=40), axis)
    rng = np.random.default_rng(1)
    at = rng.normal(size=likelihood.n_coefficients) / 2
    error = check_grad(
        lambda b: likelihood.loss_and_gradient(b)[0], lambda b: likelihood.loss_and_gradient(b)[1], at, seed=2
    )
    assert error < 1e-6
    column = np.append([0, 0, 0, -1, 1], np.arange(likelihood.n_curves - 5) + 2)
    found = information(likelihood, at, column, int(column.max()) + 1)
    step = rng.normal(size=len(found))
    tied = np.append(np.where(column >= 0, step[column], 0.0), step[int(column.max()) + 1 :])
    up, down = (likelihood.loss_and_gradient(at + sign * 1e-5 * tied)[1] for sign in (1, -1))
    change = (up - down) * likelihood.total / 2e-5
    free = np.flatnonzero(column >= 0)
    summed = np.append(np.bincount(column[free], change[free]), change[likelihood.n_curves :])
    assert found @ step == pytest.approx(summed, abs=1e-5)
    assert found == pytest.approx(found.T)


def test_a_weight_of_two_is_the_person_twice_and_of_zero_nobody():
    persons, events, exposures = random_tables(3, persons=20)
    axis, cases = LagAxis(3, 5, 2), sorted(set(events.person_id))
    weights = np.array([0, 1, 2] * 7)[: len(cases)]
    copies = [(case, copy) for case, weight in zip(cases, weights, strict=True) for copy in range(weight)]

    def repeated(table):
        parts = [table[table.person_id == case].assign(person_id=100 * case + copy) for case, copy in copies]
        return pd.concat(parts)

    every_drug = pd.DataFrame(
        [(100 * copies[0][0], f"D{n}", 500, 500, 1.0) for n in range(3)], columns=exposures.columns
    )
    tables = (repeated(persons), repeated(events), pd.concat([repeated(exposures), every_drug]))
    weighted, unrolled = laid_out((persons, events, exposures), axis, weights=weights), laid_out(tables, axis)
    assert weighted.design.parameter.tolist() == unrolled.design.parameter.tolist()
    at = np.random.default_rng(0).normal(size=weighted.n_coefficients)
    for one, other in zip(weighted.loss_and_gradient(at), unrolled.loss_and_gradient(at), strict=True):
        assert one == pytest.approx(other, abs=1e-12)


def test_a_likelihood_of_some_drugs_is_that_of_all_with_the_others_at_zero():
    whole = laid_out(random_tables(4), LagAxis(3, 5, 2))
    some = whole.only(np.array([0, 2]))
    at = np.random.default_rng(0).normal(size=some.n_coefficients)
    width = whole.days.axis.width
    wide = np.concatenate([at[:width], np.zeros(width), at[width:]])
    value, gradient = whole.loss_and_gradient(wide)
    assert some.loss_and_gradient(at)[0] == pytest.approx(value, abs=1e-12)
    assert some.loss_and_gradient(at)[1] == pytest.approx(np.delete(gradient, slice(width, 2 * width)), abs=1e-12)


def test_blocks_summed_in_threads_give_the_same_bits(monkeypatch):
    monkeypatch.setattr(observed_days, "PERSONS_A_BLOCK", 5)
    likelihood = laid_out(random_tables(5, persons=60), LagAxis(4, 5, 2))
    assert len(likelihood.days.blocks) > 8
    at = np.random.default_rng(0).normal(size=likelihood.n_coefficients)
    value, gradient = likelihood.loss_and_gradient(at)
    for threads in (2, 4):
        other, others = likelihood.in_threads(threads).loss_and_gradient(at)
        assert (other, others.tolist()) == (value, gradient.tolist())


def test_a_person_censored_after_two_of_four_days_is_compared_with_these_two_days_only():
    series = series_of([(1, 0, 1)], [(1, 1)], [(1, "x", 1)])
    likelihood = likelihood_of(observe(series, LagAxis(0), Baseline()), Baseline())
    assert likelihood.loss_and_gradient(np.array([math.log(3)]))[0] == pytest.approx(-math.log(3 / 4))


@pytest.mark.parametrize(
    ("exposures", "weights", "own"),
    [
        ([(1, "x", 21)], {21: 7 * [0.3] + 7 * [0.5]}, 0.5),
        ([(1, "x", 21), (1, "x", 21)], {21: 7 * [0.3] + 7 * [0.5]}, 0.5),  # twice on one day is once
        (
            [(1, "x", 21), (1, "x", 25)],
            {21: 4 * [0.3] + 3 * [0.6] + 4 * [0.8] + 3 * [1.0] + 4 * [0.5]},
            0.8,
        ),  # apart they add
        ([(1, "x", 31)], {31: 7 * [0.3] + 7 * [0.5]}, 0.0),  # the event lies a day before the start
        ([(1, "x", -5)], {0: 2 * [0.3] + 7 * [0.5]}, 0.0),  # starts before the follow-up
        ([(1, "x", 70)], {}, 0.0),  # starts after it
    ],
)
def test_lags_count_days_from_the_persons_own_start(exposures, weights, own):
    series = series_of([(1, 0, 69)], [(1, 30)], exposures)
    likelihood = likelihood_of(observe(series, LagAxis(1, 7), Baseline()), Baseline())
    eta = np.zeros(70)
    for first, levels in weights.items():
        eta[first : first + len(levels)] = levels
    expected = math.log(np.exp(eta).sum()) - own
    assert likelihood.loss_and_gradient(np.array([0.3, 0.5]))[0] == pytest.approx(expected)


def test_an_effect_ends_on_the_day_on_which_its_exposure_ends():
    series = series_of([(1, 0, 69)], [(1, 30)], [(1, "x", 21, 31), (1, "x", 21, 25), (1, "y", -30, -1)])
    days = observe(series, LagAxis(4, 7), Baseline())
    eta = np.zeros(70)
    eta[21:32] = 7 * [0.3] + 4 * [0.5]
    at = np.append([0.3, 0.5, 0.7, 0.9, 1.1], np.zeros(5))
    assert likelihood_of(days, Baseline()).loss_and_gradient(at)[0] == pytest.approx(math.log(np.exp(eta).sum()) - 0.5)
    assert days.exposed_persons().tolist() == [1, 0]


def test_who_meets_the_days_before_an_exposure_only_is_not_exposed():
    series = series_of([(1, 0, 69), (2, 0, 69)], [(1, 30), (2, 30)], [(1, "x", 75), (2, "x", 69)])
    days = observe(series, LagAxis(1, 7, 2), Baseline())
    assert len(days.exposure_drug) == 2
    assert days.exposed_persons().tolist() == [1]
    assert days.exposed_persons(np.array([1.0, 3.0])).tolist() == [3.0]


# --- the baseline ------------------------------------------------------------------------------------------------


def test_an_age_group_without_events_in_a_fold_joins_the_one_before_it():
    baseline = Baseline(age=(20, 40, 60))
    series = series_of(
        [(person, 0, 79) for person in range(6)], [(0, 5), (1, 10), (2, 25), (3, 30), (4, 50), (5, 70)], []
    )
    days = observe(series, LagAxis(0), baseline)
    whole = likelihood_of(days, baseline).design
    assert whole.parameter.tolist() == [-1, 0, 1, 2, -1, -1]
    fold = likelihood_of(days, baseline, np.array([1, 1, 1, 1, 0, 1.0])).design  # without the event at 50
    assert fold.parameter.tolist() == [-1, 0, 0, 1, -1, -1]
    assert term_names(baseline, fold) == ("age 20", "age 60")
    first = likelihood_of(days, baseline, np.array([0, 0, 1, 1, 1, 1.0])).design  # nobody has an event before 20
    assert first.parameter.tolist() == [-1, -1, 0, 1, -1, -1]
    assert np.isfinite(solve(likelihood_of(days, baseline), Penalty(0, 0), tolerance=1e-8).coefficients).all()


def test_held_out_persons_are_scored_on_the_groups_of_the_training_part():
    series = small_series()
    baseline = Baseline(calendar=(30, 70, 140))
    days = observe(series, LagAxis(2, 14), baseline)
    weights = (series.event_day[np.searchsorted(series.event_person, np.arange(series.n_persons))] >= 70) * 1.0
    train = likelihood_of(days, baseline, weights)
    held_out = replace(train, weights=1 - weights)
    at = np.random.default_rng(0).normal(size=train.n_coefficients)
    scores = held_out.event_log_probabilities(at)[held_out.weights[days.event_person] > 0]
    assert np.isfinite(scores).all()
    assert (scores < 0).all()


def test_season_groups_open_on_their_days_of_the_year():
    january = (pd.Timestamp("2016-01-01") - pd.Timestamp("1970-01-01")).days
    at, group = Baseline(season=(60, 152, 335)).shared_pieces(january, january + 365)
    assert (at - january).tolist() == [0, 59, 151, 334]  # 2016 has a 29 February: day 60 is the 29th
    assert group.tolist() == [2, 0, 1, 2]


# --- penalties and solver ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(y=st.lists(st.floats(-5, 5), min_size=1, max_size=40), strength=st.floats(0.001, 20))
def test_the_total_variation_proximal_point_satisfies_its_optimality_conditions(y, strength):
    y = np.array(y)
    x = np.empty_like(y)
    denoise_total_variation(y, strength, x)
    dual = np.cumsum(y - x)
    assert abs(dual[-1]) < 1e-8
    assert np.abs(dual).max() <= strength + 1e-8
    jumps = np.flatnonzero(np.abs(np.diff(x)) > 1e-9)
    assert dual[jumps] == pytest.approx(-strength * np.sign(np.diff(x)[jumps]), abs=1e-7)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 1000), before=st.integers(0, 6))
def test_no_move_from_the_proximal_point_is_better(seed, before):
    rng = np.random.default_rng(seed)
    point, out = rng.normal(size=14), np.empty(14)
    step = np.repeat(rng.uniform(0.2, 2, 2), 7)
    shrink_curves(point, step, before, 7, 0.2, 0.1, out)

    def objective(x):
        return ((x - point) ** 2 / (2 * step)).sum() + penalty(x.reshape(2, 7), before, 0.2, 0.1)

    for scale in (1e-4, 1e-2, 1):
        assert objective(out) <= objective(out + scale * rng.normal(size=14)) + 1e-12


@pytest.mark.parametrize("before", [0, 2])
def test_the_solver_reaches_the_minimum_that_scipy_finds(before):
    likelihood = small_likelihood(before=before)
    penalised = Penalty(0.01, 0.004, before)
    found = solve(likelihood, penalised, tolerance=1e-8)

    def smooth(b, softness):
        value, gradient = likelihood.loss_and_gradient(b)
        curves = b[: likelihood.n_curves].reshape(3, -1)
        slope = np.zeros_like(curves)
        for part in (slice(0, before), slice(before, None)):
            rows = curves[:, part]
            variation = np.sqrt(np.diff(rows, axis=1) ** 2 + softness**2)
            norms = np.sqrt((rows**2).sum(axis=1, keepdims=True) + softness**2)
            weight = penalised.group * np.sqrt(rows.shape[1])
            value += penalised.tv * variation.sum() + weight * norms.sum()
            pull = penalised.tv * np.diff(rows, axis=1) / variation
            slope[:, part] = weight * rows / norms - np.diff(np.pad(pull, ((0, 0), (1, 1))), axis=1)
        return value, gradient + np.append(slope.ravel(), np.zeros(len(b) - likelihood.n_curves))

    start = np.zeros(likelihood.n_coefficients)
    for softness in (1e-1, 1e-2, 1e-3, 1e-4):
        start = minimize(smooth, start, args=(softness,), jac=True, method="L-BFGS-B", options={"maxiter": 3000}).x
    by_scipy = likelihood.loss_and_gradient(start)[0] + penalised.value(start[: likelihood.n_curves].reshape(3, -1))
    assert found.coefficients[: likelihood.n_curves].any()
    assert found.objective <= by_scipy + 1e-9
    assert found.objective == pytest.approx(by_scipy, abs=1e-4)


def test_the_certificate_holds_and_no_small_move_lowers_the_objective():
    likelihood, penalised = small_likelihood(before=2), Penalty(0.008, 0.01, 2)
    found = solve(likelihood, penalised, tolerance=1e-8)
    assert found.converged
    assert found.residual <= found.tolerance == 1e-8
    rng = np.random.default_rng(0)
    for _ in range(300):
        some = rng.random(likelihood.n_coefficients) < 0.3
        there = found.coefficients + rng.normal(size=len(some)) * rng.choice([1e-4, 1e-2, 1]) * some
        curves = there[: likelihood.n_curves].reshape(3, -1)
        assert likelihood.loss_and_gradient(there)[0] + penalised.value(curves) >= found.objective - 1e-10


def test_where_the_solver_starts_does_not_matter():
    likelihood, penalised = small_likelihood(), Penalty(0.01, 0.004)
    rng = np.random.default_rng(1)
    cold = solve(likelihood, penalised, tolerance=1e-8)
    warm = solve(likelihood, penalised, rng.normal(size=likelihood.n_coefficients), tolerance=1e-8)
    assert warm.objective == pytest.approx(cold.objective, abs=1e-9)
    assert warm.coefficients == pytest.approx(cold.coefficients, abs=1e-3)


def test_a_fit_that_is_stopped_before_its_certificate_gives_no_number():
    with pytest.raises(
        NotConverged, match=r"did not converge in 1 steps \(breach of optimality .* raise max_iterations"
    ):
        ConvSCCS(lags=4, bucket=7, tv=0.001, group=0.0005, max_iterations=1).fit(small_series())
    assert NotConverged.exit_code == 3


# --- refit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 2])
def test_the_refit_keeps_zero_curves_zero_and_equal_lags_equal_and_has_no_slope_left(before):
    likelihood = small_likelihood(before=before)
    penalised = solve(likelihood, Penalty(0.006, 0.011, before), tolerance=1e-7).coefficients
    curves = penalised[: likelihood.n_curves].reshape(3, -1)
    found = refit(likelihood, penalised, before)
    refitted = found.coefficients[: likelihood.n_curves].reshape(3, -1)
    zero_parts = tied = 0
    for part in (slice(0, before), slice(before, None)):
        zero = ~curves[:, part].any(axis=1)
        assert (refitted[zero, part] == 0).all()
        equal = np.abs(np.diff(curves[~zero, part], axis=1)) < 1e-9
        assert (np.diff(refitted[~zero, part], axis=1)[equal] == 0).all()
        zero_parts, tied = zero_parts + zero.sum() * bool(curves[:, part].size), tied + equal.sum()
    assert zero_parts  # it is only a test if some curves are zero,
    assert tied  # and some lags are equal
    value, gradient = likelihood.loss_and_gradient(found.coefficients)
    assert value == pytest.approx(found.loss, abs=1e-12)
    assert value <= likelihood.loss_and_gradient(penalised)[0]
    free = np.flatnonzero(found.column >= 0)
    assert len(free)
    assert np.abs(np.bincount(found.column[free], gradient[free])).max() < 1e-5
    assert np.abs(gradient[likelihood.n_curves :]).max() < 1e-5


def test_a_run_without_events_is_held_at_its_penalised_level():
    series = series_of([(1, 0, 99), (2, 0, 99)], [(1, 50), (2, 60)], [(1, "x", 10), (2, "x", 70)])
    likelihood = likelihood_of(observe(series, LagAxis(1, 10), Baseline()), Baseline())
    found = refit(likelihood, np.array([-1.0, -1.0]), 0)
    assert found.coefficients.tolist() == [-1.0, -1.0]
    assert found.held.tolist() == [True, True]
    assert found.n_columns == 0


def test_tied_columns_number_runs_of_equal_lags_of_each_part():
    curves = np.array([[0, 0, 0.0, 0], [1, 1, 1, 2], [0, 0, 0.5, 0.5], [7.0, 7, 0, 0]])
    column, n_columns = tied_columns(curves, 2)
    assert column.reshape(4, 4).tolist() == [[-1, -1, -1, -1], [0, 0, 2, 3], [-1, -1, 4, 4], [1, 1, -1, -1]]
    assert n_columns == 5
