"""Every declared type in every form it arrives in: value, counted, rejected with its reason, or the file refused."""

from datetime import date

import pytest
import yaml
from forms import DECLARED, cells, write

from parcours.errors import InputError
from parcours.flatten.converted import NOT_POSSIBLE, NOT_READABLE
from parcours.flatten.job import reading
from parcours.flatten.rows import read_rows
from parcours.flatten.scan import scan_blocks, scan_file
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery

KINDS = {"period": "date", "key": "integer", "unknown": "string"}
REASONS = {
    "unreadable": lambda kind: NOT_READABLE[kind],
    "impossible": lambda kind: NOT_POSSIBLE[kind],
    "no key": lambda _: "the key is empty",
}
REFUSED = ("refused", "a number without a format of dates")


def read(folder, cell):
    """Rows, rejects and counts of the one row of a file."""
    path = write(folder, cell)
    tables = {"ER_PRS_F": {"files": path.name}}
    (folder / "delivery.yaml").write_text(yaml.safe_dump({"name": "form", "tables": tables, **cell.settings}))
    delivery, product = load_delivery(folder), load_product("DCIR")
    scan = scan_file(delivery.files[0], delivery, product)
    how, ((block, span),) = reading(product, delivery, scan), scan_blocks(scan, scan.spans, ";")
    rows = read_rows(block, how, scan.span_periods(span))
    assert set(rows.counts) == set(scan.periods), "the plan and the rows tell different periods"
    return rows


def told(rows, cell):
    """What became of the value, in the words of forms.yaml."""
    (counts,) = rows.counts.values()
    if rows.rejects:
        (reject,) = rows.rejects
        assert reject["column"] == cell.column
        return reject["reason"]
    ((period, table),) = rows.tables.items()
    counted = cell.column in counts.canonical or cell.column in counts.sentinels
    return shown(period if cell.kind == "period" else table[cell.column][0].as_py()) + ", counted" * counted


def shown(value):
    if value is None:
        return "null"
    return value.isoformat() if isinstance(value, date) else str(value)


def expected(cell):
    kind = KINDS.get(cell.kind, cell.kind)
    if cell.becomes in REASONS:
        return REASONS[cell.becomes](kind)
    if kind == "decimal" and cell.becomes[0] in "-.0123456789":
        value, _, counted = cell.becomes.partition(", ")
        return shown(float(value)) + f", {counted}" * bool(counted)
    return cell.becomes


@pytest.mark.parametrize("cell", cells(), ids=lambda cell: f"{cell.form}-{cell.kind}-{cell.delivered!a}")
def test_one_form_one_value(cell, tmp_path):
    if cell.becomes in REFUSED:
        sentence = (
            cell.becomes if cell.becomes != "refused" else f"column {cell.column} .*`time_zone:` in delivery.yaml"
        )
        with pytest.raises(InputError, match=sentence):
            read(tmp_path, cell)
        return
    assert told(read(tmp_path, cell), cell) == expected(cell)


def test_every_form_is_told_for_every_type():
    """Where a column is read as others are, a group may say it of its dates alone."""
    known = {(cell.form.partition(", with")[0], cell.kind) for cell in cells()}
    forms = {form for form, _ in known}
    missing = {(form, kind) for form in forms for kind in DECLARED["columns"]} - known
    assert missing == set()
