"""The reference page of studies says what the table of parameters says."""

from pathlib import Path

import pytest

from parcours.cohort.parameters import MISSING, Parameter, parameter_table
from parcours.events.filters import filter_table

DOCS = Path(__file__).parents[3] / "docs" / "reference"
WORDS = {
    "names": "definitions in `codelists/`",
    "rules": "rules of the definition",
    "sites": "sites of the definition",
}


def allowed(parameter: Parameter) -> str:
    if parameter.enum:
        return ", ".join(parameter.enum)
    if parameter.enum_from:
        return WORDS[parameter.enum_from]
    if parameter.minimum is not None:
        return f"{parameter.minimum} to {parameter.maximum}"
    return {"date": "a date or words", "month": "a month", "boolean": "true, false"}.get(parameter.type, "codes")


def default(parameter: Parameter) -> str:
    if parameter.default is MISSING:
        return "required"
    return "empty" if parameter.default in ([], "") else str(parameter.default).lower().strip("[]")


@pytest.mark.parametrize("parameter", parameter_table().values(), ids=lambda p: p.name)
def test_each_parameter_has_its_row(parameter):
    row = f"| `{parameter.name}` | {allowed(parameter)} | {default(parameter)} | {parameter.help} |"
    assert row in (DOCS / "studies.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("one", filter_table(), ids=lambda one: one.id)
def test_each_filter_has_its_row(one):
    row = f"| `{one.id}` | {', '.join(one.products)} | {one.meaning} | {one.source} |"
    assert row in (DOCS / "studies.md").read_text("utf-8").splitlines()
