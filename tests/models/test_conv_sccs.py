"""ConvSCCS as its users see it: fit, choice of penalties, intervals, flags, persistence."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcours.errors import InputError
from parcours.models import SCCS, CaseSeries, ConvSCCS
from parcours.models.bootstrap import draw_counts
from parcours.models.cross_validation import choose
from parcours.models.screening import false_discovery_flags, lag_windows
from parcours.models.simulation import Truth, bucketed_curve, draw_series, planted_curve
from parcours.models.working import working_windows

TRUTH = Truth(
    curves={"raises": planted_curve("constant", 3.5, 98), "lowers": planted_curve("constant", 0.3, 98)},
    exposed={"raises": 0.5, "lowers": 0.5, "none a": 0.5, "none b": 0.5, "none c": 0.3},
    days=730,
    death_share=0.3,
)
SETTINGS = {"lags": 6, "bucket": 14, "calendar_cuts": [240, 480]}


@pytest.fixture(scope="module")
def series():
    return draw_series(TRUTH, 500, seed=4)


@pytest.fixture(scope="module")
def fitted(series):
    return ConvSCCS.cross_validate(series, folds=4, seed=1, **SETTINGS).bootstrap(50, seed=2)


def random_tables(seed, step, persons=120):
    """Recurrent exposures, left and right truncation, all days multiples of `step`; ends just before one."""
    rng = np.random.default_rng(seed)
    start = step * rng.integers(0, 5, persons)
    end = start + step * rng.integers(12, 30, persons) - 1
    event = start + (rng.random(persons) * (end - start + 1)).astype(int)
    exposed = start + step * rng.integers(-4, 32, persons)
    near = rng.random(persons) < 0.5
    first = np.where(near, event - event % step, exposed)
    people = pd.DataFrame({"person_id": range(persons), "start": start, "end": end})
    events = pd.DataFrame({"person_id": range(persons), "day": event})
    return people, events, pd.DataFrame({"person_id": range(persons), "drug": "x", "start": first})


@pytest.mark.parametrize(("bucket", "lags"), [(1, 20), (7, 3)])
def test_a_constant_curve_is_the_one_window_sccs_also_when_follow_up_is_truncated(bucket, lags):
    series = CaseSeries(*random_tables(5, 7))
    curve = ConvSCCS(lags=lags, bucket=bucket, tv=1000.0, group=0.0, tolerance=1e-8).fit(series).curves()
    window = SCCS({"x": [(0, bucket * (lags + 1) - 1)]}).fit(series).summary()
    assert window.estimate[0] > 0.3
    assert curve.log_ri.to_numpy() == pytest.approx(window.estimate[0], abs=1e-4)


def test_age_groups_of_days_are_those_of_the_sccs():
    people, events, exposures = random_tables(6, 7)
    series = CaseSeries(people.assign(birth=-1000), events, exposures)
    model = ConvSCCS(lags=6, bucket=1, tv=1000.0, group=0.0, age_cuts=[1070, 1140], tolerance=1e-9).fit(series)
    summary = SCCS({"x": [(0, 6)]}, age_cuts=[1070, 1140]).fit(series).summary()
    assert model.coef_[0, 0] == pytest.approx(summary.estimate[0], abs=1e-4)
    assert model.baseline_ == pytest.approx(summary.estimate[1:].to_numpy(), abs=1e-4)


def test_strong_penalties_leave_no_effect_and_season_and_calendar_stay_unpenalised(series):
    model = ConvSCCS(tv=10.0, group=5.0, season_cuts=[1, 91, 182, 274], **SETTINGS).fit(series)
    assert not model.coef_.any()
    assert model.baseline_.all()
    assert len(model.baseline_) == len(model.baseline_terms_) == 2 + 3
    assert model.solution_.converged


@settings(deadline=None, max_examples=8)
@given(shift=st.integers(-20_000, 20_000), seed=st.integers(0, 100))
def test_shifting_every_day_and_shuffling_every_row_change_nothing(shift, seed):
    people, events, exposures = random_tables(seed, 5, persons=40)
    model = ConvSCCS(lags=3, bucket=5, tv=0.01, group=0.002)
    expected = model.fit(CaseSeries(people, events, exposures)).coef_
    moved = CaseSeries(
        people.assign(start=people.start + shift, end=people.end + shift).sample(frac=1, random_state=1),
        events.assign(day=events.day + shift).sample(frac=1, random_state=2),
        exposures.assign(start=exposures.start + shift).sample(frac=1, random_state=3),
    )
    assert model.fit(moved).coef_ == pytest.approx(expected, abs=1e-12)


def test_cross_validation_finds_the_planted_effects(fitted):
    peaks = fitted.peaks().set_index("drug")
    assert peaks.flag.to_dict() == {"raises": "raised", "lowers": "lowered", "none a": "", "none b": "", "none c": ""}
    assert peaks.loc["raises", "lower"] < np.log(3.5) < peaks.loc["raises", "upper"] + 0.3
    assert peaks.loc["raises", "log_ri"] > 0.7
    assert peaks.loc["lowers", "log_ri"] < -0.5
    truth = bucketed_curve(TRUTH.curves["raises"], 14, 6)
    error = np.log(fitted.relative_incidence("raises")) - truth
    assert np.abs(error).mean() < np.abs(truth).mean() / 2


def test_every_drug_has_an_interval_that_holds_its_curve(fitted):
    curves = fitted.curves()
    assert curves[["lower", "upper"]].notna().all().all()
    assert ((curves.lower <= curves.log_ri) & (curves.log_ri <= curves.upper)).all()
    assert (curves.upper - curves.lower > 0.1).all()


def test_zero_curves_stay_zero_in_the_refit(fitted):
    strong = ConvSCCS(tv=fitted.tv, group=5 * fitted.group, **SETTINGS)
    series = draw_series(TRUTH, 500, seed=4)
    strong.fit(series)
    zero = ~strong.coef_.any(axis=1)
    assert zero.any()
    assert not zero.all()
    strong.refit()
    assert not strong.refit_coef_[zero].any()
    assert np.abs(strong.refit_coef_[~zero]).sum() > np.abs(strong.coef_[~zero]).sum()


def test_the_table_of_the_search_marks_the_chosen_pair(fitted):
    table = fitted.cv_table_
    chosen = table[table.chosen]
    assert len(chosen) == 1
    assert (chosen.tv.item(), chosen.group.item()) == (fitted.tv, fitted.group)
    best = table.held_out_likelihood.max()
    assert fitted.held_out_likelihood_ == chosen.held_out_likelihood.item()
    assert best - fitted.held_out_likelihood_ <= chosen.se.item()


def test_results_depend_on_the_seed_and_not_on_the_threads():
    series = draw_series(TRUTH, 150, seed=8)
    few = {"tv": [0.03, 0.01], "group": [0.01, 0.003], "folds": 3, **SETTINGS}
    one, two = (
        ConvSCCS.cross_validate(series, seed=1, threads=threads, **few).bootstrap(10, seed=2, threads=threads)
        for threads in (1, 2)
    )
    pd.testing.assert_frame_equal(one.cv_table_, two.cv_table_)
    pd.testing.assert_frame_equal(one.peaks(), two.peaks())
    pd.testing.assert_frame_equal(one.curves(), two.curves())
    other = ConvSCCS.cross_validate(series, seed=9, **few)
    assert not other.cv_table_.equals(one.cv_table_)


def test_a_saved_model_answers_like_the_one_that_was_fitted(fitted):
    saved = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    again = ConvSCCS.from_dict(saved)
    pd.testing.assert_frame_equal(again.peaks(), fitted.peaks())
    pd.testing.assert_frame_equal(again.curves(), fitted.curves())
    pd.testing.assert_frame_equal(again.cv_table_, fitted.cv_table_)
    lags = [-1, 0, 3, 6, 7]
    assert again.relative_incidence("raises", lags).tolist() == fitted.relative_incidence("raises", lags).tolist()
    assert again.relative_incidence("raises", [-1, 7]).tolist() == [1, 1]
    assert again.to_dict() == fitted.to_dict()
    with pytest.raises(InputError, match="cannot be refitted"):
        again.bootstrap(10)


@pytest.mark.parametrize("scheme", ["structure", "selection", "cases"])
def test_percentile_schemes_are_at_hand_for_comparison(series, scheme):
    model = ConvSCCS(tv=0.01, group=0.003, **SETTINGS).fit(series).bootstrap(10, seed=0, scheme=scheme)
    curves = model.curves()
    assert (curves.lower <= curves.log_ri).all()
    assert (curves.log_ri <= curves.upper).all()


def test_drawn_events_stay_in_each_persons_own_follow_up(fitted):
    buckets = fitted.buckets_
    counts = draw_counts(buckets, fitted.refit_.coefficients, np.random.default_rng(0))
    per_person = np.add.reduceat(counts, buckets.cell_ptr[:-1])
    assert per_person.tolist() == np.add.reduceat(buckets.count, buckets.cell_ptr[:-1]).tolist()


def test_event_counts_and_exposed_cases_are_those_of_the_series(series, fitted):
    assert fitted.buckets_.count.sum() == series.n_events == fitted.n_events_
    assert fitted.peaks().exposed_cases.tolist() == series.exposed_cases().tolist()


def test_one_standard_error_takes_the_smallest_model_near_the_best():
    mean, error = np.array([-4.0, -3.9, -3.89]), np.array([0.05, 0.02, 0.0])
    parameters = np.array([2.0, 5.0, 9.0])
    assert choose(mean, error, parameters, "best") == 2
    assert choose(mean, error, parameters, "one_standard_error") == 1


def test_flags_follow_benjamini_and_hochberg():
    p_value = np.array([0.01, 0.04, 0.03, 0.9, np.nan])
    # Ordered 0.01 0.03 0.04 0.9 against 0.0125 0.025 0.0375 0.05: only the first passes at 5%.
    assert false_discovery_flags(p_value, 0.05).tolist() == [True, False, False, False, False]
    assert false_discovery_flags(p_value, 0.06).tolist() == [True, True, True, False, False]


def test_windows_of_lags_do_not_depend_on_data():
    assert working_windows(13).tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]
    assert working_windows(0).tolist() == [0]
    assert working_windows(2).tolist() == [0, 1, 2]
    assert {(0, 1), (1, 2), (12, 13), (0, 3), (2, 5), (6, 13), (0, 13)} <= set(lag_windows(13))
    assert lag_windows(0) == [(0, 0)]
    assert len(lag_windows(13)) == len(set(lag_windows(13))) == 23


def test_an_empty_exposure_table_gives_a_model_without_drugs(series):
    people, events, exposures = random_tables(1, 7)
    model = ConvSCCS(lags=2, calendar_cuts=[60]).fit(CaseSeries(people, events, exposures.iloc[:0])).bootstrap(5)
    assert len(model.curves()) == 0
    assert len(model.peaks()) == 0


def test_impossible_requests_are_refused_in_one_sentence(series, fitted):
    for arguments, sentence in [
        ({"lags": -1}, "lags of ConvSCCS is -1"),
        ({"bucket": 0}, "bucket of ConvSCCS is 0"),
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
    with pytest.raises(InputError, match="scheme jackknife is unknown"):
        fitted.bootstrap(5, scheme="jackknife")
    with pytest.raises(InputError, match="not in the model"):
        fitted.relative_incidence("aspirin")
