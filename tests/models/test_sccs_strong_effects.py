"""Estimates far from zero, infinite ones, and what no data can tell: each as it is, none by luck."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import chi2

from parcours.errors import InputError
from parcours.models import SCCS, CaseSeries
from parcours.models.conditional_likelihood import CasePieces, ConditionalLikelihood
from parcours.models.newton import minimise

REACH = chi2.ppf(0.95, 1) / 2


def one_window(length, width, inside, outside):
    """Cases followed for `length` days, whose window of `width` days starts half-way."""
    n = inside + outside
    middle = (length - width) // 2 + 1
    return CaseSeries(
        pd.DataFrame({"person_id": range(n), "start": 0, "end": length - 1}),
        pd.DataFrame({"person_id": range(n), "day": [middle] * inside + [0] * outside}),
        pd.DataFrame({"person_id": range(n), "drug": "A", "start": middle}),
    )


def closed_form(length, width, inside, outside):
    return math.log(inside * (length - width) / (outside * width))


def loss_of_one_window(b, length, width, inside, outside):
    """Minus the log-likelihood of `one_window`, written out."""
    total = np.logaddexp(b + math.log(width), math.log(length - width))
    return (inside + outside) * total - inside * b


@pytest.mark.parametrize("length", [100, 365, 1461, 4000])
@pytest.mark.parametrize("width", [1, 7, 60])
@pytest.mark.parametrize(("inside", "outside"), [(9, 1), (19, 1), (50, 5), (8, 2), (3000, 1), (1, 9), (1, 3000)])
def test_one_window_gives_its_closed_form_however_strong(length, width, inside, outside):
    fitted = SCCS({"A": [(0, width - 1)]}).fit(one_window(length, width, inside, outside))
    assert fitted.coef_[0] == pytest.approx(closed_form(length, width, inside, outside), abs=1e-6)
    assert fitted.residual_ < 1e-8
    assert fitted.summary().se[0] == pytest.approx(math.sqrt(1 / inside + 1 / outside), rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(100, 4000),
    width=st.integers(1, 60),
    inside=st.integers(1, 10**6),
    outside=st.integers(1, 10**6),
    start=st.floats(-500, 500),
)
def test_the_closed_form_is_found_from_any_start(length, width, inside, outside, start):
    pieces = CasePieces(
        design=np.array([[True], [False]]),
        stratum=np.zeros(2, dtype=int),
        days=np.array([width, length - width], dtype=float),
        events=np.array([inside, outside], dtype=float),
        shift=np.zeros(2),
    )
    result = minimise(ConditionalLikelihood(pieces), np.array([start]))
    assert result.converged
    assert result.x[0] == pytest.approx(closed_form(length, width, inside, outside), abs=1e-6)


def test_a_function_that_falls_for_ever_has_no_minimum_however_flat_it_gets():
    def falling(x):
        return float(np.exp(-x[0])), -np.exp(-x), np.exp(-x)[:, None]

    assert not minimise(falling, np.zeros(1), max_iterations=300).converged
    assert not minimise(falling, np.full(1, 200.0)).converged


def test_a_minimum_that_is_not_single_is_not_one():
    def trough(x):
        return float(x.sum() ** 2), 2 * x.sum() * np.ones(2), 2 * np.ones((2, 2))

    assert not minimise(trough, np.array([3.0, 1.0])).converged


@pytest.mark.parametrize(("length", "width", "events"), [(100, 6, 2), (365, 1, 5), (4000, 60, 40)])
def test_all_events_in_the_window_are_an_infinite_estimate_with_a_finite_lower_bound(length, width, events):
    summary = SCCS({"A": [(0, width - 1)]}).fit(one_window(length, width, events, 0)).summary()
    # The likelihood is the share of the window to the power of the events: its bound has a closed form.
    share = math.exp(-REACH / events)
    expected = math.log(share / (1 - share) * (length - width) / width)
    assert summary.estimate[0] == math.inf
    assert math.isnan(summary.se[0])
    assert summary.lower[0] == pytest.approx(expected, abs=1e-6)
    assert summary.upper[0] == math.inf


def test_no_event_in_the_window_is_minus_infinity_with_a_finite_upper_bound():
    summary = SCCS({"A": [(0, 5)]}).fit(one_window(100, 6, 0, 12)).summary()
    share = math.exp(-REACH / 12)
    assert summary.estimate[0] == -math.inf
    assert summary.lower[0] == -math.inf
    assert summary.upper[0] == pytest.approx(math.log((1 - share) / share * 94 / 6), abs=1e-6)


def test_profile_bounds_of_a_finite_term_are_where_the_written_out_deviance_is_the_quantile():
    case = (365, 7, 19, 1)
    fitted = SCCS({"A": [(0, 6)]}).fit(one_window(*case))
    best = closed_form(*case)

    def excess(b):
        return loss_of_one_window(b, *case) - loss_of_one_window(best, *case) - REACH

    profile = fitted.profile_intervals()
    assert profile.term.tolist() == ["A 0-6"]
    assert profile.lower[0] == pytest.approx(brentq(excess, best - 20, best), abs=1e-6)
    assert profile.upper[0] == pytest.approx(brentq(excess, best, best + 20), abs=1e-6)


def drawn_cases(seed, n):
    """Cases over 200 days with exposures to A and B at random days, events at random days."""
    rng = np.random.default_rng(seed)
    return (
        pd.DataFrame({"person_id": range(n), "start": 0, "end": 199}),
        pd.DataFrame({"person_id": range(n), "day": rng.integers(0, 200, n)}),
        pd.DataFrame(
            {"person_id": list(range(n)) * 2, "drug": ["A"] * n + ["B"] * n, "start": rng.integers(0, 200, 2 * n)}
        ),
    )


def moved_days(inside, events):
    """The fourth day of each person's window, as far as there is one."""
    return inside.set_index("person_id").start.reindex(events.person_id, fill_value=0) + 3


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_the_other_terms_are_those_of_the_limit_of_the_likelihood(seed):
    persons, events, exposures = drawn_cases(seed, 40)
    # Every event of the first third is moved into the window of A, whose exposures of the others are taken away.
    inside = exposures[(exposures.drug == "A") & (exposures.person_id < 13)].assign(
        start=lambda t: t.start.clip(upper=180)
    )
    day = events.day.where(events.person_id >= 13, moved_days(inside, events))
    moved = CaseSeries(persons, events.assign(day=day), pd.concat([inside, exposures[exposures.drug == "B"]]))
    model = {"A": [(0, 9)], "B": [(0, 29)]}
    far = SCCS(model, age_cuts=[100]).fit(moved)
    assume(np.isfinite(far.coef_[1:]).all())
    assert far.coef_[0] == math.inf
    # The limit: the first third is followed in the window only.
    start = pd.concat([inside.start, pd.Series(0, range(13, 40))])
    narrowed = persons.assign(start=start.to_numpy(), end=np.where(persons.person_id < 13, start.to_numpy() + 9, 199))
    limit = SCCS({"B": [(0, 29)]}, age_cuts=[100]).fit(
        CaseSeries(narrowed, events.assign(day=day), exposures[exposures.drug == "B"])
    )
    assert far.coef_[1:] == pytest.approx(limit.coef_, abs=1e-6)
    assert far.summary().se[1:].to_numpy() == pytest.approx(limit.summary().se.to_numpy(), abs=1e-6)
    assert far.log_likelihood_ == pytest.approx(limit.log_likelihood_, abs=1e-8)


