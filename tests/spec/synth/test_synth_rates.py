"""The simulation in memory: planted curves, confounding, and the rates of the priors."""

import numpy as np
import pytest

from parcours.synth.block import Block, draw_block
from parcours.synth.claims import BIO, CAM, INFORMATION, PHA, draw_flux
from parcours.synth.curves import relative_incidence
from parcours.synth.days import FAR, YEAR, calendar, day_of, month_index
from parcours.synth.facts import medicines, prior
from parcours.synth.fractures import draw_events
from parcours.synth.items import items
from parcours.synth.medication import draw_starts
from parcours.synth.population import draw_population, trait_names
from parcours.synth.settings import SynthSettings

PERSONS = 20_000
SETTINGS = SynthSettings(PERSONS, seed=11)
SPAN = calendar(SETTINGS.years, 6)


@pytest.fixture(scope="module")
def block() -> Block:
    return draw_block(SETTINGS, SPAN, 0, PERSONS)


@pytest.fixture(scope="module")
def cohort():
    """60,000 persons with their starts and fractures, before any death: (population, starts, person, day)."""
    rng = np.random.default_rng(5)
    people = draw_population(rng, 60_000, 60, SPAN, SETTINGS.rates)
    starts = draw_starts(rng, people, SPAN)
    return people, starts, *draw_events(rng, people, starts, SPAN)


def _events_by_day_since_start(cohort, index: int) -> np.ndarray:
    """Fractures by day from 364 days before the first purchase to 363 after, of persons seen over all of it."""
    _, starts, person, day = cohort
    start = starts[person, index]
    seen = (start - 364 >= SPAN.first) & (start + 364 <= SPAN.last)
    since = (day - start)[seen]
    return np.bincount(since[np.abs(since + 0.5) < 364] + 364, minlength=728)


@pytest.mark.parametrize("index", [i for i, m in enumerate(medicines()) if m.kind in ("raises", "lowers")])
def test_fractures_after_the_first_purchase_follow_the_planted_curve(cohort, index):
    """Persons are their own controls: the rate in each four weeks against the rate outside the horizon."""
    medicine = medicines()[index]
    counts = _events_by_day_since_start(cohort, index)
    outside = np.r_[counts[:364], counts[364 + 196 :]]
    expected = outside.mean() * relative_incidence(medicine.curve, medicine.peak_ri)
    observed = counts[364 : 364 + 196]
    for week in range(0, 196, 28):
        mean, seen = expected[week : week + 28].sum(), observed[week : week + 28].sum()
        spread = np.sqrt(mean + mean**2 / outside.sum())
        assert abs(seen - mean) < 4.5 * spread, (medicine.atc, week, seen, mean)
    total = expected.sum()
    assert abs(observed.sum() - total) < 4 * np.sqrt(total + total**2 / outside.sum())


@pytest.mark.parametrize("index", [i for i, m in enumerate(medicines()) if m.kind == "confounded"])
def test_a_confounded_medicine_looks_guilty_between_persons_and_is_not_within_them(cohort, index):
    people, starts, person, _ = cohort
    users = starts[:, index] < FAR
    fractures = np.bincount(person, minlength=len(people))
    assert fractures[users].mean() > 1.25 * fractures[~users].mean()
    counts = _events_by_day_since_start(cohort, index)
    inside, outside = counts[364 : 364 + 196].sum(), np.r_[counts[:364], counts[364 + 196 :]]
    assert abs(inside - outside.mean() * 196) < 4 * np.sqrt(inside + 1)


def test_null_medicines_together_do_nothing(cohort):
    counts = sum(_events_by_day_since_start(cohort, i) for i, m in enumerate(medicines()) if m.kind == "null")
    inside, outside = counts[364 : 364 + 196].sum(), np.r_[counts[:364], counts[364 + 196 :]].mean() * 196
    assert inside / outside == pytest.approx(1.0, abs=0.06)


def test_enough_persons_start_each_medicine_after_the_first_year(block):
    new = ((block.starts >= day_of(2015)) & (block.starts <= SPAN.last)).mean(axis=0)
    for share, medicine in zip(new, medicines(), strict=True):
        low, high = {"raises": (0.25, 0.35), "lowers": (0.25, 0.35), "confounded": (0.05, 0.30), "null": (0.07, 0.25)}[
            medicine.kind
        ]
        assert low < share < high, (medicine.atc, share)


