"""ConvSCCS as its users see it: fit, choice of penalties, intervals, flags, persistence."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_model import random_tables

from parcours.errors import InputError
from parcours.models import SCCS, CaseSeries, ConvSCCS, observed_days
from parcours.models.cross_validation import choose
from parcours.models.tasks import in_threads
from tests.models.simulation import Truth, draw_series, mean_by_lag, mean_over_days, planted_curve

TRUTH = Truth(
    curves={"raises": planted_curve("constant", 3.5, 98), "lowers": planted_curve("constant", 0.1, 98)},
    exposed={"raises": 0.5, "lowers": 0.5, "none a": 0.5, "none b": 0.5, "none c": 0.3},
    days=730,
    death_share=0.3,
)
SETTINGS = {"lags": 6, "bucket": 14, "calendar_cuts": [240, 480], "pre_lags": 3}
FEW = {"tv": [0.01, 0.003], "group": [0.006, 0.002], "folds": 3}


@pytest.fixture(scope="module")
def series():
    return draw_series(TRUTH, 500, seed=4)


@pytest.fixture(scope="module")
def fitted(series):
    return ConvSCCS.cross_validate(series, folds=3, seed=1, **SETTINGS).bootstrap(10, seed=2)


def one_start_each(seed, persons=120):
    """One exposure a person, left and right truncation; half of the events lie within a week of the start."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 30, persons)
    end = start + rng.integers(60, 200, persons)
    event = start + (rng.random(persons) * (end - start + 1)).astype(int)
    near = rng.random(persons) < 0.5
    first = np.where(near, event - rng.integers(0, 7, persons), start + rng.integers(-30, 200, persons))
    people = pd.DataFrame({"person_id": range(persons), "start": start, "end": end})
    events = pd.DataFrame({"person_id": range(persons), "day": event})
    return people, events, pd.DataFrame({"person_id": range(persons), "drug": "x", "start": first})


@pytest.mark.parametrize(("bucket", "lags"), [(1, 20), (7, 2), (10, 4)])
def test_a_constant_curve_is_the_one_window_sccs_also_when_follow_up_is_truncated(bucket, lags):
    series = CaseSeries(*one_start_each(5))
    curve = ConvSCCS(lags=lags, bucket=bucket, tv=1000.0, group=0.0, tolerance=1e-8).fit(series).curves()
    window = SCCS({"x": [(0, bucket * (lags + 1) - 1)]}).fit(series).summary()
    assert window.estimate[0] > 0.3
    assert curve.log_ri.to_numpy() == pytest.approx(window.estimate[0], abs=1e-4)


def test_curves_before_and_after_the_exposure_are_the_two_windows_of_the_sccs():
    series = CaseSeries(*one_start_each(7))
    model = ConvSCCS(lags=2, bucket=7, tv=1000.0, group=0.0, pre_lags=2, tolerance=1e-8).fit(series)
    windows = SCCS({"x": [(-14, -1), (0, 20)]}).fit(series).summary().estimate
    assert model.pre_coef_[0] == pytest.approx([windows[0]] * 2, abs=1e-4)
    assert model.coef_[0] == pytest.approx([windows[1]] * 3, abs=1e-4)
    assert model.curves().lag.tolist() == [-2, -1, 0, 1, 2]


def test_age_groups_of_days_are_those_of_the_sccs():
    people, events, exposures = one_start_each(6)
    series = CaseSeries(people.assign(birth=-1000), events, exposures)
    model = ConvSCCS(lags=6, bucket=1, tv=1000.0, group=0.0, age_cuts=[1070, 1140], tolerance=1e-9).fit(series)
    summary = SCCS({"x": [(0, 6)]}, age_cuts=[1070, 1140]).fit(series).summary()
    assert model.coef_[0, 0] == pytest.approx(summary.estimate[0], abs=1e-4)
    assert model.baseline_ == pytest.approx(summary.estimate[1:].to_numpy(), abs=1e-4)
    assert model.baseline_terms_ == ("age 1070", "age 1140")


def test_strong_penalties_leave_no_effect_and_season_and_calendar_stay_unpenalised(series):
    model = ConvSCCS(tv=10.0, group=5.0, season_cuts=[1, 91, 182, 274], **SETTINGS).fit(series)
    assert not model.coef_.any()
    assert not model.pre_coef_.any()
    assert model.baseline_.all()
    assert len(model.baseline_) == len(model.baseline_terms_) == 2 + 3
    assert model.solution_.residual <= model.solution_.tolerance