def test_the_bound_of_an_infinite_term_is_where_the_others_do_their_best():
    persons, events, exposures = drawn_cases(5, 40)
    inside = exposures[exposures.drug == "A"].assign(start=lambda t: t.start.clip(upper=180))[:13]
    day = events.day.where(events.person_id >= 13, moved_days(inside, events))
    series = CaseSeries(persons, events.assign(day=day), pd.concat([inside, exposures[exposures.drug == "B"]]))
    fitted = SCCS({"A": [(0, 9)], "B": [(0, 29)]}).fit(series)
    lower = fitted.summary().lower[0]
    # Held at its bound by a shift of the window's days, spelled out day by day.
    days = np.arange(200)
    starts = exposures.set_index(["drug", "person_id"]).start
    real = inside.set_index("person_id").start

    def loss(b):
        total = 0.0
        for person in range(40):
            risk = (days >= real.get(person, 999)) & (days <= real.get(person, 999) + 9)
            eta = lower * risk + b * ((days >= starts["B", person]) & (days <= starts["B", person] + 29))
            total += np.log(np.exp(eta).sum()) - eta[day[person]]
        return total

    best = min(loss(b) for b in np.linspace(fitted.coef_[1] - 1, fitted.coef_[1] + 1, 801))
    assert best + fitted.log_likelihood_ == pytest.approx(REACH, abs=1e-4)


