"""The pieces of ConvSCCS, each against an oracle: the likelihood, the proximal operator, the solver, the refit."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize

from parcours.models import CaseSeries, ConvSCCS
from parcours.models.buckets import Baseline, bucket_series
from parcours.models.likelihood import hessian, log_likelihood, loss, loss_and_gradient
from parcours.models.proximal import denoise_total_variation, penalty
from parcours.models.refit import refit, tied_columns
from parcours.models.simulation import Truth, draw_series, planted_curve
from parcours.models.solver import solve


def series_of(persons, events, exposures):
    return CaseSeries(
        pd.DataFrame(persons, columns=["person_id", "start", "end"]),
        pd.DataFrame(events, columns=["person_id", "day"]),
        pd.DataFrame(exposures, columns=["person_id", "drug", "start"]).astype({"start": int}),
    )


def small_series(seed=0, persons=80, drugs=3):
    truth = Truth(
        curves={"D0": planted_curve("constant", 4.0, 30), "D1": planted_curve("early", 3.0, 30)},
        exposed={f"D{number}": 0.6 for number in range(drugs)},
        days=200,
        death_share=0.4,
    )
    return draw_series(truth, persons, seed)


def ended_series(seed=0, persons=80):
    """The same, where an exposure ends up to seven weeks after it began."""
    series = small_series(seed, persons)
    lasts = np.random.default_rng(seed).integers(0, 50, len(series.exposure_start))
    return replace_end(series, series.exposure_start + lasts)


def replace_end(series, end):
    object.__setattr__(series, "exposure_end", end)
    return series


def small_buckets(seed=0, made=small_series):
    return bucket_series(made(seed), 7, 4, Baseline(calendar=(70, 140)))


def dense_loss(series, bucket, lags, coefficients):
    """The loss by the formula of the design, bucket by bucket and drug by drug."""
    origin = series.start.min()
    total = 0.0
    for person in range(series.n_persons):
        own = sorted({(day - origin) // bucket for day in range(series.start[person], series.end[person] + 1)})
        days = [
            sum((d - origin) // bucket == b for d in range(series.start[person], series.end[person] + 1)) for b in own
        ]
        rows = series.exposure_person == person
        until = {}
        for drug, first, last in zip(
            series.exposure_drug[rows], series.exposure_start[rows], series.exposure_end[rows], strict=True
        ):
            start = (drug, (first - origin) // bucket)
            until[start] = max(until.get(start, start[1]), (last - origin) // bucket)
        eta = {
            b: sum(
                coefficients[j * (lags + 1) + b - at]
                for (j, at), end in until.items()
                if at <= b <= min(at + lags, end)
            )
            for b in own
        }
        log_total = math.log(sum(w * math.exp(eta[b]) for w, b in zip(days, own, strict=True)))
        for day in series.event_day[series.event_person == person]:
            total -= eta[(day - origin) // bucket] - log_total
    return total / series.n_persons


def test_a_person_censored_after_two_of_four_days_is_compared_with_these_two_days_only():
    series = series_of([(1, 0, 1)], [(1, 1)], [(1, "x", 1)])
    buckets = bucket_series(series, 1, 0, Baseline())
    assert loss(buckets, np.array([math.log(3)])) == pytest.approx(-math.log(3 / 4))  # 0.2877, not 0.6931


def test_a_relative_incidence_of_three_is_recovered_from_censored_cases():
    rng = np.random.default_rng(0)
    persons, events, exposures = [], [], []
    for person in range(4000):
        end, start = rng.integers(1, 4), rng.integers(0, 4)
        hazard = np.where(np.arange(end + 1) == start, 3.0, 1.0)
        persons.append((person, 0, end))
        events.append((person, rng.choice(end + 1, p=hazard / hazard.sum())))
        exposures.append((person, "x", start))
    model = ConvSCCS(lags=0, tv=0, group=0).fit(series_of(persons, events, exposures))
    se = 1 / math.sqrt(4000 * hessian(model.buckets_, np.log([3.0]), np.zeros(1, dtype=int), 1)[0, 0])
    assert model.coef_[0, 0] == pytest.approx(math.log(3), abs=3 * se)
    assert 3 * se < 0.15  # tick's estimate on such data is log 5.1, far outside


@pytest.mark.parametrize("made", [small_series, ended_series])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_loss_equals_the_written_formula(seed, made):
    series = made(seed, persons=20)
    coefficients = np.random.default_rng(seed).normal(size=15)
    buckets = bucket_series(series, 7, 4, Baseline())
    assert loss(buckets, coefficients) == pytest.approx(dense_loss(series, 7, 4, coefficients), abs=1e-12)


@pytest.mark.parametrize("made", [small_series, ended_series])
def test_gradient_and_hessian_agree_with_finite_differences(made):
    buckets = small_buckets(made=made)
    rng = np.random.default_rng(1)
    at = rng.normal(size=buckets.n_coefficients) / 2
    error = check_grad(lambda b: loss(buckets, b), lambda b: loss_and_gradient(buckets, b)[1], at)
    assert error < 1e-6
    column = np.where(np.arange(len(at)) < 5, 0, np.arange(len(at)) - 4)
    tied = hessian(buckets, at, column, len(at) - 4)
    step = rng.normal(size=len(at) - 4)
    move = 1e-5 * step[column]
    change = loss_and_gradient(buckets, at + move)[1] - loss_and_gradient(buckets, at - move)[1]
    assert tied @ step == pytest.approx(np.bincount(column, change) / 2e-5, abs=1e-6)


def test_starts_in_one_bucket_count_once_and_starts_in_two_buckets_add():
    once = series_of([(1, 0, 69)], [(1, 30)], [(1, "x", 21)])
    twice = series_of([(1, 0, 69)], [(1, 30)], [(1, "x", 21), (1, "x", 25)])
    apart = series_of([(1, 0, 69)], [(1, 30)], [(1, "x", 21), (1, "x", 28)])
    beta = np.array([0.3, 0.5])
    losses = [loss(bucket_series(series, 7, 1, Baseline()), beta) for series in (once, twice, apart)]
    assert losses[0] == losses[1]
    weights = np.ones(10)
    weights[3:6] = np.exp([0.3, 0.8, 0.5])
    assert losses[2] == pytest.approx(math.log((7 * weights).sum()) - 0.8)


def test_an_exposure_before_the_start_still_counts_and_one_after_the_end_never():
    plain = series_of([(1, 10, 19)], [(1, 12)], [(1, "x", 8)])
    late = series_of([(1, 10, 19)], [(1, 12)], [(1, "x", 8), (1, "x", 20)])
    beta = np.array([0.1, 0.2, 0.3, 0.4])
    expected = math.log(math.exp(0.3) + math.exp(0.4) + 8) - 0.0
    for series in (plain, late):
        assert loss(bucket_series(series, 1, 3, Baseline()), beta) == pytest.approx(expected)


def test_an_effect_ends_with_the_bucket_in_which_its_exposure_ends():
    plain, ended = (series_of([(1, 0, 69)], [(1, 30)], [(1, "x", 21)]) for _ in range(2))
    buckets = bucket_series(replace_end(ended, np.array([34])), 7, 4, Baseline())
    beta = np.array([0.3, 0.5, 0.7, 0.9, 1.1])
    weights = np.ones(10)
    weights[3:5] = np.exp([0.3, 0.5])  # days 21 to 34: two buckets of the five that the curve has
    assert loss(buckets, beta) == pytest.approx(math.log((7 * weights).sum()) - 0.5)
    assert loss(bucket_series(plain, 7, 4, Baseline()), beta) != pytest.approx(loss(buckets, beta))


def test_of_two_exposures_from_one_bucket_the_longer_counts_and_one_that_ended_before_follow_up_does_not():
    twice = series_of([(1, 0, 69)], [(1, 30)], [(1, "x", 21), (1, "x", 22), (1, "y", -10)])
    buckets = bucket_series(replace_end(twice, np.array([48, 24, -1])), 7, 4, Baseline())
    assert buckets.exposure_reach.tolist() == [3]
    assert buckets.exposed_cases().tolist() == [1, 0]


def test_every_lag_of_every_kernel_stops_where_the_exposure_ends():
    series = ended_series(3)
    buckets = bucket_series(series, 7, 4, Baseline())
    gradient = loss_and_gradient(buckets, np.zeros(buckets.n_coefficients))[1].reshape(-1, 5)
    lasting = bucket_series(replace_end(series, series.exposure_start), 7, 4, Baseline())
    first_lag_only = loss_and_gradient(lasting, np.zeros(buckets.n_coefficients))[1].reshape(-1, 5)
    assert np.all(gradient != 0)
    assert np.all(first_lag_only[:, 1:] == 0)
    begun = replace_end(series, series.exposure_start)
    assert np.all(ConvSCCS(lags=4, bucket=7, tv=0, group=0.01).fit(begun).coef_[:, 1:] == 0)


def test_weights_are_the_days_observed_in_each_bucket():
    series = series_of([(1, 0, 0), (2, 3, 16)], [(1, 0), (2, 16)], [])
    buckets = bucket_series(series, 7, 2, Baseline())
    assert np.exp(buckets.log_days).round().tolist() == [1, 4, 7, 3]
    assert log_likelihood(buckets, np.zeros(0)) == pytest.approx(math.log(3 / 14))


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


def test_the_solver_reaches_the_minimum_that_scipy_finds():
    buckets = small_buckets()
    width, tv, group = buckets.lags + 1, 0.01, 0.004
    found = solve(buckets, tv, group, tolerance=1e-9)
    curves, rest = 3 * width, buckets.n_baseline

    def smooth(b, softness):
        rows = b[:curves].reshape(3, width)
        variation = np.sqrt(np.diff(rows, axis=1) ** 2 + softness**2).sum()
        norms = np.sqrt((rows**2).sum(axis=1) + softness**2).sum()
        return loss(buckets, b) + tv * variation + group * np.sqrt(width) * norms

    start = np.zeros(curves + rest)
    for softness in (1e-1, 1e-2, 1e-3, 1e-4):
        start = minimize(
            smooth, start, args=(softness,), method="L-BFGS-B", options={"maxiter": 2000, "maxfun": 10**6}
        ).x
    by_scipy = loss(buckets, start) + penalty(start, 3, width, tv, group)
    assert found.converged
    assert found.objective <= by_scipy + 1e-9
    assert found.objective == pytest.approx(by_scipy, abs=1e-4)


def test_no_small_move_lowers_the_objective_and_no_iteration_raises_it():
    buckets = small_buckets()
    found = solve(buckets, 0.008, 0.01, tolerance=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(300):
        move = (
            rng.normal(size=buckets.n_coefficients)
            * rng.choice([1e-4, 1e-2, 1])
            * (rng.random(buckets.n_coefficients) < 0.3)
        )
        there = found.coefficients + move
        assert loss(buckets, there) + penalty(there, 3, 5, 0.008, 0.01) >= found.objective - 1e-10
    assert (np.diff(found.objectives) <= 1e-12).all()


def test_the_refit_keeps_zero_curves_zero_and_equal_lags_equal():
    buckets = small_buckets()
    penalised = solve(buckets, 0.004, 0.009).coefficients
    column, n_columns = tied_columns(penalised, 3, 5)
    curves = penalised[:15].reshape(3, 5)
    assert 0 < (~curves.any(axis=1)).sum() < 3  # the case is only a test if some curves are zero and some are not
    refitted = refit(buckets, penalised, column, n_columns)
    assert (refitted.coefficients[:15].reshape(3, 5)[~curves.any(axis=1)] == 0).all()
    assert ((np.diff(curves) != 0) | (np.diff(refitted.coefficients[:15].reshape(3, 5)) == 0)).all()
    assert refitted.loss <= loss(buckets, penalised)
    assert refitted.ridge == 0
    gradient = loss_and_gradient(buckets, refitted.coefficients)[1]
    assert np.abs(np.bincount(column[column >= 0], gradient[column >= 0])).max() < 1e-5


def test_a_run_without_events_is_held_by_a_ridge_that_is_reported():
    series = series_of([(1, 0, 99), (2, 0, 99)], [(1, 50), (2, 60)], [(1, "x", 10), (2, "x", 70)])
    buckets = bucket_series(series, 10, 1, Baseline())
    held = refit(buckets, np.array([-1.0, -1.0]), np.array([0, 0]), 1)
    assert held.ridge > 0
    assert held.converged
    assert -6 < held.coefficients[0] < -1


def test_tied_columns_number_runs_of_equal_lags():
    coefficients = np.array([0, 0, 0, 1, 1, 2, 0.5, 0.5, 0.5, 7.0])
    column, n_columns = tied_columns(coefficients, 3, 3)
    assert column.tolist() == [-1, -1, -1, 0, 0, 1, 2, 2, 2, 3]
    assert n_columns == 4