@settings(deadline=None, max_examples=8)
@given(shift=st.integers(-20_000, 20_000), seed=st.integers(0, 100))
def test_shifting_every_day_and_shuffling_every_row_change_nothing(shift, seed):
    people, events, exposures = random_tables(seed, persons=40)
    model = ConvSCCS(lags=3, bucket=5, tv=0.01, group=0.002, pre_lags=2, tolerance=1e-7, age_cuts=[80])
    expected = model.fit(CaseSeries(people, events, exposures)).bootstrap(0)
    curves, peaks, coefficients = expected.curves(), expected.peaks(), expected.coef_
    days = ["start", "end"]
    moved = CaseSeries(
        people.assign(**people[[*days, "birth"]] + shift).sample(frac=1, random_state=1),
        events.assign(day=events.day + shift).sample(frac=1, random_state=2),
        exposures.assign(**exposures[days] + shift).sample(frac=1, random_state=3),
    )
    again = model.fit(moved).bootstrap(0)
    assert again.coef_.tolist() == coefficients.tolist()
    pd.testing.assert_frame_equal(again.curves(), curves, check_exact=True)
    pd.testing.assert_frame_equal(again.peaks(), peaks, check_exact=True)


def test_cross_validation_finds_the_planted_effects(fitted):
    peaks = fitted.peaks().set_index("drug")
    assert peaks.flag.to_dict() == {"raises": "raised", "lowers": "lowered", "none a": "", "none b": "", "none c": ""}
    assert set(peaks.before) == {""}
    for drug, curve in TRUTH.curves.items():
        row = peaks.loc[drug]
        truth = mean_over_days(curve, 14 * row.first_lag, 14 * row.last_lag + 13)
        assert row.lower < truth < row.upper
    assert peaks.selected[["raises", "lowers"]].all()
    assert (peaks.selected_share[["raises", "lowers"]] == 1).all()
    truth = mean_by_lag(TRUTH.curves["raises"], 14, 6)
    error = np.log(fitted.relative_incidence("raises")) - truth
    assert np.abs(error).mean() < np.abs(truth).mean() / 2


def test_a_share_of_the_refit_lies_on_the_way_from_the_penalised_curves_to_the_refitted_ones(series):
    model = ConvSCCS(tv=0.003, group=0.004, **SETTINGS).fit(series)
    penalised, whole = model.coef_, model.refit().refit_coef_
    assert np.abs(whole - penalised).max() > 0.01
    assert not whole[~penalised.any(axis=1)].any()
    assert model.refit(0.25).refit_coef_ == pytest.approx(penalised + 0.25 * (whole - penalised))
    assert model.refit(0.0).refit_coef_.tolist() == penalised.tolist()
    assert model.curves().log_ri.tolist() == np.hstack([model.pre_coef_, penalised]).ravel().tolist()


def test_a_search_chooses_the_share_too_and_its_table_marks_what_it_chose(fitted):
    table = fitted.cv_table_
    chosen = table[table.chosen]
    assert len(chosen) == 1
    assert (chosen.tv.item(), chosen.group.item(), chosen.share.item()) == (fitted.tv, fitted.group, fitted.share_)
    assert sorted(set(table.share)) == [0, 0.25, 0.5, 0.75, 1]
    best = table.held_out_likelihood.max()
    assert fitted.held_out_likelihood_ == chosen.held_out_likelihood.item()
    assert best - fitted.held_out_likelihood_ <= 2 * chosen.se.item()


def same(one, other):
    """Whether two models are the same bits."""
    return json.dumps(one.to_dict()) == json.dumps(other.to_dict())


@pytest.fixture
def many_blocks(monkeypatch):
    """Persons in so many blocks that threads share them."""
    monkeypatch.setattr(observed_days, "PERSONS_A_BLOCK", 17)


def test_results_are_the_same_bits_for_any_number_of_threads(many_blocks):
    series = draw_series(TRUTH, 150, seed=8)
    models = [
        ConvSCCS.cross_validate(series, seed=1, threads=threads, **FEW, **SETTINGS).bootstrap(
            6, seed=2, threads=threads
        )
        for threads in (1, 2, 4)
    ]
    assert len(models[0].days_.blocks) > 8
    assert models[0].coef_.any()
    assert same(models[0], models[1])
    assert same(models[0], models[2])
    alone, shared = (ConvSCCS(tv=0.002, group=0.002, **SETTINGS).fit(series, threads=n) for n in (1, 4))
    assert alone.solution_.coefficients.tolist() == shared.solution_.coefficients.tolist()


def test_pieces_of_work_may_run_anywhere_and_in_any_order(series):
    names = []

    def backwards(work, given):
        names.extend(given)
        results = {name: work(name) for name in reversed(given)}
        return (results[name] for name in given)

    expected = ConvSCCS.cross_validate(series, seed=3, **FEW, **SETTINGS).bootstrap(4, seed=2)
    found = ConvSCCS.cross_validate(series, seed=3, run=backwards, **FEW, **SETTINGS).bootstrap(
        4, seed=2, run=backwards
    )
    assert same(expected, found)
    assert {"fold-0-tv-1", "fold-2-tv-0", "draw-0003", "medicines-0000"} <= set(names)
    assert list(in_threads(3)(lambda name: {"name": np.array(name)}, ["b", "a", "c"])) == [{"name": n} for n in "bac"]


