"""What a run holds, and the shape in which MLflow takes it: names, limits, flat parameters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parcours.cohort.titles import change_words

PARAMS_A_BATCH = 100
PARAM_CHARACTERS = 6000
TAG_CHARACTERS = 8000
METRICS_A_RUN = 50
FINGERPRINT_TAG = "fingerprint"
# Or else MLflow's pages guess what an experiment is about, and ask.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
TRUNCATED = " ... (truncated; whole in run.json)"


@dataclass(frozen=True)
class RunRecord:
    """One run of a study, ready to be logged; every count in it is fit to leave.

    `run` is run.json; `metrics` hold numbers that compare across runs; `artifacts` is a directory that is logged as it
    is; `curves` are the columns drug, lag, log_ri, lower, upper (a bound without an end is "inf" or "-inf"), and
    `model` the JSON of the fitted model.
    """

    run: Mapping[str, Any]
    metrics: Mapping[str, float]
    artifacts: Path
    curves: Mapping[str, list[Any]]
    model: Mapping[str, Any]
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


def run_name(record: RunRecord, date: str) -> str:
    """`<cohort>·<date>·<short fingerprint>`, with `SYNTHETIC` or `what-if` before the date where it is so."""
    marks = {"SYNTHETIC": is_synthetic(record.run), "what-if": is_what_if(record.run)}
    return "·".join([record.cohort, *(mark for mark, holds in marks.items() if holds), date, record.fingerprint[:8]])


def is_what_if(run: Mapping[str, Any]) -> bool:
    """Whether parameters of the run differ from those of the study file."""
    return bool(run.get("changes"))


def is_synthetic(run: Mapping[str, Any]) -> bool:
    """Whether the persons of the run are made up."""
    return bool(run.get("synthetic"))


def run_note(run: Mapping[str, Any]) -> str:
    """The description on the run's page (Markdown): what it is about, and what is not as the study file says."""
    lines = [f"**{run.get('title') or run['cohort']}**", str(run.get("subtitle", ""))]
    if is_synthetic(run):
        lines.insert(0, "**SYNTHETIC DATA**: the persons are made up.")
    if is_what_if(run):
        lines.append("**What-if run**; it differs from the study file:")
        lines.append("\n".join(f"* {words}" for words in change_words(run["changes"])))
    return "\n\n".join(filter(None, lines))


def run_tags(record: RunRecord) -> dict[str, str]:
    """What a run is found by."""
    airflow = record.run.get("airflow") or {}
    tags = {
        FINGERPRINT_TAG: record.fingerprint,
        "data.version": data_version(record.run.get("data") or {}),
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
    """The manifest fingerprints behind a run, one short text: `DCIR:<digest> MCO:<digest>`."""
    from parcours.storage.fingerprint import fingerprint

    return " ".join(f"{product}:{fingerprint(periods)}" for product, periods in sorted(data.items()))


def run_params(run: Mapping[str, Any]) -> dict[str, str]:
    """Resolved parameters and data versions as flat texts, none longer than MLflow takes."""
    params = dict(_flatten(run.get("study") or {}, ""))
    for product, periods in sorted((run.get("data") or {}).items()):
        params[f"data.{product}"] = ", ".join(f"{period}={digest}" for period, digest in sorted(periods.items()))
    return {name: _shorten(value) for name, value in params.items()}


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