def test_starts_do_not_depend_on_fractures(block):
    """In the half-year after a fracture medicines start as often as in the half-year before."""
    start = block.starts[block.fractures.person]
    since = start - block.fractures.day[:, None]
    alive = (block.people.death[block.fractures.person] > block.fractures.day + 180)[:, None]
    known = [i for i, m in enumerate(medicines()) if m.kind in ("null", "confounded")]
    after, before = (((since > low) & (since <= low + 180) & alive)[:, known].sum() for low in (0, -180))
    assert after / before == pytest.approx(1.0, abs=0.15)


def test_fractures_are_as_many_and_as_severe_as_documented(block):
    fractures, people = block.fractures, block.people
    years = (np.minimum(people.death, SPAN.last) - SPAN.first + 1).sum() / YEAR
    assert 1000 * len(fractures) / years == pytest.approx(31, rel=0.1)  # planted effects included
    old = people.age(fractures.person, fractures.day) >= 65
    cases = np.unique(fractures.person[old & (fractures.day >= day_of(2015))])
    assert len(cases) == pytest.approx(1_470, rel=0.1)
    assert fractures.outpatient.mean() == pytest.approx(0.187, abs=0.03)
    assert fractures.dies_in_hospital.mean() == pytest.approx(0.021, abs=0.01)
    hips = np.isin(fractures.type, [0, 1]).mean()
    assert 0.14 < hips < 0.30
    assert (fractures.day <= people.death[fractures.person]).all()


def test_the_hazard_rises_with_age_and_is_higher_in_women(cohort):
    people, _, person, _ = cohort
    age = (SPAN.first - people.birth) / YEAR
    count = np.bincount(person, minlength=len(people))
    rates = [count[(age >= low) & (age < low + 10)].mean() for low in (60, 70, 80)]
    assert rates[0] < rates[1] < rates[2]
    assert count[people.sex == 2].mean() > 1.4 * count[people.sex == 1].mean()


def test_deaths_follow_the_mortality_of_the_priors(block):
    rate = (block.people.death <= SPAN.last).sum() / (PERSONS * SPAN.years)
    assert 0.025 < rate < 0.045  # persons of 60 and over; INED 2012-16 and the pyramid give about 0.034
    assert (block.people.death >= SPAN.first).all()


def test_the_mix_of_claim_lines_is_that_of_the_priors(block):
    kind = items().kind[block.lines.item]
    years = (np.minimum(block.people.death, SPAN.last) - SPAN.first + 1).sum() / YEAR
    assert len(block.lines) / years == pytest.approx(33.5, rel=0.05)
    for name, place in (("pha", PHA), ("bio", BIO), ("cam", CAM)):
        assert (kind == place).mean() == pytest.approx(prior(f"lines.{name}_share"), abs=0.02), name
    assert (block.lines.ete > 0).mean() == pytest.approx(0.08, abs=0.01)
    assert (block.lines.status == INFORMATION).mean() == pytest.approx(0.03, abs=0.004)
    assert (block.lines.quantity < 0).mean() == pytest.approx(0.01, abs=0.002)


def test_a_thin_delivery_keeps_every_first_purchase():
    thin = draw_block(SynthSettings(2_000, seed=11, lines_per_person_year=8), SPAN, 0, 2_000)
    first = (thin.starts >= SPAN.first) & (thin.starts <= np.minimum(thin.people.death, SPAN.last)[:, None])
    lines = thin.lines
    bought = np.zeros(first.shape, bool)
    net = (items().kind[lines.item] == PHA) & (lines.status == 0)
    on_day = lines.day == thin.starts[lines.person, np.minimum(lines.item // 2, len(medicines()) - 1)]
    bought[lines.person[net & on_day], lines.item[net & on_day] // 2] = True
    late = (first & ~bought).sum()
    assert 0 < late < 0.02 * first.sum()  # only what came after the last flux month


def test_flux_months_lag_as_documented():
    day = np.full(200_000, day_of(2015, 3, 10))
    lag = draw_flux(np.random.default_rng(1), day) - month_index(day)
    assert lag.min() == 1 and lag.max() == 27
    for months, share in ((1, 0.75), (2, 0.90), (3, 0.945), (6, 0.985)):
        assert (lag <= months).mean() == pytest.approx(share, abs=0.005)


def test_traits_have_the_shares_of_the_priors(block):
    shares = dict(zip(trait_names(), block.people.traits.mean(axis=0), strict=True))
    assert shares["osteoporosis"] == pytest.approx(prior("trait.osteoporosis"), abs=0.01)
    assert shares["parkinson"] == pytest.approx(prior("trait.parkinson"), abs=0.01)