def test_results_depend_on_the_seeds(series):
    one, other = (ConvSCCS.cross_validate(series, seed=seed, **FEW, **SETTINGS) for seed in (1, 2))
    assert not one.cv_table_.equals(other.cv_table_)
    model = ConvSCCS(tv=0.003, group=0.009, **SETTINGS).fit(series)
    shares = [model.bootstrap(6, seed=seed).selected_share_.tolist() for seed in (1, 1, 2)]
    assert shares[0] == shares[1] != shares[2]


def test_a_saved_model_answers_like_the_one_that_was_fitted(fitted):
    saved = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    again = ConvSCCS.from_dict(saved)
    pd.testing.assert_frame_equal(again.peaks(), fitted.peaks(), check_exact=True)
    pd.testing.assert_frame_equal(again.curves(), fitted.curves(), check_exact=True)
    pd.testing.assert_frame_equal(again.cv_table_, fitted.cv_table_, check_exact=True)
    lags = [-1, 0, 3, 6, 7]
    assert again.relative_incidence("raises", lags).tolist() == fitted.relative_incidence("raises", lags).tolist()
    assert again.relative_incidence("raises", [-1, 7]).tolist() == [1, 1]
    assert again.to_dict() == fitted.to_dict()
    with pytest.raises(InputError, match="cannot be refitted"):
        again.bootstrap(10)
    with pytest.raises(InputError, match="has format 1: this version reads format 2"):
        ConvSCCS.from_dict(saved | {"format": 1})


def test_infinite_bounds_and_drugs_without_a_test_go_through_json():
    truth = Truth({"never": np.full(60, 1e-9)}, {"never": 0.6, "rare": 0.02}, days=400)
    model = ConvSCCS(lags=5, bucket=10, tv=0.01, group=0.01).fit(draw_series(truth, 150, 1)).bootstrap(0)
    peaks = model.peaks().set_index("drug")
    assert peaks.lower["never"] == -np.inf
    assert peaks.flag["never"] == "lowered"
    assert np.isnan(peaks.log_ri["rare"])
    again = ConvSCCS.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    pd.testing.assert_frame_equal(again.peaks(), model.peaks(), check_exact=True)
    pd.testing.assert_frame_equal(again.curves(), model.curves(), check_exact=True)
    assert np.isinf(again.curves().lower).any()


def test_exposed_cases_are_those_of_the_series(series, fitted):
    assert fitted.n_events_ == series.n_events
    assert fitted.peaks().exposed_cases.tolist() == series.exposed_cases().tolist()


def test_one_standard_error_takes_the_smallest_model_near_the_best():
    mean, error = np.array([-4.0, -3.9, -3.89]), np.array([0.05, 0.02, 0.0])
    parameters = np.array([2.0, 5.0, 9.0])
    away = np.array([0.5, 3.0, 2.0])
    assert choose(mean, error, parameters, away, "best") == 2
    assert choose(mean, error, parameters, away, "one_standard_error") == 1
    # Within two standard errors (0.05 of -3.89) lie the last two; the third is nearer to what chance asks for.
    assert choose(mean, error, parameters, away, "chance_level") == 2
    assert choose(mean, np.array([0.06, 0.02, 0.0]), parameters, away, "chance_level") == 0


def test_an_empty_exposure_table_gives_a_model_without_drugs():
    people, events, exposures = one_start_each(1)
    model = ConvSCCS(lags=2, calendar_cuts=[60]).fit(CaseSeries(people, events, exposures.iloc[:0])).bootstrap(5)
    assert len(model.curves()) == 0
    assert len(model.peaks()) == 0
    assert len(model.baseline_) == 1


def test_impossible_requests_are_refused_in_one_sentence(series, fitted):
    for arguments, sentence in [
        ({"lags": -1}, "lags of ConvSCCS is -1"),
        ({"bucket": 0}, "bucket of ConvSCCS is 0"),
        ({"pre_lags": -2}, "pre_lags of ConvSCCS is -2"),
        ({"tv": float("nan")}, "tv of ConvSCCS is nan"),
        ({"calendar_cuts": [3, 2]}, "calendar cuts are not increasing"),
    ]:
        with pytest.raises(InputError, match=sentence):
            ConvSCCS(**arguments)
    with pytest.raises(InputError, match="number of folds is 1"):
        ConvSCCS.cross_validate(series, folds=1)
    with pytest.raises(InputError, match="rule smallest is unknown"):
        ConvSCCS.cross_validate(series, rule="smallest")
    with pytest.raises(InputError, match="call bootstrap"):
        ConvSCCS(**SETTINGS).fit(series).peaks()
    with pytest.raises(InputError, match="replicates is -1"):
        fitted.bootstrap(-1)
    with pytest.raises(InputError, match="confidence is 95"):
        fitted.bootstrap(5, confidence=95)
    with pytest.raises(InputError, match="not in the model"):
        fitted.relative_incidence("aspirin")
    with pytest.raises(InputError, match="was not cross-validated"):
        _ = ConvSCCS(**SETTINGS).fit(series).cv_table_
