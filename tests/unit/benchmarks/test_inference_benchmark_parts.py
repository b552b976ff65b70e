import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.inference_data import DAYS, FIRST_DAY, LAGS, PLANTED, draw_national, national_file, read_national
from benchmarks.inference_objective import CHUNK, Cases, loss, objective, penalty
from benchmarks.inference_report import exponent, report
from benchmarks.inference_runs import PEER, Comparison, Run, Task
from benchmarks.measure import Measured
from benchmarks.peers.parcours_inference import native
from benchmarks.peers.tick_sccs import environment
from benchmarks.peers.tick_sccs.stopping import loosest
from benchmarks.results import HOME
from parcours.errors import ParcoursError
from parcours.models import CaseSeries, ConvSCCS

PROCESS = Measured(seconds=9.0, cpu_seconds=8.0, peak_mb=1.0, peak_resident_mb=1.0, peak_process_mb=1.0)


def cases_of(persons: int, days: int, drugs: int, lags: int) -> Cases:
    rng = np.random.default_rng(3)
    taken = np.argwhere(rng.random((persons, drugs)) < 0.6)
    return Cases(
        days=days,
        event_day=rng.integers(0, days, persons),
        exposure_case=taken[:, 0],
        exposure_drug=taken[:, 1],
        exposure_day=rng.integers(0, days, len(taken)),
        truth=np.zeros((drugs, lags)),
    )


def compared(seconds: dict[str, list[float]]) -> Comparison:
    cases = cases_of(5, 20, 2, 3)
    told: dict[str, Any] = {"coefficients": cases.truth.tolist(), "start_mb": 0.5, "versions": {"tick": "0.8.0.2"}}
    runs = {
        name: [Run(PROCESS, {**told, "seconds": one, "cpu_seconds": one / 2, "peak_mb": one}, 0.5) for one in values]
        for name, values in seconds.items()
    }
    objectives = {"parcours": 6.0, PEER: 6.0, f"{PEER}_converged": 6.0}
    return Comparison(Task("fit", 5, 20, 1e-4, 5e-5), cases, runs, {"stopping": {"max_iter": 44}}, objectives)


def test_the_loss_is_that_of_the_formula_also_beyond_one_chunk() -> None:
    cases, coefficients = cases_of(CHUNK + 7, 12, 3, 4), np.random.default_rng(1).normal(size=(3, 4))
    scores = np.zeros((cases.n_cases, cases.days))
    for case, drug, day in zip(cases.exposure_case, cases.exposure_drug, cases.exposure_day, strict=True):
        for lag in range(4):
            if day + lag < cases.days:
                scores[case, day + lag] += coefficients[drug, lag]
    of_event = scores[np.arange(cases.n_cases), cases.event_day]
    assert loss(cases, coefficients) == pytest.approx((np.log(np.exp(scores).sum(axis=1)) - of_event).mean())
    assert loss(cases, np.zeros((3, 4))) == pytest.approx(np.log(cases.days))


def test_the_penalty_is_that_of_the_formula() -> None:
    curves = np.array([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]])
    assert penalty(curves, 2.0, 0.0) == pytest.approx(2 * 3)
    assert penalty(curves, 0.0, 5.0) == pytest.approx(5 * np.sqrt(3) * np.sqrt(14))


def test_our_objective_is_that_of_the_benchmark() -> None:
    cases = cases_of(80, 40, 3, 5)
    model = ConvSCCS(lags=4, bucket=1, tv=1e-2, group=1e-2).fit(CaseSeries(*native(cases, cases.n_cases)))
    assert objective(cases, model.coef_, 1e-2, 1e-2) == pytest.approx(model.objective_, abs=1e-9)


def test_the_tolerance_does_not_end_the_peer_before_its_last_epoch() -> None:
    told = 6.0 + 0.5 ** np.arange(45.0)  # the objective after each epoch
    tolerance = loosest(told[:35])
    looked = told[[0, 10, 20, 30]]
    changes = np.abs(np.diff(looked)) / looked[:-1]
    assert changes.min() / 10 <= tolerance < changes.min()
    assert loosest(told[:1]) == loosest(told[:11]) == pytest.approx(1e-5)


def test_ratios_are_of_medians() -> None:
    fit = compared({"parcours": [1.0, 9.0, 2.0], PEER: [300.0, 100.0, 250.0]})
    found = report(fit, fit, {}, 400)
    assert found["seconds"] == {"parcours": 2.0, PEER: 250.0}
    assert found["ratio"] == found["ratio_cpu"] == {PEER: 125.0}
    assert found["peak_mb"] == {"parcours": 2.0, PEER: 250.0}
    assert found["intervals"]["bootstraps"] == 20
    assert (found["national"], found["scaling"], found["exponent"]) == (None, [], None)


def test_the_exponent_is_the_slope_in_logs() -> None:
    assert exponent({100: 2.0, 400: 2.0 * 4**1.5, 1600: 2.0 * 16**1.5}) == pytest.approx(1.5)
    assert exponent({100: 2.0}) is None


def test_national_cases_keep_to_their_follow_up_and_are_kept(tmp_path: Path) -> None:
    first, again = (read_national(national_file(tmp_path, 3000, 40)) for _ in range(2))
    assert np.array_equal(first.event_day, again.event_day)
    assert ((first.event_day >= first.start) & (first.event_day <= first.end)).all()
    assert first.start.min() == FIRST_DAY and first.end.max() == FIRST_DAY + DAYS - 1
    assert (first.start > FIRST_DAY).any() and (first.end < FIRST_DAY + DAYS - 1).any()
    starts = np.stack([first.exposure_case, first.exposure_drug, first.exposure_day])
    assert np.unique(starts, axis=1).shape == starts.shape
    assert (np.diff(first.exposure_case) >= 0).all()
    counted = np.bincount(first.exposure_drug)
    assert counted[0] > 4 * counted[-1] > 0
    assert first.truth.any(axis=1).sum() == PLANTED and first.truth.shape == (40, LAGS)


def test_events_of_national_cases_follow_the_planted_curves() -> None:
    drawn = draw_national(20_000, 20, seed=7)
    held = drawn.truth[drawn.exposure_drug].mean(axis=1)
    lag = drawn.event_day[drawn.exposure_case] - drawn.exposure_day
    begins, ends = drawn.start[drawn.exposure_case], drawn.end[drawn.exposure_case]
    inside = (drawn.exposure_day >= begins + LAGS) & (drawn.exposure_day + LAGS <= ends)
    for drug in (0, 6):  # a constant relative incidence of 2, and one of 0.5
        mine = inside & (drawn.exposure_drug == drug)
        during, before = ((lag >= 0) & (lag < LAGS))[mine].sum(), ((lag >= -LAGS) & (lag < 0))[mine].sum()
        assert during / before == pytest.approx(np.exp(held[mine][0]), rel=0.2)


def test_an_environment_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.sys, "executable", str(HOME / "scripts" / "bootstrap-that-is-not-there"))
    with pytest.raises(ParcoursError, match=r"^The environment of tick==0\.8\.0\.2 cannot be made"):
        environment.interpreter(tmp_path / "tick")
    assert not (tmp_path / "tick").exists()


def test_too_few_cases_are_refused() -> None:
    command = [sys.executable, "-m", "benchmarks.inference", "--cases", "1"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "The benchmark needs 50 cases or more, at the smallest factor too; give more.\n"
