"""The fit of a study's model on its features: penalties, curves, intervals and tests, and the numbers about them."""

import json
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parcours.cohort.plan import done_stage, study_of
from parcours.cohort.study import ModelSettings, Study
from parcours.errors import InputError
from parcours.reporting.findings import BEFORE, LOWERED, RAISED
from parcours.stages.replicates import Pieces, one_thread_each
from parcours.storage.manifest import write_json
from parcours.storage.place import Place, local_copy

if TYPE_CHECKING:
    import pandas as pd

    from parcours.models import CaseSeries

Run = dict[str, Any]

FEWEST_CASES = 20
DAYS_A_YEAR = 365.25
# First days (1..365) of the meteorological seasons: 1 March, 1 June, 1 September, 1 December.
SEASON_CUTS = (60, 152, 244, 335)
EPOCH = date(1970, 1, 1)


def fit(run: Run, staged: Path, pieces: Pieces) -> dict[str, float]:
    """Write model.json, metrics.json and the tables curves, peaks and cv to `staged`; the metrics.

    Raises InputError when the features are missing or too few, NotConverged when a fit does not reach its certificate.
    """
    from parcours.models import ConvSCCS

    study = study_of(run)
    settings = study.model
    series = case_series(run, settings)
    given = model_settings(study, series)
    with pieces.counted(settings, len(series.drugs)) as run_pieces, one_thread_each():
        model = ConvSCCS.cross_validate(series, **given, threads=threads(), run=run_pieces)
        model.bootstrap(settings.bootstrap, settings.seed, threads=threads(), run=run_pieces)
    peaks = model.peaks()
    for name, table in (("curves", model.curves()), ("peaks", peaks), ("cv", model.cv_table_)):
        table.to_parquet(staged / f"{name}.parquet", index=False)
    write_json(staged / "model.json", model.to_dict())
    metrics = _metrics(model, peaks)
    write_json(staged / "metrics.json", metrics)
    return metrics


def case_series(run: Run, settings: ModelSettings) -> "CaseSeries":
    """The cases, with the medicines that enough of them were exposed to.

    Raises InputError when the features are missing, or too few cases or exposed cases are left.
    """
    from parcours.models import CaseSeries

    source = done_stage(run, "features")
    summary = read_json(source / "summary.json")
    if summary["cases"] < FEWEST_CASES:
        raise InputError(
            f"Study {run['cohort']} has fewer than {FEWEST_CASES} cases, too few to fit a model: widen its dates, ages "
            "or outcomes."
        )
    kept = [drug for drug, about in summary["drugs"].items() if about["exposed_cases"] >= settings.min_exposed_cases]
    if not kept:
        raise InputError(
            f"No medicine of study {run['cohort']} has {settings.min_exposed_cases} exposed cases: lower "
            "min_exposed_cases or widen the study."
        )
    persons, events, exposures = (read_table(source, name) for name in ("persons", "events", "exposures"))
    return CaseSeries(persons, events, exposures[exposures["drug"].isin(kept)])


def model_settings(study: Study, series: "CaseSeries") -> dict[str, Any]:
    """The study's settings as ConvSCCS.cross_validate takes them.

    Cuts that leave nobody on one side are dropped: their group would have no estimate.
    """
    settings, population = study.model, study.population
    age = (series.start - series.age_origin()).min(), (series.end - series.age_origin()).max()
    years = range(population.follow_up_start.year + 1, population.last_day.year + 1)
    return {
        "lags": settings.lags,
        "bucket": settings.bucket_days,
        "pre_lags": settings.pre_lags,
        "tv": list(settings.tv_grid) or None,
        "group": list(settings.group_grid) or None,
        "folds": settings.cv_folds,
        "seed": settings.seed,
        "age_cuts": _inside([round(cut * DAYS_A_YEAR) for cut in settings.age_cuts_years], *age),
        "calendar_cuts": _inside(
            [(date(year, 1, 1) - EPOCH).days for year in years] if settings.calendar else [],
            series.start.min(),
            series.end.max(),
        ),
        "season_cuts": SEASON_CUTS if settings.season else (),
    }


def _inside(cuts: list[int], first: int, last: int) -> list[int]:
    return [cut for cut in cuts if first < cut <= last]


def _metrics(model: Any, peaks: "pd.DataFrame") -> dict[str, float]:
    """Numbers that compare across runs of a study. Counts are exact here: they are suppressed when they leave."""
    flags = {
        "medicines_raising": RAISED,
        "medicines_lowering": LOWERED,
        "medicines_rising_before": BEFORE,
    }
    return {
        "held_out_likelihood": float(model.held_out_likelihood_),
        "medicines_screened": len(peaks),
        "medicines_selected": int(peaks["selected"].sum()),
        **{name: int((peaks["flag"] == flag).sum()) for name, flag in flags.items()},
        "tv": float(model.tv),
        "group": float(model.group),
        "share": float(model.share_),
        "certificate_residual": float(model.solution_.residual),
        "certificate_tolerance": float(model.solution_.tolerance),
        "iterations": int(model.solution_.iterations),
        "cases": int(model.n_cases_),
        "events": int(model.n_events_),
    }


def read_table(directory: Place, name: str, columns: list[str] | None = None) -> "pd.DataFrame":
    """A table of a stage."""
    import pandas as pd

    with local_copy(directory / f"{name}.parquet") as source:
        return pd.read_parquet(source, columns=columns)


def read_json(path: Place) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text("utf-8"))


def threads() -> int:
    """The processors that this process was given."""
    return max(1, len(os.sched_getaffinity(0)))
