"""ConvSCCS: curves of relative incidence of many drugs at once, by lag since exposure, with TV and group penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parcours.errors import InputError
from parcours.models.baseline import Baseline, term_names
from parcours.models.case_series import CaseSeries
from parcours.models.columns import result_table
from parcours.models.cross_validation import (
    GROUP_STEPS,
    RULES,
    TV_STEPS,
    GridResult,
    Rule,
    baseline_only,
    chance_penalties,
    relaxed,
    search_grid,
)
from parcours.models.draws import drawn_curves
from parcours.models.likelihood import likelihood_of
from parcours.models.observed_days import LagAxis, observe
from parcours.models.peaks import peak_columns
from parcours.models.persistence import model_from_dict, model_to_dict
from parcours.models.refit import Refit, refit
from parcours.models.screening import Screen, screen
from parcours.models.solver import Penalty, solve
from parcours.models.tasks import RunTasks, in_threads

if TYPE_CHECKING:
    import pandas as pd

#: Days before the exposure in which a rise of events is looked for, whatever the curves of the model hold.
DAYS_BEFORE = 90


class ConvSCCS:
    """Penalised conditional likelihood of lagged effects, to the day.

    Source: Morel et al. 2019, doi 10.1093/biostatistics/kxz003.

    The loss is the mean over cases of minus the log probability of each event's day among the person's own observed
    days; the penalty `tv` * total variation + `group` * sqrt(lags + 1) * l2 norm, drug by drug. Age, calendar and
    season are not penalised. docs/explanation/the-model.md says what it assumes.

    lags: last lag of an effect; bucket: days of a lag, counted from the person's own exposure, so that an event before
    the start never meets the curve; pre_lags: lags before the start with a curve and penalty of their own. Two starts
    of one drug on one day count once. age_cuts, calendar_cuts, season_cuts: see `Baseline`.
    tolerance: largest breach of optimality, as a share of the largest term of the gradient; a fit that does not reach
    it raises `NotConverged`.

    After `fit`: `coef_` (drugs, lags + 1) and `pre_coef_` (drugs, pre_lags) penalised, `baseline_`, `objective_`,
    `solution_` with its certificate. After `refit` or `cross_validate`: `refit_coef_`, in which zero curves are zero.
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
        tolerance: float = 1e-3,
        max_iterations: int = 5000,
        pre_lags: int = 0,
    ) -> None:
        least = {"lags": 0, "bucket": 1, "tv": 0, "group": 0, "pre_lags": 0}
        for name, value in (("lags", lags), ("bucket", bucket), ("tv", tv), ("group", group), ("pre_lags", pre_lags)):
            if not value >= least[name]:
                raise InputError(f"The parameter {name} of ConvSCCS is {value}: it must be {least[name]} or more.")
        self.lags, self.bucket, self.tv, self.group = int(lags), int(bucket), float(tv), float(group)
        self.pre_lags = int(pre_lags)
        self.baseline = Baseline(tuple(age_cuts or ()), tuple(calendar_cuts or ()), tuple(season_cuts or ()))
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.held_out_likelihood_: float | None = None
        self.cv_: GridResult | None = None
        self.refit_: Refit | None = None
        self.share_ = 1.0
        self.relaxed_: np.ndarray | None = None
        self.confidence_: float | None = None
        self.screen_: Screen | None = None
        self.selected_share_: np.ndarray | None = None

    @property
    def axis(self) -> LagAxis:
        """The lags of a curve."""
        return LagAxis(self.lags, self.bucket, self.pre_lags)

    def fit(self, series: CaseSeries, threads: int = 1) -> ConvSCCS:
        """Minimise loss + penalty; returns the fitted model, which keeps the series for the later steps.

        Raises `NotConverged` when the certificate is not reached.
        """
        self.series_ = series
        self.days_ = observe(series, self.axis, self.baseline)
        self.likelihood_ = likelihood_of(self.days_, self.baseline)
        self.drugs_ = series.drugs
        self.exposed_cases_ = self.days_.exposed_persons().astype(np.int64)
        self.n_cases_, self.n_events_ = series.n_persons, series.n_events
        self.solution_ = solve(
            self.likelihood_.in_threads(threads), self._penalty(), None, self.tolerance, self.max_iterations
        )
        self.objective_ = self.solution_.objective
        self.coef_, self.pre_coef_ = self._curves_of(self.solution_.coefficients)
        self.baseline_ = self.solution_.coefficients[self.likelihood_.n_curves :]
        self.baseline_terms_ = term_names(self.baseline, self.likelihood_.design)
        self.refit_ = self.relaxed_ = self.screen_ = self.selected_share_ = None
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
        rule: Rule = "chance_level",
        threads: int = 2,
        run: RunTasks | None = None,
        **settings: Any,
    ) -> ConvSCCS:
        """Choose (tv, group) by the likelihood of held-out persons, fit all persons with it, and refit by that share.

        tv, group: values to try; by default 4 and 5 around what chance alone asks for (`chance_penalties`). rule: see
        `Rule`. settings: the
        other parameters of the constructor. The table of the search is `cv_table_`. run: where the pieces of the search
        run, `threads` of this process by default; results depend on neither.
        """
        model = cls(lags, bucket, **settings)
        if not 2 <= folds <= series.n_persons:
            raise InputError(f"The number of folds is {folds}: it must lie between 2 and the number of cases.")
        if rule not in RULES:
            raise InputError(f"The rule {rule} is unknown: use {', '.join(RULES[:-1])} or {RULES[-1]}.")
        days = observe(series, model.axis, model.baseline)
        chance = chance_penalties(likelihood_of(days, model.baseline), model.pre_lags)
        tv_values = np.sort(np.multiply(chance[0], TV_STEPS) if tv is None else np.asarray(tv, dtype=np.float64))[::-1]
        group_values = np.multiply(chance[1], GROUP_STEPS) if group is None else np.asarray(group, dtype=np.float64)
        runner = run or in_threads(threads)
        grid = search_grid(days, model.baseline, tv_values, group_values, chance, folds, seed, rule, runner)
        model.tv, model.group = float(grid.tv[grid.chosen]), float(grid.group[grid.chosen])
        model.fit(series, threads).refit(float(grid.share[grid.chosen]))
        model.cv_ = grid
        model.held_out_likelihood_ = float(grid.mean[grid.chosen])
        return model

    @property
    def cv_table_(self) -> pd.DataFrame:
        """The search: tv, group, share, held_out_likelihood (mean an event), se, parameters, chosen."""
        if self.cv_ is None:
            raise InputError("The model was not cross-validated: build it with ConvSCCS.cross_validate.")
        grid = self.cv_
        return result_table(
            {
                "tv": grid.tv,
                "group": grid.group,
                "share": grid.share,
                "held_out_likelihood": grid.mean,
                "se": grid.error,
                "parameters": grid.parameters,
                "chosen": np.arange(len(grid.tv)) == grid.chosen,
            }
        )

    def refit(self, share: float = 1.0) -> ConvSCCS:
        """Undo the shrinkage by a share: 1 is maximum likelihood on the structure that the penalties selected.

        A run of lags without events keeps its penalised level, as its maximum lies at minus infinity (`refit_.held`).
        """
        start = self.solution_.coefficients
        self.refit_ = refit(self.likelihood_, start, self.pre_lags)
        self.share_ = float(share)
        self.relaxed_ = relaxed(start, self.refit_.coefficients, self.share_)
        self.screen_ = self.selected_share_ = None
        return self

    @property
    def refit_coef_(self) -> np.ndarray | None:
        """Refitted log relative incidences, (drugs, lags + 1), or None before `refit`."""
        return None if self.relaxed_ is None else self._curves_of(self.relaxed_)[0]

    def bootstrap(
        self,
        n: int = 100,
        seed: int = 0,
        confidence: float = 0.95,
        threads: int = 2,
        run: RunTasks | None = None,
    ) -> ConvSCCS:
        """Intervals of every curve, a test of every drug, and how often `n` draws of the cases select it.

        Then `curves()` has bounds and `peaks()` can be asked. Intervals and tests come from the profile likelihood
        (`screening`), the draws say how stable the selection is. run: where the pieces of work run, `threads` of this
        process by default; results depend on neither.
        """
        if n < 0:
            raise InputError(f"The number of bootstrap replicates is {n}: ask for 0 or more.")
        if not 0 < confidence < 1:
            raise InputError(f"The confidence is {confidence}: give a share between 0 and 1, such as 0.95.")
        fitted = self._refitted()
        runner = run or in_threads(threads)
        self.confidence_ = float(confidence)
        self.screen_ = self._screened(fitted, runner)
        start = self.solution_.coefficients[: self.likelihood_.n_curves]
        given = (self.days_, self.baseline, self._penalty(), self.share_, start, n, seed, runner)
        self.selected_share_ = np.zeros(0)
        if n and self.drugs_:
            drawn = drawn_curves(*given)[:, :, self.pre_lags :]
            self.selected_share_ = drawn.any(axis=2).mean(axis=0)
        return self

    def curves(self) -> pd.DataFrame:
        """One row a drug and lag: drug, lag, log_ri [, lower, upper, band_lower, band_upper, penalised after
        `bootstrap`].

        After `bootstrap` log_ri is the estimate that the bounds belong to: one level a window of lags, without penalty.
        lower and upper hold each level alone, band_lower and band_upper all levels of a drug from the start of exposure
        on at once; `penalised` is the curve of the model. Lags below 0 lie before the exposure.
        """
        lags = self.axis.numbers() if self.screen_ is None else self._wide_axis().numbers()
        columns: dict[str, Any] = {
            "drug": np.repeat(np.array(self.drugs_, dtype=object), len(lags)),
            "lag": np.tile(lags, len(self.drugs_)),
        }
        if self.screen_ is None:
            return result_table(columns | {"log_ri": self._whole_curves().ravel()})
        tests = self.screen_
        columns |= {"log_ri": tests.estimate.ravel()}
        for name in ("lower", "upper", "band_lower", "band_upper"):
            columns[name] = getattr(tests, name).ravel()
        return result_table(columns | {"penalised": self._widened(self._whole_curves()).ravel()})

    def peaks(self, false_discovery: float = 0.05) -> pd.DataFrame:
        """One row a drug: what stands out most, its interval and test, and what happened before the exposure.

        drug, selected (by the penalties), selected_share (of the draws), exposed_cases; first_lag, last_lag, peak_lag
        (the middle), log_ri, lower, upper of the window of lags that stands out most; p_value; flag. flag is "raised"
        or "lowered" for a drug whose test passes Benjamini-Hochberg at the level `false_discovery`, else "". The
        interval is simultaneous over the windows of the drug and false-coverage adjusted over the drugs: it holds no
        effect (0) exactly where there is no flag. before_log_ri, before_lower, before_upper, before_p_value, before:
        the same for the days before the exposure, each drug by itself at 1% and with a 99% interval. A drug that is
        raised there too is not said to raise the risk: its flag is "rise before exposure".
        """
        if self.screen_ is None:
            raise InputError("The model has no intervals yet: call bootstrap before peaks.")
        share = np.full(len(self.drugs_), np.nan) if not len(self.selected_share_) else self.selected_share_  # type: ignore[arg-type]
        columns = {
            "drug": list(self.drugs_),
            "selected": np.asarray(self.latest_coef().any(axis=1)),
            "selected_share": share,
            "exposed_cases": self.exposed_cases_,
        }
        return result_table(columns | peak_columns(self.screen_, false_discovery))

    def latest_coef(self) -> np.ndarray:
        """Log relative incidences by drug and lag, (drugs, lags + 1): refitted if the model was, else penalised."""
        refitted = self.refit_coef_
        return self.coef_ if refitted is None else refitted

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

    def _penalty(self) -> Penalty:
        return Penalty(self.tv, self.group, self.pre_lags)

    def _refitted(self) -> Refit:
        if not hasattr(self, "series_"):
            raise InputError("The model holds no case series: fit it first, a model read from JSON cannot be refitted.")
        if self.refit_ is None:
            self.refit()
        assert self.refit_ is not None
        return self.refit_

    def _wide_axis(self) -> LagAxis:
        """The axis on which windows are tested: at least `DAYS_BEFORE` days before the exposure."""
        return LagAxis(self.lags, self.bucket, max(self.pre_lags, -(-DAYS_BEFORE // self.bucket)))

    def _screened(self, fitted: Refit, run: RunTasks) -> Screen:
        wide = likelihood_of(observe(self.series_, self._wide_axis(), self.baseline), self.baseline)
        resting = baseline_only(self.likelihood_, self.pre_lags).coefficients
        whole, rest = (self._widened_coefficients(found) for found in (fitted.coefficients, resting))
        return screen(wide, whole, rest, float(self.confidence_ or 0.95), run)

    def _widened(self, curves: np.ndarray) -> np.ndarray:
        """Curves (drugs, width) on the wide axis: zero where the model has no lag."""
        return np.pad(curves, ((0, 0), (self._wide_axis().before - self.pre_lags, 0)))

    def _widened_coefficients(self, coefficients: np.ndarray) -> np.ndarray:
        curves, rest = np.split(coefficients, [len(self.drugs_) * self.axis.width])
        return np.append(self._widened(curves.reshape(-1, self.axis.width)).ravel(), rest)

    def _whole_curves(self) -> np.ndarray:
        """The latest curves with the lags before the exposure, (drugs, pre_lags + lags + 1)."""
        return np.concatenate(
            [self.pre_coef_ if self.relaxed_ is None else self._curves_of(self.relaxed_)[1], self.latest_coef()], axis=1
        )

    def _curves_of(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Curves from the start of exposure on and before it, (drugs, lags + 1) and (drugs, pre_lags)."""
        curves = coefficients[: len(self.drugs_) * self.axis.width].reshape(-1, self.axis.width)
        return curves[:, self.pre_lags :], curves[:, : self.pre_lags]
