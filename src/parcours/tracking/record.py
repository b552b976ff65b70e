"""What a run holds, and the shape in which MLflow takes it: names, limits, flat parameters."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parcours.cohort.titles import SEPARATOR, change_words, is_what_if, last_period, named, what_if
from parcours.storage.fingerprint import fingerprint
from parcours.storage.served import served_page

PARAMS_A_BATCH = 100
PARAM_CHARACTERS = 6000
TAG_CHARACTERS = 8000
# More columns than that and MLflow's pages become slow and at last fail.
METRICS_A_RUN = 50
# Of each medicine: the metric's first word, and the column of its peak.
LOG_RI = {"log_ri": "log_ri", "log_ri_lower": "lower", "log_ri_upper": "upper"}
# Settings that the fit chose and proofs that it is one: as metrics they would be plotted as 0.00.
OF_THE_FIT = ("tv", "group", "share", "certificate_residual", "certificate_tolerance", "iterations")
LIKELIHOOD = "held_out_likelihood"
DECIMALS = 4
SHARES = ("care_still_to_come",)
# What MLflow does not take in the name of a metric.
NOT_IN_A_NAME = re.compile(r"[^\w.\-: ]")
METRIC_CHARACTERS = 250
FINGERPRINT_TAG = "fingerprint"
# Or else MLflow's pages guess what an experiment is about, and ask.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
TRUNCATED = " ... (truncated; whole in run.json)"


@dataclass(frozen=True)
class RunRecord:
    """One run of a study, ready to be logged; every count in it is fit to leave.

    `run` is run.json; `metrics` hold numbers that compare across runs; `artifacts` is a directory that is logged as it
    is; `curves` are the columns drug, lag, log_ri, lower, upper (a bound without an end is "inf" or "-inf"), `peaks`
    the columns drug, log_ri, lower, upper of each medicine's peak in reading order, and `model` the JSON of the fitted
    model.
    """

    run: Mapping[str, Any]
    metrics: Mapping[str, float]
    artifacts: Path
    curves: Mapping[str, list[Any]]
    model: Mapping[str, Any]
    peaks: Mapping[str, list[Any]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, list[Any]]] = field(default_factory=dict)
    verdict: Mapping[str, Any] | None = None
    started: str = ""

    @property
    def cohort(self) -> str:
        """Name of the study."""
        return str(self.run["cohort"])

    @property
    def fingerprint(self) -> str:
        """Fingerprint of parameters, data and code."""
        return str(self.run["fingerprint"])


def experiment_name(cohort: str) -> str:
    """One experiment a study."""
    return f"study/{cohort}"


def registered_name(cohort: str) -> str:
    """One registered model a study, with the alias `current`."""
    return f"study-{cohort}"


def run_name(run: Mapping[str, Any]) -> str:
    """`fall · 75 and over · data to 2018-06`, with `SYNTHETIC` and what differs from the study file where it is so.

    Two runs may share it: their start and the tag `fingerprint` tell them apart.
    """
    return SEPARATOR.join(filter(None, (named(run), "SYNTHETIC" if is_synthetic(run) else "", what_if(run))))


def is_synthetic(run: Mapping[str, Any]) -> bool:
    """Whether the persons of the run are made up."""
    return bool(run.get("synthetic"))


def run_note(run: Mapping[str, Any]) -> str:
    """The description on the run's page (Markdown): what it is about, the report, what differs from the study file."""
    name = SEPARATOR.join(filter(None, (f"**{named(run)}**", _report_link(run))))  # what MLflow shows unfolded
    lines = [name, str(run.get("title", "")), str(run.get("subtitle", ""))]
    if is_synthetic(run):
        lines.insert(0, "**SYNTHETIC DATA**: the persons are made up.")
    if is_what_if(run):
        lines.append("**What-if run**; it differs from the study file:")
        lines.append("\n".join(f"* {words}" for words in change_words(run["changes"])))
    return "\n\n".join(filter(None, lines))


def _report_link(run: Mapping[str, Any]) -> str:
    """The way to the report where a server shows it; the artifacts hold it anyway."""
    page = served_page(f"{run.get('root', '')}/studies/{run['cohort']}/{run['fingerprint']}/report/report.html")
    return f"[Report]({page})" if page.startswith("http") else ""


def run_tags(record: RunRecord) -> dict[str, str]:
    """What a run is found by."""
    airflow = record.run.get("airflow") or {}
    tags = {
        FINGERPRINT_TAG: record.fingerprint,
        "data.version": data_version(record.run.get("data") or {}),
        "medicines_without_metric": ", ".join(medicines_without_metric(record)),
        "gx.verdict": verdict_word(record.verdict),
        "airflow.dag_id": str(airflow.get("dag_id", "")),
        "airflow.run_id": str(airflow.get("run_id", "")),
        "code_version": str(record.run.get("code_version", "")),
        "source": "SYNTHETIC" if is_synthetic(record.run) else "SNDS",
        "what_if": "; ".join(change_words(record.run.get("changes", {}))),
        "mlflow.note.content": run_note(record.run),
    }
    return {name: value[:TAG_CHARACTERS] for name, value in tags.items() if value}


