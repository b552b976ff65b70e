"""Trigger forms: the parameters of a study file as Airflow's Params, and what a user filled in as overrides."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Param

from parcours.cohort.parameters import refuse_unknown

TYPES: dict[str, dict[str, Any]] = {
    "date": {"type": "string"},
    "month": {"type": ["string", "null"]},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    # A list that was emptied in the form comes back as null.
    "strings": {"type": ["array", "null"], "items": {"type": "string"}},
    "numbers": {"type": ["array", "null"], "items": {"type": "number"}},
}
LISTS = ("strings", "numbers")
LIMITS = ("minimum", "maximum", "enum", "pattern")


def root_param(default: str) -> Param:
    """Where the flat tables and studies are."""
    return Param(
        default,
        type="string",
        minLength=1,
        title="Folder of all results",
        section="Platform",
        description="The root: where flat tables and studies are, as the machine that runs the jobs sees it.",
    )


def preview_param() -> Param:
    """Whether the run only says what it would find."""
    words = "End after a minute with about how many persons, cases and medicines there are, and how long a run takes."
    return Param(False, type="boolean", title="Preview only", section="Platform", description=words)


def study_params(parameters: Sequence[Mapping[str, Any]]) -> dict[str, Param]:
    """One field for each parameter of the study, in its sections, with its limits and help.

    `parameters` is what `Study.parameters()` returns.
    """
    return {parameter["name"]: _param(parameter) for parameter in parameters}


def checked_params(context: Any) -> Mapping[str, Any]:
    """The parameters of the run.

    Raises InputError when the trigger gave one that the DAG does not declare: Airflow takes any name, and a slip would
    run with the default.
    """
    dag, params = context["dag"], context["params"]
    given = [*params, *(name for name in context["dag_run"].conf or {} if name not in params)]
    refuse_unknown(given, list(dag.params), dag.dag_id)
    return params


def overrides(parameters: Sequence[Mapping[str, Any]], filled: Mapping[str, Any]) -> dict[str, Any]:
    """What the form holds, as overrides of the study; an emptied list is an empty list."""
    lists = {parameter["name"] for parameter in parameters if parameter["type"] in LISTS}
    names = [parameter["name"] for parameter in parameters if parameter["name"] in filled]
    return {name: [] if filled[name] is None and name in lists else filled[name] for name in names}


def _param(parameter: Mapping[str, Any]) -> Param:
    schema = {**TYPES[parameter["type"]], "title": parameter["title"], "section": parameter["section_title"]}
    limits = {name: parameter[name] for name in LIMITS if parameter.get(name) is not None}
    schema["examples"] = parameter["examples"] or None
    if limits.get("enum"):
        schema["values_display"] = {word: parameter["texts"][word] for word in limits["enum"]}
    if parameter["type"] in LISTS:
        schema["items"] = {**schema["items"], **limits}
        schema["examples"] = limits.get("enum")
    else:
        schema.update(limits)
    kept = {name: value for name, value in schema.items() if value is not None}
    return Param(parameter["value"], description=parameter["help"], **kept)
