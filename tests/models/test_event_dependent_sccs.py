"""Case series in which the event changes later exposures: simulated truth, a day-by-day oracle, what is refused."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import root

from parcours.errors import InputError
from parcours.models import SCCS, CaseSeries, EventDependentSCCS

DAYS, CUT, AGE_EFFECT = 300, 150, 0.7
WINDOW = (0, 29)


def simulated(rng, n, effects, change):
    """Cases with a rare event and planned doses of a vaccine, of which `change(event, planned)` makes the real ones.

    A person with planned doses is a case in proportion to the incidence over all days, at a day drawn from it.
    """
    persons, events, doses = [], [], []
    age = AGE_EFFECT * (np.arange(DAYS) >= CUT)
    most = np.exp(AGE_EFFECT) * sum(30 * max(math.exp(effect), 1) for effect in effects) + np.exp(age).sum()
    while len(persons) < n:
        planned = np.sort(rng.choice(np.arange(20, 280), len(effects), replace=False))
        eta = age.copy()
        for first, effect in zip(planned, effects, strict=True):
            eta[first : first + 30] += effect
        incidence = np.exp(eta)
        if rng.random() * most > incidence.sum():
            continue
        event = int(rng.choice(DAYS, p=incidence / incidence.sum()))
        person = len(persons)
        persons.append((person, 0, DAYS - 1))
        events.append((person, event))
        for number, first in enumerate(change(event, planned)):
            doses.append((person, f"dose {number + 1}", int(first)))
    return CaseSeries(
        pd.DataFrame(persons, columns=["person_id", "start", "end"]),
        pd.DataFrame(events, columns=["person_id", "day"]),
        pd.DataFrame(doses, columns=["person_id", "drug", "start"]),
    )


def as_planned(event, planned):
    return planned


def never_afterwards(event, planned):
    return planned[planned <= event]


def put_off(event, planned):
    """Doses after the event come at least 180 days after it, the later ones behind it in the same distance."""
    later = planned[planned > event]
    delay = max(0, event + 180 - later[0]) if len(later) else 0
    return np.append(planned[planned <= event], later + delay)


def estimates(windows, effects, change, replicates, n, seed):
    """Of the ordinary and of the event-dependent model on the same draws, each of shape (replicates, terms)."""
    rng = np.random.default_rng(seed)
    drawn = [simulated(rng, n, effects, change) for _ in range(replicates)]
    models = SCCS(windows, [CUT]), EventDependentSCCS(windows, [CUT])
    return [np.array([model.fit(series).coef_ for series in drawn]) for model in models]


def bias(found, truth):
    """Mean error of each term, in Monte Carlo standard errors."""
    return (found.mean(axis=0) - truth) / (found.std(axis=0, ddof=1) / math.sqrt(len(found)))


ONE = {"dose 1": [WINDOW]}
TWO = {"dose 1": [WINDOW], "dose 2": [WINDOW]}


@pytest.mark.parametrize("change", [never_afterwards, put_off])
@pytest.mark.parametrize("effect", [math.log(3), -0.7])
def test_a_vaccine_withheld_after_the_event_biases_the_ordinary_model_and_not_this_one(change, effect):
    truth = np.array([effect, AGE_EFFECT])
    ordinary, found = estimates(ONE, [effect], change, replicates=60, n=200, seed=1)
    assert np.abs(bias(found, truth)).max() < 3
    assert np.abs(bias(ordinary, truth)[0]) > 5


def test_two_doses_withheld_after_the_event_are_both_unbiased():
    truth = np.array([1.0, 0.5, AGE_EFFECT])
    ordinary, found = estimates(TWO, [1.0, 0.5], never_afterwards, replicates=50, n=250, seed=2)
    assert np.abs(bias(found, truth)).max() < 3
    assert np.abs(bias(ordinary, truth)[:2]).min() > 5


def test_it_agrees_with_the_ordinary_model_in_expectation_where_the_event_changes_nothing():
    ordinary, found = estimates(ONE, [1.0], as_planned, replicates=60, n=200, seed=3)
    assert np.abs(bias(found - ordinary, np.zeros(2))).max() < 3
    assert np.abs(bias(ordinary, np.array([1.0, AGE_EFFECT]))).max() < 3


def test_its_standard_errors_are_the_spread_of_its_estimates():
    rng = np.random.default_rng(4)
    fits = [EventDependentSCCS(ONE, [CUT]).fit(simulated(rng, 250, [1.0], never_afterwards)) for _ in range(100)]
    spread = np.std([fit.coef_ for fit in fits], axis=0, ddof=1)
    told = np.mean([np.sqrt(np.diag(fit.covariance_)) for fit in fits], axis=0)
    # The spread of 100 draws is itself known to 7% only.
    assert told == pytest.approx(spread, rel=0.2)
    summaries = [fit.summary() for fit in fits]
    assert 88 <= sum(one.lower[0] <= 1.0 <= one.upper[0] for one in summaries) <= 99


def test_what_comes_after_the_event_is_not_used():
    """The same draws, with later doses as planned, put off or never: the same fit to the last digit."""
    fits = [
        EventDependentSCCS(TWO, [CUT]).fit(simulated(np.random.default_rng(5), 200, [1.0, 0.5], change))
        for change in (as_planned, put_off, never_afterwards)
    ]
    assert fits[0].coef_.tolist() == fits[1].coef_.tolist() == fits[2].coef_.tolist()
    assert fits[0].residual_ < 1e-8


def oracle(series, windows, start):
    """The estimating equations spelled out: each person, each number of doses had, each day."""
    drugs = list(windows)

    def design(days, doses):
        columns = [np.zeros(len(days)) for _ in drugs]
        for drug, first in doses:
            begin, last = windows[drug][0]
            columns[drugs.index(drug)][(days >= first + begin) & (days <= first + last)] = 1
        return np.column_stack([*columns, days >= CUT])

    def equations(b):
        total = np.zeros(len(b))
        for person in range(series.n_persons):
            rows = np.flatnonzero(series.exposure_person == person)
            doses = sorted((int(series.exposure_start[r]), series.drugs[series.exposure_drug[r]]) for r in rows)
            event = int(series.event_day[person])
            everything = [(drug, first) for first, drug in doses]
            for had in range(len(doses) + 1):
                begin = doses[had - 1][0] if had else 0
                if event < begin:
                    break
                days = np.arange(begin, DAYS)
                counterfactual = design(days, everything[:had])
                share = np.exp(counterfactual @ b)
                real = design(np.array([event]), everything)[0]
                there = counterfactual[event - begin]
                total += np.exp((there - real) @ b) * (there - share @ counterfactual / share.sum())
        return total

    return root(equations, start, tol=1e-10).x


def test_it_solves_the_estimating_equations_written_out_day_by_day():
    series = simulated(np.random.default_rng(6), 60, [1.0, 0.5], never_afterwards)
    fitted = EventDependentSCCS(TWO, [CUT]).fit(series)
    assert fitted.coef_ == pytest.approx(oracle(series, TWO, np.zeros(3)), abs=1e-6)


def test_without_exposure_in_follow_up_it_is_the_ordinary_model():
    persons = pd.DataFrame({"person_id": range(40), "start": 0, "end": 99})
    events = pd.DataFrame({"person_id": range(40), "day": np.arange(40) * 2})
    before = pd.DataFrame({"person_id": range(40), "drug": "A", "start": -np.arange(40) % 50 - 49})
    series = CaseSeries(persons, events, before)
    dependent = EventDependentSCCS({"A": [(0, 59)]}, [50]).fit(series)
    assert dependent.coef_ == pytest.approx(SCCS({"A": [(0, 59)]}, [50]).fit(series).coef_, abs=1e-9)


def test_a_window_without_event_is_minus_infinity_and_changes_no_other_term():
    persons = pd.DataFrame({"person_id": range(30), "start": 0, "end": 99})
    events = pd.DataFrame({"person_id": range(30), "day": [*range(12, 22)] * 2 + [60] * 10})
    doses = pd.DataFrame({"person_id": range(30), "drug": "A", "start": [10] * 10 + [40] * 10 + [1] * 10})
    series = CaseSeries(persons, events, doses)
    summary = EventDependentSCCS({"A": [(0, 15), (16, 20)]}).fit(series).summary()
    assert summary.estimate[1] == -math.inf
    assert np.isnan(summary.loc[1, ["se", "lower", "upper"]].to_numpy(dtype=float)).tolist()[0]
    assert math.isfinite(summary.estimate[0])


def test_a_further_dose_that_only_follows_events_changes_nothing():
    persons = pd.DataFrame({"person_id": range(20), "start": 0, "end": 99})
    events = pd.DataFrame({"person_id": range(20), "day": range(20, 60, 2)})
    doses = pd.DataFrame({"person_id": range(20), "drug": "A", "start": 25})
    late = pd.DataFrame({"person_id": range(20), "drug": "A", "start": 90})
    model = EventDependentSCCS({"A": [(0, 9)]})
    alone = model.fit(CaseSeries(persons, events, doses)).coef_.tolist()
    assert model.fit(CaseSeries(persons, events, pd.concat([doses, late]))).coef_.tolist() == alone


def test_separated_events_are_refused_by_name():
    persons = pd.DataFrame({"person_id": range(20), "start": 0, "end": 99})
    doses = pd.DataFrame({"person_id": range(20), "drug": "A", "start": range(20)})
    series = CaseSeries(persons, doses.rename(columns={"start": "day"})[["person_id", "day"]], doses)
    with pytest.raises(InputError, match="no finite solution, the events are separated by A 0-5"):
        EventDependentSCCS({"A": [(0, 5)]}).fit(series)


@pytest.mark.parametrize(
    ("window", "sentence"), [((-7, -1), "begins before the exposure"), ((0, "end"), "lasts to the end of the exposure")]
)
def test_windows_that_an_event_may_change_are_refused(window, sentence):
    with pytest.raises(InputError, match=sentence):
        EventDependentSCCS({"A": [window]})


def test_a_person_with_a_gap_is_refused_as_doses_may_be_missed_in_it():
    persons = pd.DataFrame({"person_id": [1, 1, 2], "start": [0, 60, 0], "end": [40, 99, 99]})
    events = pd.DataFrame({"person_id": [1, 2], "day": [30, 20]})
    doses = pd.DataFrame({"person_id": [1, 2], "drug": "A", "start": [10, 5]})
    with pytest.raises(InputError, match="has gaps, in which doses may be missed"):
        EventDependentSCCS({"A": [(0, 9)]}).fit(CaseSeries(persons, events, doses))