def verdict_word(verdict: Mapping[str, Any] | None) -> str:
    """Outcome of the quality gate in one word: passed, refused, or none when no gate ran."""
    if verdict is None:
        return "none"
    return "passed" if verdict.get("passed") else "refused"


def data_version(data: Mapping[str, Mapping[str, str]]) -> str:
    """One digest, 16 digits, of the periods that a run reads; `data.json` holds the fingerprint of each."""
    return fingerprint(data)


def dataset_name(data: Mapping[str, Mapping[str, str]]) -> str:
    """`DCIR, MCO · data to 2018-06`: products of one version; referentials are of it too, but not named."""
    products = ", ".join(product for product in sorted(data) if not product.startswith(("IR_", "KI_")))
    last = last_period(data)
    return SEPARATOR.join(filter(None, (products or "no data", f"data to {last}" if last else "")))


def run_params(record: RunRecord) -> dict[str, str]:
    """Flat texts, none longer than MLflow takes: what differs from the study file first, the version of the data, what
    the fit chose, and every resolved parameter.

    MLflow shows parameters by name: `changed.` comes before all others.
    """
    changes = record.run.get("changes") or {}
    params = {f"changed.{name}": change_words({name: each})[0] for name, each in changes.items()}
    params["data.version"] = data_version(record.run.get("data") or {})
    params |= {f"fit.{name}": f"{record.metrics[name]:g}" for name in OF_THE_FIT if name in record.metrics}
    params |= dict(_flatten(record.run.get("study") or {}, ""))
    return {name: _shorten(value) for name, value in params.items()}


def run_metrics(record: RunRecord) -> dict[str, float]:
    """Numbers that compare across runs: of as many medicines as MLflow's pages can show, then those of the run.

    MLflow shows them in this order. The likelihood, which compares runs of the same cases alone, is the last.

    Of each medicine its peak log relative incidence and the bounds that have an end: `log_ri/N05BA12`,
    `log_ri_lower/N05BA12`, `log_ri_upper/N05BA12`. Raises ValueError when the run's own numbers are too many.
    """
    own = {name: float(value) for name, value in record.metrics.items() if name not in OF_THE_FIT}
    own |= {f"{name}_percent": 100 * own.pop(name) for name in SHARES if name in own}
    if len(own) > METRICS_A_RUN:
        raise ValueError(f"{len(own)} metrics; a run takes {METRICS_A_RUN}, the rest belongs in a table")
    told = _told(record, METRICS_A_RUN - len(own)).values()
    medicines = {name: round(value, DECIMALS) for metrics in told for name, value in metrics.items()}
    return {**medicines, **dict(sorted(own.items(), key=lambda metric: metric[0] == LIKELIHOOD))}


def medicines_without_metric(record: RunRecord) -> list[str]:
    """The medicines with an estimate that no metric tells of, in reading order; `tables/peaks.json` has them all."""
    own = [name for name in record.metrics if name not in OF_THE_FIT]
    told = _told(record, METRICS_A_RUN - len(own))
    return [drug for drug in _metrics_of_medicines(record) if drug not in told]


def _told(record: RunRecord, room: int) -> dict[str, dict[str, float]]:
    """The first medicines, as many as there is room for; whose names are too long for MLflow are passed over."""
    told: dict[str, dict[str, float]] = {}
    for drug, metrics in _metrics_of_medicines(record).items():
        if max(map(len, metrics)) > METRIC_CHARACTERS:
            continue
        room -= len(metrics)
        if room < 0:
            break
        told[drug] = metrics
    return told


def _metrics_of_medicines(record: RunRecord) -> dict[str, dict[str, float]]:
    """{medicine: its metrics} of the medicines that have an estimate."""
    found = {}
    for row, drug in enumerate(record.peaks.get("drug", [])):
        values = {word: record.peaks[column][row] for word, column in LOG_RI.items()}
        named_by = NOT_IN_A_NAME.sub("_", drug)
        metrics = {f"{word}/{named_by}": value for word, value in values.items() if isinstance(value, float)}
        if isinstance(values["log_ri"], float):
            found[drug] = metrics
    return found


def batches(params: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Parameters in groups of the size MLflow takes at once."""
    names = sorted(params)
    for start in range(0, len(names), PARAMS_A_BATCH):
        yield {name: params[name] for name in names[start : start + PARAMS_A_BATCH]}


def _flatten(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _flatten(value[key], f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(str(item) for item in value)
    else:
        yield name, "" if value is None or value == {} else str(value)


def _shorten(value: str) -> str:
    if len(value) <= PARAM_CHARACTERS:
        return value
    return value[: PARAM_CHARACTERS - len(TRUNCATED)] + TRUNCATED