def test_two_windows_that_hold_all_events_are_both_infinite_and_change_no_other_term():
    n = 30
    rng = np.random.default_rng(1)
    first = rng.integers(0, 80, n)
    day = np.where(np.arange(n) % 3 == 0, first + 5, first + 15)
    b_start = rng.integers(0, 100, n)
    series = CaseSeries(
        pd.DataFrame({"person_id": range(n), "start": 0, "end": 199}),
        pd.DataFrame({"person_id": range(n), "day": day}),
        pd.DataFrame({"person_id": [*range(n)] * 2, "drug": ["A"] * n + ["B"] * n, "start": [*first, *b_start]}),
    )
    summary = SCCS({"A": [(0, 9), (10, 19)], "B": [(0, 29)]}).fit(series).summary()
    assert summary.estimate[:2].tolist() == [math.inf, math.inf]
    assert np.isfinite(summary.lower[:2]).all()
    assert np.isfinite(summary.loc[2, ["estimate", "se", "lower", "upper"]].to_numpy(dtype=float)).all()


def test_separation_by_a_combination_of_terms_is_refused_by_name():
    # A and B together raise the risk, and A more than B: B alone may go either way.
    series = CaseSeries(
        pd.DataFrame({"person_id": [1, 2], "start": 0, "end": 19}),
        pd.DataFrame({"person_id": [1, 2], "day": 2}),
        pd.DataFrame({"person_id": [1, 1, 2, 2], "drug": ["A", "B", "A", "B"], "start": [0, 0, 0, 10]}),
    )
    with pytest.raises(InputError, match="A 0-9 and B 0-9, and do not tell in which direction B 0-9 would go"):
        SCCS({"A": [(0, 9)], "B": [(0, 9)]}).fit(series)


def test_two_terms_that_are_the_same_are_refused_by_name():
    persons, events, exposures = drawn_cases(3, 30)
    twice = exposures[exposures.drug == "A"]
    series = CaseSeries(persons, events, pd.concat([twice, twice.assign(drug="again"), exposures]).drop_duplicates())
    with pytest.raises(InputError, match="A 0-29 and again 0-29 go together"):
        SCCS({"A": [(0, 29)], "B": [(0, 9)], "again": [(0, 29)]}).fit(series)


def test_a_term_that_is_the_sum_of_others_is_refused_with_all_their_names():
    persons, events, exposures = drawn_cases(3, 60)
    whole = exposures[exposures.drug == "A"].assign(drug="whole")
    series = CaseSeries(persons, events, pd.concat([exposures, whole]))
    with pytest.raises(InputError, match="A 0-9, A 10-29 and whole 0-29 go together"):
        SCCS({"A": [(0, 9), (10, 29)], "B": [(0, 9)], "whole": [(0, 29)]}).fit(series)


def test_a_term_that_never_changes_within_a_case_is_refused_by_name():
    persons, events, exposures = drawn_cases(3, 30)
    always = pd.DataFrame({"person_id": range(30), "drug": "always", "start": -1})
    series = CaseSeries(persons, events, pd.concat([exposures, always]))
    with pytest.raises(InputError, match="always 0-500 is the same on every day"):
        SCCS({"A": [(0, 29)], "always": [(0, 500)]}).fit(series)


def test_a_fit_that_does_not_converge_is_refused(monkeypatch):
    def hasty(objective, start):
        return minimise(objective, start, max_iterations=2)

    monkeypatch.setattr("parcours.models.profile_likelihood.minimise", hasty)
    with pytest.raises(InputError, match="did not converge in 2 steps"):
        SCCS({"A": [(0, 0)]}).fit(one_window(3652, 1, 9, 1))
