"""From what the stages left behind to what a report may tell: the one place where counts are suppressed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.cohort.late_flux import missing_care_sentence
from parcours.cohort.plan import DEATHS
from parcours.cohort.titles import change_words
from parcours.leaving import Published, shown_beside, shown_chain, shown_part
from parcours.reporting.findings import BEFORE, LOWERED, NOT_FLAGGED, RAISED, AttritionStep, Breakdown, Findings
from parcours.reporting.names import name_of
from parcours.reporting.suppression import publish_column

if TYPE_CHECKING:
    import pandas as pd

DAYS_A_MONTH = 365.25 / 12
FOLLOW_UP_BAND_MONTHS = 6
AGE_BAND_YEARS = 5
MOST_BANDS = 12
EVENTS, CASES = "events", "cases"
# Of the care of a month, what six flux months more leave to come (Santé publique France, 2020).
USUALLY_LATE = 0.02
MOST_CHANGES = 2  # named at the foot of a figure
READING_ORDER = {RAISED: 0, LOWERED: 1, BEFORE: 2}
INTERVAL = "95% interval"
# Of the scale of logarithms to relative incidences: what a report shows, and what the model stores.
PEAK_RATIOS = {name: name for name in ("lower", "upper", "before_lower", "before_upper")}
PEAK_RATIOS |= {"ri": "log_ri", "before_ri": "before_log_ri"}
PEAK_COLUMNS = (
    *("drug", "name", "exposed", "selected", "selected_share", "peak_lag", "peak_day", "peak_days"),
    *("first_day", "last_day", "p_value", "flag", "before", "before_p_value"),
)
CURVE_RATIOS = {name: name for name in ("lower", "upper", "band_lower", "band_upper")}
CURVE_RATIOS |= {"ri": "log_ri", "penalised_ri": "penalised"}


@dataclass(frozen=True)
class Material:
    """Outputs of the stages, as they are on disk; counts not yet suppressed.

    - peaks, curves: the tables of `ConvSCCS.peaks` and `ConvSCCS.curves`, on the log scale;
    - missing_care: which share of the care is still to come (`parcours.cohort.late_flux.missing_care`);
    - persons, events: the cases' follow-up and events in days since 1970-01-01; outcomes: person_id, date, site.
    """

    run: Mapping[str, Any]
    peaks: "pd.DataFrame"
    curves: "pd.DataFrame"
    metrics: Mapping[str, float]
    summary: Mapping[str, Any]
    attrition: Sequence[Mapping[str, Any]]
    persons: "pd.DataFrame"
    events: "pd.DataFrame"
    outcomes: "pd.DataFrame"
    names: Mapping[str, str]
    missing_care: Mapping[str, Any]


def compile_findings(material: Material) -> Findings:
    """Everything the report tells, with every count as it may leave."""
    run, bucket = material.run, int(material.run["study"]["model"]["bucket_days"])
    steps = attrition_steps(material.attrition, int(material.summary["cases"]))
    chain = [step.persons for step in steps]
    cases = chain[-1]
    followed = shown_beside(int(material.summary["persons_followed"]), chain)
    events = shown_beside(int(material.summary["events"]), [*chain, followed])
    breakdowns, notes = _publishable(describe_cases(material), {EVENTS: events, CASES: cases})
    return Findings(
        cohort=str(run["cohort"]),
        title=str(run.get("title") or run["cohort"]),
        subtitle=_subtitle(run),
        changes=run.get("changes", {}),
        synthetic=bool(run.get("synthetic", False)),
        fingerprint=str(run["fingerprint"]),
        source=source_text(run),
        bucket_days=bucket,
        interval=INTERVAL,
        peaks=readable_peaks(material, bucket),
        curves=readable_curves(material, bucket),
        attrition=steps,
        breakdowns=breakdowns,
        cases=cases,
        events=events,
        persons_followed=followed,
        settings=run["study"],
        metrics=publishable_metrics(material, cases, events, followed),
        notes=[*notes, *_missing_notes(run, material.missing_care), *_death_notes(run)],
    )


def _subtitle(run: Mapping[str, Any]) -> str:
    """`fall · 75 and over · data to 2018-06. All medicines, ...`; the source beside it says what differs."""
    return ". ".join(str(run[key]) for key in ("name", "subtitle") if run.get(key))


def source_text(run: Mapping[str, Any]) -> str:
    """Where the numbers come from, for the foot of each figure; made-up persons are nothing of the SNDS."""
    population = run["study"].get("population") or {}
    years = f" {str(population['study_start'])[:4]} to {str(population['study_end'])[:4]}" if population else ""
    products = ", ".join(product for product in sorted(run["data"]) if not product.startswith("IR_"))
    source = "Source: SYNTHETIC data" if run.get("synthetic") else "Source: SNDS"
    return f"{source} ({products}){years}; study {run['cohort']}, run {str(run['fingerprint'])[:8]}{_what_if(run)}."


def _what_if(run: Mapping[str, Any]) -> str:
    """What a foot says of a run that is not the study of the file."""
    changed = change_words(run.get("changes", {}))
    if not changed:
        return ""
    many = f"{len(changed)} parameters differ from the study file"
    return f"; what-if: {', '.join(changed) if len(changed) <= MOST_CHANGES else many}"


def attrition_steps(attrition: Sequence[Mapping[str, Any]], cases: int) -> list[AttritionStep]:
    """The way from everybody to the cases, suppressed as one chain; the cases of the model close it."""
    described = [(str(step["description"]), int(step["persons"])) for step in attrition]
    if not described or described[-1][1] != cases:
        described.append(("Cases in the model", cases))
    persons, lost = shown_chain([count for _, count in described])
    return [AttritionStep(text, left, gone) for (text, _), left, gone in zip(described, persons, lost, strict=True)]


def readable_peaks(material: Material, bucket: int) -> "pd.DataFrame":
    """Peaks on the scale of relative incidences, in reading order: raising, lowering, rising before the exposure, then
    the others by strength.
    """
    drugs, cases = material.summary.get("drugs") or {}, int(material.summary["cases"])
    peaks = material.peaks.copy()
    peaks["name"] = [name_of(drug, material.names) for drug in peaks["drug"]]
    peaks["exposed"] = [shown_part(int(drugs.get(drug, {}).get("exposed_cases", 0)), cases) for drug in peaks["drug"]]
    peaks["flag"] = [flag if flag in READING_ORDER else NOT_FLAGGED for flag in peaks["flag"]]
    peaks["before"] = [flag or NOT_FLAGGED for flag in peaks["before"]]
    peaks["strength"] = -peaks["log_ri"].abs()
    peaks["rank"] = [READING_ORDER.get(flag, len(READING_ORDER)) for flag in peaks["flag"]]
    peaks = peaks.sort_values(["rank", "selected", "strength", "name"], ascending=[True, False, True, True])
    peaks["peak_day"] = peaks["peak_lag"] * bucket
    peaks["first_day"] = peaks["first_lag"] * bucket
    peaks["last_day"] = peaks["last_lag"] * bucket + bucket - 1
    peaks["peak_days"] = [f"{row.first_day} to {row.last_day}" for row in peaks.itertuples()]
    columns = [*PEAK_COLUMNS[:8], *PEAK_RATIOS, *PEAK_COLUMNS[8:]]
    return _ratios(peaks, PEAK_RATIOS)[columns].reset_index(drop=True)


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


def describe_cases(material: Material) -> "list[tuple[str, str, dict[str, int]]]":
    """Cases by site, age at the event and length of follow-up: (title, what is counted, count by label), not yet
    suppressed.
    """
    first_day = material.persons.set_index("person_id")
    months = (first_day["end"] - first_day["start"] + 1) / DAYS_A_MONTH
    found = [
        ("Events by site", EVENTS, _by_site(material)),
        ("Cases by months followed", CASES, _banded(months, FOLLOW_UP_BAND_MONTHS)),
    ]
    if "birth" in first_day and first_day["birth"].notna().all():
        born = material.events["person_id"].map(first_day["birth"])
        found.insert(1, ("Events by age", EVENTS, _banded((material.events["day"] - born) / 365.25, AGE_BAND_YEARS)))
    return found


def _by_site(material: Material) -> dict[str, int]:
    """Each event counts once: one with several sites has a row of its own."""
    import pandas as pd

    outcomes = material.outcomes[["person_id", "site"]].copy()
    epoch = pd.Timestamp("1970-01-01")
    outcomes["day"] = (pd.to_datetime(material.outcomes["date"]) - epoch).dt.days
    joined = material.events[["person_id", "day"]].merge(
        outcomes.drop_duplicates(), on=["person_id", "day"], how="left"
    )
    grouped = joined.groupby(["person_id", "day"])["site"]
    sites = grouped.first().fillna("not given").where(grouped.nunique() <= 1, "several sites")
    return {str(site).replace("_", " "): int(count) for site, count in sites.value_counts().items()}


def _banded(values: "pd.Series", width: int) -> dict[str, int]:
    """Counts by bands of a width, doubled until a dozen bands hold everybody."""
    while values.max() // width - values.min() // width >= MOST_BANDS:
        width *= 2
    counts = (values // width).astype(int).value_counts()
    bands = range(int(counts.index.min()), int(counts.index.max()) + 1)
    return {f"{band * width} to {band * width + width - 1}": int(counts.get(band, 0)) for band in bands}


def _publishable(
    described: "Iterable[tuple[str, str, dict[str, int]]]", totals: Mapping[str, Published]
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
            notes.append(f"{title}: not shown, too few persons.")
    return breakdowns, notes


def _missing_notes(run: Mapping[str, Any], care: Mapping[str, Any]) -> list[str]:
    """Periods that the study went without, and what the claims among them cost."""
    missing = run.get("missing_periods") or {}
    notes = [
        f"{product}: {len(periods)} periods that the study needs are not published."
        for product, periods in missing.items()
    ]
    # late_flux_months may ask for so few months that none is missing, and much of the care is.
    much = care["measured"] and care["last_month"] >= USUALLY_LATE
    return [*notes, missing_care_sentence(care)] if much or "DCIR" in missing else notes


def _death_notes(run: Mapping[str, Any]) -> list[str]:
    absent = ", ".join(product for product in DEATHS if product not in run["data"])
    return [f"Deaths that only these tell are missed, as they are not published: {absent}."] if absent else []
