"""Random typed tables in random forms of CSV, Parquet and SAS give the same rows from all of them."""

import csv
import io
import tempfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from flat_here import KEY
from hypothesis import given, settings
from hypothesis import strategies as st
from sas_files import sas_table

from parcours.flatten.job import reading
from parcours.flatten.rows import read_rows
from parcours.flatten.scan import scan_blocks, scan_file
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery

COLUMNS = {
    **{name: "date" if name in ("FLX_DIS_DTD", "FLX_TRT_DTD") else "integer" for name in KEY.split(";")},
    "ORG_CLE_NUM": "string",
    "ETB_PRE_FIN": "string",
    "PRS_NAT_REF": "integer",
    "PRS_PAI_MNT": "decimal",
    "EXE_SOI_DTD": "date",
    "NEW_COLUMN": "string",
}
letters = st.text(st.sampled_from("AB09 é;\"'.,-+\n"), min_size=1, max_size=6).map(lambda text: text.strip())
TYPES = {
    "string": letters.filter(bool),
    "integer": st.one_of(st.integers(-9, 99), st.sampled_from([2**53, -(2**53), 3400930000012])),
    "decimal": st.one_of(st.integers(-10_000, 10**9).map(lambda cents: cents / 100), st.just(0.0)),
    "date": st.dates(date(1999, 1, 1), date(2030, 12, 31)),
}


@st.composite
def tables(draw):
    """Rows of ER_PRS_F: values of the types of their columns, now and then none where there is no key."""
    months = st.sampled_from([date(2016, 1, 1), date(2016, 2, 1)])
    cells = {
        name: (months if name == "FLX_DIS_DTD" else TYPES[kind]) if name in KEY.split(";") else st.none() | TYPES[kind]
        for name, kind in COLUMNS.items()
    }
    return draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=5))


# --- CSV ---------------------------------------------------------------------------------------------------------

DATES = {"%Y-%m-%d": None, "%d/%m/%Y": None, "%Y%m%d": None, "%d%b%Y:%H:%M:%S": None}
csv_forms = st.fixed_dictionaries({
    "delimiter": st.sampled_from([";", ",", "\t", "|"]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    "ending": st.sampled_from(["\n", "\r\n"]),
    "mark": st.sampled_from(["", "\ufeff"]),
    "names": st.sampled_from([str, str.lower, str.title]),
    "dates": st.sampled_from(sorted(DATES)),
    "padding": st.sampled_from(["", " ", "   ", "\0"]),
    "trailing": st.booleans(),
    "point": st.booleans(),
})  # fmt: skip


def csv_file(folder, rows, form):
    """The file, and the settings that it needs."""
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=form["delimiter"], quoting=form["quoting"], lineterminator=form["ending"], escapechar=None
    )
    more = [""] if form["trailing"] else []
    writer.writerow([form["names"](name) for name in COLUMNS] + more)
    for row in rows:
        writer.writerow([text_of(row[name], form) for name in COLUMNS] + more)
    path = folder / "file.csv"
    path.write_bytes((form["mark"] + out.getvalue()).encode())
    return path, {"delimiter": form["delimiter"], "date_formats": [form["dates"]]}


def text_of(value, form):
    if value is None:
        return ""
    if isinstance(value, date):
        return value.strftime(form["dates"]) + form["padding"]
    if isinstance(value, int) and form["point"]:
        return f"{value}.0{form['padding']}"
    return (repr(value) if isinstance(value, float) else str(value)) + form["padding"]


# --- Parquet -----------------------------------------------------------------------------------------------------

INSTANT = pa.timestamp("us", "UTC")
ARROW = {
    "string": [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())],
    "integer": [pa.int64(), pa.float64(), pa.string(), pa.decimal128(20, 0), pa.decimal128(38, 10)],
    "decimal": [pa.float64(), pa.string(), pa.decimal128(20, 2)],
    "date": [
        pa.date32(),
        pa.date64(),
        pa.timestamp("ms"),
        pa.timestamp("us"),
        pa.timestamp("ns"),
        INSTANT,
        pa.string(),
    ],
}
parquet_forms = st.fixed_dictionaries(
    {name: st.sampled_from(ARROW[kind]) for name, kind in COLUMNS.items()}
    | {"int96": st.booleans(), "groups": st.sampled_from([1, 2, 1000]), "names": st.sampled_from([str, str.lower])}
)


def parquet_file(folder, rows, form):
    columns = {
        form["names"](name): pa.array([arrow_value(row[name], form[name]) for row in rows], form[name])
        for name in COLUMNS
    }
    path = folder / "file.parquet"
    pq.write_table(
        pa.table(columns), path, row_group_size=form["groups"], use_deprecated_int96_timestamps=form["int96"]
    )
    return path, {}


def arrow_value(value, kind):
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return datetime.combine(value, time(), UTC if kind.tz else None)
    if pa.types.is_decimal(kind):
        return Decimal(repr(value))
    if pa.types.is_binary(kind):
        return value.encode()
    if pa.types.is_string(kind) and not isinstance(value, str):
        return repr(value) if isinstance(value, float) else str(value)
    return float(value) if pa.types.is_floating(kind) else value


# --- SAS ---------------------------------------------------------------------------------------------------------

sas_forms = st.fixed_dictionaries(
    {
        "date": st.sampled_from(["DATE9", "DATETIME20"]),
        "compressed": st.booleans(),
        "names": st.sampled_from([str, str.lower]),
    }
)


def sas_file(folder, rows, form):
    kinds = {"string": "$", "date": form["date"]}
    columns = {form["names"](name): kinds.get(kind, "") for name, kind in COLUMNS.items()}
    path = folder / "file.sas7bdat"
    path.write_bytes(
        sas_table(columns, [tuple(row[name] for name in COLUMNS) for row in rows], compressed=form["compressed"])
    )
    return path, {}


# -----------------------------------------------------------------------------------------------------------------


def rows_of(folder, path, how):
    """The rows of a file as they are accepted, by period; none may be rejected."""
    tables = {"ER_PRS_F": {"files": path.name}}
    (folder / "delivery.yaml").write_text(yaml.safe_dump({"name": "any", "tables": tables, **how}, allow_unicode=True))
    delivery, product = load_delivery(folder), load_product("DCIR")
    scan = scan_file(delivery.files[0], delivery, product)
    found = []
    for block, span in scan_blocks(scan, scan.spans, delivery.delimiter):
        rows = read_rows(block, reading(product, delivery, scan), scan.span_periods(span))
        assert rows.rejects == []
        found += [(period, _spelled(row)) for period, table in rows.tables.items() for row in table.to_pylist()]
    return found


def _spelled(row):
    """The column that no contract knows keeps the spelling of its file."""
    return {name.upper() if name not in COLUMNS else name: value for name, value in row.items()}


def ordered(rows):
    """Rows by period, each with the names in their order."""
    return sorted(((period, [row[name] for name in COLUMNS]) for period, row in rows), key=str)


@settings(max_examples=60, deadline=None)
@given(rows=tables(), csv_form=csv_forms, parquet_form=parquet_forms, sas_form=sas_forms)
def test_any_form_gives_the_same_rows(rows, csv_form, parquet_form, sas_form):
    expected = ordered((f"{row['FLX_DIS_DTD']:%Y-%m}", row) for row in rows)
    for write, form in ((csv_file, csv_form), (parquet_file, parquet_form), (sas_file, sas_form)):
        with tempfile.TemporaryDirectory() as name:
            path, how = write(Path(name), rows, form)
            assert ordered(rows_of(Path(name), path, how)) == expected, (write.__name__, form)
