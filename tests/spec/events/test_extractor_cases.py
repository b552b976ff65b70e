"""What becomes of small flat tables, extractor by extractor: the cases of `cases/<PRODUCT>.yaml`.

A case names the cells that matter: `rows` are flat rows, `events` what becomes of them, `counts` how many rows became
events and how many each rule left out (not given: all became events). A column of a detail table may go by its own
name; what no column tells is as `usual` says. `claim` numbers the claims of DCIR: rows of one number are of one claim,
and without it each row is a claim of its own. `-` is an empty cell, `␣` a blank.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from parcours.engine.duck import query
from parcours.engine.sql import quoted
from parcours.events.columns import column_type
from parcours.events.extractors import Extractor, extractors, passes
from parcours.events.one_pass import events_of_rows
from parcours.events.references import contents_of, pack_references, packs_of
from parcours.snds.contracts import load_product

FOLDER, CODELISTS = Path(__file__).parent / "cases", Path(__file__).parents[3] / "codelists"
FILES = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
CASES = [
    pytest.param(product, category, case, id=f"{category}: {case['name']}")
    for product, told in FILES.items()
    for category, cases in told["cases"].items()
    for case in cases
]
FEWEST = 3
# Columns of all flat rows, whether or not an extractor reads them.
OF_ALL = {"claim", "claim_row", "source_table", "period"}
Cells = list[dict[str, str | None]]


@pytest.mark.parametrize(("product", "category", "case"), CASES)
def test_rows_become_these_events_and_the_others_are_counted(product: str, category: str, case: dict[str, Any]) -> None:
    one, told, given = extractors()[category], FILES[product], cells(case["rows"])
    rows = flat_rows(one, told["usual"], given)
    found, counts = events_of_rows(rows, passes()[product], [one], references(told.get("packs")), CODELISTS)
    expected = cells(case["events"])
    columns = list(expected[0]) if expected else ["code"]
    assert sorted(map(repr, shown(found[category], columns))) == sorted(map(repr, expected))
    assert counts[category] == {"read": len(given), **case.get("counts", {"became_events": len(given)})}


def test_every_extractor_has_its_cases() -> None:
    cases = {category: len(some) for told in FILES.values() for category, some in told["cases"].items()}
    assert {category: cases.get(category, 0) for category in extractors() if cases.get(category, 0) < FEWEST} == {}
    assert sorted(cases) == sorted(extractors())


def cells(text: str) -> Cells:
    """The rows of a text table, each {column: cell}; `none` is a table without a row."""
    if text.strip() == "none":
        return []
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [
        {column: None if cell == "-" else cell.replace("␣", " ") for column, cell in zip(header, line, strict=True)}
        for line in lines
    ]


def flat_rows(one: Extractor, usual: dict[str, Any], given: Cells) -> pa.Table:
    """Flat rows with the columns that an extractor reads."""
    kinds = {column: column_type(one.product, column) for column in passes()[one.product].columns([one])}
    kinds |= {"period": "VARCHAR"}
    full = {column.rpartition("__")[2]: column for column in kinds} | {column: column for column in kinds}
    written = [
        {full.get(column, column): cell for column, cell in (usual | claim(one.product, number, row) | row).items()}
        for number, row in enumerate(given)
    ]
    unknown = {column for row in given for column in row} - {*full} - OF_ALL
    assert not unknown, f"{one.category} reads no {', '.join(sorted(unknown))}"
    table = pa.table({column: pa.array([text_of(row.get(column)) for row in written], pa.string()) for column in kinds})
    casts = ", ".join(f"{quoted(column)}::{kind} AS {quoted(column)}" for column, kind in kinds.items())
    return query(f"SELECT {casts} FROM given", given=table)


def claim(product: str, number: int, row: dict[str, Any]) -> dict[str, Any]:
    """The key of a claim: one number stands for its nine columns."""
    if product != "DCIR":
        return {}
    dates = dict.fromkeys(("FLX_DIS_DTD", "FLX_TRT_DTD"), "2015-04-01")
    return {
        **dict.fromkeys(load_product(product).key, "1"),
        **dates,
        "DCT_ORD_NUM": row.get("claim", str(100 + number)),
    }


def text_of(value: Any) -> str | None:
    return None if value is None else str(value)


def references(packs: str | None) -> dict[str, pa.Table]:
    """The medicines of a file of cases, as IR_PHA_R tells them."""
    if packs is None:
        return {}
    kinds = {"PHA_CIP_C13": "BIGINT", "PHA_PRS_IDE": "BIGINT"}
    told = cells(packs)
    names = [*kinds, "PHA_ATC_C07", "PHA_CND_TOP", *list(told[0])[2:]]
    table = pa.table({column: pa.array([row.get(column) for row in told], pa.string()) for column in names})
    casts = ", ".join(f"{column}::{kinds.get(column, 'VARCHAR')} AS {column}" for column in names)
    reference = query(f"SELECT {casts} FROM given", given=table)
    return pack_references(packs_of(reference), contents_of(reference))


def shown(events: pa.Table, columns: list[str]) -> Cells:
    """Events as a case writes them."""
    return [{column: cell_of(row[column]) for column in columns} for row in events.to_pylist()]


def cell_of(value: Any) -> str | None:
    if isinstance(value, float):
        return f"{value:g}"
    return value.isoformat() if isinstance(value, dt.date) else text_of(value)
