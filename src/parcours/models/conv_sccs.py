"""ConvSCCS: curves of relative incidence of many drugs at once, by lag since exposure, with TV and group penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from parcours.errors import InputError
from parcours.models.bootstrap import Scheme, percentile_intervals
from parcours.models.buckets import Baseline, bucket_series
from parcours.models.case_series import CaseSeries
from parcours.models.columns import result_table
from parcours.models.cross_validation import GridResult, Rule, penalty_ranges, search_grid
from parcours.models.peaks import peak_columns
from parcours.models.persistence import model_from_dict, model_to_dict
from parcours.models.refit import Refit, refit, tied_columns
from parcours.models.screening import Screen, screen
from parcours.models.solver import solve
from parcours.models.working import working_curves

if TYPE_CHECKING:
    import pandas as pd

#: Draws behind each p value of the screen.
SCREEN_DRAWS = 4000


class ConvSCCS:
    """Penalised conditional likelihood of lagged effects (Morel et al. 2019, doi 10.1093/biostatistics/kxz003).

    Loss and penalty: `docs` of the project, "The model": the loss is the mean over cases of minus the log probability
    of each event's bucket among the person's own observed buckets (weighted by the days observed in them); penalty
    `tv` * total variation + `group` * sqrt(lags + 1) * l2 norm, drug by drug. Age, calendar and season terms are not
    penalised; each cell takes the group of the middle of its observed days.

    lags: last lag of an effect, in buckets; bucket: days of a bucket, on one grid from the first day of any case, so
    that results do not change when all days move together. Two starts of one drug in one bucket count once.
    age_cuts, calendar_cuts, season_cuts: see `Baseline`.

    After `fit`: `coef_` (drugs, lags + 1) penalised, `baseline_`, `objective_`, `solution_`. After `refit` or
    `cross_validate`: `refit_coef_`, in which zero curves are zero and equal lags tied. `curves()` gives the latest.
    """

    def __init__(
        self,
        lags: int = 42,
        bucket: int = 1,
        tv: float = 10.0,
        group: float = 5.0,
        age_cuts: Sequence[int] | None = None,
        calendar_cuts: Sequence[int] | None = None,
        season_cuts: Sequence[int] | None = None,
        tolerance: float = 1e-6,
        max_iterations: int = 5000,
    ) -> None:
        for name, value, least in (("lags", lags, 0), ("bucket", bucket, 1), ("tv", tv, 0), ("group", group, 0)):
            if not value >= least:
                raise InputError(f"The parameter {name} of ConvSCCS is {value}: it must be {least} or more.")
        self.lags, self.bucket, self.tv, self.group = int(lags), int(bucket), float(tv), float(group)
        self.baseline = Baseline(tuple(age_cuts or ()), tuple(calendar_cuts or ()), tuple(season_cuts or ()))
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.held_out_likelihood_: float | None = None
        self.cv_: GridResult | None = None
        self.refit_: Refit | None = None
        self.refit_coef_: np.ndarray | None = None
        self.refit_ridge_: float | None = None
        self.intervals_: dict[str, np.ndarray] | None = None
        self.screen_: Screen | None = None

    def fit(self, series: CaseSeries) -> ConvSCCS:
        """Minimise loss + penalty; returns the fitted model, which keeps the bucketed series for the later steps."""
        self.buckets_ = bucket_series(series, self.bucket, self.lags, self.baseline)
        self.drugs_ = series.drugs
        self.exposed_cases_ = self.buckets_.exposed_cases()
        self.n_cases_, self.n_events_ = series.n_persons, series.n_events
        self.solution_ = solve(
            self.buckets_, self.tv, self.group, tolerance=self.tolerance, max_iterations=self.max_iterations
        )
        self.objective_ = self.solution_.objective
        self.coef_ = self._curves_of(self.solution_.coefficients)
        self.baseline_ = self.solution_.coefficients[self.coef_.size :]
        self.baseline_terms_ = self.buckets_.baseline_terms
        self.refit_ = self.refit_coef_ = self.refit_ridge_ = self.intervals_ = self.screen_ = None
        return self

    @classmethod
    def cross_validate(
        cls,
        series: CaseSeries,
        lags: int = 42,
        bucket: int = 1,
        tv: Sequence[float] | None = None,
        group: Sequence[float] | None = None,
        folds: int = 5,
        seed: int = 0,
        rule: Rule = "one_standard_error",
        threads: int = 2,
        **settings: Any,
    ) -> ConvSCCS:
        """Choose (tv, group) by the likelihood of held-out persons, fit all persons with it, and refit the structure.

        tv, group: values to try; by default ranges from the data (`penalty_ranges`). rule: see `Rule`. settings: the
        other parameters of the constructor. The table of the search is `cv_table_`; results do not depend on threads.
        """
        model = cls(lags, bucket, **settings)
        if not 2 <= folds <= series.n_persons:
            raise InputError(f"The number of folds is {folds}: it must lie between 2 and the number of cases.")
        if rule not in ("best", "one_standard_error"):
            raise InputError(f"The rule {rule} is unknown: use best or one_standard_error.")
        buckets = bucket_series(series, model.bucket, model.lags, model.baseline)
        default_tv, default_group = penalty_ranges(buckets)
        tv_values = np.sort(np.asarray(default_tv if tv is None else tv, dtype=np.float64))[::-1]
        group_values = np.asarray(default_group if group is None else group, dtype=np.float64)
        grid = search_grid(buckets, tv_values, group_values, folds, seed, rule, threads)
        model.tv, model.group = float(grid.tv[grid.chosen]), float(grid.group[grid.chosen])
        model.fit(series).refit()
        model.cv_ = grid
        model.held_out_likelihood_ = float(grid.mean[grid.chosen])
        return model

    @property
    def cv_table_(self) -> pd.DataFrame:
        """The search, one row a pair: tv, group, held_out_likelihood (mean an event), se, parameters, chosen."""
        if self.cv_ is None:
            raise InputError("The model was not cross-validated: build it with ConvSCCS.cross_validate.")
        grid = self.cv_
        return result_table(
            {
                "tv": grid.tv,
                "group": grid.group,
                "held_out_likelihood": grid.mean,
                "se": grid.error,
                "parameters": grid.parameters,
                "chosen": np.arange(len(grid.tv)) == grid.chosen,
            }
        )

    def refit(self) -> ConvSCCS:
        """Maximum likelihood on the penalised structure; `refit_ridge_` is above 0 when a maximum lay at infinity."""
        start = self.solution_.coefficients
        column, n_columns = tied_columns(start, len(self.drugs_), self.lags + 1)
        self.refit_ = refit(self.buckets_, start, column, n_columns)
        self.refit_coef_ = self._curves_of(self.refit_.coefficients)
        self.refit_ridge_ = self.refit_.ridge
        self.intervals_ = self.screen_ = None
        return self

    def bootstrap(
        self,
        n: int = 100,
        seed: int = 0,
        scheme: Scheme | Literal["working"] = "working",
        confidence: float = 0.95,
        threads: int = 2,
    ) -> ConvSCCS:
        """Intervals of every curve and a test of every drug; then `curves()` has bounds and `peaks()` can be asked.

        scheme "working": bootstrap-t on fixed windows of lags, whose coverage at the peak was measured above 90%;
        the others are percentile intervals of the selected structure, kept for comparison: they cover too rarely
        (docs/adr/0003-intervals-of-curves.md). Bounds are widened to hold the curve itself. The p values come from
        `screen`. Results do not depend on threads.
        """
        if n < 2:
            raise InputError(f"The number of bootstrap replicates is {n}: ask for 2 or more.")
        if not 0 < confidence < 1:
            raise InputError(f"The confidence is {confidence}: give a share between 0 and 1, such as 0.95.")
        model = self._refitted()
        if scheme == "working":
            bounds = working_curves(self.buckets_, model, n, seed, confidence, threads)
        else:
            penalties = (self.tv, self.group)
            bounds = percentile_intervals(self.buckets_, model, penalties, scheme, n, seed, confidence, threads)
        curve = self.latest_coef()
        # np.minimum and np.maximum keep nan: a lag without information has no bounds.
        self.intervals_ = {"lower": np.minimum(bounds["lower"], curve), "upper": np.maximum(bounds["upper"], curve)}
        self.screen_ = screen(self.buckets_, model, SCREEN_DRAWS, seed, threads)
        return self

    def curves(self) -> pd.DataFrame:
        """One row a drug and lag: drug, lag (in buckets), log_ri [, lower, upper after `bootstrap`]."""
        width = self.lags + 1
        columns: dict[str, Any] = {
            "drug": np.repeat(np.array(self.drugs_, dtype=object), width),
            "lag": np.tile(np.arange(width), len(self.drugs_)),
            "log_ri": self.latest_coef().ravel(),
        }
        if self.intervals_ is not None:
            columns |= {"lower": self.intervals_["lower"].ravel(), "upper": self.intervals_["upper"].ravel()}
        return result_table(columns)

    def peaks(self, false_discovery: float = 0.05) -> pd.DataFrame:
        """One row a drug: drug, selected, exposed_cases, peak_lag, log_ri, lower, upper, p_value, flag.

        flag is "raised" or "lowered" for a drug that was selected by the penalty and whose test passes
        Benjamini-Hochberg at the level `false_discovery`, else "". The peak is the extreme of the curve, in the flagged
        direction if there is one, at the middle of the tied run that holds it; for a drug not selected, it is the
        middle of the window that stands out most.
        """
        if self.intervals_ is None or self.screen_ is None:
            raise InputError("The model has no intervals yet: call bootstrap before peaks.")
        selected = np.asarray(self.latest_coef().any(axis=1))
        columns = {"drug": list(self.drugs_), "selected": selected, "exposed_cases": self.exposed_cases_}
        return result_table(
            columns | peak_columns(self.latest_coef(), self.intervals_, self.screen_, selected, false_discovery)
        )

    def latest_coef(self) -> np.ndarray:
        """Log relative incidences by drug and lag, (drugs, lags + 1): refitted if the model was, else penalised."""
        return self.coef_ if self.refit_coef_ is None else self.refit_coef_

    def relative_incidence(self, drug: str, lags: Sequence[int] | None = None) -> np.ndarray:
        """Relative incidence of the drug at the given lags (all by default); 1 beyond the last lag or before 0."""
        if drug not in self.drugs_:
            raise InputError(f"The drug {drug} is not in the model: use one of its {len(self.drugs_)} drugs.")
        curve = self.latest_coef()[self.drugs_.index(drug)]
        asked = np.arange(self.lags + 1) if lags is None else np.asarray(lags, dtype=np.int64)
        inside = (asked >= 0) & (asked <= self.lags)
        return np.where(inside, np.exp(curve[np.clip(asked, 0, self.lags)]), 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The fitted model as JSON-able values, without the series it was fitted on."""
        return model_to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> ConvSCCS:
        """The model saved by `to_dict`: curves, peaks and predictions work, refitting needs the series again."""
        return model_from_dict(cls, saved)

    def _refitted(self) -> Refit:
        if not hasattr(self, "buckets_"):
            raise InputError("The model holds no case series: fit it first, a model read from JSON cannot be refitted.")
        if self.refit_ is None:
            self.refit()
        assert self.refit_ is not None
        return self.refit_

    def _curves_of(self, coefficients: np.ndarray) -> np.ndarray:
        width = self.lags + 1
        return coefficients[: len(self.drugs_) * width].reshape(-1, width)
