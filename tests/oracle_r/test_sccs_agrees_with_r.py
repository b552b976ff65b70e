"""SCCS against R: clogit of `survival` and the Poisson regression of `gnm`, on series drawn at random."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from parcours.errors import InputError
from parcours.models import SCCS
from tests.models.test_sccs import OXFORD_EVENT, OXFORD_VACCINE
from tests.oracle_r.drawn_series import DrawnSeries, draw_series

pytestmark = pytest.mark.oracle_r

SCRIPT = Path(__file__).with_name("fit_case_series.R")
METHODS = ("clogit", "gnm")
#: Series of one run of R; starting it takes longer than a fit.
BATCH = 50
RUNS = max(1, int(os.environ.get("SERIES", "200")) // BATCH)


@pytest.fixture(scope="session", autouse=True)
def _r_with_packages():
    rscript = shutil.which("Rscript")
    packages = "library(survival); library(gnm)"
    if rscript is None or subprocess.run([rscript, "-e", packages], capture_output=True, check=False).returncode:
        pytest.exit(
            "R or a package of it is missing: install r-base-core, r-cran-survival and r-cran-gnm.", returncode=1
        )


def fitted_by_r(drawn: list[DrawnSeries], folder: Path) -> dict[tuple[int, str], pd.DataFrame]:
    """Estimates and standard errors in the order of the terms, by series and method."""
    tables = [one.pieces().assign(series=k) for k, one in enumerate(drawn)]
    pd.concat(tables).to_csv(folder / "pieces.csv", index=False)
    command = ["Rscript", str(SCRIPT), str(folder / "pieces.csv"), str(folder / "fits.csv")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    fits = pd.read_csv(folder / "fits.csv", skipinitialspace=True)
    return {key: table.sort_values("term") for key, table in fits.groupby(["series", "method"])}


def ours(drawn: DrawnSeries) -> pd.DataFrame | None:
    """Our summary, None where the series is refused."""
    try:
        return SCCS(drawn.windows, age_cuts=drawn.age_cuts).fit(drawn.case_series()).summary()
    except InputError:
        return None


def check_same(summary: pd.DataFrame, fit: pd.DataFrame, series: object) -> None:
    """The same estimates and errors; what is infinite here is far out there, on the same side."""
    finite, infinite = np.isfinite(summary.estimate), np.isinf(summary.estimate)
    # R stops on the way to infinity: its other estimates are then as near as the way it went.
    close = 1e-4 if infinite.any() else 1e-6
    theirs = fit.set_axis(summary.index)
    assert theirs.estimate[finite].to_numpy() == pytest.approx(summary.estimate[finite].to_numpy(), abs=close), series
    assert theirs.se[finite].to_numpy() == pytest.approx(summary.se[finite].to_numpy(), abs=close), series
    # With two infinite bounds the events say nothing of a term once another has run away: R leaves it anywhere.
    told = infinite & (np.isfinite(summary.lower) | np.isfinite(summary.upper))
    far = theirs.estimate[told] * np.sign(summary.estimate[told]) > 7
    # Some way out clogit finds the information singular and gives the term up.
    assert (far | theirs.estimate[told].isna()).all(), series
    assert theirs.estimate[summary.estimate.isna()].isna().all(), series


# A failure names its series: it is not made smaller, which would start R hundreds of times.
@settings(max_examples=RUNS, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seeds=st.lists(st.integers(0, 2**40), min_size=BATCH, max_size=BATCH, unique=True))
def test_drawn_series_have_the_estimates_and_standard_errors_of_r(seeds, tmp_path_factory):
    drawn = [draw_series(seed) for seed in seeds]
    fits = fitted_by_r(drawn, tmp_path_factory.mktemp("r"))
    summaries = {k: ours(one) for k, one in enumerate(drawn)}
    for number, summary in summaries.items():
        for method in METHODS:
            if summary is not None:
                check_same(summary, fits[number, method], drawn[number])
    finite = [s for s in summaries.values() if s is not None and np.isfinite(s.estimate).all()]
    assert len(finite) >= BATCH / 3


@pytest.mark.parametrize(("day", "sign"), [(12, 1), (50, -1)])
def test_separated_events_are_infinite_here_and_far_out_in_r(day, sign, tmp_path):
    drawn = DrawnSeries(
        windows={"A": [(0, 9)], "B": [(0, 9)]},
        age_cuts=[],
        persons=[(k, 0, 99) for k in range(12)],
        events=[(k, day if k < 6 else 5 + 5 * k) for k in range(12)],
        exposures=[(k, "A", 10, 10) for k in range(6)] + [(k, "B", 31, 31) for k in range(6, 12)],
    )
    summary = ours(drawn)
    fits = fitted_by_r([drawn], tmp_path)
    assert summary.estimate[0] == sign * np.inf
    assert np.isfinite([summary.lower[0], summary.upper[0]]).tolist() == [sign > 0, sign < 0]
    assert fits[0, "gnm"].estimate.iloc[0] * sign > 10
    check_same(summary, fits[0, "clogit"], drawn)
    check_same(summary, fits[0, "gnm"], drawn)


def test_terms_that_go_together_are_refused_here_and_one_is_dropped_by_r(tmp_path):
    drawn = draw_series(1)
    drawn.windows = {"A": [(0, 9)], "again": [(0, 9)]}
    drawn.exposures = [
        (who, drug, *days) for who, name, *days in drawn.exposures if name == "A" for drug in drawn.windows
    ]
    fits = fitted_by_r([drawn], tmp_path)
    assert ours(drawn) is None
    assert [int(fits[0, method].estimate.isna().sum()) for method in METHODS] == [1, 1]


def test_the_oxford_children_have_the_same_estimate_in_all_three(tmp_path):
    drawn = DrawnSeries(
        windows={"mmr": [(15, 35)]},
        age_cuts=[548],
        persons=[(k, 366, 730) for k in range(10)],
        events=list(enumerate(OXFORD_EVENT)),
        exposures=[(k, "mmr", day, day) for k, day in enumerate(OXFORD_VACCINE)],
    )
    fits = fitted_by_r([drawn], tmp_path)
    for found in (ours(drawn), fits[0, "clogit"], fits[0, "gnm"]):
        assert found.estimate.to_numpy() == pytest.approx([2.487975, -1.490576], abs=1e-6)
    check_same(ours(drawn), fits[0, "clogit"], drawn)
    check_same(ours(drawn), fits[0, "gnm"], drawn)
