"""From what the stages left behind to what a report may tell: the one place where counts are suppressed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.leaving import Published, shown_beside, shown_chain, shown_part
from parcours.reporting.findings import BEFORE, LOWERED, NOT_FLAGGED, RAISED, AttritionStep, Breakdown, Findings
from parcours.reporting.names import name_of
from parcours.reporting.suppression import publish_column
from parcours.reporting.texts import Texts, texts_in
from parcours.reporting.wording import name_of_run, notes_of, site_text, source_text, step_text, subtitle_of, title_of

if TYPE_CHECKING:
    import pandas as pd

DAYS_A_MONTH = 365.25 / 12
FOLLOW_UP_BAND_MONTHS = 6
AGE_BAND_YEARS = 5
MOST_BANDS = 12
EVENTS, CASES = "events", "cases"
SEVERAL, NOT_GIVEN = "<several>", "<not given>"  # beside the names of sites
READING_ORDER = {RAISED: 0, LOWERED: 1, BEFORE: 2}
# Of the scale of logarithms to relative incidences: what a report shows, and what the model stores.
PEAK_RATIOS = {name: name for name in ("lower", "upper", "before_lower", "before_upper")}
PEAK_RATIOS |= {"ri": "log_ri", "before_ri": "before_log_ri"}
PEAK_COLUMNS = (
    *("drug", "name", "exposed", "events_after", "selected", "selected_share", "peak_lag", "peak_day"),
    *("first_day", "last_day", "p_value", "flag", "before", "before_p_value"),
)
CURVE_RATIOS = {name: name for name in ("lower", "upper", "band_lower", "band_upper")}
CURVE_RATIOS |= {"ri": "log_ri", "penalised_ri": "penalised"}


@dataclass(frozen=True)
class Material:
    """Outputs of the stages, as they are on disk; counts not yet suppressed.

    - peaks, curves: the tables of `ConvSCCS.peaks` and `ConvSCCS.curves`, on the log scale;
    - missing_care: which share of the care is still to come (`parcours.cohort.late_flux.missing_care`);
    - persons, events, exposures: the cases' follow-up, events and exposures in days since 1970-01-01;
    - outcomes: person_id, date, site.
    """

    run: Mapping[str, Any]
    peaks: "pd.DataFrame"
    curves: "pd.DataFrame"
    metrics: Mapping[str, float]
    summary: Mapping[str, Any]
    attrition: Sequence[Mapping[str, Any]]
    persons: "pd.DataFrame"
    events: "pd.DataFrame"
    exposures: "pd.DataFrame"
    outcomes: "pd.DataFrame"
    names: Mapping[str, str]
    missing_care: Mapping[str, Any]


def compile_findings(material: Material, language: str) -> Findings:
    """Everything the report tells in a language, with every count as it may leave: the same in all languages."""
    run, bucket, texts = material.run, int(material.run["study"]["model"]["bucket_days"]), texts_in(language)
    described = described_steps(material, texts)
    persons, lost = shown_chain([count for _, count in described])
    steps = [AttritionStep(text, left, gone) for (text, _), left, gone in zip(described, persons, lost, strict=True)]
    cases = persons[-1]
    followed = shown_beside(int(material.summary["persons_followed"]), persons)
    events = shown_beside(int(material.summary["events"]), [*persons, followed])
    breakdowns, notes = _publishable(describe_cases(material, texts), {EVENTS: events, CASES: cases}, texts)
    return Findings(
        language=language,
        cohort=str(run["cohort"]),
        name=name_of_run(run, texts),
        title=title_of(run, texts),
        subtitle=subtitle_of(run, texts),
        changes=run.get("changes", {}),
        synthetic=bool(run.get("synthetic", False)),
        fingerprint=str(run["fingerprint"]),
        source=source_text(run, texts),
        bucket_days=bucket,
        peaks=readable_peaks(material, bucket),
        curves=readable_curves(material, bucket),
        attrition=steps,
        breakdowns=breakdowns,
        cases=cases,
        events=events,
        persons_followed=followed,
        settings=run["study"],
        metrics=publishable_metrics(material, cases, events, followed),
        notes=[*notes, *notes_of(run, material.missing_care, texts)],
    )


def described_steps(material: Material, texts: Texts) -> list[tuple[str, int]]:
    """The way from everybody to the cases; the cases of the model close it. Not yet suppressed."""
    study, cases = material.run["study"], int(material.summary["cases"])
    steps = [(step_text(step, study, texts), int(step["persons"])) for step in material.attrition]
    return steps if steps and steps[-1][1] == cases else [*steps, (texts.say("cases_in_the_model"), cases)]


def readable_peaks(material: Material, bucket: int) -> "pd.DataFrame":
    """Peaks on the scale of relative incidences, in reading order: raising, lowering, rising before the exposure, then
    the others by strength.
    """
    drugs, cases = material.summary.get("drugs") or {}, int(material.summary["cases"])
    peaks = material.peaks.copy()
    peaks["name"] = [name_of(drug, material.names) for drug in peaks["drug"]]
    exposed = {drug: shown_part(int(told.get("exposed_cases", 0)), cases) for drug, told in drugs.items()}
    after = events_after(material, bucket)
    peaks["exposed"] = [exposed.get(drug, 0) for drug in peaks["drug"]]
    peaks["events_after"] = [shown_beside(after.get(drug, 0), [exposed.get(drug, 0), cases]) for drug in peaks["drug"]]
    peaks["flag"] = [flag if flag in READING_ORDER else NOT_FLAGGED for flag in peaks["flag"]]
    peaks["before"] = [flag or NOT_FLAGGED for flag in peaks["before"]]
    peaks["strength"] = -peaks["log_ri"].abs()
    peaks["rank"] = [READING_ORDER.get(flag, len(READING_ORDER)) for flag in peaks["flag"]]
    peaks = peaks.sort_values(["rank", "selected", "strength", "name"], ascending=[True, False, True, True])
    peaks["peak_day"] = peaks["peak_lag"] * bucket
    peaks["first_day"] = peaks["first_lag"] * bucket
    peaks["last_day"] = peaks["last_lag"] * bucket + bucket - 1
    columns = [*PEAK_COLUMNS[:8], *PEAK_RATIOS, *PEAK_COLUMNS[8:]]
    return _ratios(peaks, PEAK_RATIOS)[columns].reset_index(drop=True)


def events_after(material: Material, bucket: int) -> dict[str, int]:
    """{drug: events of its exposed cases on the days of the curve from a purchase on, each once}; not yet suppressed.

    An exposure that ends earlier ends these days.
    """
    days = (int(material.run["study"]["model"]["lags"]) + 1) * bucket
    pairs = material.exposures.merge(material.events, on="person_id")
    last = (pairs["start"] + days - 1).clip(upper=pairs["end"])
    within = pairs[(pairs["day"] >= pairs["start"]) & (pairs["day"] <= last)]
    counts = within[["drug", "person_id", "day"]].drop_duplicates().groupby("drug").size()
    return {str(drug): int(count) for drug, count in counts.items()}


def readable_curves(material: Material, bucket: int) -> "pd.DataFrame":
    """Curves on the scale of relative incidences, by day since the first purchase."""
    curves = material.curves.sort_values(["drug", "lag"]).reset_index(drop=True)
    curves["name"] = [name_of(drug, material.names) for drug in curves["drug"]]
    curves["day"] = curves["lag"].astype(int) * bucket
    return _ratios(curves, CURVE_RATIOS)[["drug", "name", "lag", "day", *CURVE_RATIOS]]


def _ratios(table: "pd.DataFrame", names: Mapping[str, str]) -> "pd.DataFrame":
    """The table with relative incidences in place of their logarithms."""
    import numpy as np

    return table.assign(**{shown: np.exp(table[stored].astype(float)) for shown, stored in names.items()})


def publishable_metrics(material: Material, *counts: Published) -> dict[str, float]:
    """Numbers that compare across runs; a count of persons only when it may leave."""
    metrics = {name: float(value) for name, value in material.metrics.items()}
    if material.missing_care["measured"]:
        metrics["care_still_to_come"] = float(material.missing_care["study"])
    for name, count in zip(("cases", "events", "persons_followed"), counts, strict=True):
        metrics.pop(name, None)
        if isinstance(count, int):
            metrics[name] = float(count)
    return metrics


def describe_cases(material: Material, texts: Texts) -> "list[tuple[str, str, dict[str, int]]]":
    """Cases by site, age at the event and length of follow-up: (title, what is counted, count by label), not yet
    suppressed.
    """
    first_day = material.persons.set_index("person_id")
    months = (first_day["end"] - first_day["start"] + 1) / DAYS_A_MONTH
    found = [
        (texts.say("events_by_site"), EVENTS, _by_site(material, texts)),
        (texts.say("cases_by_months"), CASES, _banded(months, FOLLOW_UP_BAND_MONTHS, texts)),
    ]
    if "birth" in first_day and first_day["birth"].notna().all():
        born = material.events["person_id"].map(first_day["birth"])
        ages = _banded((material.events["day"] - born) / 365.25, AGE_BAND_YEARS, texts)
        found.insert(1, (texts.say("events_by_age"), EVENTS, ages))
    return found


def _by_site(material: Material, texts: Texts) -> dict[str, int]:
    """Each event counts once: one with several sites has a row of its own."""
    import pandas as pd

    outcomes = material.outcomes[["person_id", "site"]].copy()
    epoch = pd.Timestamp("1970-01-01")
    outcomes["day"] = (pd.to_datetime(material.outcomes["date"]) - epoch).dt.days
    joined = material.events[["person_id", "day"]].merge(
        outcomes.drop_duplicates(), on=["person_id", "day"], how="left"
    )
    grouped = joined.groupby(["person_id", "day"])["site"]
    sites = grouped.first().fillna(NOT_GIVEN).where(grouped.nunique() <= 1, SEVERAL)
    told = {NOT_GIVEN: texts.say("site_not_given"), SEVERAL: texts.say("several_sites")}
    return {told.get(str(site)) or site_text(str(site), texts): int(n) for site, n in sites.value_counts().items()}


def _banded(values: "pd.Series", width: int, texts: Texts) -> dict[str, int]:
    """Counts by bands of a width, doubled until a dozen bands hold everybody."""
    while values.max() // width - values.min() // width >= MOST_BANDS:
        width *= 2
    counts = (values // width).astype(int).value_counts()
    bands = range(int(counts.index.min()), int(counts.index.max()) + 1)
    return {texts.days(band * width, band * width + width - 1): int(counts.get(band, 0)) for band in bands}


def _publishable(
    described: "Iterable[tuple[str, str, dict[str, int]]]", totals: Mapping[str, Published], texts: Texts
) -> tuple[list[Breakdown], list[str]]:
    """Breakdowns that may leave. One whose total would have to be withheld does not: the total stands elsewhere.

    Nor does one of events whose number is withheld beside that of the cases: its cells sum up to it.
    """
    breakdowns, notes = [], []
    for title, counted, counts in described:
        cells, total = publish_column(list(counts.values()))
        if isinstance(total, int) and isinstance(totals[counted], int):
            breakdowns.append(Breakdown(title, list(counts), cells, total))
        else:
            notes.append(texts.say("too_few", breakdown=title))
    return breakdowns, notes
